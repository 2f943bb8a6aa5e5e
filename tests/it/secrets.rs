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
    let done = ehlo(["127.0.0.1", "-u", "logon:Marker-2f4c-9d81"]).status(2).err("it is asked for").check();
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
