//! A password is nowhere but on the wire (P24).

use ehlo::sasl::{MECHANISMS, Needs};

use crate::practice::serving;
use crate::support::relay::relay_to;
use crate::support::run::{Done, ehlo, ehlo_to};
use crate::support::scripted::serve;

const MARKER: &str = "Marker-2f4c-9d81";
/// Its base64, and that of NUL logon NUL marker.
const ENCODED: &str = "TWFya2VyLTJmNGMtOWQ4MQ==";
const PLAIN: &str = "AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=";

fn is_nowhere(done: &Done, log: &str) {
    for (name, text) in [("output", done.all()), ("log", log.to_owned())] {
        // Not even a part that base64 keeps whole.
        for part in [MARKER, "2f4c-9d81", ENCODED, &ENCODED[..16], PLAIN, &PLAIN[12..28], "TJmNGMtOWQ4"] {
            assert!(!text.contains(part), "{name} holds {part}:\n{text}");
        }
    }
}

#[test]
fn a_password_is_nowhere_but_on_the_wire() {
    let table = [
        (
            "AUTH LOGIN\nlogon\nMarker-2f4c-9d81\nQUIT\n",
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nC: TWFya2VyLTJmNGMtOWQ4MQ==",
        ),
        ("AUTH LOGIN bG9nb24=\nMarker-2f4c-9d81\nQUIT\n", "C: AUTH LOGIN bG9nb24=\nS: 334 UGFzc3dvcmQ6\nC: TWFya2VyLTJmNGMtOWQ4MQ=="),
        ("AUTH PLAIN\nlogon\nMarker-2f4c-9d81\nQUIT\n", "C: AUTH PLAIN\nS: 334\nC: AGxvZ29uAE1hcmtlci0yZjRjLTlkODE="),
        ("AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\nQUIT\n", "C: AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE="),
        ("auth plain AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\nQUIT\n", "C: auth plain AGxvZ29uAE1hcmtlci0yZjRjLTlkODE="),
        ("AUTH XOAUTH2 TWFya2VyLTJmNGMtOWQ4MQ==\nQUIT\n", "C: AUTH XOAUTH2 TWFya2VyLTJmNGMtOWQ4MQ=="),
        (":raw AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\nQUIT\n", "C: AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE="),
        ("AUTH X-NEW\nTWFya2VyLTJmNGMtOWQ4MQ==\nQUIT\n", "C: AUTH X-NEW\nS: 334\nC: TWFya2VyLTJmNGMtOWQ4MQ=="),
    ];
    let ends = [
        "S: 235 2.7.0 welcome\nC: QUIT\nS: 221 bye",
        "S: 535 5.7.8 no\nC: QUIT\nS: 221 bye",
        "S: 535-5.7.8 is not Marker-2f4c-9d81\nS: 535 5.7.8 (TWFya2VyLTJmNGMtOWQ4MQ==)\nC: QUIT\nS: 221 Marker-2f4c-9d81 gone",
        "S! 535-5.7.8 Marker-2f4c-9d81\\r\\n535 TWFya2VyLTJmNGMtOWQ4MQ==\nclose",
        "S: Marker-2f4c-9d81 is not what TWFya2VyLTJmNGMtOWQ4MQ== should be\nhold",
    ];
    for (input, dialogue) in table {
        for end in ends {
            let server = serve(&format!("S: 220 mx\n{dialogue}\n{end}"));
            let run = ehlo_to(server.port, &["--allow-cleartext", "-l", "log", "-v"]);
            let done = run.stdin(format!("{input}:save saved\n")).any().start().finish();
            let read = |name: &str| std::fs::read_to_string(done.folder.path().join(name)).unwrap_or_default();
            assert!(read("log").contains("AUTH"), "{input}: {}", done.all());
            is_nowhere(&done, &(read("log") + &read("saved")));
            let wire = server.end().text();
            assert!(wire.contains(ENCODED) || wire.contains(PLAIN), "{input}: {wire}");
        }
    }
}

#[test]
fn a_password_is_nowhere_when_the_connection_dies() {
    let server = serve("S: 220 mx\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nwait 300ms\nclose");
    let done =
        ehlo_to(server.port, &["--allow-cleartext", "-l", "log"]).stdin("AUTH LOGIN\nlogon\nMarker-2f4c-9d81\n").any().start().finish();
    is_nowhere(&done, &std::fs::read_to_string(done.folder.path().join("log")).unwrap());
    server.end();
}

