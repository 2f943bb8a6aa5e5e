//! Logins typed by hand: decoded, encoded, hidden (P23, P24).

use super::prompt;
use crate::practice::serving;
use crate::support::pty::{Pty, key, talk_to};
use crate::support::relay::relay_to;
use crate::support::scripted::serve;

const MARKER: &str = "Marker-2f4c-9d81";
const ENCODED: &str = "TWFya2VyLTJmNGMtOWQ4MQ==";

fn is_nowhere(pty: &Pty) {
    let read = |name: &str| std::fs::read_to_string(pty.folder().join(name)).unwrap_or_default();
    for (name, text) in
        [("the screen", pty.shown()), ("the terminal", pty.raw()), ("the log", read("log")), ("the history", read("history"))]
    {
        for part in [MARKER, "2f4c-9d81", ENCODED, &ENCODED[..16]] {
            assert!(!text.contains(part), "{name} holds {part}:\n{text}");
        }
    }
}

const ASKS: &str = "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 UGFzc3dvcmQ6\n";

#[test]
fn a_login_by_hand_is_decoded_encoded_and_hidden() {
    // P24
    for (term, echo) in
        [("xterm-256color", "535-5.7.8 it is not Marker-2f4c-9d81\nS: 535 5.7.8 TWFya2VyLTJmNGMtOWQ4MQ=="), ("dumb", "235 2.7.0 welcome")]
    {
        let server = serve(&format!("{ASKS}C: TWFya2VyLTJmNGMtOWQ4MQ==\nS: {echo}\nhold"));
        let mut pty = talk_to(server.port, &["-l", "log"]).env("TERM", term).start();
        pty.wait_for("127.0.0.1:");
        pty.wait_for("220 mx");
        pty.line("AUTH LOGIN");
        pty.wait_for("The server asks \"Username:\"");
        pty.wait_at_start("username");
        pty.line("logon");
        pty.wait_for("bG9nb24=");
        pty.wait_hidden();
        pty.send(MARKER);
        pty.send("\r");
        pty.wait_for("Send the password unencrypted? [y/N]");
        pty.send("y\r");
        pty.wait_for("(password, hidden)");
        pty.wait_for(if term == "dumb" { "235 2.7.0" } else { "535 5.7.8" });
        pty.wait("the prompt", |screen| screen.trim_end().ends_with(['>', ':']));
        if term != "dumb" {
            // The kill ring and the history give nothing back.
            pty.send(&format!("\x19{}\x15", key::UP));
        }
        pty.line(":quit");
        pty.exit();
        is_nowhere(&pty);
        assert!(server.end().text().contains(ENCODED));
        let history = std::fs::read_to_string(pty.folder().join("history")).unwrap();
        assert_eq!(history, "AUTH LOGIN\n:quit\n");
    }
}

#[test]
fn a_password_does_not_go_over_a_clear_line_without_a_yes() {
    // P23
    for answer in ["n\r", "\r", "\x03"] {
        let server = serve(&format!("{ASKS}C: *\nS: 501 5.7.0 cancelled\nhold"));
        let mut pty = talk_to(server.port, &[]).start();
        pty.wait_at(&prompt(server.port));
        pty.line("AUTH LOGIN");
        pty.wait_for("This connection is not encrypted");
        pty.wait_at("username>");
        pty.line("logon");
        pty.wait_hidden();
        pty.send(&format!("{MARKER}\r"));
        pty.wait_for("Send the password unencrypted? [y/N]");
        pty.send(answer);
        pty.wait_for("501 5.7.0 cancelled");
        pty.wait_at(&prompt(server.port));
        is_nowhere(&pty);
        assert!(!server.end().text().contains(ENCODED));
    }
}

