//! `ehlo check`: flags → wishes → results as they come → the exit status.

mod paper;
mod work;

use std::io::{IsTerminal as _, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use paper::Paper;
use work::Work;

use super::args::{CheckArgs, Format as Which, OutputArgs, Phase};
use super::{check_names, interactive, password, print, streams, style};
use crate::explain::place::Caller;
use crate::jobs::check::input::{self, Item};
use crate::jobs::check::options::{TIMEOUT, WARN_DAYS};
use crate::jobs::check::{Checker, Credentials, Options, Through};
use crate::jobs::credentials::{LoginOptions, PasswordSource, first_line, read_line};
use crate::net::command;
use crate::net::dial::{self, Route};
use crate::net::dns::{Resolver, parse_server};
use crate::render::check::csv::Csv;
use crate::render::check::json::{self, Json};
use crate::render::check::nagios::{self, Nagios};
use crate::render::check::prometheus::Prometheus;
use crate::render::check::text::Text;
use crate::render::check::{Apart, Format, Limits, Wishes};
use crate::secret::Secret;
use crate::target::{Protocol, Target};
use crate::wire::address;

/// Endpoints at the same time, unless it is said.
const PARALLEL: usize = 64;
/// So many times as many look-ups as hosts at the same time: one that was given up keeps its thread until the system has
/// had enough of it.
const LOOK_UPS: usize = 8;
/// Files that are open beside those of the endpoints.
const OTHER_FILES: u64 = 16;

/// Checks what the arguments name, or shows how JSON is written.
pub(super) fn run(args: &CheckArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    if args.json_schema {
        return Ok(print(json::SCHEMA_TEXT));
    }
    if args.watch.is_some() && matches!(args.format, Which::Nagios | Which::Prometheus) {
        bail!("--watch goes with text, json and csv: the other formats tell of one round");
    }
    check(args, output)
}

/// What a monitoring system is told of a command line that is wrong: a line on standard output, and a status of its
/// own. `None` where another format is asked for.
pub(super) fn usage(words: &str) -> Option<u8> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let asked = arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "nagios")
        || arguments.iter().any(|argument| argument == "--format=nagios");
    asked.then(|| {
        print(&nagios::unknown(words));
        nagios::UNKNOWN
    })
}

fn check(args: &CheckArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    check_names(args.hello_name.as_deref(), args.login.user.as_deref())?;
    let targets = targets(args)?;
    let first = targets.first().and_then(|named| named.first()).cloned();
    let options = options(args, first.as_ref())?;
    let is_list = args.input.is_some()
        || targets.len() > 1
        || targets.iter().any(|named| named.len() > 1)
        || options.all_addresses
        || options.mx.is_some();
    let (out_style, err_style) = style::decide(output, false);
    let wishes = Wishes {
        style: out_style,
        is_list,
        many_domains: args.dial.mx && (args.input.is_some() || targets.len() > 1),
        again: args.watch.is_some(),
        verbose: output.verbose,
        quiet: output.quiet,
        caller: Caller::Check,
    };
    let format = format(if args.json { Which::Json } else { args.format }, wishes, &options);
    let few = args.input.is_none();
    let parallel = parallel(args, &options, few.then_some(targets.iter().map(Vec::len).sum()))?;
    let input = match &args.input {
        Some(path) => {
            let (implicit, starttls) = (args.tls.tls, args.tls.starttls);
            input::read(open(path)?, move |target| target.wish_tls(implicit, starttls))
        }
        None => input::given(targets.into_iter().map(Item::Named).collect()),
    };
    // Whoever reads standard output through a pager draws there.
    let looks_on = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
    let live = (looks_on && !output.quiet && !err_style.plain).then(|| err_style.width.unwrap_or(80));
    let work = Work::new(Checker::new(options), format, parallel, args.watch, Paper::new(live)).of_few(few);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads((parallel * LOOK_UPS).clamp(512, 4096))
        .build()
        .context("the runtime cannot be started")?;
    let status = runtime.block_on(work.run(input))?;
    // What was given up is dropped here, and programs that it led through end. A look-up may still block its thread;
    // the process does not wait for it.
    runtime.shutdown_background();
    Ok(status)
}

/// One line for each format.
fn format(which: Which, wishes: Wishes, options: &Options) -> Box<dyn Format> {
    let apart = Apart { by_address: options.all_addresses, by_domain: options.mx.is_some() };
    match which {
        Which::Text => Box::new(Text::new(wishes)),
        Which::Json => Box::new(Json),
        Which::Csv => Box::new(Csv::default()),
        Which::Nagios => Box::new(Nagios::new(limits(options), apart, wishes.quiet, wishes.is_list)),
        Which::Prometheus => Box::new(Prometheus::new(apart)),
    }
}

