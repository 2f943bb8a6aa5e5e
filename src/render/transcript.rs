//! The transcript as text: the grammar of the screen without colour, secrets by name only.

use std::fmt::Write as _;

use super::human;
use super::style::{Row, Sign, Style};
use crate::session::transcript::{Entry, What};
use crate::text::{printable, printable_str};

/// The head of a file, as comments.
pub fn header(version: &str, target: &str, date: &str) -> String {
    format!("# ehlo {version}\n# server {target}\n# begun {date}\n")
}

/// One entry, with its time as a comment before what we sent.
pub fn entry(entry: &Entry, out: &mut String) {
    let rows = match &entry.what {
        What::Sent(line) => vec![Row::new(Sign::Sent, printable(line))],
        What::SentSecret(name) => vec![Row::new(Sign::Sent, printable_str(name))],
        What::SentMessage { bytes } => vec![Row::new(Sign::Sent, format!("({bytes} bytes of message)"))],
        What::Received(reply) => human::reply(reply),
        What::Stray(line) => vec![human::stray(line)],
        What::Note(text) => vec![Row::note(printable(text.as_bytes()))],
    };
    if rows.first().is_some_and(|row| row.sign == Sign::Sent) {
        let _ = writeln!(out, "# {}.{:03} s", entry.at.as_secs(), entry.at.subsec_millis());
    }
    for row in rows {
        Style::PLAIN_TEXT.write(&row, out);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn entries_look_like_the_screen() {
        let mut out = header("0.1.0", "mx.alt.test:587", "2026-11-23T15:20:01Z");
        let at = Duration::from_millis(1234);
        entry(&Entry { at, what: What::Sent(b"EHLO a\x1b".to_vec()) }, &mut out);
        entry(&Entry { at, what: What::SentSecret("(password, hidden)".to_owned()) }, &mut out);
        entry(&Entry { at, what: What::Note("closed".to_owned()) }, &mut out);
        let want = "# ehlo 0.1.0\n# server mx.alt.test:587\n# begun 2026-11-23T15:20:01Z\n# 1.234 s\n>  EHLO a\\x1b\n# 1.234 s\n>  (password, hidden)\n*  closed\n";
        assert_eq!(out, want);
    }
}
