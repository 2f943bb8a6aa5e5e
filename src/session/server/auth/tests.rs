//! AUTH as one reads it, and every mechanism of the table at it with the client's side of `sasl`.

use super::super::tests::{EXCHANGE, NOW, POSTFIX, TOKEN, after_hello, dialogue, server, shown};
use super::super::{NAME, Server, TlsFacts};
use super::dialogue::MAX_CHALLENGES;
use super::*;
use crate::sasl::{Channel, Login, Mechanism, Proof, Trouble};
use crate::wire::base64;

#[test]
fn logins_take_every_form() {
    let table = [
        ("AUTH LOGIN bG9nb24=", "S: 334 UGFzc3dvcmQ6"),
        ("TXkgc2ltcGxlIHBhc3N3b3Jk", "S: 235 2.7.0 Authentication successful"),
        ("AUTH LOGIN", "S: 503 5.5.1 Error: already authenticated"),
    ];
    let mut fresh = server(POSTFIX, "");
    fresh.receive(b"EHLO a\r\n");
    for (line, want) in table {
        assert_eq!(shown(fresh.receive(format!("{line}\r\n").as_bytes())).trim_end(), want, "{line}");
    }
    let plain = "AGxvZ29uQGNvbnRvc28udGVzdABNeSBzaW1wbGUgcGFzc3dvcmQ=";
    for lines in [vec![format!("AUTH PLAIN {plain}")], vec!["auth plain".to_owned(), plain.to_owned()]] {
        let mut fresh = server(POSTFIX, "");
        fresh.receive(b"EHLO a\r\n");
        let got: String = lines.iter().map(|line| shown(fresh.receive(format!("{line}\r\n").as_bytes()))).collect();
        assert!(got.ends_with("S: 235 2.7.0 Authentication successful\n"), "{got}");
        assert_eq!(got.starts_with("S: 334 \n"), lines.len() == 2, "{got}");
    }
}

#[test]
fn logins_fail_as_they_should() {
    dialogue(
        EXCHANGE,
        "",
        "
        S: 220 mail.contoso.test Microsoft ESMTP MAIL Service ready at Mon, 23 Nov 2026 08:19:44 -0700
        C: EHLO client.alt.test
        S: 250-mail.contoso.test Hello [127.0.0.1]
        S: 250-SIZE 37748736
        S: 250-PIPELINING
        S: 250-DSN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-STARTTLS
        S: 250-AUTH NTLM LOGIN
        S: 250-8BITMIME
        S: 250-BINARYMIME
        S: 250 CHUNKING
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: *
        S: 501 5.7.0 Authentication cancelled
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: logon
        S: 535 5.7.3 Authentication unsuccessful
        C: AUTH LOGIN bG9nb24=
        S: 334 UGFzc3dvcmQ6
        C: d3Jvbmc=
        S: 535 5.7.3 Authentication unsuccessful
        C: AUTH PLAIN AGEAYg==
        S: 504 5.7.4 Unrecognized authentication type
        C: AUTH
        S: 501 5.5.4 Invalid arguments
        C: AUTH LOGIN a b
        S: 501 5.5.4 Invalid arguments
        C: MAIL FROM:<a@alt.test>
        S: 250 2.1.0 Sender OK
        C: AUTH LOGIN
        S: 503 5.5.2 Bad sequence of commands
        ",
    );
    let mut postfix = server(POSTFIX, "");
    postfix.receive(b"EHLO a\r\n");
    let replies = [
        ("AUTH CRAM-MD5", "S: 535 5.7.8 Error: authentication failed: Invalid authentication mechanism"),
        ("AUTH PLAIN =", "S: 535 5.7.8 Error: authentication failed: (reason unavailable)"),
        ("AUTH PLAIN bG9nb24", "S: 535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"),
    ];
    for (line, want) in replies {
        assert_eq!(shown(postfix.receive(format!("{line}\r\n").as_bytes())).trim_end(), want, "{line}");
    }
}

const UNKNOWN_MECHANISM: &str = "S: 504 5.7.4 Unrecognized authentication type";

