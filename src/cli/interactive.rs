//! The main form: `ehlo HOST [PORT]`, at a terminal or with a script on standard input.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::args::{ChannelBinding, DialArgs, LoginArgs, OutputArgs, SessionArgs, TlsArgs, TlsVersion};
use super::watchdog::{Watchdog, Watched};
use super::{check_session, complain, exit, password, streams, style};
use crate::jobs::credentials::{LoginOptions, PasswordSource};
use crate::net::Limits;
use crate::net::hello_name::HelloName;
use crate::net::tls::files::Identity;
use crate::net::tls::{TlsOptions, Version};
use crate::repl::{History, Options, Outcome, Repl, Screen, Source, Terminal, history_path};
use crate::sasl::Binding;
use crate::target::Target;

/// A session with the server that the arguments name.
pub(super) fn run(host: &str, port: Option<&str>, dial: &DialArgs, session: SessionArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    let target = Target::parse(host, port)?;
    run_on(target, dial, session, output, |_| {})
}

/// A session with options changed at will. `prepare` runs inside the runtime's thread before connecting.
pub(super) fn run_on(
    target: Target,
    dial: &DialArgs,
    session: SessionArgs,
    output: &OutputArgs,
    prepare: impl FnOnce(&mut Options),
) -> anyhow::Result<u8> {
    let mut options = options(target, dial, session, output)?;
    prepare(&mut options);
    let runtime = runtime()?;
    let outcome = runtime.block_on(talk(options, output))?;
    // As in `check`: a look-up is not waited for, a program is ended.
    runtime.shutdown_background();
    Ok(status(&outcome))
}

/// The runtime: one thread is all that a conversation needs.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")
}

/// The exit status, with the words that the session itself could not say.
pub(super) fn status(outcome: &Outcome) -> u8 {
    if let Outcome::OutputFailed(words) = outcome {
        complain(&format!("the output cannot be written: {}", crate::text::printable_str(words)));
    }
    exit::of(outcome)
}

fn options(target: Target, dial: &DialArgs, session: SessionArgs, output: &OutputArgs) -> anyhow::Result<Options> {
    check_session(&session)?;
    let tls = tls_options(&session.tls)?;
    let login = login_options(&session.login)?;
    let mut target = target;
    target.wish_tls(session.tls.tls, session.tls.starttls);
    let dial_options = super::dial::options(dial, &target)?;
    Ok(Options {
        target,
        mx: dial.mx,
        dial: dial_options,
        limits: Limits::new(session.timeout),
        hello_name: hello_name(session.hello_name),
        login,
        log: session.log,
        allow_cleartext: session.login.allow_cleartext,
        practice: None,
        keep_going: session.keep_going,
        verbose: output.verbose,
        raw: session.raw,
        tls,
        starttls: session.tls.starttls,
        insecure: session.tls.insecure,
        tour: false,
        preface: None,
    })
}

pub(super) fn login_options(args: &LoginArgs) -> anyhow::Result<LoginOptions> {
    let password = if args.netrc {
        PasswordSource::Netrc(netrc_path().context("there is no home directory to look for .netrc in")?)
    } else {
        password::source(&args.password)
    };
    Ok(LoginOptions {
        is_wanted: args.user.is_some() || args.auth.is_some() || args.netrc,
        user: args.user.clone(),
        authzid: args.authzid.clone(),
        mechanism: args.auth.as_deref().and_then(crate::sasl::lookup),
        binding: args.channel_binding.map(|binding| match binding {
            ChannelBinding::TlsExporter => Binding::Exporter,
            ChannelBinding::TlsServerEndPoint => Binding::ServerEndPoint,
        }),
        no_initial_response: args.no_initial_response,
        ntlm_v1: args.ntlmv1,
        password,
    })
}

/// `~/.netrc`, on Windows also `_netrc`.
fn netrc_path() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"))?);
    let other = home.join("_netrc");
    Some(if cfg!(windows) && other.exists() { other } else { home.join(".netrc") })
}

pub(super) fn tls_options(args: &TlsArgs) -> anyhow::Result<TlsOptions> {
    let version = |version: TlsVersion| match version {
        TlsVersion::Tls10 => Version::Tls10,
        TlsVersion::Tls11 => Version::Tls11,
        TlsVersion::Tls12 => Version::Tls12,
        TlsVersion::Tls13 => Version::Tls13,
    };
    let identity = args.cert.as_deref().map(|cert| Identity::read(cert, args.key.as_deref())).transpose();
    let options = TlsOptions {
        ca_file: args.ca_file.clone(),
        extra_roots: Vec::new(),
        server_name: args.server_name.clone(),
        no_sni: args.no_sni,
        min: args.tls_min.map(version),
        max: args.tls_max.map(version),
        groups: args.tls_groups.clone(),
        identity: identity.map_err(anyhow::Error::msg)?,
    };
    options.check().map_err(anyhow::Error::msg)?;
    Ok(options)
}

/// Runs the session at the terminal, or from standard input.
pub(super) async fn talk(options: Options, output: &OutputArgs) -> anyhow::Result<Outcome> {
    let (out_style, err_style) = style::decide(output, options.raw);
    let terminal = Terminal::open();
    no_core_dumps();
    let watchdog = Watchdog::new();
    let Some(terminal) = terminal else {
        let mut screen = if options.tour {
            // The tour explains as it goes: its two voices belong together, also in a file.
            Screen::terminal(Box::new(streams::stdout()), out_style)
        } else {
            Screen::streams(Box::new(streams::stdout()), Box::new(streams::stderr()), out_style, err_style)
        };
        screen.quiet = output.quiet;
        let source = Source::script();
        let repl = Repl::new(options, screen, source, None, History::without_file()).context("signals cannot be handled")?;
        watchdog.watch(Watched { heard: repl.heard(), terminal: None, status: Box::new(exit::of_signal) });
        return Ok(repl.run().await);
    };
    restore_after_panic(&terminal);
    let history = match history_path() {
        None => History::without_file(),
        Some(path) => History::open(&path).unwrap_or_else(|error| {
            let words = crate::net::dial::system_words(&error);
            complain(&format!(
                "the history {} cannot be used, going on without: {words}",
                crate::text::printable_str(&path.to_string_lossy())
            ));
            History::without_file()
        }),
    };
    let on_screen = std::io::stdout().is_terminal();
    let (source, print) =
        Source::terminal(out_style.color && on_screen, on_screen, history.lines().to_vec()).context("the line editor cannot be started")?;
    let mut screen = if on_screen {
        Screen::terminal(Box::new(streams::stdout()), out_style)
    } else {
        Screen::streams(Box::new(streams::stdout()), Box::new(streams::stderr()), out_style, err_style)
    };
    screen.set_printer(print);
    screen.quiet = output.quiet;
    let watched = Some(terminal.clone());
    let repl = Repl::new(options, screen, source, Some(terminal), history).context("signals cannot be handled")?;
    watchdog.watch(Watched { heard: repl.heard(), terminal: watched, status: Box::new(exit::of_signal) });
    Ok(repl.run().await)
}

/// Whatever goes wrong, the operator's terminal is left as it was found (P39).
fn restore_after_panic(terminal: &Terminal) {
    let terminal = terminal.clone();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        terminal.restore();
        before(panic);
    }));
}

/// Passwords pass through memory: a crash must not write them to disk (P25).
pub(super) fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Where it is not allowed, nothing else can be done.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
}

/// The name for EHLO: as it was given, or this machine's own.
pub(super) fn hello_name(given: Option<String>) -> HelloName {
    given.map_or_else(HelloName::of_this_machine, HelloName::Fixed)
}
