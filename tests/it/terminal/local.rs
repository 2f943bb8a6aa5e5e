//! Local commands and the history file.

use super::prompt;
use crate::support::pty::{at_terminal, key, talk_to};
use crate::support::scripted::serve;

#[test]
fn help_lists_and_explains() {
    let server = serve("S: 220 mx\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":help");
    pty.wait_for(":quit");
    pty.wait_for_words("::text sends a line that begins with a colon.");
    pty.line(":help rcpt");
    pty.wait_for("RCPT TO:<address>");
    pty.line(":help nonsense");
    pty.wait_for("There is no help on 'nonsense'");
    assert_eq!(server.end().text(), "");
}

#[test]
fn an_unknown_local_command_is_answered_with_the_nearest() {
    let server = serve("S: 220 mx\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":stte");
    pty.wait_for("Did you mean :state?");
    pty.line(":mail");
    pty.wait_for("SMTP verbs are typed without the colon.");
    pty.line(":stat");
    pty.wait_for("Next        EHLO");
    assert_eq!(server.end().text(), "");
}

#[test]
fn state_decode_encode_and_settings_need_no_server() {
    let server = serve("S: 220 mx ESMTP\nclose");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_for("The server closed the connection");
    // The prompt that stands there cannot change any more; the next one does.
    pty.wait_at(&prompt(server.port));
    pty.line(":state");
    pty.wait_for("the connection is closed.");
    pty.wait_at("not connected>");
    pty.line(":decode 334 UGFzc3dvcmQ6");
    pty.wait_for("Password:");
    pty.line(":encode logon");
    pty.wait_for("bG9nb24=");
    pty.line(":set explain off");
    pty.wait_for("explain is off.");
    pty.line(":set nonsense");
    pty.wait_for("There is no setting 'nonsense'");
    pty.line(":q");
    assert_eq!(pty.exit(), 0);
    server.end();
}

// P24
#[test]
fn decode_lays_messages_open_and_hides_their_secrets() {
    let server = serve("S: 220 mx\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":decode AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=");
    pty.wait_for("user name and password: user logon, password (hidden)");
    pty.line(":decode VXN!");
    pty.wait_for("this is not base64: character 4 (!) does not belong there.");
    assert!(!pty.raw().contains("2f4c"));
    assert_eq!(server.end().text(), "");
}

// P23, P24
#[test]
fn encode_asks_for_user_and_hidden_password() {
    let mut pty = at_terminal(["encode", "--as", "plain"]).start_in_shell();
    pty.wait_at("username>");
    pty.line("logon");
    pty.wait_hidden();
    pty.line("secret");
    pty.wait_for("AGxvZ29uAHNlY3JldA==");
    assert_eq!(pty.exit_with_same_modes(), 0);
    assert!(!pty.raw().contains("secret"));
    let mut pty = at_terminal(["encode", "--as", "xoauth2", "logon"]).start_in_shell();
    pty.wait_hidden();
    pty.send(key::CTRL_C);
    assert_eq!(pty.exit_with_same_modes(), 130);
}

#[test]
fn explain_tells_the_last_refusal_at_length() {
    let server = serve("S: 220 mx\nC: RCPT TO:<x@external.test>\nS: 550 5.7.1 Unable to relay\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":explain");
    pty.wait_for("Nothing was refused so far.");
    pty.line("RCPT TO:<x@external.test>");
    pty.wait_for("550 5.7.1 Unable to relay");
    pty.wait_at(&prompt(server.port));
    pty.line(":explain");
    for word in ["Meaning", "Likely", "Next", "Source"] {
        pty.wait_for(word);
    }
    server.end();
}

// P54
#[test]
fn each_new_domain_that_is_accepted_is_asked_about_once() {
    let recipients = ["a@contoso.test", "a@one.test", "b@one.test", "a@two.test"];
    let script: String = recipients.iter().map(|to| format!("\nC: RCPT TO:<{to}>\nS: 250 took {to}")).collect();
    let server = serve(&format!("S: 220 mx.contoso.test\nC: EHLO a\nS: 250 hello\nC: MAIL FROM:<>\nS: 250 sender{script}\nhold"));
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_for("220 mx.contoso.test");
    let lines = [("EHLO a".to_owned(), "250 hello".to_owned()), ("MAIL FROM:<>".to_owned(), "250 sender".to_owned())];
    let recipients = recipients.map(|to| (format!("RCPT TO:<{to}>"), format!("250 took {to}")));
    for (line, answer) in lines.into_iter().chain(recipients) {
        pty.wait("a prompt", |screen| screen.trim_end().ends_with('>'));
        pty.line(&line);
        pty.wait_for(&answer);
    }
    pty.wait_for("Accepted for two.test: hosted here? If not, this is an open relay.");
    let text = pty.raw();
    assert_eq!(text.matches("Accepted for one.test").count(), 1, "{text}");
    assert!(!text.contains("Accepted for contoso.test"), "{text}");
    server.end();
}

#[test]
fn a_colon_in_front_is_sent_with_two() {
    let server = serve("S: 220 mx\nC: :NOOP\nS: 500 what\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("::NOOP");
    pty.wait_for("500 what");
    server.end();
}

#[test]
fn the_history_is_private_and_holds_no_secret() {
    // P42
    use std::os::unix::fs::PermissionsExt as _;
    let server =
        serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: AUTH LOGIN bG9nb24=\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 501 no\nC:  RSET\nS: 250 two\nhold");
    let mut pty = talk_to(server.port, &["--allow-cleartext"]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 ok");
    pty.line("AUTH LOGIN bG9nb24=");
    pty.wait_hidden();
    pty.line("*");
    pty.wait_for("501 no");
    pty.wait_at(&prompt(server.port));
    pty.line(" RSET");
    pty.wait_for("250 two");
    pty.line(":encode My simple password");
    pty.wait_for("TXkgc2lt");
    pty.send(key::CTRL_D);
    pty.exit();
    let path = pty.folder().join("history");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "NOOP\nAUTH LOGIN\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    server.end();
}

#[test]
fn a_history_that_is_a_link_is_not_followed() {
    // P42
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nhold");
    let start = talk_to(server.port, &[]);
    std::fs::write(start.folder().join("target"), "precious\n").unwrap();
    std::os::unix::fs::symlink("target", start.folder().join("link")).unwrap();
    let link = start.folder().join("link").to_string_lossy().into_owned();
    let mut pty = start.env("EHLO_HISTORY", &link).start();
    pty.wait_for("the history");
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 ok");
    assert_eq!(std::fs::read_to_string(pty.folder().join("target")).unwrap(), "precious\n");
    server.end();
}

#[test]
fn a_first_start_is_welcomed_once() {
    let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye\nagain\nS: 220 mx\nC: QUIT\nS: 221 bye");
    let start = talk_to(server.port, &[]);
    let path = start.folder().join("state/new-history").to_string_lossy().into_owned();
    let mut pty = start.env("EHLO_HISTORY", &path).start();
    pty.wait_for("Type SMTP as you would in telnet.");
    pty.line("QUIT");
    assert_eq!(pty.exit(), 0);
    let mut second = talk_to(server.port, &[]).env("EHLO_HISTORY", &path).start();
    second.wait_at(&prompt(server.port));
    assert!(!second.shown().contains("Type SMTP"));
    second.line("QUIT");
    second.exit();
    server.finish();
}

#[test]
fn save_and_log_work_by_hand() {
    // P41
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line("NOOP");
    pty.wait_for("250 ok");
    pty.line(":save so-far.txt");
    pty.wait_for("Saved to so-far.txt");
    pty.line(":log no/such/folder");
    pty.wait_for("no/such/folder");
    pty.wait_at(&prompt(server.port));
    assert!(std::fs::read_to_string(pty.folder().join("so-far.txt")).unwrap().contains("250 ok"));
    server.end();
}

#[test]
fn keepalive_says_noop_while_nothing_is_typed() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 250 ok\nC: NOOP\nS: 250 ok\nhold");
    let mut pty = talk_to(server.port, &[]).start();
    pty.wait_at(&prompt(server.port));
    pty.line(":keepalive 1");
    pty.wait_for("NOOP is said after 1 s");
    server.wait_segments(2);
    assert!(!pty.shown().contains("250 ok"));
    server.end();
}

#[test]
fn the_tour_is_walked_step_by_step() {
    let mut pty = at_terminal(["sandbox", "--tour"]).start();
    let steps = [
        "EHLO client.alt.test",
        "MAIL FROM:<someone@alt.test>",
        "RCPT TO:<postmaster@contoso.test>",
        "RCPT TO:<foreignemail@external.test>",
        "DATA",
        ":sample",
        ".",
        "AUTH LOGIN",
        "logon",
        "My simple password",
        "RSET",
        "QUIT",
    ];
    for (at, line) in steps.iter().enumerate() {
        pty.wait_for(&format!("[{}/12]", at + 1));
        pty.wait("a prompt", |screen| screen.trim_end().ends_with('>'));
        pty.line(line);
    }
    assert_eq!(pty.exit(), 0);
    assert!(pty.shown().contains("1 message accepted"), "{}", pty.shown());
}
