//! Logins that the program carries out, from a script's side: where the password comes from, which
//! mechanism is taken, what is told when it fails.

use crate::support::run::{Run, ehlo, ehlo_to};
use crate::support::scripted::serve;

/// NUL logon NUL secret.
const PLAIN: &str = "AGxvZ29uAHNlY3JldA==";

/// A server that offers these mechanisms and then goes on like this.
fn offering(mechanisms: &str, rest: &str) -> String {
    format!("S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH {mechanisms}\n{rest}")
}

/// The same, and it lets in whoever says the right PLAIN message.
fn takes_plain() -> String {
    offering("PLAIN LOGIN", &format!("C: AUTH PLAIN {PLAIN}\nS: 235 2.7.0 welcome\nC: QUIT\nS: 221 bye"))
}

fn log_in(port: u16, flags: &[&str]) -> Run {
    ehlo_to(port, &[&["-u", "logon", "--allow-cleartext"], flags].concat())
}

#[test]
fn the_password_comes_from_where_it_is_said_to_be() {
    let table: &[(&[&str], &str, &str)] = &[
        (&["--password-file", "password"], "", ""),
        (&["--password-command", "cat password"], "", ""),
        (&["--password-stdin"], "secret\n", ""),
        (&["--netrc"], "", ""),
        (&[], "", "secret"),
    ];
    for (flags, input, variable) in table {
        let server = serve(&takes_plain());
        let run = log_in(server.port, flags).stdin(*input).env("EHLO_PASSWORD", *variable).status(0).any_out();
        let folder = run.folder().to_owned();
        for (name, text) in [("password", "secret\n"), (".netrc", "machine 127.0.0.1 login logon password secret\n")] {
            std::fs::write(folder.join(name), text).unwrap();
            private(&folder.join(name));
        }
        let done = run.any().start().finish();
        assert_eq!(done.status, Some(0), "{flags:?}: {}", done.all());
        assert!(!done.all().contains("secret") && !done.all().contains(PLAIN), "{}", done.all());
        server.end();
    }
}

#[cfg(unix)]
fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_path: &std::path::Path) {}

#[test]
fn a_script_follows_the_password_and_the_login() {
    let server = serve(&offering(
        "PLAIN",
        &format!("C: AUTH PLAIN {PLAIN}\nS: 235 welcome\nC: MAIL FROM:<a@alt.test>\nS: 250 ok\nC: QUIT\nS: 221 bye"),
    ));
    let done = log_in(server.port, &["--password-stdin"]).stdin("secret\nMAIL FROM:<a@alt.test>\n").any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    server.end();
}

#[test]
fn a_refused_login_is_status_8_and_says_why() {
    let server = serve(&offering("PLAIN", "C: *\nS: 535 5.7.8 no\nC: QUIT\nS: 221 bye"));
    let done = log_in(server.port, &["--password-command", "echo 'secret '"]).any().start().finish();
    assert_eq!(done.status, Some(8));
    assert!(done.err().contains("Login refused for user \"logon\"") && done.err().contains("ends with a space"), "{}", done.err());
    server.end();
}

#[test]
fn the_other_form_of_auth_is_tried_where_the_first_is_not_taken() {
    for refusal in ["504 5.7.4 Unrecognized parameter", "501 5.5.4 Initial response is not supported"] {
        let dialogue =
            format!("C: AUTH PLAIN {PLAIN}\nS: {refusal}\nC: AUTH PLAIN\nS: 334\nC: {PLAIN}\nS: 235 welcome\nC: QUIT\nS: 221 bye");
        let server = serve(&offering("PLAIN", &dialogue));
        let done = log_in(server.port, &["--password-command", "echo secret"]).any().start().finish();
        assert_eq!(done.status, Some(0), "{}", done.all());
        assert!(done.err().contains("AUTH PLAIN is said alone"), "{}", done.err());
        server.end();
    }
}

#[test]
fn the_best_mechanism_is_taken_or_the_one_that_is_named() {
    let table = [
        ("LOGIN PLAIN CRAM-MD5", &[][..], "AUTH CRAM-MD5"),
        ("LOGIN PLAIN", &[][..], "AUTH PLAIN (hidden)"),
        ("LOGIN PLAIN CRAM-MD5", &["--auth", "login"][..], "AUTH LOGIN"),
    ];
    for (offered, flags, want) in table {
        let server = serve(&offering(offered, "C: *\nS: 535 no\nC: QUIT\nS: 221 bye"));
        let done = log_in(server.port, &[flags, &["--password-command", "echo secret"]].concat()).any().start().finish();
        assert!(done.out().lines().any(|line| line == format!(">  {want}")), "{offered}: {}", done.out());
        server.end();
    }
}

