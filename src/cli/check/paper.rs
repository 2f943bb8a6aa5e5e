//! Standard output and standard error, and the line that is drawn again and again.
//!
//! What is written goes out on a thread of its own: whoever has stopped reading (a pager, a terminal after Ctrl-S) holds up
//! neither the checks nor the end.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::super::{complain, exit, streams};
use crate::jobs::check::Summary;
use crate::jobs::check::group::Board;
use crate::net::dial::system_words;
use crate::render::check::{Written, text};
use crate::repl::{Signal, Signals};

/// More output than this is not kept back.
const KEPT: usize = 16 * 1024;

/// The end waits no longer for who does not read (P38).
const GRACE: Duration = Duration::from_millis(300);

/// What takes the line away that is drawn again and again.
const WIPE: &str = "\r\x1b[K";

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
    writer: Sender<Job>,
    /// A status line is not written yet.
    drawing: Arc<AtomicBool>,
}

/// What the thread that writes is given.
enum Job {
    /// Results, and who waits for them.
    Results(Written, oneshot::Sender<io::Result<()>>),
    /// The status line.
    Line(String),
}

impl Paper {
    /// Nothing is written. `live`: the columns of a terminal that shows what is waited for.
    pub(super) fn new(live: Option<usize>) -> Self {
        let (writer, jobs) = channel();
        let drawing = Arc::new(AtomicBool::new(false));
        let drawn = Arc::clone(&drawing);
        std::thread::spawn(move || write_all(&jobs, &drawn));
        Self { written: Written::default(), gone: None, hurried: false, live, drawn: false, writer, drawing }
    }

    /// Whether there is a status line.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether it is time to write: at once where somebody looks on.
    pub(super) fn is_full(&self) -> bool {
        let kept = self.written.out.len() + self.written.err.len();
        kept > KEPT || self.is_live() && kept > 0
    }

    /// Writes what there is. A signal does not wait for a reader that has stopped reading; it is given back.
    pub(super) async fn flush(&mut self, signals: &mut Signals) -> Option<Signal> {
        if self.written.out.is_empty() && self.written.err.is_empty() {
            return None;
        }
        self.hand_over(signals).await
    }

    /// Writes what there is for the last time, and leaves a clean line.
    pub(super) async fn end(&mut self, signals: &mut Signals) -> Option<Signal> {
        if self.drawn { self.hand_over(signals).await } else { self.flush(signals).await }
    }

    async fn hand_over(&mut self, signals: &mut Signals) -> Option<Signal> {
        let mut written = std::mem::take(&mut self.written);
        if std::mem::take(&mut self.drawn) {
            written.err.insert_str(0, WIPE);
        }
        let (done, mut result) = oneshot::channel();
        // Its other end lives as long as this one.
        let _ = self.writer.send(Job::Results(written, done));
        let mut signal = None;
        let mut ended = None;
        if !self.hurried {
            tokio::select! {
                biased;
                result = &mut result => ended = Some(result),
                came = signals.next_ending() => signal = Some(came),
            }
        }
        let ended = match ended {
            Some(ended) => Some(ended),
            None => timeout(GRACE, result).await.ok(),
        };
        match ended {
            Some(Ok(Ok(()))) => {}
            // A closed one is a quiet end (P40).
            Some(Ok(Err(error))) if error.kind() == io::ErrorKind::BrokenPipe => self.gone = Some(exit::DONE),
            Some(Ok(Err(error))) => {
                self.gone = Some(exit::INPUT_OUTPUT);
                complain(&format!("the output cannot be written: {}", system_words(&error)));
            }
            Some(Err(_)) | None => self.gone = Some(exit::INPUT_OUTPUT),
        }
        signal
    }

    /// Shows what is waited for, if the terminal takes it.
    pub(super) fn draw(&mut self, summary: &Summary, total: Option<u64>, board: Option<&Board>) {
        let (Some(width), Some(oldest)) = (self.live, board.and_then(Board::oldest)) else { return };
        let since = oldest.since.elapsed();
        // What is over soon needs no words.
        if since < Duration::from_secs(1) && !self.drawn && summary.checked() == 0 {
            return;
        }
        if self.drawing.swap(true, Ordering::Relaxed) {
            return;
        }
        let line = text::waiting(summary, total, (&oldest.name, oldest.phase(), since), width);
        let _ = self.writer.send(Job::Line(format!("{WIPE}{line}")));
        self.drawn = true;
    }
}

/// Writes one thing after the other.
fn write_all(jobs: &Receiver<Job>, drawing: &AtomicBool) {
    for job in jobs {
        match job {
            // Who does not wait any more does not want to know.
            Job::Results(written, done) => drop(done.send(write(&written))),
            Job::Line(line) => {
                let _ = streams::stderr().write_all(line.as_bytes());
                drawing.store(false, Ordering::Relaxed);
            }
        }
    }
}

fn write(written: &Written) -> io::Result<()> {
    // Nobody can be told that standard error is closed.
    let _ = streams::stderr().write_all(written.err.as_bytes());
    streams::stdout().write_all(written.out.as_bytes())
}
