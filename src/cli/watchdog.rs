//! The end that a signal asks for, also where the program is stuck in something that it cannot leave: a pipe or terminal
//! that nobody reads, a look-up of the system's (P50).
//!
//! The loops of session and check take signals themselves and end in order. A thread of its own watches over that, and
//! ends the process where they do not come to it.

use crate::repl::{Heard, Signal, Terminal};

/// Who is watched.
pub(super) struct Watched {
    /// When the loop heard of a signal last.
    pub(super) heard: Heard,
    /// The operator's terminal. Ctrl-C is then a key of the session's, and only ends it when the loop does not hear it.
    pub(super) terminal: Option<Terminal>,
    /// The exit status after a signal.
    pub(super) status: Box<dyn Fn(Signal) -> u8 + Send>,
}

/// Starts to watch. Where there are no signals to watch for, or no thread is to be had, the loops are on their own.
#[cfg(unix)]
pub(super) fn start(watched: Watched) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
    let watch = move || {
        for number in &mut signals {
            let signal = match number {
                SIGINT => Signal::Interrupt,
                SIGTERM => Signal::Terminate,
                _ => Signal::Hangup,
            };
            watched.see_to(signal);
        }
    };
    // Without it a signal may have to wait, which is no reason not to begin.
    drop(std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch));
}

#[cfg(not(unix))]
pub(super) fn start(_: Watched) {}

#[cfg(unix)]
impl Watched {
    /// Gives the loop its time, then ends the process if it has to.
    fn see_to(&self, signal: Signal) {
        use std::time::{Duration, Instant};
        /// How long the loop may take to end in order.
        const PATIENCE: Duration = Duration::from_millis(750);
        /// It may hear of a signal a moment before this thread does.
        const SLACK: Duration = Duration::from_millis(200);
        let began = Instant::now();
        std::thread::sleep(PATIENCE);
        let is_heard = self.heard.last().is_some_and(|at| at + SLACK >= began);
        if self.terminal.is_some() && signal == Signal::Interrupt && is_heard {
            return;
        }
        if let Some(terminal) = &self.terminal {
            terminal.restore_at_once();
        }
        std::process::exit(i32::from((self.status)(signal)));
    }
}
