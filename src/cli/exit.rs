//! Exit statuses, from types alone: those of failures are told by their class.

use crate::explain::failure::{self, Class};
use crate::repl::{Outcome, Signal};

/// All that was asked was done.
pub(super) const DONE: u8 = 0;
/// Refused for good, or not finished.
pub(super) const REFUSED: u8 = Class::Refused.status();
/// The command line is wrong (clap's own status).
pub(super) const USAGE: u8 = failure::USAGE;
/// No reply in time.
pub(super) const TIMEOUT: u8 = Class::Timeout.status();
/// The connection was lost, or what answers is not SMTP.
pub(super) const LOST: u8 = Class::Lost.status();
/// No TLS, or a certificate with faults.
pub(super) const TLS: u8 = Class::Tls.status();
/// The login was refused.
pub(super) const LOGIN: u8 = Class::Login.status();
/// Refused for now.
pub(super) const TRY_LATER: u8 = Class::TryLater.status();
/// Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;
/// The input or the output failed.
pub(super) const INPUT_OUTPUT: u8 = 1;

/// The exit status of a session.
pub(super) fn of(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Done | Outcome::Quit | Outcome::OutputClosed => DONE,
        Outcome::Refused(_) | Outcome::Unfinished => REFUSED,
        Outcome::TryLater(_) => TRY_LATER,
        Outcome::LoginRefused | Outcome::ClearTextRefused => LOGIN,
        Outcome::NotOpened(failure) => failure.class().status(),
        Outcome::TimedOut => TIMEOUT,
        Outcome::Tls => TLS,
        Outcome::Lost | Outcome::OutOfStep => LOST,
        Outcome::InputLost | Outcome::OutputFailed(_) => INPUT_OUTPUT,
        Outcome::Interrupted => INTERRUPTED,
        Outcome::Signalled(signal) => of_signal(*signal),
    }
}

/// The exit status after a signal.
pub(super) fn of_signal(signal: Signal) -> u8 {
    match signal {
        Signal::Interrupt => INTERRUPTED,
        Signal::Terminate => 143,
        Signal::Hangup | Signal::Continue => 129,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::failure::Failure;

    #[test]
    fn every_outcome_has_its_status() {
        // P44
        let table = [
            (Outcome::Done, 0),
            (Outcome::Refused(550), 1),
            (Outcome::NotOpened(Failure::NoSuchName), 3),
            (Outcome::NotOpened(Failure::Refused), 4),
            (Outcome::TimedOut, 5),
            (Outcome::Lost, 6),
            (Outcome::Tls, 7),
            (Outcome::LoginRefused, 8),
            (Outcome::TryLater(450), 9),
            (Outcome::Interrupted, 130),
            (Outcome::Signalled(Signal::Terminate), 143),
        ];
        for (outcome, status) in table {
            assert_eq!(of(&outcome), status, "{outcome:?}");
        }
    }
}
