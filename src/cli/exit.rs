//! Exit statuses: one table, from types alone.

use crate::explain::failure::Failure;
use crate::explain::route::Trouble;
use crate::repl::{Outcome, Signal};

/// All that was asked was done.
pub(super) const DONE: u8 = 0;
/// Refused for good, or not finished.
pub(super) const REFUSED: u8 = 1;
/// The command line is wrong (clap's own status).
pub(super) const USAGE: u8 = 2;
/// The name was not resolved.
pub(super) const DNS: u8 = 3;
/// No connection.
pub(super) const CONNECT: u8 = 4;
/// No reply in time.
pub(super) const TIMEOUT: u8 = 5;
/// The connection was lost, or what answers is not SMTP.
pub(super) const LOST: u8 = 6;
/// No TLS, or a certificate with faults.
pub(super) const TLS: u8 = 7;
/// The login was refused.
pub(super) const LOGIN: u8 = 8;
/// Refused for now.
pub(super) const TRY_LATER: u8 = 9;
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
        Outcome::NotOpened(failure) => of_failure(failure),
        Outcome::TimedOut => TIMEOUT,
        Outcome::Tls => TLS,
        Outcome::Lost | Outcome::OutOfStep => LOST,
        Outcome::InputLost | Outcome::OutputFailed(_) => INPUT_OUTPUT,
        Outcome::Interrupted | Outcome::Signalled(Signal::Interrupt) => INTERRUPTED,
        Outcome::Signalled(Signal::Terminate) => 143,
        Outcome::Signalled(Signal::Hangup | Signal::Continue) => 129,
    }
}

/// The exit status of a connection that came to nothing.
pub(super) fn of_failure(failure: &Failure) -> u8 {
    match failure {
        Failure::NoSuchName | Failure::NoAddress { .. } | Failure::Resolver(_) | Failure::ResolverSilent => DNS,
        Failure::Refused
        | Failure::NoRoute
        | Failure::ConnectTimedOut(_)
        | Failure::Prohibited
        | Failure::BadLocalAddress(_)
        | Failure::ConnectOther(_) => CONNECT,
        Failure::Route(failure) => of_route(&failure.trouble),
        Failure::NoGreeting(_) => TIMEOUT,
        Failure::TlsEnded(_) | Failure::CertificateWanted(_) => TLS,
        Failure::ClosedAtOnce { .. } | Failure::LostAtOnce(_) | Failure::NotSmtp(_) | Failure::TooLong => LOST,
        Failure::GreetingRefused(_) => REFUSED,
        Failure::GreetingLater(_) => TRY_LATER,
    }
}

/// The exit status of a way that failed.
fn of_route(trouble: &Trouble) -> u8 {
    match trouble {
        Trouble::NullMx | Trouble::NoSuchDomain | Trouble::MxWithoutAddress { .. } | Trouble::NoMxAnswer(_) | Trouble::MailDomain(_) => DNS,
        _ => CONNECT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
