//! The command line, as clap sees it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};

mod check;

pub(super) use check::{CheckArgs, Format, Phase};

use crate::explain::blob::Form;

/// Talk SMTP to a mail server, and find out why mail does not flow
#[derive(Debug, Parser)]
#[command(
    name = "ehlo",
    version,
    override_usage = "ehlo [OPTIONS] <HOST> [PORT]\n       ehlo [OPTIONS] <COMMAND> ...",
    subcommand_negates_reqs = true,
    max_term_width = 80,
    after_help = SHORT_EPILOGUE,
    after_long_help = LONG_EPILOGUE
)]
pub struct Cli {
    /// The server
    #[arg(required = true, help = "Server: name, address, HOST:PORT, [IPv6]:PORT, lmtp://HOST, unix:PATH")]
    pub host: Option<String>,

    /// Port number or service name (smtp, submission, submissions) [default: 25]
    pub port: Option<String>,

    /// The port again, for fingers used to other tools
    #[arg(short = 'p', long = "port", hide = true, value_name = "PORT")]
    pub port_option: Option<String>,

    /// How to connect
    #[command(flatten)]
    pub dial: DialArgs,

    /// How to talk
    #[command(flatten)]
    pub session: SessionArgs,

    /// What to show
    #[command(flatten)]
    pub output: OutputArgs,

    /// What else to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of connecting.
#[derive(Debug, Default, Clone, Args)]
pub struct DialArgs {
    /// IPv4 only
    #[arg(short = '4', long, help_heading = "Connection", conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// IPv6 only
    #[arg(short = '6', long, help_heading = "Connection")]
    pub ipv6: bool,

    /// Connect from this local address
    #[arg(short, long, value_name = "ADDRESS", help_heading = "Connection", value_parser = crate::net::zone::parse_address, hide_short_help = true)]
    pub bind: Option<SocketAddr>,

    /// Seconds to wait for the connection [default: 30]
    #[arg(long, value_name = "SECS", help_heading = "Connection", value_parser = seconds, hide_short_help = true)]
    pub connect_timeout: Option<std::time::Duration>,

    /// HOST is a mail domain: use its mail server
    #[arg(long, help_heading = "Connection")]
    pub mx: bool,

    /// Look names up at this name server [default: as the system does]
    #[arg(long, value_name = "ADDRESS", help_heading = "Connection", hide_short_help = true)]
    pub resolver: Option<String>,

    /// Through a proxy: socks5://HOST:PORT or http://HOST:PORT
    ///
    /// SOCKS 4a, SOCKS 5 or CONNECT of HTTP. The proxy looks the name of the server up. With a user:
    /// socks5://USER@HOST:PORT, and the password in `EHLO_PROXY_PASSWORD`.
    #[arg(long, value_name = "URL", help_heading = "Connection", hide_short_help = true)]
    pub proxy: Option<String>,

    /// Through a program: 'ssh -W [%h]:%p jump' (%h host, %p port, %% percent sign)
    #[arg(
        long,
        value_name = "COMMAND",
        help_heading = "Connection",
        conflicts_with_all = ["proxy", "bind", "ipv4", "ipv6"],
        hide_short_help = true
    )]
    pub proxy_command: Option<String>,

    /// Send the header of the PROXY protocol first: v1 or v2, with other addresses than the real ones
    /// v2,SOURCE:PORT,DESTINATION:PORT, as a health check v2,local
    #[arg(long, value_name = "VERSION", help_heading = "Connection", hide_short_help = true)]
    pub proxy_protocol: Option<String>,
}

