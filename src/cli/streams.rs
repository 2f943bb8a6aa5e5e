//! Standard output and standard error, written to at once and in full.
//!
//! Another program may have made them non-blocking, since the setting belongs to the open file and not to the process:
//! what cannot be written now is then waited for, where the standard library would give up and lose it.

use std::io::{self, Write};

/// Standard output.
pub(super) fn stdout() -> impl Write + Send {
    stream(io::stdout())
}

/// Standard error.
pub(super) fn stderr() -> impl Write + Send {
    stream(io::stderr())
}

#[cfg(unix)]
fn stream<F: std::os::fd::AsFd + Send>(file: F) -> impl Write + Send {
    Stream(file)
}

#[cfg(not(unix))]
fn stream<W: Write + Send>(file: W) -> impl Write + Send {
    file
}

/// A file without a buffer of ours.
#[cfg(unix)]
struct Stream<F>(F);

#[cfg(unix)]
impl<F: std::os::fd::AsFd> Write for Stream<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::io::Errno;
        loop {
            match rustix::io::write(&self.0, bytes) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                // Closed before we began: as the standard library, we take that for a place where nobody wants to read.
                Err(Errno::BADF) => return Ok(bytes.len()),
                Err(Errno::AGAIN) => {
                    let mut wanted = [PollFd::new(&self.0, PollFlags::OUT)];
                    match poll(&mut wanted, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read as _;

    use super::*;

    // P50
    #[test]
    fn a_stream_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let all = vec![b'x'; 8 << 20];
        let written = all.clone();
        let thread = std::thread::spawn(move || stream(writer).write_all(&written));
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        thread.join().unwrap().unwrap();
        assert!(got == all);
    }
}
