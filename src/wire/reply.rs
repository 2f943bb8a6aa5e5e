//! Server replies and their incremental parser.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//! Reply-code = %x32-35 %x30-35 %x30-39                        ; RFC 5321 §4.2
//! ```
//! A second digit above 5 is taken too: 571, 585 and 591 are refusals that exist.
//! Nothing is lost and nothing is forbidden: what departs from the grammar is kept and noted, so that
//! the operator sees it and nobody takes it for success.

use std::fmt;

use super::code::{Class, ReplyCode};
use super::line::{Line, LineBuffer, LineEnd, LineTooLong, MAX_LINE};
use super::status::EnhancedStatus;

/// The most bytes that one reply may have.
pub const MAX_REPLY: usize = 256 * 1024;
/// The most lines that one reply may have.
pub const MAX_REPLY_LINES: usize = 2000;

/// One complete server reply.
///
/// # Shape
/// One or more lines `code SP|HYPHEN text CRLF`. [`Reply::lines`] holds the lines without their ends,
/// code included; [`Reply::texts`] gives them without code and separator.
///
/// # Source
/// RFC 5321 §4.2 (syntax), §4.5.3.1.5 (the 512-octet limit, which is noted and not enforced).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code of the first line.
    pub code: ReplyCode,
    /// Every line as received, without its end.
    pub lines: Lines,
    /// What departed from the grammar, each kind once.
    pub oddities: Vec<Oddity>,
    /// Bytes on the wire, line ends included.
    pub length: usize,
}

/// Lines without their ends, in one piece of memory: a reply is one allocation, however many lines it has.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// Each line and an LF, which cannot be part of one.
    bytes: Vec<u8>,
    count: usize,
}

impl Lines {
    /// No lines, and room for so many bytes of them, an end of one byte included.
    fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), count: 0 }
    }

    fn push(&mut self, line: &[u8]) {
        self.bytes.reserve(line.len() + 1);
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.count += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first one.
    pub fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let line = &rest[..memchr::memchr(b'\n', rest)?];
            rest = &rest[line.len() + 1..];
            Some(line)
        })
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Lines {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut all = Self::default();
        lines.into_iter().for_each(|line| all.push(line.as_ref()));
        all
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|line| line.escape_ascii().to_string())).finish()
    }
}

/// A departure from the grammar of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The code is not in `[2-5][0-9][0-9]`.
    CodeOutOfRange,
    /// Another code on a later line of the same reply (RFC 5321 §4.2.1).
    CodeChanged {
        /// The later code.
        to: ReplyCode,
    },
    /// Neither space nor hyphen behind the code.
    MissingSpace,
    /// A line without a code inside a reply of several lines.
    LineWithoutCode,
    /// A line that ended with LF alone.
    BareLf,
    /// A line that ended with more than one CR.
    ExtraCr,
    /// A CR inside a line.
    CrInside,
    /// An empty line inside the reply.
    BlankLine,
    /// A line of more than 512 octets.
    LongLine,
}

impl Oddity {
    /// Whether a reply with this departure may still count as an answer.
    pub fn is_harmless(self) -> bool {
        !matches!(self, Self::CodeOutOfRange | Self::CodeChanged { .. } | Self::MissingSpace | Self::LineWithoutCode)
    }
}

impl Reply {
    /// The class, or `None` for a reply that must not be taken as an answer of any kind (P2, P3).
    pub fn class(&self) -> Option<Class> {
        if self.is_well_formed() { self.code.class() } else { None }
    }

    /// Whether nothing stands in the way of believing it.
    pub fn is_well_formed(&self) -> bool {
        self.oddities.iter().all(|oddity| oddity.is_harmless())
    }

    /// Whether it says done.
    pub fn is_success(&self) -> bool {
        self.class() == Some(Class::Success)
    }

    /// Whether it says no, for now or for good.
    pub fn is_refusal(&self) -> bool {
        matches!(self.class(), Some(Class::Transient | Class::Permanent))
    }

    /// Whether it is well formed and has this code.
    pub fn has_code(&self, code: u16) -> bool {
        self.is_well_formed() && self.code.number() == code
    }

    /// The texts of the lines, without code and separator.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(text_of)
    }

    /// The text of the first line.
    pub fn first_text(&self) -> &[u8] {
        self.lines.first().map(text_of).unwrap_or_default()
    }

    /// The enhanced status of the first line that has one.
    pub fn status(&self) -> Option<EnhancedStatus> {
        self.texts().find_map(EnhancedStatus::parse)
    }
}