/// Flags of a session.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// Name to say in EHLO [default: this machine's full name or address]
    #[arg(long = "ehlo", alias = "helo", value_name = "NAME", env = "EHLO_NAME", hide_env_values = true, help_heading = "Connection")]
    pub hello_name: Option<String>,

    /// Seconds to wait for each whole reply [default: 300, and 600 for the fate of a message]
    #[arg(long, value_name = "SECS", help_heading = "Connection", value_parser = seconds)]
    pub timeout: Option<std::time::Duration>,

    /// How TLS is spoken
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Who logs in
    #[command(flatten)]
    pub login: LoginArgs,

    /// Write the session to FILE; secrets are left out
    #[arg(short, long, value_name = "FILE", help_heading = "Session")]
    pub log: Option<PathBuf>,

    /// Script: go on after a refusal
    #[arg(long, help_heading = "Session", hide_short_help = true)]
    pub keep_going: bool,

    /// No hints, no explanations, no prompt decoration: bytes in, bytes out
    #[arg(long, help_heading = "Session")]
    pub raw: bool,
}

/// Flags of TLS.
#[derive(Debug, Args)]
pub struct TlsArgs {
    /// Say EHLO and STARTTLS before anything else
    #[arg(short = 'S', long, help_heading = "TLS", conflicts_with = "tls")]
    pub starttls: bool,

    /// TLS from the first byte (the default on port 465)
    #[arg(long, alias = "tls-on-connect", help_heading = "TLS")]
    pub tls: bool,

    /// Script: go on although the certificate is not valid (its faults are still shown)
    #[arg(short = 'k', long, help_heading = "TLS")]
    pub insecure: bool,

    /// Trust the certificates in FILE (PEM) in the place of the system's
    #[arg(long = "cacert", alias = "ca-file", value_name = "FILE", help_heading = "TLS", hide_short_help = true)]
    pub ca_file: Option<PathBuf>,

    /// Name to ask for and to check [default: HOST]
    #[arg(long = "servername", alias = "tls-sni", value_name = "NAME", help_heading = "TLS", hide_short_help = true)]
    pub server_name: Option<String>,

    /// Do not send the name (SNI)
    #[arg(long, help_heading = "TLS", hide_short_help = true)]
    pub no_sni: bool,

    /// Our certificate and its chain (PEM)
    #[arg(long, value_name = "FILE", help_heading = "TLS", hide_short_help = true)]
    pub cert: Option<PathBuf>,

    /// The key of our certificate, unless it is in the same file
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "cert", hide_short_help = true)]
    pub key: Option<PathBuf>,

    /// Lowest TLS version
    #[arg(long, value_name = "VERSION", value_enum, help_heading = "TLS", hide_short_help = true)]
    pub tls_min: Option<TlsVersion>,

    /// Highest TLS version
    #[arg(long, value_name = "VERSION", value_enum, help_heading = "TLS", hide_short_help = true)]
    pub tls_max: Option<TlsVersion>,

    /// Key exchange groups, in their order (X25519MLKEM768,X25519,secp256r1,...)
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "TLS", hide_short_help = true)]
    pub tls_groups: Vec<String>,
}

/// Flags of a login.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Log in as USER; the password is asked for
    #[arg(short, long, value_name = "USER", env = "EHLO_USER", hide_env_values = true, help_heading = "Login")]
    pub user: Option<String>,

    /// Log in by METHOD [default: the best one that the server offers]
    #[arg(long, value_name = "METHOD", value_parser = one_of(crate::sasl::MECHANISMS.iter().map(|known| known.name)), ignore_case = true, hide_possible_values = true, help_heading = "Login")]
    pub auth: Option<String>,

    /// Where the password comes from
    #[command(flatten)]
    pub password: PasswordArgs,

    /// Take user and password from ~/.netrc
    #[arg(long, help_heading = "Login", group = "password", hide_short_help = true)]
    pub netrc: bool,

    /// Ask for the rights of another user (authorization identity)
    #[arg(long, value_name = "USER", help_heading = "Login", hide_short_help = true)]
    pub authzid: Option<String>,

    /// Channel binding of the -PLUS methods [default: tls-exporter]
    #[arg(long, value_name = "TYPE", value_enum, help_heading = "Login", hide_short_help = true)]
    pub channel_binding: Option<ChannelBinding>,

    /// Send AUTH alone, and the first message only when the server asks for it
    #[arg(long, help_heading = "Login", hide_short_help = true)]
    pub no_initial_response: bool,

    /// Answer NTLM in its broken first version where the server asks for it
    #[arg(long = "ntlmv1", help_heading = "Login", hide_short_help = true)]
    pub ntlmv1: bool,

    /// Allow logins that give the password away on an unencrypted or unverified connection
    #[arg(long, help_heading = "Login", hide_short_help = true)]
    pub allow_cleartext: bool,
}

