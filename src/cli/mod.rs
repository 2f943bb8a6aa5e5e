//! The command line: arguments → options → what is to be done → the exit status.

// This is the one module that writes to the standard streams and ends the process.
#![allow(clippy::exit)]

mod args;
mod check;
mod decode;
mod dial;
mod encode;
mod exit;
mod interactive;
mod password;
mod sandbox;
mod streams;
mod style;
mod watchdog;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use args::Cli;
use args::{Command, SessionArgs};

/// Runs the program and gives its exit status.
pub fn main() -> ExitCode {
    size_limits_are_errors();
    let mut command = Cli::command();
    if std::env::args_os().len() <= 1 {
        // Nothing was asked: the short help, and the status of a wrong command line.
        let _ = write!(streams::stderr(), "{}", command.render_help());
        return ExitCode::from(exit::USAGE);
    }
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => return show_clap(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return show_clap(&error),
    };
    match dispatch(cli, &matches) {
        Ok(status) => finish(status),
        Err(error) => {
            let words = format!("{error:#}");
            finish(check::usage(&words).unwrap_or_else(|| {
                complain(&words);
                exit::USAGE
            }))
        }
    }
}

/// Beyond the limit for the size of a file the system kills the process, unless it takes the signal: writing then fails,
/// and that is told (P52). Without such a limit there is nothing to take.
fn size_limits_are_errors() {
    #[cfg(unix)]
    if rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some() {
        // Where it cannot be taken, the system has its way.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    }
}

/// The editor's and the script's threads may still wait for input: the process ends all the same.
fn finish(status: u8) -> ExitCode {
    std::process::exit(i32::from(status))
}

fn dispatch(cli: Cli, matches: &clap::ArgMatches) -> anyhow::Result<u8> {
    let Cli { host, port, port_option, dial, session, output, command } = cli;
    if command.is_some() {
        refuse_flags_before_command(matches)?;
    }
    match command {
        Some(Command::Check(args)) => check::run(&args, &output),
        Some(Command::Decode(args)) => decode::run(&args, &output),
        Some(Command::Encode(args)) => encode::run(&args, &output),
        Some(Command::Sandbox(args)) => sandbox::run(*args, &output),
        Some(Command::Connect(args)) => interactive::run(&args.host, args.port.as_deref(), &args.dial, args.session, &output),
        None => {
            let host = host.unwrap_or_default();
            let port = match (port, port_option) {
                (Some(one), Some(other)) if one != other => anyhow::bail!("two ports were given, {one} and {other}: give one"),
                (one, other) => one.or(other),
            };
            if let Some(port) = &port {
                suggest_command(&host, port)?;
            }
            interactive::run(&host, port.as_deref(), &dial, session, &output)
        }
    }
}

/// `ehlo --timeout 5 decode x` would silently ignore the flag.
fn refuse_flags_before_command(matches: &clap::ArgMatches) -> anyhow::Result<()> {
    let name = matches.subcommand_name().unwrap_or_default();
    let command = Cli::command();
    let mut top = command.get_arguments().filter(|arg| !arg.is_global_set());
    let given = top.find(|arg| matches.value_source(arg.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine));
    let Some(arg) = given else { return Ok(()) };
    let flag = arg.get_long().map_or_else(|| arg.get_id().to_string(), |long| format!("--{long}"));
    anyhow::bail!("the flag or argument {flag} stands before the command '{name}': put it behind (ehlo {name} ...)")
}

/// `ehlo dekode TEXT`: the second word is no port, and the first is nearly a command.
fn suggest_command(host: &str, port: &str) -> anyhow::Result<()> {
    if crate::target::parse_port(port).is_ok() {
        return Ok(());
    }
    let names = Cli::command()
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect::<Vec<_>>();
    let near = names.into_iter().find(|name| crate::wire::verb::distance(name, host) <= 2);
    match near {
        Some(name) => anyhow::bail!("'{}' is not a port; did you mean the command 'ehlo {name}'?", crate::text::printable_str(port)),
        None => Ok(()),
    }
}

fn show_clap(error: &clap::Error) -> ExitCode {
    let status = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
    if error.use_stderr()
        && let Some(status) = check::usage(&first_paragraph(&error.to_string()))
    {
        return finish(status);
    }
    // A closed output is no reason to panic.
    let _ = error.print();
    finish(status)
}

/// What clap says, without the usage below it, as one line.
fn first_paragraph(words: &str) -> String {
    let lines = words.trim_start_matches("error: ").lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// `error: …` on standard error.
fn complain(words: &str) {
    let mut err = streams::stderr();
    let _ = writeln!(err, "error: {words}");
}

/// Writes a result to standard output; a closed one is a quiet end (P40).
fn print(text: &str) -> u8 {
    let mut out = streams::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => exit::DONE,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => exit::DONE,
        Err(error) => {
            complain(&format!("the output cannot be written: {}", crate::net::dial::system_words(&error)));
            exit::INPUT_OUTPUT
        }
    }
}

/// Checks of a session's arguments that clap cannot do.
fn check_session(session: &SessionArgs) -> anyhow::Result<()> {
    check_names(session.hello_name.as_deref(), session.login.user.as_deref())
}

/// The name for EHLO and the user name.
fn check_names(hello_name: Option<&str>, user: Option<&str>) -> anyhow::Result<()> {
    let odd = |text: &str| text.chars().any(char::is_control);
    if let Some(name) = hello_name
        && (odd(name) || name.trim().is_empty() || name.contains(' ') || name.len() > 255)
    {
        anyhow::bail!("the name for EHLO may hold neither spaces nor control characters, and no more than 255 characters");
    }
    if let Some(user) = user {
        if odd(user) {
            anyhow::bail!("the user name holds a control character");
        }
        if user.contains(':') {
            anyhow::bail!(
                "-u takes the user name alone: a password on the command line can be read by others. It is asked for, or comes from --password-file, --password-command, --password-stdin, --netrc or EHLO_PASSWORD"
            );
        }
    }
    Ok(())
}
