//! Splitting a byte stream into lines.
//!
//! CRLF ends a line (RFC 5321 §2.3.8). A bare LF ends one too and is noted; a bare CR never does.
//! Further CRs before the LF are taken off and noted. The search resumes where it stopped, so a line
//! that arrives byte by byte costs no more than one that arrives whole.

/// The longest line that is taken from a server, without its end (32 KiB; RFC 4954 §4 asks for 12288).
pub const MAX_LINE: usize = 32 * 1024;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// CRLF, as it should.
    CrLf,
    /// LF alone.
    BareLf,
    /// More than one CR before the LF.
    ExtraCr,
}

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes before the line end.
    pub text: &'a [u8],
    /// How it ended.
    pub end: LineEnd,
    /// How many bytes it took on the wire.
    pub length: usize,
}

/// A line grew beyond the limit without ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTooLong;

/// Collects bytes and gives lines.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the first unread line begins.
    start: usize,
    /// Up to where no LF was found.
    searched: usize,
}

impl LineBuffer {
    /// Adds what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
            self.searched = 0;
        } else if self.start > MAX_LINE {
            self.bytes.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete line.
    ///
    /// # Errors
    /// [`LineTooLong`] once more than `limit` bytes stand without an end.
    pub fn next_line(&mut self, limit: usize) -> Result<Option<Line<'_>>, LineTooLong> {
        let Some(found) = memchr::memchr(b'\n', &self.bytes[self.searched..]) else {
            self.searched = self.bytes.len();
            // One more for the CR whose LF has not come yet.
            return if self.bytes.len() - self.start > limit + 1 { Err(LineTooLong) } else { Ok(None) };
        };
        let lf = self.searched + found;
        let whole = &self.bytes[self.start..lf];
        let text = &whole[..whole.iter().rposition(|&b| b != b'\r').map_or(0, |at| at + 1)];
        // The same bytes count as where the LF has not come yet, so that no cut makes a difference.
        if text.len() > limit || whole.len() > limit + 1 {
            return Err(LineTooLong);
        }
        let end = match whole.len() - text.len() {
            0 => LineEnd::BareLf,
            1 => LineEnd::CrLf,
            _ => LineEnd::ExtraCr,
        };
        let line = Line { text, end, length: lf + 1 - self.start };
        self.start = lf + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// What was received and is not yet a line.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> (Vec<(Vec<u8>, LineEnd)>, Vec<u8>) {
        let mut buffer = LineBuffer::default();
        let mut out = Vec::new();
        for chunk in chunks {
            buffer.push(chunk);
            while let Some(line) = buffer.next_line(MAX_LINE).unwrap() {
                out.push((line.text.to_vec(), line.end));
            }
        }
        (out, buffer.rest().to_vec())
    }

    #[test]
    fn line_ends_are_told_apart() {
        // P5
        let bytes = b"a\r\nb\nc\r\r\nd\re\r\n\r\n\nrest\r";
        let want = vec![
            (b"a".to_vec(), LineEnd::CrLf),
            (b"b".to_vec(), LineEnd::BareLf),
            (b"c".to_vec(), LineEnd::ExtraCr),
            (b"d\re".to_vec(), LineEnd::CrLf),
            (b"".to_vec(), LineEnd::CrLf),
            (b"".to_vec(), LineEnd::BareLf),
        ];
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(lines(&[bytes]), (want.clone(), b"rest\r".to_vec()));
        assert_eq!(lines(&single), (want, b"rest\r".to_vec()));
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        // P6
        let mut buffer = LineBuffer::default();
        buffer.push(&[b'a'; 10]);
        buffer.push(b"\r\n");
        assert_eq!(buffer.next_line(10).unwrap().unwrap().text.len(), 10);
        buffer.push(&[b'a'; 11]);
        assert_eq!(buffer.next_line(10), Ok(None));
        buffer.push(b"\r\n");
        assert_eq!(buffer.next_line(10), Err(LineTooLong));
        let mut endless = LineBuffer::default();
        endless.push(&[b'a'; 12]);
        assert_eq!(endless.next_line(10), Err(LineTooLong));
    }

    #[test]
    fn the_limit_does_not_depend_on_the_cut() {
        // P4
        let bytes = b"0123456789\r\r\r\n";
        let mut whole = LineBuffer::default();
        whole.push(bytes);
        let mut pieces = LineBuffer::default();
        let single = bytes.iter().find_map(|byte| {
            pieces.push(&[*byte]);
            pieces.next_line(10).map(|line| line.map(|line| line.length)).transpose()
        });
        assert_eq!((whole.next_line(10), single), (Err(LineTooLong), Some(Err(LineTooLong))));
    }

    #[test]
    fn memory_does_not_grow_with_the_number_of_lines() {
        let mut buffer = LineBuffer::default();
        for _ in 0..100_000 {
            buffer.push(b"250 ok\r\n2");
            while buffer.next_line(MAX_LINE).unwrap().is_some() {}
            buffer.push(b"50 ok\r\n");
            while buffer.next_line(MAX_LINE).unwrap().is_some() {}
        }
        assert!(buffer.bytes.capacity() < 4 * MAX_LINE, "{}", buffer.bytes.capacity());
    }
}