/// Flags that say where a password comes from.
#[derive(Debug, Args)]
#[group(skip)]
pub struct PasswordArgs {
    /// Run CMD; the first line it prints is the password (or OAuth token)
    #[arg(id = "password_command", long = "password-command", value_name = "CMD", help_heading = "Login", group = "password")]
    pub command: Option<String>,

    /// The first line of FILE is the password (or OAuth token)
    #[arg(
        id = "password_file",
        long = "password-file",
        value_name = "FILE",
        help_heading = "Login",
        group = "password",
        hide_short_help = true
    )]
    pub file: Option<PathBuf>,

    /// The first line of the input is the password; a script may follow
    #[arg(id = "password_stdin", long = "password-stdin", help_heading = "Login", group = "password", hide_short_help = true)]
    pub stdin: bool,
}

impl PasswordArgs {
    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        self.command.is_some() || self.file.is_some() || self.stdin
    }
}

/// Flags of what is shown; valid everywhere.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Colours
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", global = true, help_heading = "Output")]
    pub color: When,

    /// Words instead of signs, no colour, no redrawing (screen readers)
    #[arg(long, global = true, help_heading = "Output", env = "EHLO_PLAIN", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new(), hide_short_help = true)]
    pub plain: bool,

    /// More detail: DNS answers, each address tried, certificates
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Output")]
    pub verbose: u8,

    /// Less: results only
    #[arg(short, long, global = true, help_heading = "Output", conflicts_with = "verbose")]
    pub quiet: bool,
}

/// A TLS version on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsVersion {
    /// TLS 1.0 (builds with the feature legacy-tls)
    #[value(name = "1.0", hide = cfg!(not(feature = "legacy-tls")))]
    Tls10,
    /// TLS 1.1 (builds with the feature legacy-tls)
    #[value(name = "1.1", hide = cfg!(not(feature = "legacy-tls")))]
    Tls11,
    /// TLS 1.2
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3
    #[value(name = "1.3")]
    Tls13,
}

/// A type of channel binding on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChannelBinding {
    /// From the keys of the connection (RFC 9266), TLS 1.3
    TlsExporter,
    /// From the server's certificate (RFC 5929)
    TlsServerEndPoint,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal that can do it, unless `NO_COLOR` or `CLICOLOR=0` says otherwise
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The subcommands.
#[derive(Debug)]
pub enum Command {
    /// `ehlo check`
    Check(Box<CheckArgs>),
    /// `ehlo decode`
    Decode(DecodeArgs),
    /// `ehlo encode`
    Encode(EncodeArgs),
    /// `ehlo sandbox`
    Sandbox(Box<SandboxArgs>),
    /// `ehlo connect`
    Connect(Box<ConnectArgs>),
}

/// What is known of a subcommand before it is used.
struct Row {
    name: &'static str,
    about: &'static str,
    /// Not in the list of subcommands.
    hidden: bool,
    /// Adds its arguments.
    grow: fn(clap::Command) -> clap::Command,
    read: fn(&mut ArgMatches) -> Result<Command, clap::Error>,
}