#[test]
fn what_cannot_be_done_is_said_and_is_status_8() {
    // P23
    let table: &[(&str, &[&str], &str)] = &[
        ("X-NEW", &["-u", "logon"], "None of what the server offers (X-NEW)"),
        ("LOGIN", &["-u", "logon", "--auth", "CRAM-MD5"], "does not offer AUTH CRAM-MD5 here, but LOGIN"),
        ("PLAIN", &["-u", "logon"], "no terminal to ask for the password at"),
        ("PLAIN", &["--auth", "plain"], "wants a user name: -u USER"),
        ("PLAIN", &["-u", "logon", "--password-command", "echo secret"], "--allow-cleartext"),
        ("PLAIN", &["-u", "logon", "--password-command", "exit 3"], "the password command failed (exit status: 3)"),
        ("PLAIN", &["-u", "logon", "--password-file", "none"], "No such file"),
        ("PLAIN", &["-u", "logon", "--password-stdin"], "the first line of the input"),
    ];
    for (offered, flags, want) in table {
        let server = serve(&offering(offered, "C: QUIT\nS: 221 bye"));
        let done = ehlo_to(server.port, flags).any().start().finish();
        assert_eq!(done.status, Some(8), "{flags:?}: {}", done.all());
        assert!(done.err().replace('\n', " ").contains(want), "{flags:?}: {}", done.err());
        server.end();
    }
}

#[cfg(unix)]
#[test]
fn a_password_command_that_takes_for_ever_is_no_reason_to_stay() {
    // P38
    use rustix::process::Signal;
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = serve(&offering("PLAIN", "hold"));
        let mut running = log_in(server.port, &["--password-command", "exec sleep 40 2>/dev/null"]).start();
        running.wait_out("AUTH PLAIN");
        running.signal(signal);
        let done = running.finish();
        assert_eq!(done.status, Some(status), "{}", done.all());
        server.end();
    }
}

#[test]
fn a_long_token_is_not_put_into_the_line_of_auth() {
    // RFC 4954 section 4: the line of AUTH is no longer than other commands.
    let password = "x".repeat(600);
    let server = serve(&offering("PLAIN", "C: AUTH PLAIN\nS: 334\nC: *\nS: 235 welcome\nC: QUIT\nS: 221 bye"));
    let done = log_in(server.port, &["--password-command", &format!("echo {password}")]).any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    server.end();
}

/// NUL logon NUL secret, hidden.
const SENT: &str = "AUTH PLAIN (hidden)";

// The password goes out once where the refusal is not one of the initial response.
#[test]
fn a_refused_password_is_not_sent_twice() {
    for refusal in ["535 5.7.8 no", "501 5.5.2 Cannot decode", "500 5.5.1 what?", "454 4.7.0 later"] {
        for check in [false, true] {
            let server = serve(&offering("PLAIN", &format!("C: AUTH PLAIN {PLAIN}\nS: {refusal}\nC: QUIT\nS: 221 bye")));
            let port = server.port.to_string();
            let flags = ["check", "--through", "auth", "-u", "logon", "--allow-cleartext", "--password-stdin", "127.0.0.1", &port];
            let run = if check { ehlo(flags) } else { log_in(server.port, &["--password-stdin"]) };
            let done = run.stdin("secret\n").any().start().finish();
            assert!(matches!(done.status, Some(8 | 9)), "{refusal}: {}", done.all());
            assert!(check || done.out().matches(SENT).count() == 1, "{refusal}: {}", done.all());
            assert_eq!(server.finish().text().matches("AUTH").count(), 1, "{refusal}");
        }
    }
}

// RFC 4954 section 4: what stands in the line of AUTH may not be read.
#[test]
fn a_server_that_asks_although_it_was_told_gets_the_answer_once_more() {
    for (mechanism, message) in [("PLAIN", PLAIN), ("XOAUTH2", "dXNlcj1sb2dvbgFhdXRoPUJlYXJlciBzZWNyZXQBAQ=="), ("EXTERNAL", "bG9nb24=")] {
        for (flag, begin) in [("--no-initial-response", format!("AUTH {mechanism}")), ("-v", format!("AUTH {mechanism} {message}"))] {
            for check in [false, true] {
                let dialogue = format!("C: {begin}\nS: 334 \nC: {message}\nS: 235 welcome\nC: QUIT\nS: 221 bye");
                let server = serve(&offering(mechanism, &dialogue));
                let port = server.port.to_string();
                let login = [flag, "--auth", mechanism, "-u", "logon", "--allow-cleartext", "--password-stdin", "127.0.0.1", &port];
                let run = if check { ehlo([&["check", "--through", "auth"], &login[..]].concat()) } else { ehlo(login) };
                let done = run.stdin("secret\n").any().start().finish();
                assert_eq!(done.status, Some(0), "{mechanism} {flag}: {}", done.all());
                server.finish();
            }
        }
    }
}