#[test]
fn a_password_that_was_not_sent_is_nowhere_either() {
    // P23: neither the answer nor the command goes out, and neither is told.
    for input in [
        "AUTH LOGIN\nlogon\nMarker-2f4c-9d81\n",
        "AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\n",
        ":raw AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\n",
    ] {
        let server = serve("S: 220 mx\nC: *\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 501 cancelled\nhold");
        let done = ehlo_to(server.port, &["-l", "log"]).stdin(input).status(8).any_out().err("--allow-cleartext").check();
        is_nowhere(&done, &std::fs::read_to_string(done.folder.path().join("log")).unwrap());
        let wire = server.end().text();
        assert!(!wire.contains(ENCODED) && !wire.contains(PLAIN) && !wire.contains(MARKER), "{wire}");
    }
}

#[test]
fn a_login_typed_to_a_closed_connection_is_not_shown() {
    let server = serve("S: 220 mx\nC: NOOP\nS: 421 bye\nclose");
    let done =
        ehlo_to(server.port, &["--keep-going", "--allow-cleartext"]).stdin(format!("NOOP\nAUTH PLAIN {PLAIN}\n")).any().start().finish();
    is_nowhere(&done, "");
    server.end();
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    let done = ehlo(["127.0.0.1", "-u", "logon:Marker-2f4c-9d81"]).status(2).err("It is asked for, or comes from --password-file").check();
    is_nowhere(&done, "");
}

#[test]
fn nothing_secret_of_any_mechanism_is_told() {
    // P24: neither the password nor its base64, nor what was derived from it.
    let mechanisms = MECHANISMS.iter().filter(|known| matches!(known.needs, Needs::Password | Needs::Token) && known.server.is_some());
    // Those bound to TLS send the same messages, where nothing can listen.
    for mechanism in mechanisms.filter(|known| !known.binds()) {
        for (scenario, right) in [(&[][..], true), (&["--scenario", "wrong-password"][..], false)] {
            let (server, port, token) = serving(&[&["--offer", "all"], scenario].concat());
            let relay = relay_to(port);
            let secret = if mechanism.needs == Needs::Token { token } else { "My simple password".to_owned() };
            let flags = ["-u", "logon", "--auth", mechanism.name, "--password-stdin", "--allow-cleartext", "-l", "log", "-v"];
            let done = ehlo_to(relay.port, &flags).stdin(format!("{secret}\n:save saved\nQUIT\n")).any().start().finish();
            let name = mechanism.name;
            assert_eq!(done.status, Some(if right { 0 } else { 8 }), "{name}: {}", done.all());
            let read = |file: &str| std::fs::read_to_string(done.folder.path().join(file)).unwrap_or_default();
            let texts = [("the output", done.all()), ("the log", read("log")), ("the saved session", read("saved"))];
            let mut secrets = relay.secrets(name);
            secrets.extend([secret.clone(), ehlo::wire::base64::encode(secret.as_bytes())]);
            for (what, text) in texts {
                assert!(what == "the saved session" && !right || text.contains(name), "{name}: {what} is not of this login:\n{text}");
                let found = secrets.iter().find(|secret| text.contains(secret.as_str()));
                assert!(found.is_none(), "{name}: {what} holds {found:?}:\n{text}");
            }
            server.signal(rustix::process::Signal::TERM);
            server.finish();
        }
    }
}

/// What a script says behind its AUTH, and whether that is refused, is nothing that a command may be made of.
const BEHIND: &str = "logon\nMarker-2f4c-9d81\nMAIL FROM:<a@alt.test>\nQUIT\n";