/// One row for each subcommand. clap's derive would make the arguments of all of them at every start, which is
/// half of the time that a start takes.
const COMMANDS: &[Row] = &[
    Row {
        name: "check",
        about: "Is a server reachable, and if not, where does it stop? One or many",
        hidden: false,
        grow: grow::<CheckArgs>,
        read: |given| Ok(Command::Check(Box::new(CheckArgs::from_arg_matches_mut(given)?))),
    },
    Row {
        name: "decode",
        about: "Say what a 334, an AUTH line, a login or a blob says",
        hidden: false,
        grow: grow::<DecodeArgs>,
        read: |given| Ok(Command::Decode(DecodeArgs::from_arg_matches_mut(given)?)),
    },
    Row {
        name: "encode",
        about: "Encode text as base64 and its like, or a login",
        hidden: false,
        grow: grow::<EncodeArgs>,
        read: |given| Ok(Command::Encode(EncodeArgs::from_arg_matches_mut(given)?)),
    },
    Row {
        name: "sandbox",
        about: "Start a practice server on this machine and connect to it",
        hidden: false,
        grow: grow::<SandboxArgs>,
        read: |given| Ok(Command::Sandbox(Box::new(SandboxArgs::from_arg_matches_mut(given)?))),
    },
    Row {
        name: "connect",
        about: "Connect to a host that is named like a command",
        hidden: true,
        grow: grow::<ConnectArgs>,
        read: |given| Ok(Command::Connect(Box::new(ConnectArgs::from_arg_matches_mut(given)?))),
    },
];

/// Adds the arguments, and keeps what the list of subcommands says.
fn grow<A: Args>(command: clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    A::augment_args(command).about(about)
}

impl Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let later = |row: &Row| clap::Command::new(row.name).about(row.about).hide(row.hidden).defer(row.grow);
        COMMANDS.iter().fold(command, |command, row| command.subcommand(later(row)))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        COMMANDS.iter().any(|row| row.name == name)
    }
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let (name, mut given) = matches.remove_subcommand().ok_or_else(|| clap::Error::new(ErrorKind::MissingSubcommand))?;
        let row = COMMANDS.iter().find(|row| row.name == name).ok_or_else(|| clap::Error::new(ErrorKind::InvalidSubcommand))?;
        (row.read)(&mut given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// `ehlo decode`
#[derive(Debug, Args)]
#[command(after_help = DECODE_EPILOGUE)]
pub struct DecodeArgs {
    /// What it is, when that cannot be seen: base64, base64url, word (RFC 2047), qp (quoted-printable), xtext
    /// or a mechanism of AUTH
    #[arg(long = "as", value_name = "KIND", value_parser = one_of(Form::names()), ignore_case = true, hide_possible_values = true)]
    pub form: Option<String>,
    /// Show passwords, tokens and digests; with --as base64 every byte
    #[arg(long)]
    pub show_secrets: bool,
    /// A blob, a line or a whole login (standard input if left out)
    pub text: Vec<String>,
}

/// `ehlo encode`
#[derive(Debug, Args)]
#[command(after_help = ENCODE_EPILOGUE)]
#[command(mut_arg("password_file", |arg| arg.hide_short_help(false)))]
#[command(mut_arg("password_stdin", |arg| arg.help("The first line of the input is the password (or OAuth token)").hide_short_help(false)))]
pub struct EncodeArgs {
    /// base64, word (RFC 2047), qp (quoted-printable), xtext, plain, login, xoauth2 or oauthbearer
    #[arg(long = "as", value_name = "KIND", default_value = "base64", value_parser = one_of(super::encode::names()), ignore_case = true, hide_possible_values = true)]
    pub form: String,
    /// Text to encode (standard input if left out, its last line end left off); for a login the user name
    pub text: Vec<String>,
    /// Where the password comes from
    #[command(flatten)]
    pub password: PasswordArgs,
    /// Ask for the rights of another user (authorization identity)
    #[arg(long, value_name = "USER", help_heading = "Login")]
    pub authzid: Option<String>,
}

/// `ehlo connect`
#[derive(Debug, Args)]
pub struct ConnectArgs {
    /// Server
    pub host: String,
    /// Port number or service name
    pub port: Option<String>,
    /// How to connect
    #[command(flatten)]
    pub dial: DialArgs,
    /// How to talk
    #[command(flatten)]
    pub session: SessionArgs,
}

/// `ehlo sandbox`
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Manner of the server: exchange or postfix
    #[arg(long = "as", value_name = "KIND", default_value = "exchange")]
    pub character: String,
    /// A fault to practise on (see --list)
    #[arg(long, value_name = "NAME")]
    pub scenario: Option<String>,
    /// Mechanisms of AUTH that it offers, with commas in between, or all
    /// [default: those of its manner]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub offer: Vec<String>,
    /// List the manners, the scenarios and the mechanisms
    #[arg(long)]
    pub list: bool,
    /// Walk through a session step by step
    #[arg(long)]
    pub tour: bool,
    /// Only serve, until Ctrl-C
    #[arg(long)]
    pub serve: bool,
    /// Port to listen on [default: a free one]
    #[arg(short, long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Write the root certificate of the server to FILE (PEM), for other clients; made anew at each start
    #[arg(long, value_name = "FILE")]
    pub save_root: Option<PathBuf>,
    /// How to talk
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Names of which one is wanted.
fn one_of(names: impl Iterator<Item = &'static str>) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(names.map(clap::builder::PossibleValue::new).collect::<Vec<_>>())
}

pub(super) fn seconds(text: &str) -> Result<std::time::Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(std::time::Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds, up to 86400".to_owned()),
    }
}

