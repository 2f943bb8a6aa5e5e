//! A pasted login: AUTH, challenges and answers, each message read by its mechanism and its place.

use super::undress::{Line, What};
use super::{Content, Form, Message, Reading, Unreadable, Wish, fault_of, kind};
use crate::explain::login::{self, Refused};
use crate::sasl::{self, Description, Party, Places};
use crate::wire::base64::{self, NotBase64};

/// So many sentences are said of a login.
const MAX_REMARKS: usize = 20;

/// Shorter lines are not broken by anybody.
const LONG: usize = 40;

/// Whether lines are a login, or part of one, rather than a blob.
pub(super) fn is_dialogue(lines: &[Line<'_>]) -> bool {
    let said: Vec<_> = lines.iter().filter(|line| line.what != What::Screen).collect();
    said.iter().any(|line| line.what == What::Auth)
        || said.len() > 1 && said.iter().any(|line| line.from.is_some() || matches!(line.what, What::Challenge | What::Reply))
}

/// Reads a login, or several.
pub(super) fn read(lines: &[Line<'_>], wish: &Wish) -> Result<Reading, Unreadable> {
    let mut reader = Reader { wish, login: Login::default(), out: Reading { complete: true, ..Reading::default() } };
    let mut messages = 0;
    for line in joined(lines) {
        messages += usize::from(reader.line(&line));
    }
    reader.end();
    let mut out = reader.out;
    if messages == 0 {
        return Err(Unreadable::new(
            "there is no message of a login in it",
            "A 334 line, an AUTH line with a response, or a blob has one.",
        ));
    }
    if messages == 1 {
        out.messages.retain(|message| !matches!(message.content, Content::Command(_)));
    }
    Ok(out)
}

/// A blob that is broken into lines goes on in a line without any mark. What ends with padding is complete.
fn joined<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    let mut out: Vec<Line<'a>> = Vec::new();
    for line in lines {
        let goes_on = |last: &Line<'_>| match last.what {
            _ if last.text.ends_with('=') => false,
            What::Challenge => last.text.len() > LONG && !last.text.len().is_multiple_of(4),
            What::Auth => last.text.contains(' '),
            What::Text => last.text.len() > LONG,
            _ => false,
        };
        match out.last_mut() {
            Some(last) if line.what == What::Text && line.from.is_none() && goes_on(last) => last.text.to_mut().push_str(&line.text),
            _ => out.push(line.clone()),
        }
    }
    out
}

/// A message with a secret that was given in the place of an open one: a PLAIN message as user name.
fn misplaced(from: Party, bytes: &[u8], now: u64) -> Option<Description> {
    let known = kind::recognise(bytes, now).filter(|known| from == Party::Client && known.description.has_secret());
    known.map(|known| known.description)
}

/// One login, as it grows.
#[derive(Default)]
struct Login {
    /// In capitals; `None` when no AUTH was pasted and no message was recognised.
    mechanism: Option<String>,
    places: Places,
    lines: Vec<(Party, String)>,
    /// A challenge waits for its answer.
    asked: bool,
}

struct Reader<'a> {
    wish: &'a Wish,
    login: Login,
    out: Reading,
}

