//! The session with a server, an operator and a clock that are all made up.
#![no_main]

use std::time::Duration;

use ehlo::explain::notice;
use ehlo::secret::Secret;
use ehlo::session::client::Answer;
use ehlo::session::transcript::What;
use ehlo::session::{Event, Expected, Judgement, Session};
use ehlo::wire::command::Command;
use ehlo_fuzz::{Input, assert_printable, contains};
use libfuzzer_sys::fuzz_target;

/// What the transcript may hold, its own limit being 8 MiB.
const KEPT: usize = 8 << 20;

const SENT: &[&[u8]] = &[
    b"EHLO a",
    b"LHLO a",
    b"HELO a",
    b"MAIL FROM:<a@b>",
    b"RCPT TO:<c@d>",
    b"DATA",
    b"BDAT 5 LAST",
    b"AUTH LOGIN",
    b"AUTH PLAIN AGEAYmM=",
    b"STARTTLS",
    b"RSET",
    b"NOOP",
    b"QUIT",
];

const RECEIVED: &[&[u8]] = &[
    b"220 mx\r\n",
    b"250-mx\r\n250 SIZE 10\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"235 in\r\n",
    b"221 bye\r\n",
    b"421 4.3.2 no\r\n",
    b"550 5.1.1 no\r\n",
    b"250-a\r\n550 b\r\n",
    b"hello\r\n",
    b"\r\n",
    b"2",
];

/// What was seen, by which the session is judged.
#[derive(Default)]
struct Seen {
    /// 354 came, and the message has not ended.
    body_is_due: bool,
    dots: usize,
    answers_to_dots: usize,
    most_accepted: u32,
    ended: bool,
}

fn look(session: &mut Session, seen: &mut Seen) {
    while let Some(event) = session.next_event() {
        assert!(!seen.ended, "an event behind the end: {event:?}");
        match event {
            Event::Reply { reply, to, judgement, .. } => {
                let says = |code: &[u8]| reply.lines.iter().all(|line| line.starts_with(code) || line.is_empty());
                let for_chunk = matches!(to, Expected::Command(_));
                seen.answers_to_dots += usize::from(to.is_fate() && !for_chunk);
                if to.is_fate() && judgement == Judgement::Done {
                    assert!(says(b"2"));
                    seen.most_accepted += 1;
                }
                seen.body_is_due |= to == Expected::Command(Command::Data) && judgement == Judgement::Continue && says(b"3");
                reply.oddities.iter().for_each(|&oddity| assert_printable(&notice::oddity(oddity, &reply)));
            }
            Event::Ended(_) => seen.ended = true,
            Event::Unsolicited(_) | Event::Stray { .. } => {}
        }
    }
    // A message may have several replies, of which one is enough.
    assert!(session.messages_accepted() <= seen.most_accepted);
    assert!(seen.answers_to_dots <= seen.dots);
    assert_eq!(session.is_open(), !seen.ended);
}

fn act(session: &mut Session, seen: &mut Seen, now: Duration, input: &mut Input<'_>) {
    let (what, which) = (input.byte(), usize::from(input.byte()));
    match what % 24 {
        0..=5 => session.receive(now, RECEIVED[which % RECEIVED.len()]),
        6..=8 => session.receive(now, input.bytes()),
        9 => session.receive(now, &input.bytes().repeat(which * 8)),
        10..=13 => session.send(now, SENT[which % SENT.len()], &mut Vec::new()),
        14 => session.send(now, input.line(), &mut Vec::new()),
        15 => {
            let mut out = Vec::new();
            session.send_raw(now, SENT[which % SENT.len()], &mut out);
            assert_eq!(out, SENT[which % SENT.len()]);
        }
        16 if which % 2 == 0 => session.send_raw(now, input.bytes(), &mut Vec::new()),
        16 => {
            let (mut out, due) = (Vec::new(), session.chunk_left().unwrap_or(0));
            session.chunk(now, input.bytes(), &mut out);
            assert!(out.len() as u64 <= due);
        }
        17 => {
            let mut out = Vec::new();
            let sent = session.body(input.bytes(), &mut out);
            assert!(out.is_empty() || (sent.is_ok() && seen.body_is_due && !contains(&out, b"\r\n.\r\n")));
        }
        18 | 19 => {
            // LMTP answers once for each recipient; PRDR before and after that too.
            let most = session.transaction().accepted.len() + 2;
            let mut out = Vec::new();
            session.end_body(now, &mut out);
            assert!(out.is_empty() || seen.body_is_due);
            if !out.is_empty() {
                assert!(out.ends_with(b".\r\n"));
                seen.dots += most;
                seen.body_is_due = false;
            }
        }
        20 => {
            let answer = match which % 3 {
                0 => Answer::Message(Secret::new(input.line().to_vec())),
                1 => Answer::AsTyped(Secret::new(input.line().to_vec())),
                _ => Answer::Cancel,
            };
            session.answer(now, &answer, &mut Vec::new());
        }
        21 => {
            if session.is_starting_tls() {
                let _ = session.take_injected();
                session.tls_started(now, which % 2 == 0);
                assert!(session.capabilities().is_none() && session.user().is_none() && session.transaction().accepted.is_empty());
            }
        }
        22 => session.note(now, "a fact"),
        _ => match which % 32 {
            0 => session.received_end(now),
            1 => session.lost(now, input.text(), which > 99),
            2 => session.timed_out(now, now),
            3 => session.close(now),
            _ => {}
        },
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut session = Session::new();
    let mut seen = Seen::default();
    while !input.is_empty() {
        // A clock that also goes backwards.
        let now = Duration::from_millis(u64::from(input.byte()) << (input.0.len() % 40));
        act(&mut session, &mut seen, now, &mut input);
        look(&mut session, &mut seen);
        let _ =
            (session.awaited(), session.chunk_left(), session.dialogue(), session.security(), session.is_leaving(), session.greeting());
    }
    let kept: usize = session
        .transcript()
        .entries()
        .map(|entry| match &entry.what {
            What::Received(reply) => reply.lines.iter().map(<[u8]>::len).sum(),
            What::Sent(line) | What::Stray(line) => line.len(),
            _ => 0,
        })
        .sum();
    assert!(kept <= 2 * KEPT, "{kept} bytes in the transcript");
});