/// A line without code and separator, where it has them.
pub(crate) fn text_of(line: &[u8]) -> &[u8] {
    match line {
        [a, b, c, rest @ ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => match rest {
            [b' ' | b'-', text @ ..] => text,
            text => text,
        },
        text => text,
    }
}

/// What the parser found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A reply, perhaps an odd one.
    Reply(Reply),
    /// A line that is no SMTP reply at all.
    Stray(Vec<u8>),
    /// An empty line between replies.
    Blank,
}

/// Whether these bytes begin as a reply does: a code, and a space or a hyphen.
pub fn looks_like_reply(bytes: &[u8]) -> bool {
    matches!(bytes, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
}

/// The first reply in these bytes, if it is whole; empty lines before it are passed over.
pub fn first_reply(bytes: &[u8]) -> Option<Reply> {
    let mut parser = ReplyParser::default();
    parser.push(bytes);
    loop {
        match parser.next_received() {
            Ok(Some(Received::Reply(reply))) => return Some(reply),
            Ok(Some(Received::Blank)) => {}
            _ => return None,
        }
    }
}

/// The server sent more than one reply may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    /// A line beyond [`MAX_LINE`].
    Line,
    /// A reply beyond [`MAX_REPLY`] bytes.
    Bytes,
    /// A reply beyond [`MAX_REPLY_LINES`] lines.
    Lines,
}

impl TooLong {
    /// The limit that was passed, in words: [`MAX_LINE`], [`MAX_REPLY`], [`MAX_REPLY_LINES`].
    pub fn describe(self) -> &'static str {
        match self {
            Self::Line => "a line of more than 32 KiB",
            Self::Bytes => "more than 256 KiB",
            Self::Lines => "more than 2000 lines",
        }
    }
}

impl From<LineTooLong> for TooLong {
    fn from(_: LineTooLong) -> Self {
        Self::Line
    }
}

/// Takes bytes as they come, at any cut, and gives replies.
#[derive(Debug, Default)]
pub struct ReplyParser {
    buffer: LineBuffer,
    open: Option<Reply>,
}

impl ReplyParser {
    /// Whether something came of a reply that is not whole.
    pub fn is_amid_reply(&self) -> bool {
        self.open.is_some() || !self.buffer.rest().is_empty()
    }

    /// Adds what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
    }

    /// The next complete reply or stray line.
    ///
    /// # Errors
    /// [`TooLong`] when a limit is passed; the connection is of no use after that.
    pub fn next_received(&mut self) -> Result<Option<Received>, TooLong> {
        loop {
            let left = self.buffer.rest().len();
            let Some(line) = self.buffer.next_line(MAX_LINE)? else { return Ok(None) };
            if let Some(found) = take_line(&mut self.open, line, left)? {
                return Ok(Some(found));
            }
        }
    }

    /// What came of a reply that is not complete: its lines so far and the bytes behind them.
    pub fn partial(&self) -> Vec<Vec<u8>> {
        let mut lines = self.open.as_ref().map_or_else(Vec::new, |reply| reply.lines.iter().map(<[u8]>::to_vec).collect());
        if !self.buffer.rest().is_empty() {
            lines.push(self.buffer.rest().to_vec());
        }
        lines
    }
}

/// Takes a line of the reply that is open, or of a new one; so many bytes of what was received are left, with it.
fn take_line(open: &mut Option<Reply>, line: Line<'_>, left: usize) -> Result<Option<Received>, TooLong> {
    let head = head(line.text);
    let Some(reply) = open else {
        return Ok(match head {
            _ if line.text.is_empty() => Some(Received::Blank),
            None => Some(Received::Stray(line.text.to_vec())),
            Some(Head { code, last, spaced }) => {
                // Most replies arrive whole: then there is no more to come than what is there.
                let room = if last { line.text.len() + 1 } else { left.min(1024) };
                let mut reply = Reply { code, lines: Lines::with_room(room), oddities: Vec::new(), length: 0 };
                if code.class().is_none() {
                    reply.note(Oddity::CodeOutOfRange);
                }
                reply.add(line, spaced);
                if last {
                    return Ok(Some(Received::Reply(reply)));
                }
                *open = Some(reply);
                None
            }
        });
    };
    let (last, spaced) = match head {
        Some(Head { code, last, spaced }) => {
            if code != reply.code {
                reply.note(Oddity::CodeChanged { to: code });
            }
            (last, spaced)
        }
        None if line.text.is_empty() => {
            reply.note(Oddity::BlankLine);
            (false, true)
        }
        None => {
            reply.note(Oddity::LineWithoutCode);
            (false, true)
        }
    };
    reply.add(line, spaced);
    if reply.length > MAX_REPLY {
        return Err(TooLong::Bytes);
    }
    if reply.lines.len() > MAX_REPLY_LINES {
        return Err(TooLong::Lines);
    }
    Ok(if last { open.take().map(Received::Reply) } else { None })
}

