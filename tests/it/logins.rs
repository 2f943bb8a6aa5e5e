//! Logins that the program carries out, from a script's side: where the password comes from, which
//! mechanism is taken, what is told when it fails.

use crate::support::run::{Run, ehlo_to};
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
    for refusal in ["504 5.7.4 Unrecognized parameter", "501 5.5.2 Syntax error"] {
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