#[test]
fn scenarios_of_login() {
    let (user, password) = ("bG9nb24=", "TXkgc2ltcGxlIHBhc3N3b3Jk");
    let (ask_user, ask_password) = ("S: 334 VXNlcm5hbWU6", "S: 334 UGFzc3dvcmQ6");
    let (yes, no) = ("S: 235 2.7.0 Authentication successful", "S: 535 5.7.3 Authentication unsuccessful");
    assert_eq!(after_hello("wrong-password", &["AUTH LOGIN", user, password]), [ask_user, ask_password, no]);
    assert_eq!(after_hello("password-first", &["AUTH LOGIN", password, user]), [ask_password, ask_user, yes]);
    assert_eq!(after_hello("password-first", &["AUTH LOGIN bG9nb24=", password]), [ask_password, yes]);
    assert_eq!(after_hello("odd-prompts", &["AUTH LOGIN", user, password]), ["S: 334", "S: 334 Now the other one, please!", yes]);
    assert_eq!(
        after_hello("auth-loop", &["AUTH LOGIN", user, password, user, password, user, "*"]),
        [ask_user, ask_password, ask_user, ask_password, ask_user, ask_password, "S: 501 5.7.0 Authentication cancelled"]
    );
    assert_eq!(after_hello("bad-base64", &["AUTH LOGIN", user, password]), ["S: 334 VXNl*cm5h(bWU6", "S: 334 VXNl*cm5h(bWU6", yes]);
    assert_eq!(after_hello("empty-challenge", &["AUTH LOGIN", user, password]), ["S: 334", "S: 334", yes]);
    assert_eq!(after_hello("auth-unusable", &["AUTH ntlm", "AUTH LOGIN bG9nb24="]), [UNKNOWN_MECHANISM, ask_password]);
    assert_eq!(
        after_hello("initial-501", &["AUTH PLAIN =", "AUTH LOGIN bG9nb24=", "AUTH PLAIN", "AGxvZ29uAE15IHNpbXBsZSBwYXNzd29yZA=="]),
        ["S: 501 5.5.2 Syntax error in parameters or arguments", "S: 501 5.5.2 Syntax error in parameters or arguments", "S: 334", yes]
    );
    assert_eq!(
        after_hello("initial-504", &["AUTH LOGIN bG9nb24=", "AUTH LOGIN", user, password]),
        [UNKNOWN_MECHANISM, ask_user, ask_password, yes]
    );
    // P23: these take passwords in the clear; it is for the client to object.
    assert_eq!(after_hello("auth-in-clear", &["STARTTLS", "AUTH PLAIN"]), ["S: 502 5.3.3 Command not implemented", "S: 334"]);
}

#[test]
fn scenarios_of_login_and_tls() {
    let encryption = "S: 538 5.7.11 Encryption required for requested authentication mechanism\n";
    for (scenario, offered, refusal) in [("auth-needs-tls", true, encryption), ("auth-in-tls", false, UNKNOWN_MECHANISM)] {
        let mut server = server(EXCHANGE, scenario);
        assert_eq!(shown(server.receive(b"EHLO a\r\n")).contains("AUTH NTLM LOGIN"), offered, "{scenario}");
        assert_eq!(shown(server.receive(b"AUTH LOGIN\r\n")).trim_end(), refusal.trim_end(), "{scenario}");
        server.tls_started(TlsFacts::default());
        assert!(shown(server.receive(b"EHLO a\r\n")).contains("AUTH NTLM LOGIN"), "{scenario}");
        assert_eq!(shown(server.receive(b"AUTH LOGIN\r\n")), "S: 334 VXNlcm5hbWU6\n", "{scenario}");
    }
    let mut postfix = server(POSTFIX, "auth-in-tls");
    assert_eq!(shown(postfix.receive(b"EHLO a\r\nAUTH LOGIN\r\n")).lines().last(), Some("S: 503 5.5.1 Error: authentication not enabled"));
}

fn played() -> impl Iterator<Item = &'static Mechanism> {
    playable().map(|name| sasl::lookup(name).unwrap())
}

/// TLS with all that a mechanism can want of it.
fn tls() -> TlsFacts {
    let channel = Channel { exporter: Some(vec![1; 32]), server_end_point: Some(vec![2; 32]), wanted: None };
    TlsFacts { channel, certificate_user: Some("logon".to_owned()) }
}

/// A server that offers one mechanism and has been greeted, inside TLS.
fn offering(character: &str, scenario: &str, mechanism: &'static str) -> Server {
    let mut server = server(character, scenario).offering(vec![mechanism]);
    server.tls_started(tls());
    let hello = shown(server.receive(b"EHLO a\r\n"));
    assert!(hello.contains(&format!("250-AUTH {mechanism}\n")), "{hello}");
    server
}

fn credentials(mechanism: &Mechanism) -> Login {
    let secret = if mechanism.needs == Needs::Token { TOKEN } else { PASSWORD };
    Login {
        user: "logon".to_owned(),
        secret: Some(Secret::new(secret.to_owned())),
        host: NAME.to_owned(),
        port: 587,
        now: NOW,
        random: [9; 32],
        channel: tls().channel,
        offers_binding: mechanism.name.ends_with("-PLUS"),
        ..Login::default()
    }
}

