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

/// A watch that has begun: signals that come from now on are seen, also by who is told of them later.
pub(super) struct Watchdog {
    #[cfg(unix)]
    signals: Option<signal_hook::iterator::Signals>,
}

impl Watchdog {
    /// Takes the signals. To be made before a loop does: one that comes between the two would be lost where the loop is
    /// stuck at once.
    pub(super) fn new() -> Self {
        Self {
            // Where they cannot be taken, the loops are on their own.
            #[cfg(unix)]
            signals: signal_hook::iterator::Signals::new([
                signal_hook::consts::SIGHUP,
                signal_hook::consts::SIGINT,
                signal_hook::consts::SIGTERM,
            ])
            .ok(),
        }
    }

    /// Watches over a loop, on a thread of its own.
    #[cfg(unix)]
    pub(super) fn watch(self, watched: Watched) {
        let Some(mut signals) = self.signals else { return };
        let watch = move || {
            for number in &mut signals {
                let signal = match number {
                    signal_hook::consts::SIGINT => Signal::Interrupt,
                    signal_hook::consts::SIGTERM => Signal::Terminate,
                    _ => Signal::Hangup,
                };
                watched.see_to(signal);
            }
        };
        // Without it a signal may have to wait, which is no reason not to begin.
        drop(std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch));
    }

    /// There is nothing to watch for here.
    #[cfg(not(unix))]
    pub(super) fn watch(self, _: Watched) {}
}

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
