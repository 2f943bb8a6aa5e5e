//! What a script holds ahead of its next line: the octets that BDAT announces, the lone dot of a message. Pure
//! functions on what has been read; the script reads on until they can tell.

use crate::wire::verb;

/// The most octets of one chunk in a script: they are all looked at before BDAT is sent.
pub(super) const MAX_CHUNK: u64 = 16 * 1024 * 1024;

/// What is looked for ahead of the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// So many octets of content, each line end counted as the CRLF that is sent.
    Chunk(u64),
    /// A line that is a lone dot.
    LoneDot,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Ahead {
    /// The octets as they are to be sent, or why there are none. The script stands behind them.
    Chunk(Result<Vec<u8>, ChunkFault>),
    /// Whether the lines ahead belong to a message. The script stands where it stood.
    Message(bool),
}

/// Why a chunk cannot be sent as its BDAT announces it. Counts are octets with CRLF at the end of each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkFault {
    /// It would end inside a line.
    InLine {
        /// Which line of the content, from 1.
        line: usize,
        /// Up to the beginning of that line.
        before: u64,
        /// With that line.
        with: u64,
        /// What it would be where the announced size counts each line end as one octet.
        meant: Option<u64>,
    },
    /// What follows it is neither a command nor the end of the input.
    GoesOn {
        /// Up to the next command, or to the end of the input.
        until_command: u64,
    },
    /// The input ends before.
    Short {
        /// So many are there.
        there: u64,
    },
    /// Beyond [`MAX_CHUNK`].
    TooLarge,
}

/// Looks for a chunk at the beginning of `input`. `None`: more has to be read. On success also how many bytes of the
/// input it takes.
pub(super) fn chunk(input: &[u8], ended: bool, size: u64) -> Option<Result<(Vec<u8>, usize), ChunkFault>> {
    if size > MAX_CHUNK {
        return Some(Err(ChunkFault::TooLarge));
    }
    let mut octets = Vec::new();
    let mut lines = Lines { input, ended, at: 0 };
    let mut count = 0;
    while (octets.len() as u64) < size {
        let line = match lines.next() {
            Some(line) => line,
            None if ended => return Some(Err(ChunkFault::Short { there: octets.len() as u64 })),
            None => return None,
        };
        count += 1;
        let before = octets.len() as u64;
        octets.extend_from_slice(line.text);
        if line.has_end || (octets.len() as u64) < size {
            octets.extend_from_slice(b"\r\n");
        }
        let with = octets.len() as u64;
        if with > size {
            // Each line end was perhaps counted as one octet.
            let one_each = before - (count - 1) + line.text.len() as u64 + 1;
            let meant = meant(lines, size, one_each, with);
            let line = usize::try_from(count).unwrap_or(usize::MAX);
            return Some(Err(ChunkFault::InLine { line, before, with, meant }));
        }
    }
    let end = lines.at;
    // An empty line between commands says nothing, and one in the middle of a message neither.
    match lines.find(|line| !line.text.trim_ascii().is_empty()) {
        Some(next) if !may_follow(next.text) => {
            let until_command = size + until_command(Lines { input, ended, at: end });
            Some(Err(ChunkFault::GoesOn { until_command }))
        }
        _ => Some(Ok((octets, end))),
    }
}

/// With line ends counted as one octet: goes on from a line that ends at `one_each` so, and at `with` in truth.
fn meant(mut lines: Lines<'_>, size: u64, mut one_each: u64, mut with: u64) -> Option<u64> {
    while one_each < size {
        let line = lines.next()?.text.len() as u64;
        one_each += line + 1;
        with += line + 2;
    }
    (one_each == size).then_some(with)
}

/// The octets up to a line that is a command.
fn until_command(mut lines: Lines<'_>) -> u64 {
    let mut count = 0;
    while let Some(line) = lines.next()
        && !is_command(line.text)
    {
        count += line.text.len() as u64 + 2;
    }
    count
}

/// Whether a line may stand where a command belongs.
fn may_follow(line: &[u8]) -> bool {
    line.starts_with(b":") || is_command(line)
}

/// Whether a line begins with a verb that is known, mistyped, or looks like one of another RFC (ETRN) or of a vendor.
fn is_command(line: &[u8]) -> bool {
    let word = line.trim_ascii_start().split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let is_capital = (4..=16).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    verb::lookup(word).is_some() || verb::nearest(word).is_some() || is_capital
}

/// Whether the lines at the beginning of `input` are those of a message: one of them is a lone dot. `None`: more has to
/// be read.
pub(super) fn is_message(input: &[u8], ended: bool) -> Option<bool> {
    let is_lone = |at: usize| match &input[at..] {
        [b'.', b'\n', ..] | [b'.', b'\r', b'\n', ..] => true,
        [b'.'] | [b'.', b'\r'] => ended,
        _ => false,
    };
    if is_lone(0) || memchr::memmem::find_iter(input, b"\n.").any(|at| is_lone(at + 1)) {
        return Some(true);
    }
    if input.len() as u64 > MAX_CHUNK {
        // Nobody writes so many commands.
        return Some(true);
    }
    ended.then_some(false)
}

