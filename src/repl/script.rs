//! Standard input that is no terminal, read as bytes on a thread of its own, so that an end of the
//! session never waits for it (P35).

use std::io::Read;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ahead::{self, Ahead, Wanted};
use super::editor::Given;

/// The longest line that is taken.
const MAX_LINE: usize = 64 * 1024 * 1024;
/// Where the fate of lines hangs on what follows them, and nothing follows for so long, the lines themselves decide.
const PAUSE: Duration = Duration::from_secs(1);
/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Lines of a script, in their order.
pub struct Script {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    searched: usize,
    begun: bool,
    ended: bool,
    wanted: Option<Wanted>,
}

/// Where bytes come from: read here as long as that cannot block, which spares a short script the
/// thread; else by a thread.
enum Input {
    Direct { reader: Box<dyn Read + Send>, is_ready: fn() -> bool },
    Thread(Receiver<std::io::Result<Vec<u8>>>),
    None,
}

impl Script {
    /// A script; nothing is read yet. `is_ready` says whether reading would not block.
    pub(super) fn new(reader: impl Read + Send + 'static, is_ready: fn() -> bool) -> Self {
        let input = Input::Direct { reader: Box::new(reader), is_ready };
        Self { input, buffer: Vec::new(), start: 0, searched: 0, begun: false, ended: false, wanted: None }
    }

    /// The next line without its end; CRLF and LF end a line, and so does the end of the input. May be
    /// dropped and called again.
    pub(super) async fn given(&mut self) -> Given {
        if let Some(wanted) = self.wanted {
            return self.look_ahead(wanted).await;
        }
        loop {
            if let Some(line) = self.take_line() {
                return Given::Line(line);
            }
            if self.ended {
                return self.last();
            }
            if self.buffer.len() - self.start > MAX_LINE {
                return Given::Failed("a line of the input is longer than 64 MiB".to_owned());
            }
            if let Err(problem) = self.read_on().await {
                return Given::Failed(problem);
            }
        }
    }

    /// What is given next is no line but what lies ahead of it.
    pub(super) fn look_for(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Reads until what is looked for is found, or is known not to be there. May be dropped and called again.
    async fn look_ahead(&mut self, wanted: Wanted) -> Given {
        loop {
            let found = match wanted {
                Wanted::Chunk(size) => self.take_chunk(size),
                Wanted::LoneDot => ahead::is_message(&self.buffer[self.start..], self.ended).map(Ahead::Message),
            };
            if let Some(found) = found {
                self.wanted = None;
                return Given::Ahead(found);
            }
            let undecided = (wanted == Wanted::LoneDot).then(|| ahead::looks_like_message(&self.buffer[self.start..])).flatten();
            let read = match undecided {
                None => self.read_on().await,
                Some(is_message) => {
                    let Ok(read) = tokio::time::timeout(PAUSE, self.read_on()).await else {
                        self.wanted = None;
                        return Given::Ahead(Ahead::Message(is_message));
                    };
                    read
                }
            };
            if let Err(problem) = read {
                self.wanted = None;
                return Given::Failed(problem);
            }
        }
    }

    fn take_chunk(&mut self, size: u64) -> Option<Ahead> {
        let rest = &self.buffer[self.start..];
        // Each byte counts once, and an LF twice at most: with less, it is not worth a look.
        let may_be_whole = (rest.len() + memchr::memchr_iter(b'\n', rest).count()) as u64 >= size;
        if !may_be_whole && !self.ended && size <= ahead::MAX_CHUNK {
            return None;
        }
        let found = ahead::chunk(rest, self.ended, size)?;
        Some(Ahead::Chunk(found.map(|(octets, taken)| {
            self.start += taken;
            self.searched = self.searched.max(self.start);
            octets
        })))
    }

    /// Reads once more. An error is told in words.
    async fn read_on(&mut self) -> Result<(), String> {
        match self.read().await {
            Ok(chunk) if chunk.is_empty() => self.ended = true,
            Ok(chunk) => return self.add(&chunk).map_or(Ok(()), Err),
            Err(error) => return Err(crate::net::dial::system_words(&error)),
        }
        Ok(())
    }

    /// The next bytes; none at the end.
    async fn read(&mut self) -> std::io::Result<Vec<u8>> {
        if let Input::Direct { reader, is_ready } = &mut self.input
            && is_ready()
        {
            return read_once(reader);
        }
        self.input = match std::mem::replace(&mut self.input, Input::None) {
            Input::Direct { reader, .. } => {
                let (send, chunks) = channel(4);
                std::thread::Builder::new().name("script".to_owned()).spawn(move || read_all(reader, &send))?;
                Input::Thread(chunks)
            }
            other => other,
        };
        match &mut self.input {
            Input::Thread(chunks) => chunks.recv().await.unwrap_or_else(|| Ok(Vec::new())),
            _ => Ok(Vec::new()),
        }
    }

    fn add(&mut self, chunk: &[u8]) -> Option<String> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
        if !self.begun && self.buffer.len() >= 3 {
            self.begun = true;
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.start = 3;
                self.searched = 3;
            }
            if self.buffer.starts_with(b"\xff\xfe") || self.buffer.starts_with(b"\xfe\xff") {
                return Some("the input is UTF-16 (PowerShell's > writes it): save it as UTF-8".to_owned());
            }
        }
        None
    }

    /// Whether nothing but white space has come behind the last line.
    pub(super) fn is_drained(&self) -> bool {
        self.buffer[self.start..].trim_ascii().is_empty()
    }

    /// Whole lines of a message that are here already, up to its lone dot.
    pub(super) fn body(&mut self) -> &[u8] {
        let rest = &self.buffer[self.start..];
        let is_lone = |at: usize| matches!(&rest[at..], [b'.'] | [b'.', b'\r'] | [b'.', b'\n', ..] | [b'.', b'\r', b'\n', ..]);
        let end = if is_lone(0) {
            0
        } else {
            let lone = memchr::memmem::find_iter(rest, b"\n.").map(|at| at + 1).find(|at| is_lone(*at));
            lone.or_else(|| memchr::memrchr(b'\n', rest).map(|at| at + 1)).unwrap_or(0)
        };
        let from = self.start;
        self.start += end;
        self.searched = self.searched.max(self.start);
        &self.buffer[from..self.start]
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let Some(found) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let lf = self.searched + found;
        let line = &self.buffer[self.start..lf];
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.start = lf + 1;
        self.searched = self.start;
        Some(line)
    }

    fn last(&mut self) -> Given {
        let rest = self.buffer.split_off(self.start);
        self.buffer.clear();
        self.start = 0;
        self.searched = 0;
        if rest.is_empty() {
            return Given::End;
        }
        Given::Line(rest.strip_suffix(b"\r").unwrap_or(&rest).to_vec())
    }
}