fn limits(options: &Options) -> Limits {
    Limits { warn_after: options.warn_after, fail_after: options.fail_after, warn_days: options.warn_days, fail_days: options.fail_days }
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let shown = crate::text::printable_str(&path.to_string_lossy()).into_owned();
    if path.is_dir() {
        bail!("{shown} is a folder, and a file with hosts is wanted");
    }
    let file = std::fs::File::open(path).map_err(|error| anyhow::anyhow!("{shown}: {}", dial::system_words(&error)))?;
    Ok(Box::new(file))
}

// ---- from flags to wishes ----------------------------------------------------------------------

/// What was named on the command line. `HOST PORT` is understood as everywhere else.
fn targets(args: &CheckArgs) -> anyhow::Result<Vec<Vec<Target>>> {
    let mut targets = Vec::new();
    match &args.hosts[..] {
        [host, port] if crate::target::parse_port(port).is_ok() => targets.push(Target::parse_ports(host, Some(port))?),
        hosts => {
            for host in hosts {
                targets.push(Target::parse_ports(host, None)?);
            }
        }
    }
    targets.iter_mut().flatten().for_each(|target| target.wish_tls(args.tls.tls, args.tls.starttls));
    Ok(targets)
}

fn options(args: &CheckArgs, first: Option<&Target>) -> anyhow::Result<Options> {
    let through = match args.through {
        None | Some(Phase::Tls) => Through::Tls,
        Some(Phase::Connect) => Through::Connect,
        Some(Phase::Banner) => Through::Greeting,
        Some(Phase::Ehlo) => Through::Hello,
        Some(Phase::Auth) => Through::Auth,
        Some(Phase::Mail) => Through::Mail,
        Some(Phase::Rcpt) => Through::Recipient,
    };
    let login = credentials(args, through)?;
    let login_wanted = login.is_some();
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    // Where a list is read, each target says for itself what goes with the flags.
    let anything = Target::new("localhost", 25);
    let mut dial = super::dial::options(&args.dial, first.unwrap_or(&anything))?;
    dial.timeout = dial.timeout.min(timeout);
    let mx = if args.dial.mx { Some(resolver(args).context("--mx")?) } else { None };
    if mx.is_some() {
        // The addresses too, so that aliases are seen.
        dial.resolver.clone_from(&mx);
    }
    let days = args.cert_days;
    limits_in_order(args)?;
    Ok(Options {
        through,
        tls_required: args.tls.starttls || args.through == Some(Phase::Tls),
        dial,
        timeout,
        hello_name: interactive::hello_name(args.hello_name.clone()),
        tls: interactive::tls_options(&args.tls)?,
        insecure: args.tls.insecure,
        login,
        allow_cleartext: args.login.allow_cleartext,
        sender: sender(args)?,
        recipient: recipient(args, through)?,
        relay_test: relay_test(args, through, login_wanted, first)?,
        warn_days: days.map_or(WARN_DAYS, |days| days.warn),
        fail_days: days.and_then(|days| days.fail),
        warn_after: args.warn,
        fail_after: args.crit,
        reverse: if args.ptr { Some(resolver(args).context("--ptr")?) } else { None },
        retries: args.retry,
        all_addresses: args.all_addresses,
        mx,
    })
}

/// A warning that comes later than the failure never comes.
fn limits_in_order(args: &CheckArgs) -> anyhow::Result<()> {
    if let (Some(warn), Some(crit)) = (args.warn, args.crit)
        && warn > crit
    {
        bail!("--warn allows more time than --crit: a host that is too slow would fail before it warns");
    }
    if let Some(days) = args.cert_days
        && let Some(fail) = days.fail.filter(|fail| *fail > days.warn)
    {
        bail!("--cert-days {},{fail}: the first number is for warnings, and has to be the higher one", days.warn);
    }
    Ok(())
}

fn resolver(args: &CheckArgs) -> anyhow::Result<Resolver> {
    let server = args.dial.resolver.as_deref().map(parse_server).transpose().map_err(anyhow::Error::msg).context("--resolver")?;
    Ok(Resolver::new(server)?)
}

fn recipient(args: &CheckArgs, through: Through) -> anyhow::Result<String> {
    match (&args.to, through >= Through::Recipient) {
        (Some(address), true) => mailbox(address, "--to"),
        (None, true) => bail!("--through rcpt wants a recipient: --to ADDRESS"),
        (Some(_), false) => bail!("--to is for --through rcpt"),
        (None, false) => Ok(String::new()),
    }
}

/// Who logs in may relay, and LMTP is for local delivery: a relay test there says nothing.
fn relay_test(args: &CheckArgs, through: Through, logs_in: bool, first: Option<&Target>) -> anyhow::Result<bool> {
    if !args.relay_test {
        return Ok(false);
    }
    if through < Through::Recipient {
        bail!("--relay-test is for --through rcpt --to ADDRESS");
    }
    if logs_in {
        bail!("--relay-test is without a login: who is logged in may relay");
    }
    if first.is_some_and(|target| target.protocol == Protocol::Lmtp) {
        bail!("--relay-test is for SMTP: LMTP delivers only to mailboxes of its own");
    }
    Ok(true)
}

