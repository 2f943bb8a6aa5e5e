//! "What is this?": a blob, a line or a whole login that somebody pasted, laid open; and a challenge in words.

mod follow;
mod kind;
mod undress;

use crate::sasl::{Description, MECHANISMS, Mechanism, Party, token};
use crate::text::printable;
use crate::wire::base64::{self, Decoded, NotBase64, Oddity};
use crate::wire::encoding::{self, Malformed};
use kind::Known;
use undress::{Line, What};

/// What a text is, when the operator says so.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Base64 of either alphabet, and no more: of messages too, every byte is given where secrets may be seen.
    Base64,
    /// The same in the URL-safe alphabet, without padding.
    Base64Url,
    /// A header with encoded words (RFC 2047).
    Words,
    /// Quoted-printable (RFC 2045 §6.7).
    QuotedPrintable,
    /// RFC 3461 §4.
    Xtext,
    /// A message of this mechanism.
    Mechanism(&'static Mechanism),
}

/// The forms by name, but for the mechanisms.
const FORMS: [(&str, Form); 5] = [
    ("base64", Form::Base64),
    ("base64url", Form::Base64Url),
    ("word", Form::Words),
    ("qp", Form::QuotedPrintable),
    ("xtext", Form::Xtext),
];

/// No more of a text is said once more in a sentence: a line of mail (RFC 5322 §2.1.1).
const LINE: usize = 998;

impl Form {
    /// The names of all forms.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMS.iter().map(|(name, _)| *name).chain(MECHANISMS.iter().map(|known| known.name))
    }

    /// Finds a form by its name, in any case.
    pub fn lookup(name: &str) -> Option<Self> {
        let known = FORMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, form)| *form);
        known.or_else(|| crate::sasl::lookup(name).map(Self::Mechanism))
    }
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// What it is; found out unless it is said.
    pub form: Option<Form>,
    /// Secrets may be seen.
    pub secrets: bool,
    /// Milliseconds since 1970, to judge other clocks by; 0 when it is not known.
    pub now: u64,
}

/// What a text says.
///
/// # Shape
/// Texts are as they came: whoever shows them takes them through [`crate::text`].
#[derive(Debug, Default)]
pub struct Reading {
    /// The messages, in their order; mostly one.
    pub messages: Vec<Message>,
    /// What is odd or worth noticing, as whole sentences.
    pub remarks: Vec<String>,
    /// All of it could be read.
    pub complete: bool,
}

impl Reading {
    /// It is a conversation rather than one message.
    pub fn is_dialogue(&self) -> bool {
        self.messages.len() > 1
    }

    /// How many parts are secret.
    pub fn secrets(&self) -> usize {
        let count = |message: &Message| if let Content::Parts(parts) = &message.content { parts.secrets().count() } else { 0 };
        self.messages.iter().map(count).sum()
    }
}

/// A message of what was pasted.
#[derive(Debug)]
pub struct Message {
    /// Who sent it, where that is known.
    pub from: Option<Party>,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Debug)]
pub enum Content {
    /// A command, as it stands there.
    Command(String),
    /// Text, or bytes of which nothing is known.
    Text(Vec<u8>),
    /// The named parts of a message of a mechanism.
    Parts(Description),
}

/// Nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong, and where.
    pub problem: String,
    /// What to try.
    pub advice: String,
}

impl Unreadable {
    fn new(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { problem: problem.into(), advice: advice.into() }
    }
}

/// Reads what was pasted.
///
/// # Errors
/// [`Unreadable`] says where it stops being what it should be, and what to try.
pub fn read(pasted: &[u8], wish: &Wish) -> Result<Reading, Unreadable> {
    let encoded = pasted.strip_suffix(b"\n").unwrap_or(pasted);
    match wish.form {
        Some(Form::Words) => {
            return words(encoded).ok_or_else(|| Unreadable::new("there is no encoded word in it", "=?utf-8?B?...?= is one: RFC 2047."));
        }
        Some(Form::QuotedPrintable) => {
            return decoded(
                encoding::from_quoted_printable(encoded),
                "quoted-printable",
                "A = stands before two hexadecimal digits or a line end.",
            );
        }
        Some(Form::Xtext) => {
            return decoded(
                encoding::from_xtext(encoded.trim_ascii()),
                "xtext",
                "A + stands before two hexadecimal digits; there is neither space nor =.",
            );
        }
        _ => {}
    }
    let text = String::from_utf8_lossy(pasted);
    let lines = undress::lines(&text);
    if follow::is_dialogue(&lines) && !matches!(wish.form, Some(Form::Base64 | Form::Base64Url)) {
        return follow::read(&lines, wish);
    }
    let token = || bare_token(&lines, wish.now).map(|token| parts(None, token));
    match words(encoded).or_else(token).filter(|_| wish.form.is_none()) {
        Some(reading) => Ok(reading),
        None => blob(&lines, wish),
    }
}

