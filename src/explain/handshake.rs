//! Why a TLS handshake came to nothing.

use super::failure::{Diagnosis, diagnosis, header_expected};
use super::place::Place;
use crate::text::printable_str;

/// A handshake that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeFailure {
    /// In words.
    pub words: String,
    /// In which way.
    pub why: Why,
    /// Our flags that leave out some of what this program can, as they were written: `--tls-min 1.3`.
    pub narrowed_by: Vec<String>,
}

/// The ways in which a handshake fails, as far as they have different causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// What answered is an SMTP server in plain text.
    PlainSmtp,
    /// What answered is neither TLS nor SMTP.
    OtherService,
    /// The server knows no such name as it was sent (alert `unrecognized_name`).
    UnknownName,
    /// The server wants to be told a name, and none was sent.
    NameWanted,
    /// There is no version or cipher in common.
    NothingInCommon,
    /// Closed or reset.
    Cut,
    /// No answer in time.
    Silent,
    /// Anything else.
    Other,
}

/// A key of X25519MLKEM768 makes the first message longer than a segment.
const LONG_HELLO: &str = "A device on the way does not like the long first message: --tls-groups X25519 makes it short.";

/// Puts it into words.
pub(super) fn diagnose(failure: &HandshakeFailure, place: &Place) -> Diagnosis {
    let flags = failure.narrowed_by.join(", ");
    let is_short = flags.contains("--tls-groups");
    let causes = causes(failure.why, place).iter().filter(|cause| !(is_short && **cause == LONG_HELLO));
    let mut likely: Vec<String> = causes.map(|&cause| cause.to_owned()).collect();
    let mut next = steps(failure.why, place);
    if !flags.is_empty() && matches!(failure.why, Why::NothingInCommon | Why::Cut | Why::Other) {
        likely.insert(0, format!("Your own {flags}: the server speaks nothing of what that leaves over."));
        next.insert(0, format!("Leave out {flags}."));
    }
    let mut words = Diagnosis { likely, next, ..diagnosis(headline(failure, place), happened(failure.why, place), &[], &[]) };
    // Its header would come before TLS.
    if place.implicit_tls && !place.behind_header && matches!(failure.why, Why::Cut | Why::Silent) {
        header_expected(&mut words);
    }
    words
}

fn headline(failure: &HandshakeFailure, place: &Place) -> String {
    match failure.why {
        Why::PlainSmtp if place.implicit_tls => format!("{} speaks SMTP in plain text, not TLS from the first byte", place.shown()),
        _ => format!("The TLS handshake with {} failed: {}", place.shown(), printable_str(&failure.words)),
    }
}

fn happened(why: Why, place: &Place) -> &'static str {
    match (place.implicit_tls, why) {
        (true, Why::PlainSmtp) => "TLS was begun with the first byte, and the server's greeting came in plain text.",
        (true, Why::OtherService) => "TLS was begun with the first byte, and what came back is not TLS.",
        (true, _) => "TLS was begun with the first byte, and no encrypted connection came of it.",
        (false, _) => "The server agreed to TLS, and no encrypted connection came of it.",
    }
}

fn causes(why: Why, place: &Place) -> &'static [&'static str] {
    match (why, place.implicit_tls) {
        (Why::PlainSmtp, true) => &["The port is one for SMTP that is encrypted by STARTTLS, if at all (25 and 587 are)."],
        (Why::OtherService, true) => &["The wrong port: SMTP inside TLS is usual on 465."],
        (Why::PlainSmtp | Why::OtherService, false) => {
            &["The server is broken: it said 220 to STARTTLS and goes on in plain text.", "A device on the way interferes."]
        }
        (Why::UnknownName, _) => &["The server knows no such name as it was sent one (SNI): it has a certificate for other names only."],
        (Why::NameWanted, _) => &["The server wants to be told which name is meant (SNI), and none was sent."],
        (Why::NothingInCommon, _) => &[
            "Versions or ciphers: the server is too old or too narrow.",
            "The server wants a certificate of ours, or has none for the name that was sent.",
        ],
        (Why::Cut, _) => &[
            "A device on the way forbids TLS.",
            LONG_HELLO,
            "The server cannot read its certificate or key, or its process died.",
            "An old server that cannot agree.",
        ],
        (Why::Silent, _) => {
            &[LONG_HELLO, "A device on the way swallows what TLS says.", "The server is loaded, or waits for something itself."]
        }
        (Why::Other, _) => &["The server's TLS is broken or unusual.", "A device on the way interferes."],
    }
}

