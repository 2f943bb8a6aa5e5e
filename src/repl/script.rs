//! Standard input that is no terminal, read as bytes on a thread of its own, so that an end of the
//! session never waits for it (P35).

use std::io::Read;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::editor::Given;

/// The longest line that is taken.
const MAX_LINE: usize = 64 * 1024 * 1024;
/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

/// Lines of a script, in their order.
pub struct Script {
    chunks: Receiver<std::io::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    start: usize,
    searched: usize,
    begun: bool,
    ended: bool,
}

impl Script {
    /// Starts reading.
    pub fn start(input: impl Read + Send + 'static) -> std::io::Result<Self> {
        let (send, chunks) = channel(4);
        std::thread::Builder::new().name("script".to_owned()).spawn(move || read_all(input, &send))?;
        Ok(Self { chunks, buffer: Vec::new(), start: 0, searched: 0, begun: false, ended: false })
    }

    /// The next line without its end; CRLF and LF end a line, and so does the end of the input. May be
    /// dropped and called again.
    pub async fn given(&mut self) -> Given {
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
            match self.chunks.recv().await {
                None => self.ended = true,
                Some(Err(error)) => return Given::Failed(crate::net::dial::system_words(&error)),
                Some(Ok(chunk)) => {
                    if let Some(problem) = self.add(&chunk) {
                        return Given::Failed(problem);
                    }
                }
            }
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

fn read_all(mut input: impl Read, send: &Sender<std::io::Result<Vec<u8>>>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                if send.blocking_send(Ok(chunk[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                let _ = send.blocking_send(Err(error));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(input: &'static [u8]) -> Vec<Vec<u8>> {
        let mut script = Script::start(input).unwrap();
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
        assert!(matches!(Script::start(&b"\xff\xfeE\0"[..]).unwrap().given().await, Given::Failed(_)));
    }

    #[tokio::test]
    async fn a_long_line_is_not_cut() {
        let line: &'static [u8] = vec![b'x'; 300_000].leak();
        assert_eq!(lines(line).await, [line]);
    }
}