/// A whole login: the last reply, and what the client thinks of the server.
fn log_in(server: &mut Server, mechanism: &Mechanism, login: &Login, initial: bool) -> (String, Result<Proof, Trouble>) {
    let mut client = (mechanism.client)();
    let mut say = |line: &str| shown(server.receive(format!("{line}\r\n").as_bytes())).trim_end().to_owned();
    let mut reply = if mechanism.client_first && initial {
        let first = base64::encode(client.step(None, login).unwrap().expose());
        say(&format!("AUTH {} {}", mechanism.name, if first.is_empty() { "=" } else { &first }))
    } else {
        say(&format!("AUTH {}", mechanism.name))
    };
    let mut begins = mechanism.client_first && !initial;
    while let Some(text) = reply.strip_prefix("S: 334") {
        let challenge = base64::decode(text.trim_start().as_bytes()).map(|decoded| decoded.bytes).unwrap_or_default();
        let given = (!begins).then_some(challenge.as_slice());
        begins = false;
        reply = match client.step(given, login) {
            Ok(answer) => say(&base64::encode(answer.expose())),
            Err(trouble) => return (say("*"), Err(trouble)),
        };
    }
    (reply, Ok(client.proof()))
}

#[test]
fn every_mechanism_of_the_table_logs_in() {
    for mechanism in played() {
        for (character, initial) in [(EXCHANGE, true), (EXCHANGE, false), (POSTFIX, true), (POSTFIX, false)] {
            let mut server = offering(character, "", mechanism.name);
            let what = format!("{} {character} {initial}", mechanism.name);
            if matches!(mechanism.needs, Needs::Password | Needs::Token) {
                let wrong = Login { secret: Some(Secret::new("wrong".to_owned())), ..credentials(mechanism) };
                let (reply, _) = log_in(&mut server, mechanism, &wrong, initial);
                assert!(reply.starts_with("S: 535 "), "{what}: {reply}");
            }
            let (reply, proof) = log_in(&mut server, mechanism, &credentials(mechanism), initial);
            assert_eq!(reply, "S: 235 2.7.0 Authentication successful", "{what}");
            assert!(matches!(proof, Ok(Proof::Given | Proof::NotPartOfIt)), "{what}: {proof:?}");
        }
    }
}

#[test]
fn scenario_wrong_password_lets_no_mechanism_in() {
    for mechanism in played() {
        let mut server = offering(EXCHANGE, "wrong-password", mechanism.name);
        let (reply, _) = log_in(&mut server, mechanism, &credentials(mechanism), true);
        assert_eq!(reply, "S: 535 5.7.3 Authentication unsuccessful", "{}", mechanism.name);
    }
}

#[test]
fn scenario_false_server_is_found_out_by_whoever_checks() {
    assert!(server(EXCHANGE, "false-server").host().lies && !server(EXCHANGE, "").host().lies);
    for mechanism in played() {
        let (_, truth) = log_in(&mut offering(EXCHANGE, "", mechanism.name), mechanism, &credentials(mechanism), true);
        let (reply, lie) = log_in(&mut offering(EXCHANGE, "false-server", mechanism.name), mechanism, &credentials(mechanism), true);
        let found_out = matches!(lie, Ok(Proof::Failed(_)) | Err(Trouble::NotTheServer(_)));
        assert_eq!(found_out, truth == Ok(Proof::Given), "{}: {reply} {lie:?}", mechanism.name);
    }
}

#[test]
fn scenario_token_refused_says_so_in_json() {
    for mechanism in played().filter(|mechanism| mechanism.needs == Needs::Token) {
        let mut server = offering(EXCHANGE, "token-refused", mechanism.name);
        let first = base64::encode((mechanism.client)().step(None, &credentials(mechanism)).unwrap().expose());
        let reply = shown(server.receive(format!("AUTH {} {first}\r\n", mechanism.name).as_bytes()));
        let json = base64::decode(reply.strip_prefix("S: 334 ").unwrap().trim_end().as_bytes()).unwrap().bytes;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(json.get("status").is_some(), "{json}");
        assert_eq!(shown(server.receive(b"\r\n")), "S: 535 5.7.3 Authentication unsuccessful\n");
    }
}

#[test]
fn ntlm_begins_in_the_words_of_the_manner() {
    for mechanism in played().filter(|mechanism| mechanism.name == "NTLM") {
        let table = [
            (EXCHANGE, "", "S: 334 NTLM supported\n"),
            (POSTFIX, "", "S: 334 \n"),
            (EXCHANGE, "ntlm-empty", "S: 334 \n"),
            (EXCHANGE, "auth-loop", "S: 334 NTLM supported\n"),
        ];
        for (character, scenario, want) in table {
            let mut server = offering(character, scenario, mechanism.name);
            assert_eq!(shown(server.receive(b"AUTH NTLM\r\n")), want, "{character} {scenario}");
            let again = shown(server.receive(b"AA==\r\n"));
            assert_eq!(again == want, scenario == "auth-loop", "{character} {scenario}: {again}");
            server.receive(b"*\r\n");
            let first = base64::encode((mechanism.client)().step(None, &credentials(mechanism)).unwrap().expose());
            let challenge = shown(server.receive(format!("AUTH NTLM {first}\r\n").as_bytes()));
            assert!(challenge.starts_with("S: 334 TlRMTVNTUAAC"), "{character} {scenario}: {challenge}");
        }
    }
}