/// The same where nothing more comes for a while: a message unless it begins with a verb. `None`: no line is there.
pub(super) fn looks_like_message(input: &[u8]) -> Option<bool> {
    let first = Lines { input, ended: false, at: 0 }.find(|line| !line.text.trim_ascii().is_empty())?;
    Some(!is_command(first.text) && !first.text.starts_with(b":"))
}

struct Line<'a> {
    text: &'a [u8],
    has_end: bool,
}

/// Whole lines; CRLF and LF end one, and so does the end of the input.
#[derive(Clone)]
struct Lines<'a> {
    input: &'a [u8],
    ended: bool,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = &self.input[self.at..];
        let (text, has_end) = match memchr::memchr(b'\n', rest) {
            Some(lf) => (&rest[..lf], true),
            None if self.ended && !rest.is_empty() => (rest, false),
            None => return None,
        };
        self.at += text.len() + usize::from(has_end);
        Some(Line { text: text.strip_suffix(b"\r").unwrap_or(text), has_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_whole_lines_with_crlf_of_the_announced_size() {
        // P35 P30
        let found = |octets: &[u8], taken| Some(Ok((octets.to_vec(), taken)));
        let in_line = |line, before, with, meant| Some(Err(ChunkFault::InLine { line, before, with, meant }));
        let table = [
            (&b"a\n\nb\nQUIT\n"[..], false, 8, found(b"a\r\n\r\nb\r\n", 5)),
            (b"a\r\n\r\nb\r\nQUIT\r\n", false, 8, found(b"a\r\n\r\nb\r\n", 8)),
            (b"\0\xff\r\x08\n", true, 6, found(b"\0\xff\r\x08\r\n", 5)),
            (b"QUIT\n:state\n.\nBDAT 1\n", false, 17, found(b"QUIT\r\n:state\r\n.\r\n", 14)),
            (b"ab\n\nRSET\n", false, 4, found(b"ab\r\n", 3)),
            (b"ab\n:quit\n", false, 4, found(b"ab\r\n", 3)),
            (b"ab\nXFOO\n", false, 4, found(b"ab\r\n", 3)),
            // The end of the input ends a line, unless the size says that there is no line end.
            (b"ab", true, 4, found(b"ab\r\n", 2)),
            (b"ab", true, 2, found(b"ab", 2)),
            (b"ab", false, 4, None),
            (b"ab\ncd", false, 8, None),
            (b"ab\n", true, 9, Some(Err(ChunkFault::Short { there: 4 }))),
            (b"", true, 1, Some(Err(ChunkFault::Short { there: 0 }))),
            // Between CR and LF; without the line end; each line end counted as one.
            (b"ab\nQUIT\n", false, 3, in_line(1, 0, 4, Some(4))),
            (b"abc\nQUIT\n", false, 3, in_line(1, 0, 5, None)),
            (b"a\nb\nc\nQUIT\n", false, 6, Some(Err(ChunkFault::GoesOn { until_command: 9 }))),
            (b"one\ntwo\nsix\nQUIT\n", false, 12, in_line(3, 10, 15, Some(15))),
            (b"one\ntwo\nsix\nQUIT\n", false, 11, in_line(3, 10, 15, None)),
            (b"ab\n\n\nQUIT\n", true, 4, found(b"ab\r\n", 3)),
            (b"ab\n\nhi\nQUIT\n", true, 4, Some(Err(ChunkFault::GoesOn { until_command: 10 }))),
            (b"one\ntwo\n", true, 5, Some(Err(ChunkFault::GoesOn { until_command: 10 }))),
            (b"x\n", true, MAX_CHUNK + 1, Some(Err(ChunkFault::TooLarge))),
        ];
        for (input, ended, size, want) in table {
            assert_eq!(chunk(input, ended, size), want, "{:?} {size}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_lone_dot_tells_a_message_from_commands() {
        // P31
        let table = [
            (&b"RSET\nNOOP\nQUIT\n"[..], true, Some(false)),
            (b"RSET\nNOOP\n", false, None),
            (b"Subject: x\n\ntext\n.\nQUIT\n", false, Some(true)),
            (b"text\r\n.\r\n", false, Some(true)),
            (b"text\n.", true, Some(true)),
            (b"text\n.", false, None),
            (b"..\n.a\n", true, Some(false)),
            (b"", true, Some(false)),
        ];
        for (input, ended, want) in table {
            assert_eq!(is_message(input, ended), want, "{:?}", String::from_utf8_lossy(input));
        }
        let table =
            [(&b"RSET\nNOOP\n"[..], Some(false)), (b"\n:quit\n", Some(false)), (b"Subject: x\n", Some(true)), (b"half", None), (b"", None)];
        for (input, want) in table {
            assert_eq!(looks_like_message(input), want, "{:?}", String::from_utf8_lossy(input));
        }
    }
}