// P26: a challenge that is repaired would be answered with a digest of the password.
#[test]
fn a_challenge_that_is_not_base64_gets_no_digest() {
    for challenge in ["Rubbish", "PDE", "<1@mx>", "PDE+=="] {
        for how in ["check", "flag", "answer"] {
            let server =
                serve(&offering("CRAM-MD5", &format!("C: AUTH CRAM-MD5\nS: 334 {challenge}\nC: *\nS: 501 ok\nC: QUIT\nS: 221 bye")));
            let port = server.port.to_string();
            let login = ["-u", "logon", "--allow-cleartext", "--password-command", "echo secret", "127.0.0.1", &port];
            let run = match how {
                "check" => ehlo([&["check", "--through", "auth"], &login[..]].concat()),
                "flag" => ehlo([&["--auth", "CRAM-MD5"], &login[..]].concat()),
                _ => ehlo(["--allow-cleartext", "--password-command", "echo secret", "127.0.0.1", &port])
                    .stdin("EHLO a\nAUTH CRAM-MD5\n:answer logon\nQUIT\n"),
            };
            let done = run.any().start().finish();
            assert_eq!(done.status, Some(8), "{how} {challenge}: {}", done.all());
            assert!(done.all().contains("not base64"), "{how} {challenge}: {}", done.all());
            server.finish();
        }
    }
}

// MS-SMTPNTLM section 2.2: words that are usual in the place of base64 are no mistake of the server.
#[test]
fn usual_words_before_the_first_message_are_shown_and_answered() {
    let server =
        serve(&offering("PLAIN", &format!("C: AUTH PLAIN\nS: 334 PLAIN supported\nC: {PLAIN}\nS: 235 welcome\nC: QUIT\nS: 221 bye")));
    let done = log_in(server.port, &["--password-command", "echo secret", "--no-initial-response"]).any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    assert!(done.err().contains("\"PLAIN supported\" is not base64, but a usual answer"), "{}", done.err());
    server.finish();
}

// P47
#[test]
fn what_can_be_cracked_or_relayed_is_not_sent_in_the_clear() {
    // MS-NLMP 4.2.4
    let challenge = "TlRMTVNTUAACAAAADAAMADgAAAAzgoriASNFZ4mrze8AAAAAAAAAACQAJABEAAAABgBwFwAAAA9TAGUAcgB2AGUAcgACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAA=";
    let table = [
        ("CRAM-MD5", "C: AUTH CRAM-MD5\nS: 334 PDE+\nC: *\nS: 501 ok".to_owned()),
        ("DIGEST-MD5", "C: AUTH DIGEST-MD5\nS: 334 bm9uY2U9IngiLHFvcD0iYXV0aCIsYWxnb3JpdGhtPW1kNS1zZXNz\nC: *\nS: 501 ok".to_owned()),
        ("NTLM", format!("C: AUTH NTLM\nS: 334 NTLM supported\nC: *\nS: 334 {challenge}\nC: *\nS: 501 ok")),
    ];
    for (mechanism, dialogue) in table {
        let server = serve(&offering(mechanism, &format!("{dialogue}\nC: QUIT\nS: 221 bye")));
        let done = ehlo_to(server.port, &["-u", "logon", "--password-command", "echo secret"]).any().start().finish();
        assert_eq!(done.status, Some(8), "{mechanism}: {}", done.all());
        assert!(done.err().contains("guess the password offline") && done.err().contains("--allow-cleartext"), "{}", done.err());
        let lines = server.finish().lines();
        assert_eq!(lines[lines.len() - 2], "*", "{mechanism}: {lines:?}");
        // A check says so before it begins: the others of the offer would do.
        let server = serve(&offering(&format!("LOGIN {mechanism}"), "C: QUIT\nS: 221 bye"));
        let port = server.port.to_string();
        let flags = ["check", "--through", "auth", "-u", "logon", "--password-command", "echo secret", "127.0.0.1", &port];
        let done = ehlo(flags).any().start().finish();
        assert_eq!(done.status, Some(8), "{mechanism}: {}", done.all());
        assert!(done.out().contains("login would be unencrypted"), "{}", done.all());
        server.finish();
    }
}