/// A header with encoded words; `None` when it has none.
fn words(text: &[u8]) -> Option<Reading> {
    let words = memchr::memmem::find(text, b"=?").map(|_| encoding::from_words(text)).filter(|words| words.count > 0)?;
    let remarks = words.unknown.iter().map(|name| format!("The character set {name} is not known here: its bytes are shown as \\xNN."));
    Some(Reading { remarks: remarks.collect(), ..whole(None, Content::Text(words.text.into_bytes())) })
}

fn decoded(bytes: Result<Vec<u8>, Malformed>, name: &str, advice: &str) -> Result<Reading, Unreadable> {
    match bytes {
        Ok(bytes) => Ok(Reading { remarks: latin_1(&bytes).into_iter().collect(), ..whole(None, Content::Text(bytes)) }),
        Err(Malformed(at)) => Err(Unreadable::new(format!("this is not {name}: character {at} does not belong there"), advice)),
    }
}

/// A token outside of any message: `eyJ...`, as `Authorization: Bearer` has it.
fn bare_token(lines: &[Line<'_>], now: u64) -> Option<Description> {
    let [Line { what: What::Text, text, .. }] = lines else { return None };
    token::describe(text.strip_prefix("Bearer ").unwrap_or(text).trim().as_bytes(), now)
}

fn parts(from: Option<Party>, description: Description) -> Reading {
    Reading { remarks: description.remarks.clone(), ..whole(from, Content::Parts(description)) }
}

fn whole(from: Option<Party>, content: Content) -> Reading {
    Reading { messages: vec![Message { from, content }], remarks: Vec::new(), complete: true }
}

/// One blob, on one line or on several.
fn blob(lines: &[Line<'_>], wish: &Wish) -> Result<Reading, Unreadable> {
    let lines: Vec<_> = lines.iter().filter(|line| line.what != What::Screen).collect();
    let Some(first) = lines.first() else { return Err(Unreadable::new("there is nothing to decode", "Give a blob, a line or a login.")) };
    if first.what == What::Reply {
        return Err(Unreadable::new("this is a reply without a blob", "Only a 334 has one."));
    }
    let text: String = lines.iter().map(|line| &*line.text).collect();
    let from = first.from.or_else(|| (first.what == What::Challenge).then_some(Party::Server));
    match base64::decode(text.as_bytes()) {
        Ok(decoded) => message(from, &decoded, wish),
        // Messages of text are also pasted as they are.
        Err(fault) => match kind::recognise(text.as_bytes(), wish.now) {
            Some(known) => Ok(parts(Some(known.from), known.description)),
            None => Err(not_base64(&lines, fault)),
        },
    }
}

/// A decoded message.
fn message(from: Option<Party>, decoded: &Decoded, wish: &Wish) -> Result<Reading, Unreadable> {
    let bytes = &decoded.bytes;
    let bare = wish.secrets && matches!(wish.form, Some(Form::Base64 | Form::Base64Url));
    let known = match wish.form {
        Some(Form::Mechanism(mechanism)) => {
            let known = kind::as_message_of(mechanism, bytes, from, wish.now);
            Some(known.ok_or_else(|| not_of(mechanism, bytes, wish.now))?)
        }
        _ if bare => None,
        _ => kind::recognise(bytes, wish.now).or_else(|| encoded_twice(bytes, wish.now)),
    };
    let mut reading = match known {
        Some(Known { from, description, .. }) => parts(Some(from), description),
        None => Reading { remarks: about_text(bytes), ..whole(from, Content::Text(bytes.clone())) },
    };
    let oddities = decoded.oddities.iter().filter(|oddity| !expected(**oddity, wish));
    reading.remarks.splice(0..0, oddities.map(|oddity| odd(*oddity)));
    Ok(reading)
}

/// A message that was encoded once more, whose secrets would be seen as base64.
fn encoded_twice(bytes: &[u8], now: u64) -> Option<Known> {
    let inner = base64::decode(bytes.trim_ascii()).ok()?;
    let mut known = kind::recognise(&inner.bytes, now)?;
    known.description.remarks.push("It was encoded as base64 twice.".to_owned());
    Some(known)
}

fn expected(oddity: Oddity, wish: &Wish) -> bool {
    matches!((oddity, wish.form), (Oddity::UrlSafe | Oddity::NoPadding, Some(Form::Base64Url)))
}

fn odd(oddity: Oddity) -> String {
    format!("The base64 is odd: {}.", oddity.describe())
}

/// What is worth noticing in text.
fn about_text(bytes: &[u8]) -> Vec<String> {
    let mut out: Vec<String> = latin_1(bytes).into_iter().collect();
    let line = bytes.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if line.is_some_and(|line| is_text(line) && !line.contains(&b'\n')) {
        out.push("There is a line end inside the base64: echo adds one, printf '%s' and echo -n do not.".to_owned());
    }
    if let Some(text) = base64::looks_encoded(bytes).filter(|text| text.len() <= LINE) {
        out.push(format!("What it says is base64 again, for \"{text}\": it seems to have been encoded twice."));
    }
    out
}

/// Text in the encoding of old systems.
fn latin_1(bytes: &[u8]) -> Option<String> {
    let error = std::str::from_utf8(bytes).err().filter(|_| bytes.len() <= LINE)?;
    let text: String = bytes.iter().copied().map(char::from).collect();
    let clean = text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n'));
    // Binary data has such bytes by the dozen.
    let mostly = bytes.iter().filter(|byte| byte.is_ascii()).count() * 2 >= bytes.len();
    (clean && mostly).then(|| format!("It is not UTF-8 (byte {}); in Latin-1 it says \"{}\".", error.valid_up_to() + 1, text.trim_end()))
}

/// Why bytes are no message of a mechanism, from what can be seen in them.
fn not_of(mechanism: &Mechanism, bytes: &[u8], now: u64) -> Unreadable {
    let problem = format!("this is no message of {}", mechanism.name);
    if let Some(other) = kind::recognise(bytes, now) {
        return Unreadable::new(problem, format!("It is one of {}.", other.mechanism.name));
    }
    let line = base64::encode(bytes);
    let refused = super::login::Refused {
        mechanism: mechanism.name,
        lines: vec![(Party::Client, line.as_bytes())],
        encrypted: true,
        tls_offered: false,
        reason_is_known: false,
        now: 0,
    };
    let found = super::login::findings(&refused).join(" ");
    let advice = if found.is_empty() { "Without --as it is found out what it is.".to_owned() } else { found };
    Unreadable::new(problem, advice)
}

/// The place of the fault in what was pasted, and what it may be instead.
fn not_base64(lines: &[&Line<'_>], fault: NotBase64) -> Unreadable {
    let text: String = lines.iter().map(|line| &*line.text).collect();
    Unreadable::new(format!("this is not base64: {}", fault_of(lines, fault)), other_form(&text))
}

fn fault_of(lines: &[&Line<'_>], fault: NotBase64) -> String {
    match fault {
        NotBase64::Length => "a character is missing at its end, or one is too many".to_owned(),
        NotBase64::Character(at) => place(lines, at - 1),
    }
}

fn place(lines: &[&Line<'_>], at: usize) -> String {
    let mut start = 0;
    for line in lines {
        if at < start + line.text.len() {
            let head = line.text.get(..at - start).unwrap_or_default();
            let c = line.text[head.len()..]
                .chars()
                .next()
                .map_or(String::new(), |c| printable(c.encode_utf8(&mut [0; 4]).as_bytes()).into_owned());
            let number = if lines.len() > 1 { format!("line {}, ", line.number) } else { String::new() };
            let before = line.before + head.chars().count();
            return format!("{number}character {} ({c}) does not belong there", before + 1);
        }
        start += line.text.len();
    }
    "its end is missing".to_owned()
}

fn other_form(text: &str) -> &'static str {
    let escaped = |sign: char| {
        let after = |at: usize| text.get(at + 1..at + 3).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        text.match_indices(sign).any(|(at, _)| after(at))
    };
    if escaped('=') {
        "If it is quoted-printable: --as qp."
    } else if escaped('+') {
        "If it is xtext: --as xtext."
    } else {
        "Give the blob alone, or the line or login that it stands in; --as tells what it is."
    }
}

/// A challenge in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What it says, printable.
    pub text: String,
    /// What was odd about the base64.
    pub remarks: Vec<&'static str>,
    /// It is text rather than binary data.
    pub is_text: bool,
}

/// Puts a challenge in words: its text, or what kind of message it is.
pub fn describe(decoded: &Decoded) -> Challenge {
    let bytes = without_nul(&decoded.bytes);
    let is_text = is_text(bytes);
    let known = if is_text { None } else { kind::recognise(bytes, 0) };
    let text = known.map_or_else(|| printable(bytes).into_owned(), |known| printable(known.description.title.as_bytes()).into_owned());
    Challenge { text, remarks: decoded.oddities.iter().map(|oddity| oddity.describe()).collect(), is_text }
}

/// Old servers end their prompts with a NUL: it is not part of the words.
pub fn without_nul(bytes: &[u8]) -> &[u8] {
    match bytes.split_last() {
        Some((0, words)) if !words.contains(&0) => words,
        _ => bytes,
    }
}

/// Whether bytes are text, of any number of lines.
pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
}

#[cfg(test)]
mod tests;
