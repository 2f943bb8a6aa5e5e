//! What is wished of a check.

use std::net::SocketAddr;
use std::time::Duration;

use super::report::MailDomain;
use crate::jobs::credentials::LoginOptions;
use crate::net::dial::DialOptions;
use crate::net::dns::Resolver;
use crate::net::hello_name::HelloName;
use crate::net::tls::TlsOptions;
use crate::secret::Secret;
use crate::target::Target;

/// The limit for all phases of an endpoint, unless it is said: a tarpit of half a minute is waited for.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Warn of a certificate that ends within so many days, unless it is said.
pub const WARN_DAYS: i64 = 14;

/// How far a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Through {
    /// A connection.
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO.
    Hello,
    /// TLS, where it is offered, and EHLO inside.
    Tls,
    /// A login.
    Auth,
    /// MAIL FROM; a login before it if there is a user.
    Mail,
    /// RCPT TO.
    Recipient,
}

/// The wishes, the same for all endpoints.
#[derive(Debug)]
pub struct Options {
    /// How far to go.
    pub through: Through,
    /// A server without STARTTLS is a failure, not a warning.
    pub tls_required: bool,
    /// How to connect. Its time-out is that of the connection alone and at most [`Options::timeout`].
    pub dial: DialOptions,
    /// The one limit for all phases of an endpoint together.
    pub timeout: Duration,
    /// The name to say in EHLO.
    pub hello_name: HelloName,
    /// How TLS is to be spoken.
    pub tls: TlsOptions,
    /// Go on in spite of a certificate's faults, and only warn of them.
    pub insecure: bool,
    /// Who logs in.
    pub login: Option<Credentials>,
    /// Passwords may go over a clear line, and to a server that is not verified.
    pub allow_cleartext: bool,
    /// For MAIL FROM; empty for the null sender.
    pub sender: String,
    /// For RCPT TO.
    pub recipient: String,
    /// The recipient's domain is not hosted there, says the operator: the server must refuse to relay.
    pub relay_test: bool,
    /// Warn when the certificate ends within so many days.
    pub warn_days: i64,
    /// Fail when the certificate ends within so many days.
    pub fail_days: Option<i64>,
    /// Warn when all takes longer.
    pub warn_after: Option<Duration>,
    /// Fail when all takes longer.
    pub fail_after: Option<Duration>,
    /// Ask for the names of the address that is reached.
    pub reverse: Option<Resolver>,
    /// Try so many times more, one second later, when it may have been chance.
    pub retries: u32,
    /// Check each address of a name, not only the first that answers.
    pub all_addresses: bool,
    /// What is named are mail domains: check each of their mail servers.
    pub mx: Option<Resolver>,
}

/// Who logs in.
#[derive(Debug)]
pub struct Credentials {
    /// What is wished of the login.
    pub options: LoginOptions,
    /// The password or token; where there is none, its source is read for each host (a `.netrc`).
    pub secret: Option<Secret<String>>,
}

/// One port of one host, or of one address of it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Host and port.
    pub target: Target,
    /// The address of the host that is meant, when not any of them.
    pub address: Option<SocketAddr>,
    /// The mail domain that led here.
    pub domain: Option<MailDomain>,
    /// The names that CNAME records led to, where they were looked up before.
    pub aliases: Vec<String>,
    /// So many more addresses the name has, which are not looked at.
    pub addresses_left_out: usize,
    /// How much of the limit such look-ups took.
    pub spent: Duration,
}

impl Endpoint {
    /// A host and a port.
    pub fn new(target: Target) -> Self {
        Self { target, address: None, domain: None, aliases: Vec::new(), addresses_left_out: 0, spent: Duration::ZERO }
    }
}
