//! The command line of `ehlo check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{DialArgs, LoginArgs, TlsArgs, seconds};

/// `ehlo check`
#[derive(Debug, Args)]
#[command(
    after_help = SHORT_EPILOGUE,
    after_long_help = LONG_EPILOGUE,
    mut_arg("insecure", |arg| arg.help("Faults of the certificate are warnings, and the check goes on")),
    mut_arg("starttls", |arg| arg.help("A server without STARTTLS fails")),
    mut_arg("mx", |arg| arg.help("HOST is a mail domain: check each of its mail servers")),
    mut_arg("connect_timeout", |arg| arg.help("Seconds of them for the connection [default: 30]"))
)]
pub struct CheckArgs {
    /// What to check
    #[arg(
        value_name = "HOST",
        required_unless_present_any = ["input", "json_schema"],
        help = "HOST, HOST PORT, HOST:PORT,PORT, smtps://HOST, lmtp://HOST, unix:PATH, or a domain with --mx"
    )]
    pub hosts: Vec<String>,

    /// Read hosts from FILE, one a line, # for comments (- for standard input)
    #[arg(short, long, value_name = "FILE", conflicts_with = "hosts")]
    pub input: Option<PathBuf>,

    /// How far to go; RSET and QUIT after that
    ///
    /// Without it: tls, and a server without STARTTLS is a warning only. auth needs a user (-u); mail and rcpt log
    /// in where there is one. No message is ever sent. With --proxy-command connect waits for the greeting: a command
    /// that runs is no connection yet.
    #[arg(long, value_name = "PHASE", value_enum)]
    pub through: Option<Phase>,

    /// Sender for --through mail and rcpt [default: <>]
    #[arg(short, long, value_name = "ADDRESS")]
    pub from: Option<String>,

    /// Recipient for --through rcpt
    #[arg(short, long, value_name = "ADDRESS")]
    pub to: Option<String>,

    /// Fail if the server accepts --to: its domain is not hosted there (an open relay)
    ///
    /// With --through rcpt and without a login. Accepted is a failure; refused because of relaying is ok; refused for
    /// another reason (greylisting, the sender, a name that is not known) says nothing about relaying, and the exit
    /// status is that of the refusal.
    #[arg(long, requires = "to")]
    pub relay_test: bool,

    /// Every address of a name, not only the first that answers
    #[arg(long, conflicts_with_all = ["proxy", "proxy_command"])]
    pub all_addresses: bool,

    /// Hosts at the same time [default: 64]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub parallel: Option<u32>,

    /// Seconds for all phases of a host together [default: 60]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub timeout: Option<Duration>,

    /// Try N times more what may have been chance (not: refused for good)
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true, hide_short_help = true)]
    pub retry: u32,

    /// Do it again every SECS seconds, until Ctrl-C; changes are marked
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub watch: Option<Duration>,

    /// Look the names of addresses up (PTR) and compare them with the greeting
    #[arg(long, hide_short_help = true)]
    pub ptr: bool,

    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Show the JSON schema of --json, and do nothing else
    #[arg(long, hide_short_help = true)]
    pub json_schema: bool,

    /// Warn when a host takes longer
    #[arg(short, long, value_name = "SECS", value_parser = seconds)]
    pub warn: Option<Duration>,

    /// Fail when a host takes longer
    #[arg(short, long, value_name = "SECS", value_parser = seconds)]
    pub crit: Option<Duration>,

    /// Warn, and fail, when the certificate ends within DAYS [default: 14]
    #[arg(long, value_name = "DAYS[,DAYS]", value_parser = days)]
    pub cert_days: Option<Days>,

    /// Name to say in EHLO [default: this machine's full name or address]
    #[arg(long = "ehlo", alias = "helo", value_name = "NAME", env = "EHLO_NAME", hide_env_values = true, help_heading = "Connection")]
    pub hello_name: Option<String>,

    /// How to connect
    #[command(flatten)]
    pub dial: DialArgs,

    /// How TLS is spoken
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Who logs in
    #[command(flatten)]
    pub login: LoginArgs,
}

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// A connection
    Connect,
    /// The greeting
    #[value(alias = "greeting")]
    Banner,
    /// EHLO
    Ehlo,
    /// TLS; a server without STARTTLS fails
    Tls,
    /// A login
    Auth,
    /// MAIL FROM
    Mail,
    /// RCPT TO
    Rcpt,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
    /// A table for a spreadsheet
    Csv,
    /// A monitoring plugin: one line with performance data, exit status 0 to 3
    Nagios,
    /// Metrics for the textfile collector
    Prometheus,
}

/// Days for warning and for failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// Warn within so many.
    pub warn: i64,
    /// Fail within so many.
    pub fail: Option<i64>,
}

fn days(text: &str) -> Result<Days, String> {
    let number = |text: &str| text.trim().parse::<u16>().map(i64::from).map_err(|_| "give days as 21, or as 21,7".to_owned());
    match text.split_once(',') {
        Some((warn, fail)) => Ok(Days { warn: number(warn)?, fail: Some(number(fail)?) }),
        None => Ok(Days { warn: number(text)?, fail: None }),
    }
}

const SHORT_EPILOGUE: &str = "\
Examples:
  ehlo check mail.contoso.com
  ehlo check mail.contoso.com:25,465,587       ports explain each other
  ehlo check --mx contoso.com                  each mail server of a domain
  ehlo check -i hosts.txt -j 200               a list, 200 at the same time
Exit status: as that of ehlo; of several hosts the one in which all of them
ended, 10 when they differ.";

const LONG_EPILOGUE: &str = "\
Examples:
  ehlo check mail.contoso.com
  ehlo check mail.contoso.com:25,465,587       ports explain each other
  ehlo check mail1 mail2:587 smtps://mail3     several hosts
  ehlo check --mx contoso.com                  each mail server of a domain
  ehlo check -i hosts.txt -j 200               a list, 200 at the same time
  ehlo check mail.contoso.com --through rcpt --to postmaster@contoso.com
  ehlo check mail.contoso.com --through rcpt --to x@alt.test --relay-test
  ehlo check mail.contoso.com --watch 60 -q    verdicts, every minute
  ehlo check mail.contoso.com --format nagios -w 1 -c 5 --cert-days 21,7
  ehlo check -i hosts.txt --format prometheus > smtp.new; mv smtp.new smtp.prom

Exit status: 0 all is well (warnings are no failure), 1 refused (5xx), 2 usage,
or nothing to check, 3 DNS, 4 connect, 5 timeout, 6 lost connection or not SMTP,
7 TLS or certificate, 8 login, 9 try later (4xx), 10 several hosts that did not
all end alike, or a line that cannot be read beside them, 130 Ctrl-C. With
--format nagios: 0 ok, 1 warning, 2 critical, 3 unknown.";
