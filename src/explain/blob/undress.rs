//! What people paste around a blob is taken off: quotes, the marks of a transcript, reply codes, prompts and
//! notes of a screen. What is left is known by its kind, its speaker and its place.

use std::borrow::Cow;

use crate::sasl::Party;

/// A line, undressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Which of the pasted lines it is, from 1.
    pub(super) number: usize,
    /// So many characters stand before the text.
    pub(super) before: usize,
    /// Who said it, where a mark tells.
    pub(super) from: Option<Party>,
    pub(super) what: What,
    pub(super) text: Cow<'a, str>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// AUTH; the text is what stands behind the verb.
    Auth,
    /// 334; the text is what stands behind the code.
    Challenge,
    /// Another reply.
    Reply,
    /// A note or a prompt of a program's screen.
    Screen,
    /// A blob, or anything else.
    Text,
    /// More of the line before, which did not fit on the screen.
    More,
}

/// The marks of transcripts; of several that fit, the first counts.
const MARKS: &[(&str, Party)] = &[
    ("<** ", Party::Server),
    ("<- ", Party::Server),
    ("<~ ", Party::Server),
    ("<! ", Party::Server),
    ("< ", Party::Server),
    ("-> ", Party::Client),
    ("~> ", Party::Client),
    ("> ", Party::Client),
    ("S: ", Party::Server),
    ("C: ", Party::Client),
    ("server: ", Party::Server),
    ("client: ", Party::Client),
];
/// A row of a screen that goes on with the server's line above it.
const MORE: &str = "<. ";
/// Rows of ours, and comments of a log.
const NOTES: [&str; 4] = ["* ", "! ", "? ", "# "];

const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// The lines of what was pasted, without empty ones; rows that belong together are joined.
pub(super) fn lines(pasted: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (at, raw) in pasted.lines().enumerate() {
        let mut line = line(raw, at + 1);
        let last = lines.last_mut();
        // Our own prose hangs below its first row.
        if raw.starts_with("   ") && last.as_ref().is_some_and(|last| last.what == What::Screen) {
            line.what = What::Screen;
        }
        match (line.what, last) {
            (What::More, Some(last)) => last.text.to_mut().push_str(&line.text),
            (What::Text, _) if line.text.is_empty() => {}
            _ => lines.push(line),
        }
    }
    lines
}

fn line(raw: &str, number: usize) -> Line<'_> {
    let (from, what, text) = read(strip_quotes(raw));
    let before = raw[..raw.len() - text.len()].chars().count();
    Line { number, before, from, what, text: Cow::Borrowed(strip_end(text)) }
}

/// Who speaks, what it is, and the text: always the end of the line.
fn read(text: &str) -> (Option<Party>, What, &str) {
    if let Some(more) = text.strip_prefix(MORE) {
        return (Some(Party::Server), What::More, more);
    }
    if NOTES.iter().any(|note| text.starts_with(note)) {
        return (None, What::Screen, text);
    }
    if let Some((mark, party)) = MARKS.iter().find(|(mark, _)| starts_with(text, mark)) {
        let (what, rest) = kind(strip_quotes(&text[mark.len()..]), Some(*party));
        return (Some(*party), what, rest);
    }
    match behind_prompt(text).map(|typed| (typed, auth(typed))) {
        Some((_, Some(argument))) => (Some(Party::Client), What::Auth, argument),
        Some((typed, None)) => (Some(Party::Client), What::Screen, typed),
        None => {
            let (what, rest) = kind(text, None);
            (None, what, rest)
        }
    }
}