// P47
#[test]
fn ntlm_v1_is_made_only_where_it_is_asked_for() {
    // MS-NLMP 4.2.2
    let challenge = "TlRMTVNTUAACAAAADAAMADgAAAAzggLiASNFZ4mrze8AAAAAAAAAAAAAAAAAAAAABgBwFwAAAA9TAGUAcgB2AGUAcgA=";
    for check in [false, true] {
        for allowed in [false, true] {
            let end = if allowed { "C: *\nS: 235 welcome" } else { "C: *\nS: 501 ok" };
            let dialogue = format!("C: AUTH NTLM\nS: 334 NTLM supported\nC: *\nS: 334 {challenge}\n{end}\nC: QUIT\nS: 221 bye");
            let server = serve(&offering("NTLM", &dialogue));
            let port = server.port.to_string();
            let login = ["-u", "logon", "--allow-cleartext", "--password-command", "echo secret", "127.0.0.1", &port];
            let first: &[&str] = if check { &["check", "--through", "auth"] } else { &[] };
            let flag: &[&str] = if allowed { &["--ntlmv1"] } else { &[] };
            let done = ehlo([first, flag, &login].concat()).any().start().finish();
            assert_eq!(done.status, Some(if allowed { 0 } else { 8 }), "{}", done.all());
            let lines = server.finish().lines();
            assert_eq!(lines[3] == "*", !allowed, "{lines:?}");
            assert!(allowed || done.all().replace('\n', " ").contains("the server asks for NTLMv1"), "{}", done.all());
        }
    }
}

// Exchange lists the logins of its own servers under X-EXPS, and old servers theirs under AUTH=.
#[test]
fn logins_that_are_listed_elsewhere_are_named() {
    for (lines, part) in [
        ("S: 250-AUTH\nS: 250-X-EXPS GSSAPI NTLM LOGIN\nS: 250 8BITMIME", "X-EXPS (GSSAPI NTLM LOGIN)"),
        ("S: 250-X-EXPS=LOGIN\nS: 250 8BITMIME", "X-EXPS (LOGIN)"),
        ("S: 250 AUTH=X-OLD", "the old form AUTH= only"),
    ] {
        for check in [false, true] {
            let server = serve(&format!("S: 220 mx\nC: *\nS: 250-mx\n{lines}\nC: QUIT\nS: 221 bye"));
            let port = server.port.to_string();
            let login = ["-u", "logon", "--allow-cleartext", "--password-command", "echo secret", "127.0.0.1", &port];
            let first: &[&str] = if check { &["check", "--through", "auth"] } else { &[] };
            let done = ehlo([first, &login].concat()).any().start().finish();
            assert_eq!(done.status, Some(8), "{lines}: {}", done.all());
            let told = done.all().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(part), "{lines}: {}", done.all());
            server.finish();
        }
    }
}

#[test]
fn a_login_that_is_named_is_tried_where_nothing_of_the_offer_is_known() {
    for offer in ["AUTH CramMd5Mechanism PlainMechanism", "AUTH", "DSN"] {
        for check in [false, true] {
            let dialogue = format!("S: 220 mx\nC: *\nS: 250-mx\nS: 250 {offer}\nC: AUTH PLAIN {PLAIN}\nS: 235 ok\nC: QUIT\nS: 221 bye");
            let server = serve(&dialogue);
            let port = server.port.to_string();
            let login = ["--auth", "plain", "-u", "logon", "--allow-cleartext", "--password-command", "echo secret", "127.0.0.1", &port];
            let first: &[&str] = if check { &["check", "--through", "auth"] } else { &[] };
            let done = ehlo([first, &login].concat()).any().start().finish();
            assert_eq!(done.status, Some(0), "{offer}: {}", done.all());
            server.finish();
        }
    }
}

// P50: a check ends the command that it waits for, with all that this has started.
#[cfg(target_os = "linux")]
#[test]
fn a_check_leaves_no_password_command_behind() {
    use rustix::process::Signal;
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let script = "echo $$ >id.new; mv id.new id; sleep 60; echo secret";
        let flags = ["check", "--through", "auth", "-u", "logon", "--password-command", script, "127.0.0.1", "1"];
        let running = ehlo(flags).start();
        let began = std::time::Instant::now();
        let id = loop {
            if let Ok(id) = std::fs::read_to_string(running.folder().join("id")) {
                break id.trim().to_owned();
            }
            assert!(began.elapsed().as_secs() < 20, "the command was not started");
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        running.signal(signal);
        // It holds the error stream open as long as it runs.
        let done = running.finish();
        assert_eq!(done.status, Some(status), "{}", done.all());
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        assert!(stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")), "{id} still runs");
    }
}

#[test]
fn a_second_login_that_is_refused_is_no_sign_of_an_impostor() {
    let flags = ["sandbox", "--offer", "scram-sha-256", "-u", "logon", "--auth", "SCRAM-SHA-256", "--password-file", "pw"];
    let run = ehlo(flags);
    std::fs::write(run.folder().join("pw"), "My simple password").unwrap();
    let done = run.stdin(":auth SCRAM-SHA-256 logon\nQUIT\n").any().start().finish();
    assert!(done.out().contains("503 5.5.2 Already authenticated"), "{}", done.all());
    assert!(done.err().contains("has proved that it knows") && !done.err().contains("has not proved"), "{}", done.all());
}
