//! What is to be checked: arguments, or a list that is read as it is worked off.
//!
//! ```text
//! # a comment
//! mail.contoso.test            as on the command line: HOST, HOST:PORT, HOST:PORT,PORT
//! mail.contoso.test 587        the port may stand apart; what follows a # is a comment
//! ```
//! LF and CRLF end a line, a byte order mark is passed over. A line that cannot be read is told with its
//! number and is no reason to stop.

use std::io::Read;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::report::BadLine;
use crate::net::dial::system_words;
use crate::target::Target;
use crate::text::printable;

/// The longest line that is taken.
const LONGEST: usize = 4096;

/// Bytes that are read at once: so much of a list is in memory, and what was made of it.
const CHUNK: usize = 16 * 1024;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Targets that were named together: one host, one port or several.
    Named(Vec<Target>),
    /// It cannot be read.
    Bad(BadLine),
}

/// Reads a line, without its end; `None` when there is nothing on it.
pub fn parse(line: &[u8], number: u64) -> Option<Item> {
    let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
    let bad = |words: String| Some(Item::Bad(BadLine { number, words }));
    if line.trim_ascii_start().starts_with(b"#") {
        return None;
    }
    if line.len() > LONGEST {
        return bad(format!("the line has more than {LONGEST} bytes"));
    }
    if number == 1 && (line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff")) {
        return bad("the list is UTF-16, and UTF-8 is wanted (in PowerShell: Out-File -Encoding utf8)".to_owned());
    }
    let Ok(text) = std::str::from_utf8(without_comment(line)) else {
        return bad(format!("the line is not UTF-8: {}", printable(&line[..line.len().min(80)])));
    };
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let (host, port) = match text.split_once([' ', '\t']) {
        // A path may hold spaces.
        Some(_) if text.starts_with("unix:") || text.starts_with("lmtp:unix:") => (text, None),
        Some((host, port)) => (host, Some(port.trim())),
        None => (text, None),
    };
    match Target::parse_ports(host, port) {
        Ok(targets) => Some(Item::Named(targets)),
        Err(error) => bad(error.to_string()),
    }
}

/// Up to a `#` at the beginning or behind a space.
fn without_comment(line: &[u8]) -> &[u8] {
    let begins = |at: &usize| line[*at] == b'#' && (*at == 0 || line[at - 1].is_ascii_whitespace());
    memchr::memchr_iter(b'#', line).find(begins).map_or(line, |at| &line[..at])
}

/// Items that are known already.
pub fn given(items: Vec<Item>) -> Receiver<Vec<Item>> {
    let (send, receive) = channel(1);
    // There is room for one.
    let _ = send.try_send(items);
    receive
}

/// Reads a list on a thread of its own, no faster than it is worked off: reading a pipe may block. Each target is
/// changed as is wished for all of them.
pub fn read(source: impl Read + Send + 'static, change: impl Fn(&mut Target) + Send + 'static) -> Receiver<Vec<Item>> {
    let (send, receive) = channel(1);
    std::thread::spawn(move || Reader { source, change, send, number: 0, line: Vec::new() }.run());
    receive
}

struct Reader<R, C> {
    source: R,
    change: C,
    send: Sender<Vec<Item>>,
    number: u64,
    /// The line that has begun; one byte more than the longest stands for all that is more.
    line: Vec<u8>,
}

impl<R: Read, C: Fn(&mut Target)> Reader<R, C> {
    fn run(mut self) {
        let mut bytes = vec![0; CHUNK];
        loop {
            let count = match self.source.read(&mut bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let words = format!("the list cannot be read on: {}", system_words(&error));
                    let _ = self.send.blocking_send(vec![Item::Bad(BadLine { number: self.number + 1, words })]);
                    return;
                }
            };
            let mut items = Vec::new();
            if count == 0 && !self.line.is_empty() {
                items.extend(self.end_line());
            }
            self.take(&bytes[..count], &mut items);
            let gone = !items.is_empty() && self.send.blocking_send(items).is_err();
            if count == 0 || gone {
                return;
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], items: &mut Vec<Item>) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.grow(&bytes[..end]);
            items.extend(self.end_line());
            bytes = &bytes[end + 1..];
        }
        self.grow(bytes);
    }

    fn grow(&mut self, bytes: &[u8]) {
        let room = (LONGEST + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) -> Option<Item> {
        self.number += 1;
        let mut item = parse(&self.line, self.number);
        self.line.clear();
        if let Some(Item::Named(targets)) = &mut item {
            targets.iter_mut().for_each(&self.change);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(item: Option<Item>) -> String {
        match item {
            None => "nothing".to_owned(),
            Some(Item::Named(targets)) => targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
            Some(Item::Bad(line)) => format!("{}: {}", line.number, line.words.split(':').next().unwrap()),
        }
    }

    #[test]
    fn lines_are_read_as_an_operator_writes_them() {
        let long_comment = [b"#".as_slice(), &[b'x'; LONGEST]].concat();
        let table: &[(&[u8], &str)] = &[
            (b"mail.contoso.test", "mail.contoso.test"),
            (b"  mail.contoso.test:587  ", "mail.contoso.test:587"),
            (b"mail.contoso.test\t submission", "mail.contoso.test:587"),
            (b"mail.contoso.test:25,465,587", "mail.contoso.test + mail.contoso.test:465 + mail.contoso.test:587"),
            (b"mail.contoso.test # the old one", "mail.contoso.test"),
            (b"mail.contoso.test\r", "mail.contoso.test"),
            (b"# a comment", "nothing"),
            (b" # B\xfcro", "nothing"),
            (b"mail.contoso.test # B\xfcro", "mail.contoso.test"),
            (&long_comment, "nothing"),
            (b"mail.contoso.test#1", "3: 'mail.contoso.test#1' is not a host name"),
            (b"  ", "nothing"),
            (b"\r", "nothing"),
            (b"[::1]:2525", "[::1]:2525"),
            (b"unix:/run/a b", "unix:/run/a b"),
            (b"mail.contoso.test 25 26", "3: '25 26' is not a port"),
            (b"mail.contoso.test:smtpp", "3: 'smtpp' is not a port"),
            (b"user@contoso.test", "3: 'user@contoso.test' is a mail address"),
            (b"a\xff", "3: the line is not UTF-8"),
        ];
        for (line, want) in table {
            let got = shown(parse(line, 3));
            assert!(got.starts_with(want), "{got} / {want}");
        }
        assert_eq!(shown(parse(b"\xef\xbb\xbfmail.contoso.test", 1)), "mail.contoso.test");
        // P14
        assert!(!shown(parse(b"a\x1b[31m b", 1)).contains('\x1b'));
    }

    #[tokio::test]
    async fn a_list_is_read_in_pieces_with_its_line_numbers_and_no_line_is_too_long_for_memory() {
        let long = "x".repeat(100_000);
        let text = format!("a\r\n\r\n# c\n{long}\nb:x\nlast");
        let mut items = Vec::new();
        let mut list = read(std::io::Cursor::new(text.into_bytes()), |_| {});
        while let Some(more) = list.recv().await {
            items.extend(more);
        }
        let got: Vec<String> = items.into_iter().map(|item| shown(Some(item))).collect();
        assert_eq!(got, ["a", "4: the line has more than 4096 bytes", "5: 'x' is not a port", "last"]);
    }
}