#[test]
fn a_typed_auth_with_credentials_needs_a_yes_too() {
    // P23 P42
    let server = serve("S: 220 mx\nC: AUTH PLAIN AE1hcmtlcgBNYXJrZXItMmY0Yy05ZDgx\nS: 235 2.7.0 welcome\nhold");
    let mut pty = talk_to(server.port, &["-l", "log"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH PLAIN AE1hcmtlcgBNYXJrZXItMmY0Yy05ZDgx");
    pty.wait_for("Send the password unencrypted? [y/N]");
    pty.send("\r");
    pty.wait_for("Not sent.");
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH PLAIN AE1hcmtlcgBNYXJrZXItMmY0Yy05ZDgx");
    pty.wait("the second question", |screen| screen.matches("[y/N]").count() == 2);
    pty.send("y\r");
    pty.wait_for("235 2.7.0");
    pty.wait_for(&format!("Marker@{}", prompt(server.port)));
    pty.send(key::CTRL_D);
    pty.exit();
    let history = std::fs::read_to_string(pty.folder().join("history")).unwrap();
    assert_eq!(history, "AUTH PLAIN\n");
    assert!(!std::fs::read_to_string(pty.folder().join("log")).unwrap().contains("AE1hcm"));
    server.end();
}

#[test]
fn a_user_name_that_is_base64_already_is_asked_about() {
    for (answer, sent) in [("y\r", "bG9nb24="), ("n\r", "Ykc5bmIyND0=")] {
        let server = serve(&format!("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {sent}\nS: 334 UGFzc3dvcmQ6\nhold"));
        let mut pty = talk_to(server.port, &[]).start();
        pty.wait_at(&prompt(server.port));
        pty.line("AUTH LOGIN");
        pty.wait_at("username>");
        pty.line("bG9nb24=");
        pty.wait_for("That is already base64 for \"logon\".");
        pty.send(answer);
        pty.wait_hidden();
        assert_eq!(server.end().lines()[1], sent);
    }
}

#[test]
fn what_is_typed_ahead_never_becomes_the_password() {
    // P24 P36
    let server = serve(&format!("{ASKS}C: TWFya2VyLTJmNGMtOWQ4MQ==\nS: 235 2.7.0 welcome\nhold"));
    let mut pty = talk_to(server.port, &["--allow-cleartext"]).start();
    pty.wait_at(&prompt(server.port));
    pty.send("AUTH LOGIN\rlogon\rtyped-ahead\rQUIT\r");
    pty.wait_hidden();
    pty.send(&format!("{MARKER}\r"));
    pty.wait_for("235 2.7.0");
    pty.wait_at(&format!("logon@{}", prompt(server.port)));
    is_nowhere(&pty);
    assert_eq!(server.end().lines(), ["AUTH LOGIN", "bG9nb24=", ENCODED]);
}

#[test]
fn a_star_cancels_at_either_prompt() {
    let server = serve(
        "S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 one\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 501 two\nhold",
    );
    let mut pty = talk_to(server.port, &["--allow-cleartext"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("*");
    pty.wait_for("501 one");
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("logon");
    pty.wait_hidden();
    pty.line("*");
    pty.wait_for("501 two");
    server.end();
}

#[test]
fn the_user_flag_logs_in_and_asks_for_the_password() {
    let server = serve(
        "S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\nS: 235 2.7.0 welcome\nhold",
    );
    let mut pty = talk_to(server.port, &["-u", "logon", "--allow-cleartext", "-l", "log"]).start();
    pty.wait_hidden();
    pty.send(&format!("{MARKER}\r"));
    pty.wait_for("235 2.7.0");
    pty.wait_at(&format!("logon@{}", prompt(server.port)));
    is_nowhere(&pty);
    server.end();
}

#[test]
fn a_server_that_asks_without_end_is_given_up() {
    // P27
    let asks = "S: 334 UGFzc3dvcmQ6\nC: *\n".repeat(30);
    let server = serve(&format!("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\n{asks}hold"));
    let mut pty = talk_to(server.port, &["--allow-cleartext"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("logon");
    for turn in 1..=20 {
        pty.wait_hidden();
        pty.send(&format!("answer{turn}\r"));
        server.wait_segments(2 + turn);
    }
    pty.wait_for("asks without end");
    assert!(server.end().lines().len() <= 25);
}

#[test]
fn a_login_that_was_begun_by_hand_is_carried_on() {
    // RFC 2195 section 2
    let server = serve(
        "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\nC: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\nS: 235 welcome\nhold",
    );
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("EHLO a");
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH CRAM-MD5");
    pty.wait_for_words("CRAM-MD5 challenge: text <1896.697170952@postoffice.reston.mci.net>");
    pty.wait_at("auth cram-md5>");
    pty.line(":answer");
    pty.wait_at("username>");
    pty.line("tim");
    pty.wait_hidden();
    pty.send("tanstaaftanstaaf\r");
    // P47: a digest of the password can be cracked by whoever records it.
    pty.wait_for_words("Unencrypted, this login lets whoever records it guess the password offline. Send it? [y/N]");
    pty.send("y\r");
    pty.wait_for("(CRAM-MD5 answer, hidden)");
    pty.wait_for_words("user tim, digest (hidden)");
    pty.wait_at(&format!("tim@{}", prompt(server.port)));
    assert!(!pty.raw().contains("b913a602"), "{}", pty.shown());
    server.end();
}

#[test]
fn a_whole_login_is_one_local_command() {
    let server = serve(
        "S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 UGFzc3dvcmQ6\nC: TWFya2VyLTJmNGMtOWQ4MQ==\nS: 235 welcome\nhold",
    );
    let mut pty = talk_to(server.port, &["--allow-cleartext", "-l", "log"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":auth login logon");
    pty.wait_hidden();
    pty.send(&format!("{MARKER}\r"));
    pty.wait_for("(password, hidden)");
    pty.wait_at(&format!("logon@{}", prompt(server.port)));
    is_nowhere(&pty);
    server.end();
}

#[test]
fn nothing_secret_of_a_carried_login_is_shown_or_kept() {
    // P24
    for mechanism in ["CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256", "NTLM", "XOAUTH2"] {
        let (server, port, token) = serving(&["--offer", "all"]);
        let relay = relay_to(port);
        let secret = if token.is_empty() || mechanism != "XOAUTH2" { "My simple password".to_owned() } else { token };
        let mut pty = talk_to(relay.port, &["--allow-cleartext", "-l", "log"]).start();
        pty.wait_at(&prompt(relay.port));
        pty.line(&format!(":auth {mechanism} logon"));
        pty.wait_hidden();
        pty.send(&format!("{secret}\r"));
        pty.wait_for("235 2.7.0");
        pty.wait("the prompt", |screen| screen.trim_end().ends_with('>'));
        pty.line(":quit");
        pty.exit();
        let read = |name: &str| std::fs::read_to_string(pty.folder().join(name)).unwrap_or_default();
        let texts = [pty.shown(), pty.raw(), read("log"), read("history")];
        assert!(texts.iter().all(|text| text.contains(mechanism)), "{texts:?}");
        for found in relay.secrets(mechanism).into_iter().chain([secret.clone()]) {
            assert!(texts.iter().all(|text| !text.contains(&found)), "{mechanism}: {found} in {texts:?}");
        }
        server.signal(rustix::process::Signal::TERM);
        server.finish();
    }
}

#[test]
fn what_is_typed_behind_a_refused_auth_is_no_command_unasked() {
    // P46
    for refusal in ["503 5.5.1 not within a transaction", "235 2.7.0 welcome", "504 5.5.4 unknown"] {
        let server = serve(&format!("S: 220 mx\nC: AUTH LOGIN\nS: {refusal}\nC: MIAL x\nS: 500 what\nC: {MARKER}\nS: 500 what\nhold"));
        let mut pty = talk_to(server.port, &["--allow-cleartext", "-l", "log"]).start();
        pty.wait_at(&prompt(server.port));
        pty.line("AUTH LOGIN");
        pty.wait_for(&refusal[..9]);
        pty.wait("the prompt", |screen| screen.trim_end().ends_with('>'));
        let count = |screen: &str, words: &str| screen.split_whitespace().collect::<Vec<_>>().join(" ").matches(words).count();
        for (number, line) in [(1, "logon"), (2, "Pass-2f4c")] {
            pty.line(line);
            let question = "may be an answer to the AUTH that has just ended. Send it as a command? [y/N]";
            pty.wait(question, |screen| count(screen, question) == 2 * number - 1);
            // Whoever types on types the password: it is not shown, and is no answer.
            pty.send(&format!("{MARKER}\r"));
            pty.wait(question, |screen| count(screen, question) == 2 * number);
            pty.send("\r");
            pty.wait("a note", |screen| count(screen, "Not sent. AUTH begins a login again.") == number);
            pty.wait("the prompt", |screen| screen.trim_end().ends_with('>'));
        }
        assert!(pty.shown().contains("Please answer y or n. What was typed is dropped."));
        is_nowhere(&pty);
        // A slip of the fingers is a verb, and ends the doubt.
        pty.line("MIAL x");
        pty.wait_for("500 what");
        pty.wait("the prompt", |screen| screen.trim_end().ends_with('>'));
        pty.line(MARKER);
        pty.wait("the second refusal", |screen| screen.matches("500 what").count() == 2);
        assert_eq!(server.end().lines(), ["AUTH LOGIN", "MIAL x", MARKER], "{refusal}");
    }
}

#[test]
fn a_command_in_the_place_of_a_user_name_is_asked_about() {
    let table = ["QUIT", "STARTTLS", "EHLO client.alt.test", "RSET", "MAIL FROM:<a@alt.test>", "quit"];
    for (number, line) in table.into_iter().enumerate() {
        // LOGIN, PLAIN, a login that is carried out, and base64.
        let (typed, asks, prompt_of) = match number % 4 {
            0 => ("AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "username>"),
            1 => ("AUTH PLAIN", "S: 334 ", "username>"),
            2 => (":auth login", "S: 334 VXNlcm5hbWU6", "username>"),
            _ => ("AUTH X-NEW", "S: 334 ", "auth x-new>"),
        };
        let server =
            serve(&format!("S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH LOGIN PLAIN X-NEW\nC: *\n{asks}\nC: *\nS: 501 cancelled\nhold"));
        let mut pty = talk_to(server.port, &["--allow-cleartext"]).start();
        pty.wait_at(&prompt(server.port));
        pty.line("EHLO a");
        pty.wait_for("250 AUTH");
        pty.wait_at(&prompt(server.port));
        pty.line(typed);
        pty.wait_at(prompt_of);
        pty.line(line);
        let verb = line.split(' ').next().unwrap().to_ascii_uppercase();
        let what = if prompt_of == "username>" { "the user name" } else { "the answer" };
        pty.wait_for_words(&format!("{verb} is an SMTP command. Send it as {what}? [y/N]"));
        pty.send("n\r");
        pty.wait_for_words("Not sent. The server still waits for an answer; * cancels the login.");
        pty.wait_at(prompt_of);
        pty.line("*");
        pty.wait_for("501 cancelled");
        let lines = server.end().lines();
        assert_eq!(lines.last().map(String::as_str), Some("*"), "{line}: {lines:?}");
    }
}

#[test]
fn what_is_typed_at_a_question_within_a_login_is_not_shown() {
    // P24: the fingers were faster than the question.
    let server = serve(&format!("{ASKS}C: *\nS: 501 5.7.0 cancelled\nhold"));
    let mut pty = talk_to(server.port, &["-l", "log"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("AUTH LOGIN");
    pty.wait_at("username>");
    pty.line("logon");
    pty.wait_hidden();
    pty.send("wrong\r");
    pty.wait_for("Send the password unencrypted? [y/N]");
    pty.send(&format!("{MARKER}\r"));
    pty.wait("the question again", |screen| screen.matches("[y/N]").count() == 2);
    pty.wait_for_words("Please answer y or n. What was typed is dropped.");
    pty.send("n\r");
    pty.wait_for("501 5.7.0 cancelled");
    pty.wait_at(&prompt(server.port));
    pty.send(key::UP);
    is_nowhere(&pty);
    assert!(!server.end().text().contains(MARKER));
}