#[test]
fn a_loop_has_no_end_and_can_be_left() {
    for mechanism in played() {
        let mut server = offering(POSTFIX, "auth-loop", mechanism.name);
        server.receive(format!("AUTH {}\r\n", mechanism.name).as_bytes());
        for _ in 0..3 * MAX_CHALLENGES {
            assert!(shown(server.receive(b"AA==\r\n")).starts_with("S: 334 "), "{}", mechanism.name);
        }
        assert_eq!(shown(server.receive(b"*\r\n")), "S: 501 5.7.0 Authentication aborted\n", "{}", mechanism.name);
    }
}

/// A mechanism that asks for ever.
#[derive(Debug)]
struct Curious;

impl sasl::Server for Curious {
    fn step(&mut self, _: Option<&[u8]>, _: &sasl::Host) -> sasl::Turn {
        sasl::Turn::Challenge(b"and?".to_vec())
    }
}

#[test]
fn a_dialogue_ends_after_so_many_challenges() {
    static CURIOUS: Mechanism = Mechanism { server: Some(|| Box::new(Curious)), ..sasl::cram_md5::MECHANISM };
    let mut dialogue = Dialogue::new(&CURIOUS, sasl::Host::default(), &[], "").unwrap();
    assert_eq!(dialogue.open(None), Turn::Ask("YW5kPw==".to_owned()));
    for _ in 1..MAX_CHALLENGES {
        assert_eq!(dialogue.answer(b""), Turn::Ask("YW5kPw==".to_owned()));
    }
    assert_eq!(dialogue.answer(b""), Turn::Refuse);
}

#[test]
fn only_who_does_not_speak_first_is_refused_an_initial_response() {
    let mut postfix = server(POSTFIX, "").offering(vec!["CRAM-MD5", "LOGIN"]);
    postfix.receive(b"EHLO a\r\n");
    assert_eq!(shown(postfix.receive(b"AUTH CRAM-MD5 bG9nb24=\r\n")), "S: 501 5.5.4 Syntax: AUTH mechanism\n");
    assert_eq!(shown(postfix.receive(b"AUTH LOGIN bG9nb24=\r\n")), "S: 334 UGFzc3dvcmQ6\n");
}

#[test]
fn every_login_has_a_challenge_of_its_own_and_the_time_of_day() {
    let challenge = |server: &mut Server| {
        let reply = shown(server.receive(b"AUTH CRAM-MD5\r\n"));
        server.receive(b"*\r\n");
        String::from_utf8(base64::decode(reply.strip_prefix("S: 334 ").unwrap().trim_end().as_bytes()).unwrap().bytes).unwrap()
    };
    let mut server = server(POSTFIX, "").offering(vec!["CRAM-MD5"]);
    server.receive(b"EHLO a\r\n");
    let (one, other) = (challenge(&mut server), challenge(&mut server));
    assert!(one != other && one.ends_with(".1795447184@mail.contoso.test>"), "{one} {other}");
    server.set_time(NOW + 60_000);
    assert!(challenge(&mut server).ends_with(".1795447244@mail.contoso.test>"));
}

#[test]
fn what_cannot_be_had_is_not_offered() {
    let certificate = played().filter(|mechanism| mechanism.needs == Needs::Certificate).map(|mechanism| mechanism.name);
    let names: Vec<&str> = certificate.chain(["SCRAM-SHA-256-PLUS", "LOGIN"]).collect();
    let offer = |facts: Option<TlsFacts>| {
        let mut server = server(EXCHANGE, "").offering(names.clone());
        facts.into_iter().for_each(|facts| server.tls_started(facts));
        let hello = shown(server.receive(b"EHLO a\r\n"));
        hello.lines().find_map(|line| line.strip_prefix("S: 250-AUTH ").map(str::to_owned)).unwrap()
    };
    assert_eq!(offer(None), "LOGIN");
    assert_eq!(offer(Some(TlsFacts::default())), "LOGIN");
    assert_eq!(offer(Some(TlsFacts { certificate_user: None, ..tls() })), "SCRAM-SHA-256-PLUS LOGIN");
    assert_eq!(offer(Some(tls())), names.join(" "));
}

#[test]
fn no_offer_is_no_auth() {
    let mut server = server(POSTFIX, "").offering(Vec::new());
    assert!(!shown(server.receive(b"EHLO a\r\n")).contains("AUTH"));
    assert_eq!(shown(server.receive(b"AUTH PLAIN\r\n")), "S: 503 5.5.1 Error: authentication not enabled\n");
}
