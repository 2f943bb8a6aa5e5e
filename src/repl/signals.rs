//! Signals that a session has to know of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[cfg(unix)]
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What was signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or Ctrl-Break.
    Terminate,
    /// The terminal is gone.
    Hangup,
    /// Back in the foreground after Ctrl-Z.
    Continue,
}

/// When a loop heard of a signal last, for who watches over it.
#[derive(Debug, Clone)]
pub struct Heard {
    since: Instant,
    /// In milliseconds since `since`, one more than that; 0: never.
    at: Arc<AtomicU64>,
}

impl Heard {
    fn never() -> Self {
        Self { since: Instant::now(), at: Arc::new(AtomicU64::new(0)) }
    }

    fn now(&self) {
        let at = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.at.store(at + 1, Ordering::Relaxed);
    }

    /// The moment; `None` when there was none yet.
    pub fn last(&self) -> Option<Instant> {
        let at = self.at.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.since + Duration::from_millis(at))
    }
}

/// The streams.
#[cfg(unix)]
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
    resume: Stream,
    heard: Heard,
}

#[cfg(unix)]
impl Signals {
    /// Takes the signals over from their default action.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            resume: signal(resume())?,
            heard: Heard::never(),
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Hangup,
            _ = self.resume.recv() => Signal::Continue,
        };
        self.heard.now();
        signal
    }
}

impl Signals {
    /// When [`Signals::next`] gave one last.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// The next signal that asks for an end.
    pub async fn next_ending(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if signal != Signal::Continue {
                return signal;
            }
        }
    }
}

/// SIGCONT, for which tokio has no name.
#[cfg(unix)]
fn resume() -> SignalKind {
    SignalKind::from_raw(rustix::process::Signal::CONT.as_raw())
}

/// The streams.
#[cfg(windows)]
pub struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
    hangup: tokio::signal::windows::CtrlClose,
    heard: Heard,
}

#[cfg(windows)]
impl Signals {
    /// Takes the signals over from their default action.
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_break()?, hangup: ctrl_close()?, heard: Heard::never() })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        let signal = tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Hangup,
        };
        self.heard.now();
        signal
    }
}
