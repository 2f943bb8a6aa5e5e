//! EHLO or LHLO is refused: by a server that does not want us, or by one that speaks the other of SMTP and LMTP.

use super::failure::{Diagnosis, diagnosis};
use super::line::Sent;
use super::place::Place;
use super::reply::{Situation, explain};
use super::talk::{Lacks, code_of, of_fact, quoted, said};
use crate::text::printable_str;
use crate::wire::reply::Reply;

/// Whether the other of SMTP and LMTP is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Nothing speaks for it.
    Unlikely,
    /// The verb is not known there.
    Possible,
    /// The server says so, or says nothing that speaks against it and does not know our verb.
    Likely,
}

impl Other {
    /// From what we said, the refusal, and the greeting.
    pub fn guess(verb: &str, reply: &Reply, greeting: Option<&Reply>) -> Self {
        // A refusal may repeat the verb that it refuses.
        let says_lmtp = greeting.is_some_and(greets_as_lmtp) || verb == "EHLO" && reply.texts().any(speaks_of_lmtp);
        let unknown = matches!(reply.code.number(), 500 | 502);
        match (verb, says_lmtp, unknown) {
            ("LHLO", false, true) | ("EHLO", true, _) => Self::Likely,
            ("EHLO", false, true) => Self::Possible,
            _ => Self::Unlikely,
        }
    }
}

/// Whether a greeting says LMTP. Its first word is the server's name, which may hold anything.
pub fn greets_as_lmtp(greeting: &Reply) -> bool {
    greeting.texts().any(|text| text.iter().position(|b| *b == b' ').is_some_and(|space| speaks_of_lmtp(&text[space..])))
}

fn speaks_of_lmtp(text: &[u8]) -> bool {
    let mut words = text.split(|b: &u8| !b.is_ascii_alphanumeric());
    words.any(|word| word.eq_ignore_ascii_case(b"LMTP") || word.eq_ignore_ascii_case(b"LHLO"))
}

/// What became of HELO after EHLO was refused, when it was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeloEnd {
    /// It was answered, and not by success.
    Answered(Reply),
    /// It was not answered, in a few words.
    Failed(String),
}

impl HeloEnd {
    /// A sentence to stand behind the words of the refusal.
    fn sentence(&self, refusal: &Reply) -> String {
        match self {
            Self::Answered(reply) if reply.lines == refusal.lines => "It answers HELO alike.".to_owned(),
            Self::Answered(reply) => format!("To HELO, tried after it, it says {}.", quoted(reply.lines.iter())),
            Self::Failed(words) => format!("HELO was tried after it: {}.", printable_str(words)),
        }
    }
}

/// EHLO is refused, HELO is taken, and what only EHLO offers is wanted.
pub(super) fn only_helo(reply: &Reply, lacks: Lacks, at: &Place) -> Diagnosis {
    let sent = Sent::default();
    let refused = diagnose(&HelloRefusal { verb: "EHLO", reply, other: Other::Unlikely, helo: None, sent: &sent }, at);
    let (missing, source) = match lacks {
        Lacks::StartTls => ("STARTTLS", "RFC 3207"),
        Lacks::Login => ("login", "RFC 4954"),
    };
    Diagnosis {
        headline: format!("{} accepts HELO and refuses EHLO ({}): no {missing} is offered", at.shown(), code_of(reply)),
        happened: format!("{} Only the reply to EHLO can offer it ({source}).", refused.happened),
        ..refused
    }
}

/// A refusal of EHLO or LHLO, for the one who explains it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HelloRefusal<'a> {
    /// Which verb.
    pub verb: &'a str,
    /// The refusal.
    pub reply: &'a Reply,
    /// The other of SMTP and LMTP may be spoken there.
    pub other: Other,
    /// What became of HELO, where it was tried.
    pub helo: Option<&'a HeloEnd>,
    /// What was sent, and what was known then.
    pub sent: &'a Sent,
}

