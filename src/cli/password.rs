//! Where the command line says that a password comes from.

use super::args::PasswordArgs;
use crate::jobs::credentials::PasswordSource;

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
