//! Standard output and standard error, and the line that is drawn again and again.

use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::{complain, exit};
use crate::jobs::check::Summary;
use crate::jobs::check::group::Board;
use crate::net::dial::system_words;
use crate::render::check::{Written, text};
use crate::repl::{Signal, Signals};

/// More output than this is not kept back.
const KEPT: usize = 16 * 1024;

/// Who does not read what is written (a pager) does not hold up the end for longer (P38).
const GRACE: Duration = Duration::from_millis(500);

/// Where results go.
pub(super) struct Paper {
    /// What is not written yet.
    pub(super) written: Written,
    /// Standard output is closed or fails: the exit status of that.
    pub(super) gone: Option<u8>,
    /// A signal came: nothing is waited for without end any more.
    pub(super) hurried: bool,
    /// Columns for the status line; `None`: there is none.
    live: Option<usize>,
    drawn: bool,
}

impl Paper {
    /// Nothing is written. `live`: the columns of a terminal that shows what is waited for.
    pub(super) fn new(live: Option<usize>) -> Self {
        Self { written: Written::default(), gone: None, hurried: false, live, drawn: false }
    }

    /// Whether there is a status line.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether it is time to write: at once where somebody looks on.
    pub(super) fn is_full(&self) -> bool {
        self.is_live() || self.written.out.len() + self.written.err.len() > KEPT
    }

    /// Writes what there is. A signal does not wait for a reader that has stopped reading; it is given back.
    pub(super) async fn flush(&mut self, signals: &mut Signals) -> Option<Signal> {
        if self.written.out.is_empty() && self.written.err.is_empty() {
            return None;
        }
        self.wipe();
        let written = std::mem::take(&mut self.written);
        let mut writing = spawn_blocking(move || write(&written));
        let mut signal = None;
        let mut ended = None;
        if !self.hurried {
            tokio::select! {
                biased;
                result = &mut writing => ended = Some(result),
                came = signals.next_ending() => signal = Some(came),
            }
        }
        let ended = match ended {
            Some(ended) => Some(ended),
            None => timeout(GRACE, writing).await.ok(),
        };
        match ended {
            Some(Ok(Ok(()))) => {}
            // A closed one is a quiet end (P40).
            Some(Ok(Err(error))) if error.kind() == io::ErrorKind::BrokenPipe => self.gone = Some(exit::DONE),
            Some(Ok(Err(error))) => {
                self.gone = Some(exit::INPUT_OUTPUT);
                complain(&format!("the output cannot be written: {}", system_words(&error)));
            }
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            Some(Err(_)) | None => self.gone = Some(exit::INPUT_OUTPUT),
        }
        signal
    }

    /// Shows what is waited for.
    pub(super) fn draw(&mut self, summary: &Summary, total: Option<u64>, board: Option<&Board>) {
        let (Some(width), Some(oldest)) = (self.live, board.and_then(Board::oldest)) else { return };
        let since = oldest.since.elapsed();
        // What is over soon needs no words.
        if since < Duration::from_secs(1) && !self.drawn && summary.checked() == 0 {
            return;
        }
        let line = text::waiting(summary, total, (&oldest.name, oldest.phase(), since), width);
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
        let _ = io::stderr().flush();
        self.drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
            let _ = io::stderr().flush();
        }
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn write(written: &Written) -> io::Result<()> {
    // Nobody can be told that standard error is closed.
    let _ = io::stderr().write_all(written.err.as_bytes());
    let mut stdout = io::stdout().lock();
    stdout.write_all(written.out.as_bytes())?;
    stdout.flush()
}
