//! What the targets share: an input that is taken apart, and what text for a terminal may hold.

pub mod reply;
pub mod sasl;

use ehlo::wire::reply::{Received, Reply, ReplyParser};

/// The bytes of one run, handed out from the front.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte, 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// As many bytes as the next one says.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    /// Up to the next LF, which goes too.
    pub fn line(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|&b| b == b'\n');
        let (line, rest) = (&self.0[..end.unwrap_or(self.0.len())], end.map_or(&[][..], |at| &self.0[at + 1..]));
        self.0 = rest;
        line
    }

    /// The same as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.line()).into_owned()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `bytes` in pieces whose lengths come from a generator started with `seed`; mostly short ones.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed) + 1;
    let mut rest = bytes;
    let mut out = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = match seed {
            0 => 1,
            1..=200 => 1 + (state >> 24) as usize % 7,
            _ => 1 + (state >> 16) as usize % 4096,
        };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        out.push(piece);
        rest = behind;
    }
    out
}

/// Nothing in it acts on a terminal or changes the order of its characters (P14, P15).
pub fn assert_printable(text: &str) {
    if let Some(c) = text.chars().find(|&c| is_dangerous(c)) {
        panic!("{c:?} in {text:?}");
    }
}

/// Control characters, bidirectional controls, zero width, line breaks, tags.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether `part` stands in `bytes`.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The replies in `bytes`.
pub fn replies(bytes: &[u8]) -> Vec<Reply> {
    let mut parser = ReplyParser::default();
    parser.push(bytes);
    let mut out = Vec::new();
    while let Ok(Some(received)) = parser.next_received() {
        if let Received::Reply(reply) = received {
            out.push(reply);
        }
    }
    out
}