// P46
#[test]
fn answers_that_no_question_came_for_are_neither_sent_nor_shown() {
    let ends = [
        "S: 235 2.7.0 welcome\nC: QUIT\nS: 221 bye",
        "S: 504 5.5.4 unknown\nC: QUIT\nS: 221 bye",
        "S: 250 ok\nC: QUIT\nS: 221 bye",
        "S: 454 4.7.0 later\nC: QUIT\nS: 221 bye",
        "S: 421 4.3.2 bye\nclose",
        "S: this is not SMTP\nC: QUIT\nS: 221 bye",
        "S! 334 VXNlcm5hbWU6\\r\\n250 ok\\r\\n\nC: QUIT\nS: 221 bye",
        "S: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 235 welcome\nC: QUIT\nS: 221 bye",
        "S: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 535 no such user\nC: QUIT\nS: 221 bye",
        "S: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 250 ok\nC: QUIT\nS: 221 bye",
        "S: 334 UGFzc3dvcmQ6\nC: bG9nb24=\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye",
        // The roles are exchanged: the password is no user name, which would be shown.
        "S: 334 UGFzc3dvcmQ6\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye",
        "S: 334 VXNlcm5hbWU6\nC: bG9nb24=\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye",
        "close",
        "reset",
        "S! 33\nclose",
    ];
    for end in ends {
        for (begin, going) in [("AUTH LOGIN", false), ("  auth   login", true), (":raw AUTH LOGIN", true), ("X-EXPS LOGIN", true)] {
            let going: &[&str] = if going { &["--keep-going"] } else { &[] };
            let server = serve(&format!("S: 220 mx\nC: *\n{end}"));
            let flags = [&["--allow-cleartext", "-l", "log"], going].concat();
            let done = ehlo_to(server.port, &flags).stdin(format!("{begin}\n{BEHIND}")).any().start().finish();
            let log = std::fs::read_to_string(done.folder.path().join("log")).unwrap();
            let (played, told) = (server.end(), done.all());
            let wire = played.text();
            assert_eq!(done.status, Some(8), "{begin}: {end}\n{told}");
            is_nowhere(&done, &log);
            assert!(!wire.contains(MARKER) && !wire.contains(ENCODED) && !wire.contains("MAIL"), "{begin}: {end}\n{wire}");
        }
    }
}

// P46
#[test]
fn answers_of_every_mechanism_are_its_own() {
    let table = [
        ("AUTH PLAIN", "logon\nMarker-2f4c-9d81\n"),
        ("AUTH LOGIN bG9nb24=", "Marker-2f4c-9d81\n"),
        ("AUTH CRAM-MD5", "TWFya2VyLTJmNGMtOWQ4MQ==\n"),
        ("AUTH NTLM", "TlRMTVNTUAABAAAA\nTWFya2VyLTJmNGMtOWQ4MQ==\n"),
        ("AUTH XOAUTH2", "TWFya2VyLTJmNGMtOWQ4MQ==\n"),
        ("AUTH X-NEW", "TWFya2VyLTJmNGMtOWQ4MQ==\n"),
    ];
    for (begin, lines) in table {
        for end in ["S: 235 welcome", "S: 504 no"] {
            let server = serve(&format!("S: 220 mx\nC: *\n{end}\nC: QUIT\nS: 221 bye"));
            let flags = ["--allow-cleartext", "--keep-going", "-l", "log"];
            let done = ehlo_to(server.port, &flags).stdin(format!("{begin}\n{lines}NOOP\n")).any().start().finish();
            assert_eq!(done.status, Some(8), "{begin}: {end}\n{}", done.all());
            is_nowhere(&done, &std::fs::read_to_string(done.folder.path().join("log")).unwrap());
            assert_eq!(server.end().lines(), [begin, "QUIT"], "{end}");
        }
    }
}

// P46: what is refused at its end, or before the script has anything to say, is no reason to stop reading.
#[test]
fn a_login_that_was_asked_for_all_that_it_takes_leaves_the_script_alone() {
    let table = [
        ("AUTH PLAIN AGxvZ29uAE1hcmtlci0yZjRjLTlkODE=\nNOOP\n", "C: *\nS: 535 no\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye", 8),
        (
            "AUTH LOGIN\nlogon\nMarker-2f4c-9d81\nNOOP\n",
            "C: *\nS: 334 VXNlcm5hbWU6\nC: *\nS: 334 UGFzc3dvcmQ6\nC: *\nS: 535 no\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye",
            8,
        ),
        ("AUTH LOGIN\n*\nNOOP\n", "C: *\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye", 8),
        // There is nothing left that could be a password.
        ("AUTH LOGIN\n", "C: *\nS: 235 welcome\nC: QUIT\nS: 221 bye", 0),
        ("AUTH LOGIN\n", "C: *\nS: 454 later\nC: QUIT\nS: 221 bye", 9),
    ];
    for (input, dialogue, status) in table {
        let server = serve(&format!("S: 220 mx\n{dialogue}"));
        let done = ehlo_to(server.port, &["--allow-cleartext", "--keep-going"]).stdin(input).any().start().finish();
        assert_eq!(done.status, Some(status), "{input}: {}", done.all());
        is_nowhere(&done, "");
        server.finish();
    }
}

