//! The line that the client is sending.

/// The longest command line, without its end (RFC 4954 §4: AUTH needs 12288).
pub(super) const MAX_LINE: usize = 12 * 1024;

/// A line of which not everything has come. Beyond the limit bytes are counted, not kept.
#[derive(Debug, Default)]
pub(super) struct PartialLine {
    bytes: Vec<u8>,
    length: usize,
    ends_with_cr: bool,
}

/// A complete line, without its end.
#[derive(Debug)]
pub(super) struct Line {
    /// The bytes, up to the limit.
    pub(super) text: Vec<u8>,
    /// How many there were.
    pub(super) length: usize,
    /// Whether CRLF ended it, not LF alone.
    pub(super) crlf: bool,
}

impl PartialLine {
    /// Adds bytes without an LF.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        // One more for the CR.
        let room = (MAX_LINE + 1).saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.length = self.length.saturating_add(bytes.len());
        self.ends_with_cr = *last == b'\r';
    }

    /// The line that an LF ends here.
    pub(super) fn finish(self) -> Line {
        let length = self.length - usize::from(self.ends_with_cr);
        let mut text = self.bytes;
        text.truncate(length.min(MAX_LINE));
        Line { text, length, crlf: self.ends_with_cr }
    }
}

impl Line {
    /// Whether bytes are missing from the text.
    pub(super) fn is_too_long(&self) -> bool {
        self.length > MAX_LINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pieces: &[&[u8]]) -> Line {
        let mut partial = PartialLine::default();
        for piece in pieces {
            partial.push(piece);
        }
        partial.finish()
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_is_then_cut() {
        let long = vec![b'a'; MAX_LINE];
        let whole = line(&[&long, b"\r"]);
        assert!(!whole.is_too_long() && whole.crlf && whole.text == long);
        let longer = line(&[&long, &long, b"a"]);
        assert!(longer.is_too_long() && !longer.crlf);
        assert_eq!((longer.text.len(), longer.length), (MAX_LINE, 2 * MAX_LINE + 1));
    }

    #[test]
    fn the_end_is_told_apart_whatever_the_cut() {
        let crlf = line(&[b"NO", b"OP", b"\r"]);
        assert_eq!((crlf.text.as_slice(), crlf.crlf), (b"NOOP".as_slice(), true));
        let lf = line(&[b"NO\rOP"]);
        assert_eq!((lf.text.as_slice(), lf.crlf), (b"NO\rOP".as_slice(), false));
        assert_eq!(line(&[]).length, 0);
    }
}