fn steps(why: Why, place: &Place) -> Vec<String> {
    let log = || "Look at the server's log.".to_owned();
    let detail = || format!("More detail:  ehlo -v {}", place.encrypted());
    match why {
        Why::PlainSmtp if place.implicit_tls => {
            vec![format!("With STARTTLS instead:  {}", place.call_in_clear(true))]
        }
        Why::OtherService if place.implicit_tls => vec![format!("Without TLS from the first byte:  {}", place.call_in_clear(false)), log()],
        Why::UnknownName => vec!["Ask for another name (--servername NAME) or for none (--no-sni).".to_owned(), detail()],
        Why::NameWanted => vec!["Name the server: --servername NAME".to_owned(), detail()],
        Why::Silent => vec!["Wait longer: --timeout 300".to_owned(), detail(), log()],
        _ => vec![detail(), log()],
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Caller;
    use super::*;

    fn all(why: Why, implicit: bool, flags: &[&str]) -> String {
        let narrowed_by = flags.iter().map(|&flag| flag.to_owned()).collect();
        let failure = HandshakeFailure { words: "x".to_owned(), why, narrowed_by };
        let words = diagnose(&failure, &Place::new("mx.alt.test", 25).speaking(false, implicit).for_caller(Caller::Check));
        [vec![words.headline, words.happened], words.likely, words.next].concat().join("\n")
    }

    #[test]
    fn the_causes_fit_the_way_in_which_it_failed() {
        let old = "too old or too narrow";
        let table: &[(Why, bool, &[&str], &[&str])] = &[
            (Why::PlainSmtp, true, &["speaks SMTP in plain text", "ehlo check -S mx.alt.test 25"], &["agreed", old]),
            (Why::PlainSmtp, false, &["said 220 to STARTTLS"], &[old, "first byte"]),
            (Why::OtherService, true, &["The wrong port", "Without TLS from the first byte:"], &["agreed", old]),
            (
                Why::UnknownName,
                true,
                &["knows no such name", "--servername NAME", "--no-sni", "ehlo -v --tls mx.alt.test 25"],
                &["agreed", old, "-S"],
            ),
            (Why::NameWanted, true, &["none was sent", "--servername NAME"], &["--no-sni", old]),
            (Why::NothingInCommon, false, &["agreed to TLS", old, "ehlo -v -S mx.alt.test 25"], &["first byte"]),
            (Why::Silent, false, &["long first message"], &[old]),
            (Why::Cut, true, &["forbids TLS"], &[old, "agreed"]),
        ];
        for (why, implicit, there, missing) in table {
            let words = all(*why, *implicit, &[]);
            assert!(there.iter().all(|text| words.contains(text)), "{why:?}: {words}");
            assert!(!missing.iter().any(|text| words.contains(text)), "{why:?}: {words}");
        }
    }

    #[test]
    fn a_flag_of_ours_that_may_be_the_cause_is_named_first() {
        let words = all(Why::NothingInCommon, false, &["--tls-min 1.3"]);
        let (ours, theirs) = (words.find("Your own --tls-min 1.3"), words.find("too old"));
        assert!(ours.is_some() && ours < theirs && words.contains("Leave out --tls-min 1.3."), "{words}");
        let words = all(Why::Cut, false, &["--tls-groups X25519"]);
        assert!(words.contains("Leave out --tls-groups X25519.") && !words.contains("makes it short"), "{words}");
        assert!(!all(Why::PlainSmtp, true, &["--tls-min 1.3"]).contains("--tls-min"));
    }
}