/// What a line is, and its text.
fn kind(text: &str, from: Option<Party>) -> (What, &str) {
    if let Some(argument) = auth(text).filter(|_| from != Some(Party::Server)) {
        return (What::Auth, argument);
    }
    let (code, rest) = text.split_at_checked(3).unwrap_or((text, ""));
    let is_code = from != Some(Party::Client) && matches!(code.as_bytes(), [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9']);
    let ends = rest.is_empty() || rest.starts_with([' ', '-']);
    match code {
        "334" if is_code && ends => (What::Challenge, rest.get(1..).unwrap_or_default().trim_start()),
        _ if is_code && ends => (What::Reply, rest),
        _ => (What::Text, text),
    }
}

/// What stands behind AUTH, if a mechanism does.
fn auth(text: &str) -> Option<&str> {
    let rest = text.get(4..).filter(|_| starts_with(text, "AUTH"))?;
    let argument = rest.trim_start();
    let name = argument.split_ascii_whitespace().next()?;
    let fits = name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (rest.len() > argument.len() && fits).then_some(argument)
}

/// What was typed behind a prompt such as `mail.contoso.test (mail)> `. A challenge such as `<12@x>` is none.
fn behind_prompt(text: &str) -> Option<&str> {
    let at = text.find('>').filter(|at| *at > 0 && !text.starts_with('<'))?;
    let rest = &text[at + 1..];
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start())
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn strip_quotes(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c))
}

fn strip_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dress_is_taken_off_a_line() {
        use Party::{Client, Server};
        let table: &[(&str, What, Option<Party>, &str, usize)] = &[
            ("VXNlcm5hbWU6", What::Text, None, "VXNlcm5hbWU6", 0),
            (" \"VXNlcm5hbWU6\" ", What::Text, None, "VXNlcm5hbWU6", 2),
            ("'334 VXNlcm5hbWU6'", What::Challenge, None, "VXNlcm5hbWU6", 5),
            ("“334-VXNl”", What::Challenge, None, "VXNl", 5),
            ("334", What::Challenge, None, "", 3),
            ("<  334 VXNl", What::Challenge, Some(Server), "VXNl", 7),
            ("<** 535 5.7.8 no", What::Reply, Some(Server), " 5.7.8 no", 7),
            (" -> AUTH PLAIN AGEAYg==", What::Auth, Some(Client), "PLAIN AGEAYg==", 9),
            ("C: bG9nb24=", What::Text, Some(Client), "bG9nb24=", 3),
            ("client: bG9nb24=", What::Text, Some(Client), "bG9nb24=", 8),
            ("> 334a", What::Text, Some(Client), "334a", 2),
            ("3345", What::Text, None, "3345", 0),
            ("auth  login", What::Auth, None, "login", 6),
            ("AUTH", What::Text, None, "AUTH", 0),
            ("AUTHabcd", What::Text, None, "AUTHabcd", 0),
            ("250-AUTH LOGIN PLAIN", What::Reply, None, "-AUTH LOGIN PLAIN", 3),
            ("mail.contoso.test (mail)> AUTH NTLM", What::Auth, Some(Client), "NTLM", 31),
            ("username> logon", What::Screen, Some(Client), "logon", 10),
            ("<12@mail.contoso.test>", What::Text, None, "<12@mail.contoso.test>", 0),
            ("*  The server asks", What::Screen, None, "*  The server asks", 0),
        ];
        for (raw, what, from, text, before) in table {
            let want = Line { number: 1, before: *before, from: *from, what: *what, text: Cow::Borrowed(text) };
            assert_eq!(lines(raw), [want], "{raw}");
        }
    }

    #[test]
    fn rows_that_belong_together_are_joined() {
        let screen = "<  334 VXNl\n<. cm5hbWU6\n!  Not encrypted: it could be read on the\n   way.\n\n>  bG9nb24=\r\n";
        let seen: Vec<_> = lines(screen).into_iter().map(|line| (line.number, line.what, line.text.into_owned())).collect();
        let want = [(1, What::Challenge, "VXNlcm5hbWU6"), (3, What::Screen, "!  Not encrypted: it could be read on the")];
        let more = [(4, What::Screen, "way."), (6, What::Text, "bG9nb24=")];
        assert_eq!(seen, want.into_iter().chain(more).map(|(number, what, text)| (number, what, text.to_owned())).collect::<Vec<_>>());
    }
}