const SHORT_EPILOGUE: &str = "\
Examples:
  ehlo mail.contoso.com           talk to port 25, like telnet HOST 25
  ehlo mail.contoso.com 587       the same on the submission port
  ehlo mail.contoso.com <FILE     commands from a file; </dev/null: is it there?
  ehlo check mail.contoso.com     how far does a session come, and how fast?
  ehlo decode VXNlcm5hbWU6        what does this base64 say?
  ehlo sandbox --tour             learn it on a built-in server, no network
Exit status: 0 done, 1 refused, 2 usage, 3 DNS, 4 connect, 5 timeout, 6 lost,
7 TLS, 8 login, 9 try later. More: ehlo --help, ehlo COMMAND --help";

const DECODE_EPILOGUE: &str = "\
Examples:
  ehlo decode VXNlcm5hbWU6
  ehlo decode AUTH PLAIN AGxvZ29uAHNlY3JldA==
  ehlo decode <login.txt                a login, as it was pasted or logged
  ehlo decode --as word '=?utf-8?Q?Gr=C3=BC=C3=9Fe?='";

const ENCODE_EPILOGUE: &str = "\
Examples:
  ehlo encode Username:
  ehlo encode --as plain logon          the password is asked for, hidden
  ehlo encode --as xoauth2 --password-file token user@contoso.com
  ehlo encode --as xtext 'joe+sales@contoso.com'";

const LONG_EPILOGUE: &str = "\
Examples:
  ehlo mail.contoso.com                   talk to port 25, like telnet HOST 25
  ehlo mail.contoso.com submission        the same on port 587
  ehlo mail.contoso.com </dev/null        is it there? (exit status 0 if so)
  printf 'EHLO a\\nQUIT\\n' | ehlo HOST     one line per reply, no terminal
  ehlo check mail.contoso.com             how far does a session come?
  ehlo check -i hosts.txt                 the same for a list
  ehlo decode VXNlcm5hbWU6                what does this base64 say?
  ehlo sandbox                            practise on a built-in server, no
                                          network

While you are connected: type SMTP as you would in telnet; :help lists the local
commands; Tab completes; Ctrl-D or QUIT ends.
Exit status: 0 done, 1 refused (5xx) or not finished, 2 usage, 3 DNS,
4 connect, 5 timeout, 6 lost connection or not SMTP, 7 TLS, 8 login, 9 try later
(4xx), 130 Ctrl-C.";
