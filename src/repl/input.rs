//! What a typed or pasted line is, before anything is done about it. Pure functions.

use super::paste::{self, Copied};
use crate::session::redact;
use crate::wire::verb;

/// A line in command mode.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// Nothing but spaces.
    Nothing,
    /// `:name arguments`.
    Local {
        /// Without the colon.
        name: &'a str,
        /// What follows it.
        arguments: &'a str,
    },
    /// `BCC:` and the like: a header where a command belongs.
    Header(&'a str),
    /// A reply, or a line with the mark of a transcript: whoever pastes a session into a terminal that does not mark
    /// pastes types such lines.
    Copied(Copied),
    /// A command, to be sent as typed.
    Command(&'a [u8]),
}

/// Header words that people type as commands.
const HEADER_WORDS: &[&str] = &["BCC", "CC", "TO", "FROM", "SUBJECT", "DATE", "REPLY-TO"];

/// Takes a line apart. `::text` is a command that begins with one colon.
pub(super) fn read(line: &[u8]) -> Typed<'_> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Typed::Nothing;
    }
    if let Some(rest) = line.strip_prefix(b":") {
        if rest.starts_with(b":") {
            return Typed::Command(rest);
        }
        if let Ok(text) = std::str::from_utf8(rest) {
            let (name, arguments) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            return Typed::Local { name: name.trim(), arguments: arguments.trim() };
        }
    }
    let word = line.split(|&b| b == b':').next().and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
    if word.len() < line.len() && HEADER_WORDS.iter().any(|header| header.eq_ignore_ascii_case(word.trim())) {
        return Typed::Header(word.trim());
    }
    paste::copied(line).map_or(Typed::Command(line), Typed::Copied)
}

/// What history keeps of a line in command mode: nothing that is secret or begins with a space.
pub(super) fn for_history(line: &str) -> Option<String> {
    if line.starts_with([' ', '\t']) || line.trim().is_empty() || line.contains(['\n', '\r']) {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if first.eq_ignore_ascii_case("AUTH") || first.eq_ignore_ascii_case("X-EXPS") || verb::nearest(first) == Some("AUTH") {
        // Not even a mistyped login: the arguments of AUTH are never kept.
        let is_name = |mechanism: &&str| mechanism.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        return Some(words.next().filter(is_name).map_or_else(|| first.to_owned(), |mechanism| format!("{first} {mechanism}")));
    }
    if redact::hides(line.as_bytes()) {
        return None;
    }
    if first.starts_with(':') {
        return (!matches!(first, ":raw" | ":encode" | ":decode")).then(|| line.to_owned());
    }
    // What is not even nearly a verb may be a password that was typed at the wrong prompt.
    is_like_verb(line.as_bytes()).then(|| line.to_owned())
}

/// Whether a line begins with a verb, or nearly so.
pub(super) fn is_like_verb(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    verb::lookup(first).is_some()
        || verb::nearest(first).is_some()
        || matches!(first.to_ascii_uppercase().as_str(), "XCLIENT" | "XFORWARD" | "X-EXPS")
}

/// The verb of a line that is a command as it is typed: a verb alone where it takes no more, and what it takes behind it.
pub(super) fn command_verb(line: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split_ascii_whitespace();
    let verb = verb::lookup(words.next()?)?;
    let rest = words.next();
    let fits = match verb.name {
        "MAIL" | "MAIL FROM" => rest.is_some_and(|word| word.to_ascii_uppercase().starts_with("FROM:")),
        "RCPT" | "RCPT TO" => rest.is_some_and(|word| word.to_ascii_uppercase().starts_with("TO:")),
        _ => true,
    };
    fits.then_some(verb.name)
}

/// The word to offer for a verb that the server did not know.
pub(super) fn did_you_mean(verb: &str) -> Option<&'static str> {
    verb::nearest(verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let table: &[(&[u8], Typed<'_>)] = &[
            (b"  ", Typed::Nothing),
            (b":help mail", Typed::Local { name: "help", arguments: "mail" }),
            (b":", Typed::Local { name: "", arguments: "" }),
            (b"::x", Typed::Command(b":x")),
            (b"EHLO a", Typed::Command(b"EHLO a")),
            (b" MAIL FROM:<a@b>", Typed::Command(b" MAIL FROM:<a@b>")),
            (b"BCC:<boss@contoso.test>", Typed::Header("BCC")),
            (b"subject: hi", Typed::Header("subject")),
            (b"250 ok", Typed::Copied(Copied::Reply)),
            (b"> NOOP", Typed::Copied(Copied::Marked)),
            (b"\xff\xfe", Typed::Command(b"\xff\xfe")),
        ];
        for (line, want) in table {
            assert_eq!(read(line), *want);
        }
    }

    #[test]
    fn history_keeps_no_secret() {
        // P42
        let table = [
            ("EHLO a", Some("EHLO a")),
            (" EHLO a", None),
            ("AUTH PLAIN AGEAYg==", Some("AUTH PLAIN")),
            ("auth login bG9nb24=", Some("auth login")),
            ("AUTH", Some("AUTH")),
            ("ATUH LOGIN c2VjcmV0", Some("ATUH LOGIN")),
            ("X-EXPS LOGIN c2VjcmV0", Some("X-EXPS LOGIN")),
            ("AUTH PLAIN:AGEAYg==", Some("AUTH")),
            ("AUTH=PLAIN AGEAYg==", None),
            ("NOOP AUTH PLAIN AGEAYg==", None),
            (":help", Some(":help")),
            (":encode hunter2", None),
            (":raw AUTH PLAIN x", None),
            ("MIAL FROM:<a@b>", Some("MIAL FROM:<a@b>")),
            ("My simple password", None),
            ("TXkgc2ltcGxlIHBhc3N3b3Jk", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(for_history(line).as_deref(), want, "{line}");
        }
    }
}
