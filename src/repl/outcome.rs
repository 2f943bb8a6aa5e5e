//! How a session ended, for the exit status.

use std::io;

use super::signals::Signal;
use crate::explain::failure::Failure;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked was done, or the operator ended it.
    Done,
    /// The operator said QUIT and the server agreed.
    Quit,
    /// Refused for good, with this code.
    Refused(u16),
    /// Refused for now, with this code.
    TryLater(u16),
    /// The login was refused or not finished.
    LoginRefused,
    /// A password would have gone over a clear line.
    ClearTextRefused,
    /// No connection, or no greeting.
    NotOpened(Failure),
    /// No TLS, or a certificate with faults.
    Tls,
    /// No reply in time.
    TimedOut,
    /// The connection was lost, or what came was not SMTP.
    Lost,
    /// The server answered something else than what was asked.
    OutOfStep,
    /// The input ended before the message did, or a local command of a script failed.
    Unfinished,
    /// The input cannot be read.
    InputLost,
    /// Ctrl-C.
    Interrupted,
    /// A signal asked the program to end.
    Signalled(Signal),
    /// The output is closed: nobody reads on.
    OutputClosed,
    /// The output or the log cannot be written, in the system's words.
    OutputFailed(String),
}

impl Outcome {
    /// A write failed. A closed pipe is a quiet end, a full disk is not (P40).
    pub fn output_failed(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::OutputFailed(crate::net::dial::system_words(error))
        }
    }
}