impl Reader<'_> {
    /// Takes a line; says whether it was a message.
    fn line(&mut self, line: &Line<'_>) -> bool {
        match (line.what, line.from) {
            (What::Auth, _) => self.auth(&line.text),
            (What::Challenge, _) => self.said(Party::Server, line),
            (What::Text, Some(Party::Server)) if base64::decode(line.text.as_bytes()).is_ok() => self.said(Party::Server, line),
            (What::Text, None | Some(Party::Client)) if self.is_answer(&line.text) => self.said(Party::Client, line),
            (What::Reply, _) => {
                self.end();
                false
            }
            _ => false,
        }
    }

    /// What follows a challenge, or could have followed one that was not pasted.
    fn is_answer(&self, text: &str) -> bool {
        text != "*" && (self.login.asked || self.login.mechanism.is_some() && base64::decode(text.as_bytes()).is_ok())
    }

    fn auth(&mut self, argument: &str) -> bool {
        self.end();
        let (name, response) = argument.split_once([' ', '\t']).unwrap_or((argument, ""));
        let (name, response) = (name.to_ascii_uppercase(), response.trim());
        self.out.messages.push(Message { from: Some(Party::Client), content: Content::Command(format!("AUTH {name}")) });
        self.login.mechanism = Some(name);
        if response.is_empty() {
            return false;
        }
        let response = Line { number: 1, before: 0, from: Some(Party::Client), what: What::Text, text: response.into() };
        self.said(Party::Client, &response)
    }

    fn said(&mut self, from: Party, line: &Line<'_>) -> bool {
        self.login.asked = from == Party::Server;
        // RFC 4954 §4: an empty initial response.
        let text = if from == Party::Client && line.text == "=" { "" } else { &*line.text };
        let left_out = text.starts_with('(');
        let content = if left_out { self.left_out(from, text) } else { self.content(from, line, text) };
        self.login.lines.push((from, if left_out { String::new() } else { line.text.clone().into_owned() }));
        self.out.messages.push(Message { from: Some(from), content });
        true
    }

    /// `(password, hidden)`: a transcript of ours has no more of it.
    fn left_out(&mut self, from: Party, text: &str) -> Content {
        let _ = self.login.places.next(from, b"", 0);
        Content::Parts(Description::new(text.trim_matches(['(', ')'])))
    }

    fn content(&mut self, from: Party, line: &Line<'_>, text: &str) -> Content {
        let now = self.wish.now;
        let decoded = match base64::decode(text.as_bytes()) {
            Ok(decoded) => decoded,
            Err(fault) => return self.not_base64(from, line, text, fault),
        };
        let bytes = &decoded.bytes;
        if self.login.mechanism.is_none() {
            self.login.mechanism = self.guess(from, bytes);
        }
        let said = self.login.places.next(from, bytes, now);
        let name = self.login.mechanism.as_deref().unwrap_or_default();
        if from == Party::Server {
            decoded.oddities.iter().for_each(|oddity| remark(&mut self.out, super::odd(*oddity)));
        }
        match sasl::describe(name, &said) {
            Some(parts) if from == Party::Server => {
                parts.remarks.iter().for_each(|sentence| remark(&mut self.out, sentence.clone()));
                Content::Parts(parts)
            }
            Some(parts) => Content::Parts(misplaced(from, bytes, now).filter(|_| !parts.has_secret()).unwrap_or(parts)),
            None if from == Party::Server || bytes.is_empty() => Content::Text(bytes.clone()),
            None if let Some(parts) = misplaced(from, bytes, now) => Content::Parts(parts),
            // Nobody knows what is in it.
            None => {
                self.out.complete &= sasl::lookup(name).is_none();
                Content::Parts(Description::new("answer").hidden("answer", bytes))
            }
        }
    }

    fn not_base64(&mut self, from: Party, line: &Line<'_>, text: &str, fault: NotBase64) -> Content {
        self.out.complete = false;
        let _ = self.login.places.next(from, text.as_bytes(), self.wish.now);
        if from == Party::Client {
            return Content::Parts(Description::new("answer, not base64").hidden("answer", text.as_bytes()));
        }
        remark(&mut self.out, format!("Line {} is not base64: {}.", line.number, fault_of(&[line], fault)));
        Content::Text(text.as_bytes().to_vec())
    }

    /// The mechanism of a login whose AUTH was not pasted.
    fn guess(&self, from: Party, bytes: &[u8]) -> Option<String> {
        if let Some(Form::Mechanism(mechanism)) = self.wish.form {
            return Some(mechanism.name.to_owned());
        }
        let known = kind::recognise(bytes, self.wish.now).map(|known| known.mechanism.name);
        let asks = from == Party::Server && sasl::login::names_something(bytes);
        known.or_else(|| asks.then_some("LOGIN")).map(str::to_owned)
    }

    /// A login is over: what can be seen in it is said.
    fn end(&mut self) {
        let Login { mechanism, lines, .. } = std::mem::take(&mut self.login);
        let mechanism = mechanism.unwrap_or_default();
        let lines = lines.iter().map(|(party, line)| (*party, line.as_bytes())).collect();
        let found = login::findings(&Refused {
            mechanism: &mechanism,
            lines,
            encrypted: true,
            tls_offered: false,
            reason_is_known: false,
            now: self.wish.now,
        });
        found.into_iter().for_each(|sentence| remark(&mut self.out, sentence));
    }
}

/// Says it once, and not too much.
fn remark(out: &mut Reading, sentence: String) {
    if out.remarks.len() < MAX_REMARKS && !out.remarks.contains(&sentence) {
        out.remarks.push(sentence);
    }
}