fn read_all(mut reader: Box<dyn Read + Send>, send: &Sender<std::io::Result<Vec<u8>>>) {
    loop {
        let chunk = read_once(&mut reader);
        let over = chunk.as_ref().map_or(true, Vec::is_empty);
        if send.blocking_send(chunk).is_err() || over {
            return;
        }
    }
}

fn read_once(reader: &mut Box<dyn Read + Send>) -> std::io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match reader.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            count => {
                chunk.truncate(count?);
                return Ok(chunk);
            }
        }
    }
}

/// Whether standard input can be read without waiting.
#[cfg(unix)]
pub(super) fn stdin_is_ready() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = std::io::stdin();
    let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut wanted, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
}

/// Not known here: a thread reads.
#[cfg(not(unix))]
pub(super) fn stdin_is_ready() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &'static [u8]) -> Vec<Vec<u8>> {
        let mut script = Script::new(input, || false);
        let mut out = Vec::new();
        while let Given::Line(line) = script.given().await {
            out.push(line);
        }
        out
    }

    #[tokio::test]
    async fn lines_are_bytes_whatever_ends_them() {
        // P35
        assert_eq!(lines(b"a\r\nb\n\nc\xff\x08\r\nlast").await, [&b"a"[..], b"b", b"", b"c\xff\x08", b"last"]);
        assert_eq!(lines(b"\xef\xbb\xbfEHLO a\n").await, [b"EHLO a"]);
        assert_eq!(lines(b"").await, [b""; 0]);
        assert!(matches!(Script::new(&b"\xff\xfeE\0"[..], || true).given().await, Given::Failed(_)));
    }

    #[tokio::test]
    async fn lines_of_a_message_are_handed_over_together_up_to_the_dot() {
        let table: &[(&[u8], &[u8])] = &[
            (b"x\na\nb\n.\nQUIT\n", b"a\nb\n"),
            (b"x\n.\nQUIT\n", b""),
            (b"x\n..\n.a\n.\r\n", b"..\n.a\n"),
            (b"x\na\nhalf", b"a\n"),
            (b"x\na\n.", b"a\n"),
        ];
        for (input, want) in table {
            let mut script = Script::new(*input, || true);
            assert!(matches!(script.given().await, Given::Line(line) if line == b"x"));
            assert_eq!(script.body(), *want, "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[tokio::test]
    async fn a_chunk_is_taken_and_the_line_behind_it_is_the_next() {
        for cut in 1..20 {
            let input: &'static [u8] = b"BDAT 8\na\n\nb\nQUIT\n";
            let mut script = Script::new(
                input.chunks(cut).fold(Box::new(std::io::empty()) as Box<dyn Read + Send>, |all, piece| Box::new(all.chain(piece))),
                || true,
            );
            assert!(matches!(script.given().await, Given::Line(line) if line == b"BDAT 8"));
            script.look_for(Wanted::Chunk(8));
            assert!(matches!(script.given().await, Given::Ahead(Ahead::Chunk(Ok(octets))) if octets == b"a\r\n\r\nb\r\n"));
            assert!(matches!(script.given().await, Given::Line(line) if line == b"QUIT"));
            assert!(matches!(script.given().await, Given::End));
        }
    }

    #[tokio::test]
    async fn looking_for_a_dot_leaves_the_lines_where_they_are() {
        for (input, want) in [(&b"DATA\nRSET\nNOOP\n"[..], false), (b"DATA\nRSET\n.\n", true)] {
            let mut script = Script::new(input, || true);
            assert!(matches!(script.given().await, Given::Line(line) if line == b"DATA"));
            script.look_for(Wanted::LoneDot);
            assert!(matches!(script.given().await, Given::Ahead(Ahead::Message(found)) if found == want));
            assert!(matches!(script.given().await, Given::Line(line) if line == b"RSET"));
        }
    }

    #[tokio::test]
    async fn a_long_line_is_not_cut() {
        let line: &'static [u8] = vec![b'x'; 300_000].leak();
        assert_eq!(lines(line).await, [line]);
    }
}