/// Puts the refusal into words.
pub(super) fn diagnose(refusal: &HelloRefusal<'_>, at: &Place) -> Diagnosis {
    let mut words = of_refusal(refusal, at);
    if let Some(helo) = refusal.helo {
        words.happened = format!("{} {}", words.happened, helo.sentence(refusal.reply));
    }
    words
}

fn of_refusal(refusal: &HelloRefusal<'_>, at: &Place) -> Diagnosis {
    let HelloRefusal { verb, reply, sent, .. } = *refusal;
    // A server that has accepted EHLO before TLS began speaks SMTP.
    let other = if sent.greeted_before_tls { Other::Unlikely } else { refusal.other };
    let headline = format!("{} greets and refuses {verb} ({})", at.shown(), code_of(reply));
    let by_hand = format!("By hand:  ehlo {}", at.arguments());
    let fact = explain(&Situation { verb: verb.to_owned(), sent: sent.clone(), ..Situation::default() }, reply);
    // What the server says of its reason counts more than what is usual.
    let closes = reply.has_code(421);
    if let Some(fact) =
        fact.filter(|fact| fact.is_about_a_header() || other == Other::Unlikely && (fact.goes_by_more_than_the_code() || closes))
    {
        return of_fact(headline, &said(reply), &fact, by_hand);
    }
    let mut words = diagnosis(
        headline,
        &said(reply),
        &[
            "It does not like the name that we say (--ehlo NAME).",
            "It refuses this address and says so only now.",
            &format!("A device on the way forbids {verb}."),
        ],
        &[&by_hand, "Say a name that resolves to your address: --ehlo NAME"],
    );
    let (program, lmtp, smtp) = (at.program(), at.as_lmtp(), at.as_smtp());
    match (verb, other) {
        (_, Other::Unlikely) => {}
        ("LHLO", _) => words.first("It speaks SMTP, not LMTP.", format!("Leave out lmtp:  {program} {smtp}")),
        (_, Other::Likely) => words.first(&format!("This is LMTP: {lmtp}"), format!("{program} {lmtp}")),
        (_, Other::Possible) => words.first(&format!("This may be LMTP: {lmtp}"), format!("{program} {lmtp}")),
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn reply(text: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(format!("{text}\r\n").as_bytes());
        let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!("{text}") };
        reply
    }

    #[test]
    fn whoever_speaks_the_other_of_smtp_and_lmtp_is_told_how_to_call_it() {
        let mx = || Place::new("mx.alt.test", 24);
        let socket = || mx().at_socket(Some("/run/lmtp"));
        let table = [
            (mx(), "EHLO", "500 5.5.1 Use LHLO", "This is LMTP: lmtp://mx.alt.test:24", "ehlo lmtp://mx.alt.test:24"),
            (socket(), "EHLO", "500 5.5.1 LMTP wants LHLO", "This is LMTP: lmtp:unix:/run/lmtp", "ehlo lmtp:unix:/run/lmtp"),
            (mx(), "EHLO", "502 5.5.2 unknown", "This may be LMTP: lmtp://mx.alt.test:24", "ehlo lmtp://mx.alt.test:24"),
            (mx().speaking(true, false), "LHLO", "500 5.5.2 unknown", "It speaks SMTP, not LMTP.", "Leave out lmtp:  ehlo mx.alt.test 24"),
            (socket().speaking(true, false), "LHLO", "500 what", "It speaks SMTP, not LMTP.", "Leave out lmtp:  ehlo unix:/run/lmtp"),
            (mx(), "EHLO", "554 5.7.1 Client host [..] blocked using zen.spamhaus.org", "A dynamic or home address", "Look the address up"),
            (mx(), "EHLO", "421 4.7.0 Too many connections", "Several tests", "Wait and try again"),
            (mx(), "EHLO", "550 not you", "It does not like the name that we say (--ehlo NAME).", "By hand:  ehlo mx.alt.test 24"),
            (socket(), "EHLO", "550 not you", "It does not like the name that we say (--ehlo NAME).", "By hand:  ehlo unix:/run/lmtp"),
            (mx(), "EHLO", "503 Command refused, required Proxy negotiation failed", "A load balancer", "--proxy-protocol v1"),
        ];
        for (place, verb, text, likely, next) in table {
            let reply = reply(text);
            let sent = Sent::default();
            let refusal = HelloRefusal { verb, reply: &reply, other: Other::guess(verb, &reply, None), helo: None, sent: &sent };
            let words = diagnose(&refusal, &place);
            assert!(words.likely[0].starts_with(likely) && words.next[0].contains(next), "{text}: {words:?}");
            assert!(words.headline.contains(&format!("refuses {verb} (")), "{}", words.headline);
        }
        let guess = |verb, text, greeting| Other::guess(verb, &reply(text), Some(&reply(greeting)));
        assert_eq!(guess("EHLO", "500 what", "220 mx.alt.test Cyrus LMTP v3"), Other::Likely);
        assert_eq!(guess("LHLO", "500 what", "220 mx.alt.test Cyrus LMTP v3"), Other::Unlikely);
        assert_eq!(guess("LHLO", "500 5.5.2 unknown: LHLO", "220 mx.alt.test ESMTP"), Other::Likely);
        assert_eq!(guess("EHLO", "550 not you", "220 lmtp.alt.test ESMTP"), Other::Unlikely);
    }

    #[test]
    fn the_words_of_the_refusal_stay_whatever_becomes_of_helo() {
        let refusal = reply("550-5.7.1 Not from\r\n550 5.7.1 your address");
        let table = [
            (None, ""),
            (Some(HeloEnd::Answered(refusal.clone())), "It answers HELO alike."),
            (Some(HeloEnd::Answered(reply("421 later\x1b"))), r#"To HELO, tried after it, it says "421 later\x1b"."#),
            (Some(HeloEnd::Failed("closed instead of the reply to HELO".to_owned())), "HELO was tried after it: closed instead"),
        ];
        for (helo, sentence) in table {
            let sent = Sent::default();
            let told = HelloRefusal { verb: "EHLO", reply: &refusal, other: Other::Unlikely, helo: helo.as_ref(), sent: &sent };
            let words = diagnose(&told, &Place::new("mx.alt.test", 25));
            let says = r#"It says "550-5.7.1 Not from / 550 5.7.1 your address"."#;
            assert!(words.happened.starts_with(says) && words.happened.contains(sentence), "{}", words.happened);
        }
    }

    // P54
    #[test]
    fn what_the_name_is_not_to_blame_for_is_not_put_down_to_it() {
        let told = |text: &str, sent: &Sent| {
            let reply = reply(text);
            let refusal = HelloRefusal { verb: "EHLO", reply: &reply, other: Other::guess("EHLO", &reply, None), helo: None, sent };
            let words = diagnose(&refusal, &Place::new("mx.alt.test", 25));
            format!("{} {}", words.happened, [words.likely, words.next].concat().join(" "))
        };
        let second = Sent { greeted_before_tls: true, ..Sent::default() };
        for text in ["503 5.5.1 but you already said HELO ...", "503 no", "502 5.5.2 what", "550 EHLO already given"] {
            let words = told(text, &second);
            assert!(words.contains("RFC 3207") && !words.contains("LMTP") && !words.contains("like the name"), "{text}: {words}");
        }
        let first = Sent::default();
        for text in
            ["550 You are banned", "421 Too many connections", "550 Too many connections", "550 5.7.1 blocked using zen.spamhaus.org"]
        {
            assert!(!told(text, &first).contains("name that we say"), "{text}");
        }
        for text in ["501 5.5.4 Invalid domain name", "550 Invalid HELO name", "504 5.5.2 <x>: Helo command rejected: Invalid name"] {
            assert!(told(text, &first).contains("--ehlo NAME"), "{text}");
        }
        let short = Sent { hello: Some("my_box".to_owned()), ..Sent::default() };
        assert!(told("550 no", &short).contains("neither a full domain name"));
    }
}