impl Reply {
    fn note(&mut self, oddity: Oddity) {
        if !self.oddities.contains(&oddity) {
            self.oddities.push(oddity);
        }
    }

    fn add(&mut self, line: Line<'_>, spaced: bool) {
        if !spaced {
            self.note(Oddity::MissingSpace);
        }
        match line.end {
            LineEnd::CrLf => {}
            LineEnd::BareLf => self.note(Oddity::BareLf),
            LineEnd::ExtraCr => self.note(Oddity::ExtraCr),
        }
        if memchr::memchr(b'\r', line.text).is_some() {
            self.note(Oddity::CrInside);
        }
        if line.length > 512 {
            self.note(Oddity::LongLine);
        }
        self.length += line.length;
        self.lines.push(line.text);
    }
}

struct Head {
    code: ReplyCode,
    last: bool,
    spaced: bool,
}

/// The code and what follows it; `None` when the line does not begin with three digits and no fourth.
fn head(line: &[u8]) -> Option<Head> {
    let code = ReplyCode::parse(line.get(..3)?)?;
    match line.get(3) {
        None | Some(b' ') => Some(Head { code, last: true, spaced: true }),
        Some(b'-') => Some(Head { code, last: false, spaced: true }),
        Some(b'0'..=b'9') => None,
        Some(_) => Some(Head { code, last: true, spaced: false }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> (Vec<Received>, Option<TooLong>) {
        let mut parser = ReplyParser::default();
        let mut out = Vec::new();
        for chunk in chunks {
            parser.push(chunk);
            loop {
                match parser.next_received() {
                    Ok(Some(found)) => out.push(found),
                    Ok(None) => break,
                    Err(too_long) => return (out, Some(too_long)),
                }
            }
        }
        (out, None)
    }

    fn reply(code: u16, lines: &[&str], oddities: &[Oddity]) -> Received {
        Received::Reply(Reply { code: ReplyCode::new(code), lines: lines.iter().collect(), oddities: oddities.to_vec(), length: 0 })
    }

    fn without_length(mut found: Vec<Received>) -> Vec<Received> {
        for item in &mut found {
            if let Received::Reply(reply) = item {
                reply.length = 0;
            }
        }
        found
    }

    /// The codec's vectors: (bytes, what they are).
    fn vectors() -> Vec<(&'static [u8], Vec<Received>)> {
        use Oddity::{BareLf, BlankLine, CodeChanged, CodeOutOfRange, CrInside, ExtraCr, LineWithoutCode, MissingSpace};
        let changed = |to| CodeChanged { to: ReplyCode::new(to) };
        vec![
            (b"220 mx ESMTP\r\n", vec![reply(220, &["220 mx ESMTP"], &[])]),
            // P1
            (b"250\r\n", vec![reply(250, &["250"], &[])]),
            (b"250 \r\n", vec![reply(250, &["250 "], &[])]),
            (b"250-mx\r\n250-SIZE 10\r\n250\r\n", vec![reply(250, &["250-mx", "250-SIZE 10", "250"], &[])]),
            (b"250-\r\n250 HELP\r\n", vec![reply(250, &["250-", "250 HELP"], &[])]),
            (b"250 a\r\n421 b\r\n", vec![reply(250, &["250 a"], &[]), reply(421, &["421 b"], &[])]),
            // P2
            (b"SSH-2.0-x\r\n", vec![Received::Stray(b"SSH-2.0-x".to_vec())]),
            (b"25\r\n2500 x\r\n", vec![Received::Stray(b"25".to_vec()), Received::Stray(b"2500 x".to_vec())]),
            (b"850 x\r\n", vec![reply(850, &["850 x"], &[CodeOutOfRange])]),
            (b"199 x\r\n", vec![reply(199, &["199 x"], &[CodeOutOfRange])]),
            (b"571 x\r\n", vec![reply(571, &["571 x"], &[])]),
            (b"250OK\r\n", vec![reply(250, &["250OK"], &[MissingSpace])]),
            // P3
            (b"250-a\r\n550 b\r\n", vec![reply(250, &["250-a", "550 b"], &[changed(550)])]),
            (b"250-a\r\nb\r\n250 c\r\n", vec![reply(250, &["250-a", "b", "250 c"], &[LineWithoutCode])]),
            // P5
            (b"250 a\n", vec![reply(250, &["250 a"], &[BareLf])]),
            (b"250 a\r\r\n", vec![reply(250, &["250 a"], &[ExtraCr])]),
            (b"250 a\rb\r\n", vec![reply(250, &["250 a\rb"], &[CrInside])]),
            (b"\r\n250 a\r\n", vec![Received::Blank, reply(250, &["250 a"], &[])]),
            (b"250-a\r\n\r\n250 b\r\n", vec![reply(250, &["250-a", "", "250 b"], &[BlankLine])]),
            // P13
            (
                b"250 \0\x1b\xff\r\n",
                vec![Received::Reply(Reply {
                    code: ReplyCode::new(250),
                    lines: [b"250 \0\x1b\xff"].into_iter().collect(),
                    oddities: vec![],
                    length: 0,
                })],
            ),
        ]
    }

    #[test]
    fn vectors_read_whole_and_byte_by_byte_and_with_bytes_behind_them() {
        for (bytes, want) in vectors() {
            let shown = String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(without_length(parse(&[bytes]).0), want, "whole: {shown:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(without_length(parse(&single).0), want, "byte by byte: {shown:?}");
            let mut parser = ReplyParser::default();
            parser.push(bytes);
            parser.push(b"220 tra");
            let mut found = Vec::new();
            while let Some(item) = parser.next_received().unwrap() {
                found.push(item);
            }
            assert_eq!(without_length(found), want, "with more behind: {shown:?}");
            assert_eq!(parser.partial(), [b"220 tra"]);
        }
    }

    #[test]
    fn an_odd_reply_is_never_success() {
        for bytes in [&b"250-a\r\n550 b\r\n"[..], b"550-a\r\n250 b\r\n", b"250OK\r\n", b"850 a\r\n", b"250-a\r\nx\r\n250 b\r\n"] {
            let (found, _) = parse(&[bytes]);
            let Received::Reply(reply) = &found[0] else { panic!("{found:?}") };
            assert!(!reply.is_success() && !reply.is_refusal() && reply.class().is_none());
        }
    }

    #[test]
    fn limits_hold_for_lines_and_replies() {
        // P6
        let mut long = vec![b'2'; MAX_LINE + 2];
        assert_eq!(parse(&[&long]).1, Some(TooLong::Line));
        long.truncate(MAX_LINE);
        assert_eq!(parse(&[&long]).1, None);
        let many = b"250-x\r\n".repeat(MAX_REPLY_LINES + 1);
        assert_eq!(parse(&[&many]).1, Some(TooLong::Lines));
        let wide = [b"250-".as_slice(), &vec![b'x'; 20_000], b"\r\n"].concat().repeat(14);
        assert_eq!(parse(&[&wide]).1, Some(TooLong::Bytes));
    }

    #[test]
    fn a_reply_of_two_thousand_lines_is_taken() {
        let mut bytes = b"250-x\r\n".repeat(MAX_REPLY_LINES - 1);
        bytes.extend_from_slice(b"250 end\r\n");
        let (found, too_long) = parse(&[&bytes]);
        assert_eq!((found.len(), too_long), (1, None));
    }

    #[test]
    fn texts_and_status_are_views() {
        let (found, _) = parse(&[b"550-5.7.1 Unable\r\n550 5.7.1 to relay\r\n"]);
        let Received::Reply(reply) = &found[0] else { panic!() };
        assert_eq!(reply.texts().collect::<Vec<_>>(), [b"5.7.1 Unable".as_slice(), b"5.7.1 to relay"]);
        assert_eq!(reply.status().unwrap().to_string(), "5.7.1");
        assert!(reply.is_refusal());
    }

    proptest! {
        // P4
        #[test]
        fn any_cut_gives_the_same_replies(
            pieces in prop::collection::vec(prop::sample::select(vec!["250", "-", " ", "\r\n", "\n", "\r", "550 x", "a", "\u{e9}", "\0", "220-"]), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = pieces.concat().into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| if bytes.is_empty() { 0 } else { cut.index(bytes.len()) }).collect();
            at.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in at {
                chunks.push(&bytes[from..cut]);
                from = cut;
            }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(parse(&chunks), parse(&[&bytes]));
        }
    }
}