// An error in JSON wants an empty answer, and the refusal follows: the script's next line is a command (RFC 7628 §3.2.3).
#[test]
fn an_error_of_oauth_is_not_answered_with_the_scripts_next_command() {
    for (mechanism, answer) in [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")] {
        let error = ehlo::wire::base64::encode(br#"{"status":"401"}"#);
        let dialogue = format!("C: *\nS: 334 {error}\nC: {answer}\nS: 535 no\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
        let server = serve(&format!("S: 220 mx\n{dialogue}"));
        let token = "dXNlcj1sb2dvbgFhdXRoPUJlYXJlciB0b2tlbgEB";
        let input = format!("AUTH {mechanism} {token}\nNOOP\n");
        let done = ehlo_to(server.port, &["--allow-cleartext", "--keep-going"]).stdin(input).any().start().finish();
        assert_eq!(done.status, Some(8), "{mechanism}: {}", done.all());
        server.finish();
    }
}

// Local commands work in every state of a script; only their own names are some, for a password may begin with a colon.
#[test]
fn a_script_can_leave_a_login_to_the_program() {
    let dialogue = format!(
        "C: EHLO a\nS: 250-mx\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 334\nC: {PLAIN}\nS: 235 ok\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye"
    );
    let server = serve(&format!("S: 220 mx\n{dialogue}"));
    let flags = ["--allow-cleartext", "--password-command", "echo Marker-2f4c-9d81"];
    let input = "EHLO a\nAUTH PLAIN\n:set\n:answer logon\nNOOP\n";
    let done = ehlo_to(server.port, &flags).stdin(input).any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    is_nowhere(&done, "");
    server.finish();
    let password = ":Marker-2f4c-9d81";
    let encoded = ehlo::wire::base64::encode(password.as_bytes());
    let server = serve(&format!("S: 220 mx\nC: *\nS: 334 UGFzc3dvcmQ6\nC: {encoded}\nS: 235 ok\nC: QUIT\nS: 221 bye"));
    let done = ehlo_to(server.port, &["--allow-cleartext"]).stdin(format!("AUTH LOGIN bG9nb24=\n{password}\n")).any().start().finish();
    assert_eq!(done.status, Some(0), "{}", done.all());
    server.finish();
}

// P46: the password line is no command where no login needs it.
#[test]
fn a_password_line_that_is_not_needed_is_dropped() {
    for flags in [&["--password-stdin"][..], &["--password-stdin", "--auth", "EXTERNAL"], &["--password-stdin", "--auth", "EXTERNAL", "-k"]]
    {
        let server = serve("S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH EXTERNAL\nC: *\nS: 235 ok\nC: *\nS: 221 bye\nhold");
        let done = ehlo_to(server.port, flags).stdin("Marker-2f4c-9d81\nEHLO a\nAUTH EXTERNAL =\nQUIT\n").any().start().finish();
        is_nowhere(&done, "");
        let wire = server.end().text();
        assert!(!wire.contains(MARKER), "{flags:?}: {wire}");
    }
}

// P48: within AUTH every 3yz asks on, and only 235 ends a login well.
#[test]
fn a_login_that_is_asked_with_other_codes_is_hidden_all_the_same() {
    let server = serve(
        "S: 220 mx\nC: AUTH LOGIN\nS: 300 User?\nC: bG9nb24=\nS: 300 Password?\nC: TWFya2VyLTJmNGMtOWQ4MQ==\nS: 250 Marker-2f4c-9d81 ok\nC: QUIT\nS: 221 bye",
    );
    let flags = ["--allow-cleartext", "-l", "log"];
    let done = ehlo_to(server.port, &flags).stdin("AUTH LOGIN\nlogon\nMarker-2f4c-9d81\n").any().start().finish();
    assert_eq!(done.status, Some(8), "{}", done.all());
    is_nowhere(&done, &std::fs::read_to_string(done.folder.path().join("log")).unwrap());
    assert!(done.out().contains("(password, hidden)") && done.out().contains("250 (hidden) ok"), "{}", done.all());
    assert!(done.err().replace('\n', " ").contains("after 250 it is not known whether you are logged in"), "{}", done.err());
    server.finish();
    let server = serve("S: 220 mx\nC: *\nS: 250-mx\nS: 250 AUTH PLAIN\nC: *\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let port = server.port.to_string();
    let flags = ["check", "--through", "auth", "-u", "logon", "--password-stdin", "--allow-cleartext", "127.0.0.1", &port];
    let done = ehlo(flags).stdin("Marker-2f4c-9d81\n").any().start().finish();
    assert_ne!(done.status, Some(0), "{}", done.all());
    assert!(done.out().replace("\n   ", " ").contains("not known whether you are logged in"), "{}", done.out());
    is_nowhere(&done, "");
    server.finish();
}

// P53
#[test]
fn a_password_in_pieces_is_nowhere_either() {
    let echoes = [
        "535-5.7.8 bad Marker-2f\\r\\n535 5.7.8 4c-9d81\\r\\n",
        "535 MARKER-2F4C-9D81\\r\\n",
        "535-TWFya2VyLTJm\\r\\n535 NGMtOWQ4MQ==\\r\\n",
        "535 eHhNYXJrZXItMmY0Yy05ZDgx\\r\\n",
        "535 Marker%2D2f4c%2D9d81\\r\\n",
        "535 it was Marker-2f4c",
        "535-it was\\r\\nMarker-2f4c-9d81\\r\\n535 no\\r\\n",
        "Marker-2f4c-9d81\\r\\n",
        "535 no\\r\\n250 Marker-2f4c-9d81\\r\\n",
    ];
    for echo in echoes {
        for format in ["session", "text", "json", "nagios", "csv"] {
            let offer = if format == "session" { "" } else { "C: *\nS: 250-mx\nS: 250 AUTH PLAIN\n" };
            let server = serve(&format!("S: 220 mx\n{offer}C: *\nS! {echo}\nwait 300ms\nclose"));
            let port = server.port.to_string();
            let login = ["-u", "logon", "--allow-cleartext", "--password-stdin", "-v"];
            let run = if format == "session" {
                ehlo_to(server.port, &["--allow-cleartext", "-v", "-l", "log"]).stdin(format!("AUTH PLAIN {PLAIN}\n:save saved\n"))
            } else {
                let check = ["check", "--format", format, "--through", "auth", "127.0.0.1", &port];
                ehlo([&check[..], &login].concat()).stdin("Marker-2f4c-9d81\n")
            };
            let done = run.any().start().finish();
            assert_ne!(done.status, Some(0), "{}", done.all());
            let read = |name: &str| std::fs::read_to_string(done.folder.path().join(name)).unwrap_or_default();
            let log = read("log") + &read("saved");
            is_nowhere(&done, &log);
            for text in [done.all(), log] {
                for part in ["Marker-2f", "4c-9d81", "MARKER", "TWFya2Vy", "NGMtOWQ4", "Y0Yy05ZD", "4c%2D9"] {
                    assert!(!text.contains(part), "{format}: {echo}: {part} in\n{text}");
                }
            }
            server.end();
        }
    }
}

// P24 P46: what the script has beyond what the login takes may be its password.
#[test]
fn a_line_too_many_behind_a_login_is_no_command() {
    let ehlo = "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH CRAM-MD5 EXTERNAL LOGIN PLAIN X-FOO\n";
    let table = [
        // A user name where base64 is wanted.
        ("AUTH CRAM-MD5\nalice\nhunter22\nNOOP\n", "C: AUTH CRAM-MD5\nS: 334 PDEyMy40NTZAYS50ZXN0Pg==\nC: *\nS: 501 cancelled\n"),
        // A user name twice.
        ("AUTH LOGIN YWxpY2U=\nalice\nhunter22\nNOOP\n", "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: YWxpY2U=\nS: 535 no\n"),
        ("AUTH LOGIN YWxpY2U=\nalice\nhunter22\nNOOP\n", "C: AUTH LOGIN YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: YWxpY2U=\nS: 235 yes\n"),
        // A password behind the whole message.
        ("AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\nhunter22\nNOOP\n", "C: AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\nS: 235 yes\n"),
        ("AUTH X-FOO abcd\nhunter22\nNOOP\n", "C: AUTH X-FOO abcd\nS: 235 yes\n"),
        // Cancelled by the script itself, or left to the program.
        ("AUTH LOGIN\n*\nhunter22\nNOOP\n", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 cancelled\n"),
        (":auth EXTERNAL\nhunter22\nNOOP\n", "C: *\nS: 235 yes\n"),
        // It begins with a colon, and is no local command.
        ("AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\n:hunter22\nNOOP\n", "C: AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\nS: 235 yes\n"),
        ("AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\n:hunter22 x\nNOOP\n", "C: AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\nS: 535 no\n"),
        // Blank lines and local commands between are no commands.
        ("AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\n\n:set\nhunter22\nNOOP\n", "C: AUTH PLAIN AGFsaWNlAGh1bnRlcjIy\nS: 535 no\n"),
    ];
    for (script, dialogue) in table {
        let server = serve(&format!("{ehlo}{dialogue}C: QUIT\nS: 221 bye"));
        let run = ehlo_to(server.port, &["--allow-cleartext", "--keep-going", "-l", "log"]);
        let done = run.stdin(format!("EHLO a\n{script}")).any().start().finish();
        let played = server.finish();
        let log = std::fs::read_to_string(done.folder.path().join("log")).unwrap();
        assert_eq!(done.status, Some(8), "{script}{}", done.all());
        assert!(!played.text().contains("hunter22") && !played.text().contains("NOOP"), "{script}{}", played.text());
        assert!(!format!("{}{log}", done.all()).contains("hunter22"), "{script}{}", done.all());
    }
}

#[test]
fn a_script_may_have_its_answers_in_base64() {
    let ehlo = "S: 220 mx\nC: EHLO a\nS: 250-mx\nS: 250 AUTH LOGIN PLAIN\n";
    let table = [
        (
            "AUTH LOGIN\nYWxpY2U=\naHVudGVyMjI=\n",
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YWxpY2U=\nS: 334 UGFzc3dvcmQ6\nC: aHVudGVyMjI=\nS: 235 ok\n",
        ),
        ("AUTH PLAIN\nAGFsaWNlAGh1bnRlcjIy\n", "C: AUTH PLAIN\nS: 334 \nC: AGFsaWNlAGh1bnRlcjIy\nS: 235 ok\n"),
    ];
    for (script, dialogue) in table {
        let server = serve(&format!("{ehlo}{dialogue}C: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye"));
        let done = ehlo_to(server.port, &["--allow-cleartext"]).stdin(format!("EHLO a\n{script}NOOP\nQUIT\n")).any().start().finish();
        server.finish();
        assert_eq!(done.status, Some(0), "{script}{}", done.all());
        assert!(!done.all().contains("aHVudGVyMjI") && !done.all().contains("AGFsaWNl"), "{script}{}", done.all());
    }
}

// P23 P24
#[test]
fn a_login_that_is_written_in_another_way_needs_leave_and_is_hidden() {
    let table = [
        "AUTH=PLAIN AGFsaWNlAGh1bnRlcjIy",
        "AUTH:PLAIN\tAGFsaWNlAGh1bnRlcjIy",
        "AUTH=PLAIN=AGFsaWNlAGh1bnRlcjIy",
        "AUTH PLAIN:AGFsaWNlAGh1bnRlcjIy",
        "> AUTH PLAIN AGFsaWNlAGh1bnRlcjIy",
        "C: AUTH PLAIN hunter22",
        "-> AUTH LOGIN aHVudGVyMjI=",
        "AUTH=XOAUTH2 aHVudGVyMjI=",
        "ATUH LOGIN aHVudGVyMjI=",
        "XAUTH PLAIN AGFsaWNlAGh1bnRlcjIy",
    ];
    for line in table {
        let server = serve("S: 220 mx\nC: QUIT\nS: 221 bye");
        let done = ehlo_to(server.port, &[]).stdin(format!("{line}\n")).any().start().finish();
        server.finish();
        assert_eq!(done.status, Some(8), "{line}: {}", done.all());
        let server = serve("S: 220 mx\nC: *\nS: 500 unknown: AGFsaWNlAGh1bnRlcjIy aHVudGVyMjI= hunter22\nC: QUIT\nS: 221 bye");
        let done = ehlo_to(server.port, &["--allow-cleartext", "-l", "log"]).stdin(format!("{line}\n")).any().start().finish();
        server.finish();
        let log = std::fs::read_to_string(done.folder.path().join("log")).unwrap();
        let all = format!("{}{log}", done.all());
        assert!(!["AGFsaWNl", "hunter22", "aHVudGVy"].iter().any(|part| all.contains(part)), "{line}: {all}");
    }
}
