//! Where the command line says that a password comes from.

use std::time::Duration;

use super::args::PasswordArgs;
use super::exit;
use crate::jobs::credentials::{Found, PasswordSource};
use crate::net::dial::system_words as os_message;
use crate::repl::Signals;

/// The source that the flags name, else the environment, else a question.
pub(super) fn source(args: &PasswordArgs) -> PasswordSource {
    if let Some(command) = &args.command {
        PasswordSource::Command(command.clone())
    } else if let Some(path) = &args.file {
        PasswordSource::File(path.clone())
    } else if args.stdin {
        PasswordSource::Input
    } else if std::env::var_os(crate::secret::PASSWORD).is_some_and(|value| !value.is_empty()) {
        PasswordSource::Environment
    } else {
        PasswordSource::Prompt
    }
}

/// Reads a password before anything else is done. A signal ends the command that prints it, and then this process (P50).
///
/// # Errors
/// Those of [`PasswordSource::read`].
pub(super) fn read(source: &PasswordSource, user: &str, limit: Duration) -> Result<Option<Found>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| os_message(&error))?;
    let read = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(|error| Err(os_message(&error)))?;
        tokio::select! {
            read = source.read("", user, limit) => Ok(read),
            signal = signals.next_ending() => Err(Ok(signal)),
        }
    });
    match read {
        Ok(read) => read,
        Err(Err(words)) => Err(words),
        Err(Ok(signal)) => std::process::exit(i32::from(exit::of_signal(signal))),
    }
}
