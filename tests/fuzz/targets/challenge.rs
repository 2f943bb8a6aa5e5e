//! AUTH dialogues with made-up challenges; a password that was given is seen nowhere (P24, P26, P27).
#![no_main]

use std::time::Duration;

use ehlo::explain::blob;
use ehlo::explain::login::{Refused, findings};
use ehlo::sasl::{MECHANISMS, login, plain};
use ehlo::secret::Secret;
use ehlo::session::client::Answer;
use ehlo::session::{Event, Session, Stage};
use ehlo_fuzz::{Input, assert_printable, contains};
use libfuzzer_sys::fuzz_target;

const PASSWORD: &[u8] = b"q7Zk0wXv";
const ENCODED: &[u8] = b"cTdaazB3WHY=";

fn answer(kind: u8, input: &mut Input<'_>) -> Answer {
    match kind % 8 {
        0 | 1 => Answer::Message(Secret::new(input.line().to_vec())),
        2 => Answer::Message(plain::message("", &input.text(), PASSWORD)),
        3 | 4 => Answer::AsTyped(Secret::new(input.line().to_vec())),
        5 => Answer::Cancel,
        _ => Answer::Message(Secret::new(PASSWORD.to_vec())),
    }
}

fuzz_target!(|data: &[u8]| {
    let _ = (plain::parse(data), login::asks(data, data.len() % 2 == 0));
    let mut input = Input(data);
    let now = Duration::from_millis(1);
    let mut session = Session::new();
    session.receive(now, b"220 mx\r\n");
    session.send(now, b"EHLO a", &mut Vec::new());
    session.receive(now, b"250 mx\r\n");
    let mechanism = match MECHANISMS.get(usize::from(input.byte() % 32)) {
        Some(known) => known.name.to_owned(),
        None => input.text(),
    };
    session.send(now, format!("AUTH {mechanism}").as_bytes(), &mut Vec::new());
    while session.next_event().is_some() {}
    let (mut seen, mut given) = (session.transcript().since(0).1, false);
    while !input.is_empty() && session.is_open() {
        let kind = input.byte();
        let mut line = match kind >> 5 {
            0 => b"334-".to_vec(),
            1 => Vec::new(),
            2 => [b"500 ", ENCODED].concat(),
            3 => [b"334 x", PASSWORD].concat(),
            _ => b"334 ".to_vec(),
        };
        line.extend_from_slice(input.line());
        line.extend_from_slice(b"\r\n");
        session.receive(now, &line);
        while let Some(event) = session.next_event() {
            let (Event::Reply { reply, .. } | Event::Unsolicited(reply)) = event else { continue };
            assert!(!given || !reply.lines.iter().any(|line| contains(line, PASSWORD) || contains(line, ENCODED)));
        }
        let (entries, next) = session.transcript().since(seen);
        for entry in entries {
            let text = format!("{entry:?}");
            assert!(!given || !text.contains("q7Zk0wXv") && !text.contains("cTdaazB3WHY="));
        }
        seen = next;
        if let Some(dialogue) = session.dialogue() {
            assert_eq!(session.stage(), Stage::Auth);
            if let Ok(decoded) = &dialogue.challenge.decoded {
                assert_printable(&blob::describe(decoded).text);
            }
            let answer = answer(kind, &mut input);
            // Alone, or as PLAIN has it: a longer password that ends in the same letters is another one.
            let is_password = |message: &[u8]| message == PASSWORD || message.ends_with(&[b"\0", PASSWORD].concat());
            let is_marker = matches!(&answer, Answer::Message(secret) if is_password(secret.expose()));
            let mut bytes = Vec::new();
            let sent = session.answer(now, &answer, &mut bytes);
            assert!(bytes.ends_with(b"\r\n"));
            // What is typed as a user name is no secret: an input that types the password there proves nothing.
            if (is_marker || contains(&bytes, PASSWORD) || contains(&bytes, ENCODED)) && sent.hidden.is_none() {
                return;
            }
            seen = session.transcript().since(seen).1;
            given |= is_marker;
        } else if !session.is_waiting() {
            session.send(now, format!("AUTH {mechanism}").as_bytes(), &mut Vec::new());
        }
        if kind % 16 == 15 {
            if let Some(refused) = session.take_refused_login() {
                let lines = refused.messages().iter().map(|message| (message.from, message.line.expose().as_slice())).collect();
                let mechanism = &refused.mechanism;
                for sentence in findings(&Refused { mechanism, lines, encrypted: false, tls_offered: true, reason_is_known: false, now: 1 }) {
                    assert_printable(&sentence);
                    assert!(!sentence.contains("q7Zk0wXv"));
                }
            }
        }
        let _ = (session.dialogue_is_endless(), session.user(), session.claimed_user());
    }
});