/// An address, with or without its angle brackets; nothing in it may end the line or the path (P33).
fn mailbox(text: &str, flag: &str) -> anyhow::Result<String> {
    let bare = text.trim_matches(' ');
    let bare = bare.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(bare);
    address::check(bare).with_context(|| format!("{flag}: '{}' is not an address", crate::text::printable_str(text)))?;
    Ok(bare.to_owned())
}

/// The sender; empty for the null sender (`<>`, RFC 5321 §4.5.5).
fn sender(args: &CheckArgs) -> anyhow::Result<String> {
    match args.from.as_deref() {
        None | Some("" | "<>") => Ok(String::new()),
        Some(address) => mailbox(address, "--from"),
    }
}

fn credentials(args: &CheckArgs, through: Through) -> anyhow::Result<Option<Credentials>> {
    let options = interactive::login_options(&args.login)?;
    if !options.is_wanted {
        if through == Through::Auth {
            bail!("--through auth wants a user: -u USER (or --auth EXTERNAL with --cert, or --netrc)");
        }
        return Ok(None);
    }
    if through < Through::Auth {
        bail!("a user is given (-u, --auth, --netrc), and the check does not go that far: --through auth");
    }
    interactive::no_core_dumps();
    let secret = secret(&options, args.input.as_deref(), args.timeout.unwrap_or(TIMEOUT))?;
    Ok(Some(Credentials { options, secret }))
}

/// The password, once for all hosts; none where it depends on the host or the method needs none.
fn secret(options: &LoginOptions, list: Option<&Path>, limit: Duration) -> anyhow::Result<Option<Secret<String>>> {
    use crate::sasl::Needs;
    let needs_one = options.mechanism.is_none_or(|known| matches!(known.needs, Needs::Password | Needs::Token));
    let user = options.user.as_deref().unwrap_or_default();
    match &options.password {
        PasswordSource::Netrc(_) => Ok(None),
        _ if !needs_one => Ok(None),
        PasswordSource::Prompt => {
            let who = crate::text::printable_str(user);
            let typed = rpassword::prompt_password(format!("Password of {who}: "));
            let words = "there is no terminal to ask for the password at: give it by --password-file, --password-command or --netrc";
            Ok(Some(Secret::new(typed.map_err(|_| anyhow::anyhow!(words))?)))
        }
        PasswordSource::Input => {
            if list.is_some_and(|path| path.as_os_str() == "-") {
                bail!("the list and the password cannot both come from standard input");
            }
            let line = read_line(std::io::stdin().lock()).context("--password-stdin")?;
            Ok(Some(first_line(line).map_err(|words| anyhow::anyhow!("the first line of the input {words}"))?))
        }
        source => {
            let found = password::read(source, user, limit).map_err(anyhow::Error::msg)?;
            if let Some(warning) = found.as_ref().and_then(|found| found.warning.as_deref()) {
                let _ = writeln!(streams::stderr(), "warning: {}", crate::text::printable_str(warning));
            }
            Ok(found.map(|found| found.secret))
        }
    }
}

/// How many at the same time: as many as asked for, and as there may be open files. `known`: how many there are.
fn parallel(args: &CheckArgs, options: &Options, known: Option<usize>) -> anyhow::Result<usize> {
    let wanted = args.parallel.map_or(PARALLEL, |count| count as usize);
    let (files, others) = match options.dial.route {
        Route::Command(_) => (command::FILES, OTHER_FILES + command::FILES_AT_START),
        Route::Direct | Route::Proxy(_) => (dial::FILES, OTHER_FILES),
    };
    let Some(limit) = raise_open_files() else { return Ok(wanted) };
    let most = usize::try_from(limit.saturating_sub(others) / files).unwrap_or(usize::MAX);
    if most == 0 {
        bail!("this process may have {limit} open files: that is not enough (ulimit -n)");
    }
    // What a name or a domain leads to is not known yet.
    let known = known.filter(|_| !options.all_addresses && options.mx.is_none()).unwrap_or(usize::MAX);
    if most < wanted.min(known) {
        let s = if most == 1 { "" } else { "s" };
        complain_softly(&format!("only {limit} open files are allowed (ulimit -n): {most} host{s} at the same time, not {wanted}"));
    }
    Ok(wanted.min(most))
}

/// Lifts the soft limit to the hard one; gives what holds now, `None` for no limit.
#[cfg(unix)]
fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum });
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn raise_open_files() -> Option<u64> {
    None
}

/// `note: …` on standard error.
fn complain_softly(words: &str) {
    let _ = writeln!(streams::stderr(), "note: {words}");
}
