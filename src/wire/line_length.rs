//! Lines that are longer than SMTP allows, found on their way: which, and how long.

/// The most octets of a line of a message, without its CRLF (RFC 5321 §4.5.3.1.6, RFC 5322 §2.1.1).
pub const MAX_TEXT_LINE: u64 = 998;
/// The most octets of a command line, with its CRLF (RFC 5321 §4.5.3.1.4).
pub const MAX_COMMAND_LINE: usize = 512;
/// The same for AUTH (RFC 4954 §4).
pub const MAX_AUTH_LINE: usize = 12_288;

/// Lines of a message beyond [`MAX_TEXT_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongLines {
    /// The number of the first one, from 1.
    pub first: u64,
    /// How many octets it has, without its end.
    pub length: u64,
    /// How many there are.
    pub count: u64,
}

/// Measures the lines of a message, at any cut.
#[derive(Debug, Default)]
pub struct LineLengths {
    /// Lines that have ended.
    ended: u64,
    /// Octets of the line under way.
    length: u64,
    behind_cr: bool,
    found: Option<LongLines>,
}

impl LineLengths {
    /// Takes the next piece of the message. Lines end with LF or CRLF.
    pub fn push(&mut self, mut piece: &[u8]) {
        while let Some(lf) = memchr::memchr(b'\n', piece) {
            let behind_cr = if lf == 0 { self.behind_cr } else { piece[lf - 1] == b'\r' };
            self.length += lf as u64;
            self.end_line(behind_cr);
            piece = &piece[lf + 1..];
        }
        if let Some(last) = piece.last() {
            self.behind_cr = *last == b'\r';
            self.length += piece.len() as u64;
        }
    }

    fn end_line(&mut self, behind_cr: bool) {
        let length = self.length - u64::from(behind_cr);
        self.ended += 1;
        self.length = 0;
        self.behind_cr = false;
        if length > MAX_TEXT_LINE {
            let found = self.found.get_or_insert(LongLines { first: self.ended, length, count: 0 });
            found.count += 1;
        }
    }

    /// The lines that are too long so far, with the one under way.
    pub fn found(&self) -> Option<LongLines> {
        let under_way = (self.length > MAX_TEXT_LINE).then_some(self.length);
        match (self.found, under_way) {
            (Some(found), under_way) => Some(LongLines { count: found.count + u64::from(under_way.is_some()), ..found }),
            (None, Some(length)) => Some(LongLines { first: self.ended + 1, length, count: 1 }),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_too_long_is_found_at_any_cut() {
        let (just, over) = ("x".repeat(998), "y".repeat(999));
        let long = |first, length, count| Some(LongLines { first, length, count });
        let table = [
            (String::new(), None),
            (format!("{just}\n{just}\r\n{just}"), None),
            (format!("{over}\n"), long(1, 999, 1)),
            (format!("a\r\n\r\n{over}\r\nb"), long(3, 999, 1)),
            (format!("a\n{over}"), long(2, 999, 1)),
            (format!("a\n{over}zz\nb\n{over}\n{over}"), long(2, 1001, 3)),
        ];
        for (message, want) in table {
            for cut in [1, 7, 998, 5000] {
                let mut lengths = LineLengths::default();
                message.as_bytes().chunks(cut).for_each(|piece| lengths.push(piece));
                assert_eq!(lengths.found(), want, "{cut}: {}", &message[..message.len().min(20)]);
            }
        }
    }
}
