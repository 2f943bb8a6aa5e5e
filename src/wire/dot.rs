//! Dot transparency (RFC 5321 §4.5.2) and line ends of a message on its way to the server and back.

use memchr::{memchr, memchr2};

/// Turns a message into what goes over the wire after 354.
///
/// Every line ends with CRLF, a dot at the beginning of a line is doubled, [`Stuffer::finish`] ends
/// the last line if need be and appends the lone dot. Bytes above 127 pass unchanged. The result does
/// not depend on how the message is cut into chunks.
#[derive(Debug)]
pub struct Stuffer {
    at_line_start: bool,
    cr_pending: bool,
    /// What had to be changed so far.
    pub changes: Changes,
}

/// Counts of what the message had that SMTP does not carry.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// LF without CR that became CRLF.
    pub bare_lf: u64,
    /// CR without LF that became CRLF.
    pub bare_cr: u64,
    /// Dots that were doubled.
    pub dots: u64,
    /// The last line had no end and was given one.
    pub end_added: bool,
}

/// The message holds a NUL, which SMTP's DATA cannot carry (RFC 5321 §2.3.8, RFC 3030 for BDAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NulByte;

impl Default for Stuffer {
    fn default() -> Self {
        Self { at_line_start: true, cr_pending: false, changes: Changes::default() }
    }
}

impl Stuffer {
    /// Appends the wire form of the next piece of the message to `out`.
    ///
    /// # Errors
    /// [`NulByte`], in which case nothing of this piece was appended.
    pub fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), NulByte> {
        if memchr(0, piece).is_some() {
            return Err(NulByte);
        }
        out.reserve(piece.len() + piece.len() / 32 + 2);
        while let Some(&first) = piece.first() {
            if self.cr_pending {
                self.cr_pending = false;
                self.at_line_start = true;
                out.extend_from_slice(b"\r\n");
                if first == b'\n' {
                    piece = &piece[1..];
                } else {
                    self.changes.bare_cr += 1;
                }
                continue;
            }
            if self.at_line_start && first == b'.' {
                self.changes.dots += 1;
                out.push(b'.');
            }
            // The common line ends with CRLF: it is copied with its end in one go.
            let end = memchr2(b'\r', b'\n', piece);
            match end.map(|at| (at, piece[at], piece.get(at + 1))) {
                Some((at, b'\r', Some(b'\n'))) => {
                    out.extend_from_slice(&piece[..at + 2]);
                    self.at_line_start = true;
                    piece = &piece[at + 2..];
                }
                Some((at, b'\r', _)) => {
                    out.extend_from_slice(&piece[..at]);
                    self.cr_pending = true;
                    piece = &piece[at + 1..];
                }
                Some((at, _, _)) => {
                    out.extend_from_slice(&piece[..at]);
                    out.extend_from_slice(b"\r\n");
                    self.changes.bare_lf += 1;
                    self.at_line_start = true;
                    piece = &piece[at + 1..];
                }
                None => {
                    out.extend_from_slice(piece);
                    self.at_line_start = false;
                    piece = &[];
                }
            }
        }
        Ok(())
    }

    /// Appends the end: the last line's CRLF if it lacks one, and the lone dot.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Changes {
        if self.cr_pending {
            self.changes.bare_cr += 1;
            out.extend_from_slice(b"\r\n");
        } else if !self.at_line_start {
            self.changes.end_added = true;
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        self.changes
    }
}

/// Takes one line off the wire, without its end, as the receiving side does: `None` is the lone dot
/// that ends the message, else the line with a doubled dot made single.
pub fn unstuff(line: &[u8]) -> Option<&[u8]> {
    match line {
        b"." => None,
        [b'.', rest @ ..] => Some(rest),
        _ => Some(line),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(chunks: &[&[u8]]) -> (Vec<u8>, Changes) {
        let mut stuffer = Stuffer::default();
        let mut out = Vec::new();
        for chunk in chunks {
            stuffer.push(chunk, &mut out).unwrap();
        }
        let changes = stuffer.finish(&mut out);
        (out, changes)
    }

    #[test]
    fn the_wire_form_is_exact() {
        // P28, P29
        let table: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b".a\r\n..\r\n.", b"..a\r\n...\r\n..\r\n.\r\n"),
            (b"a\n.b\n", b"a\r\n..b\r\n.\r\n"),
            (b"a\rb", b"a\r\nb\r\n.\r\n"),
            (b"a\r.b", b"a\r\n..b\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
            (b"a\r\r\nb\r\n", b"a\r\n\r\nb\r\n.\r\n"),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n..\r\n.\r\n"),
            (b"\xff\xe9\r\n", b"\xff\xe9\r\n.\r\n"),
        ];
        for (message, want) in table {
            assert_eq!(wire(&[message]).0, *want, "{message:?} whole");
            let single: Vec<&[u8]> = message.chunks(1).collect();
            assert_eq!(wire(&single).0, *want, "{message:?} byte by byte");
        }
    }

    #[test]
    fn changes_are_counted() {
        let (_, changes) = wire(&[b".a\nb\rc"]);
        assert_eq!(changes, Changes { bare_lf: 1, bare_cr: 1, dots: 1, end_added: true });
    }

    #[test]
    fn nul_is_refused() {
        // P30
        assert_eq!(Stuffer::default().push(b"a\0b", &mut Vec::new()), Err(NulByte));
    }

    proptest! {
        #[test]
        fn stuffing_and_back_gives_the_message_with_crlf(
            pieces in prop::collection::vec(prop::sample::select(vec![".", "..", "\r\n", "\n", "\r", "a", "bc", "\u{e9}"]), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let message = pieces.concat().into_bytes();
            let at = if message.is_empty() { 0 } else { cut.index(message.len()) };
            let (bytes, _) = wire(&[&message[..at], &message[at..]]);
            prop_assert_eq!(&bytes, &wire(&[&message]).0);
            // No bare CR or LF, and the lone dot exactly once and last.
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
            let mut lines: Vec<&str> = text.split("\r\n").collect();
            prop_assert_eq!(lines.pop(), Some(""));
            let back: Vec<_> = lines.iter().map(|line| unstuff(line.as_bytes())).collect();
            prop_assert_eq!(back.iter().position(Option::is_none), Some(back.len() - 1));
            let back: Vec<u8> = back.into_iter().flatten().flat_map(|line| [line, b"\r\n"].concat()).collect();
            let mut want = String::from_utf8(message).unwrap().replace("\r\n", "\n").replace('\r', "\n");
            if !want.is_empty() && !want.ends_with('\n') {
                want.push('\n');
            }
            prop_assert_eq!(String::from_utf8(back).unwrap(), want.replace('\n', "\r\n"));
        }
    }
}
