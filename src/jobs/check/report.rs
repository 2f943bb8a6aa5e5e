//! What a check brings: plain values, from which every output format is made.
//!
//! An *endpoint* is one port of one host (or one address of it): it has one [`Report`]. What the operator named
//! may be several endpoints, which are compared ([`Comparison`]). Text from a server is kept as it came:
//! whoever shows it makes it printable.

use std::net::SocketAddr;
use std::time::Duration;

use super::options::Endpoint;
use super::words;
use crate::explain::failure::{Class, Failure, USAGE};
use crate::host::is_own_machine;
use crate::net::dial::Cause;
use crate::net::tls::verdict::Trust;
use crate::target::Target;
use crate::wire::keyword::Capabilities;
use crate::wire::reply::Reply;

/// What was learnt of one endpoint.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was checked.
    pub target: Target,
    /// The mail domain that led to this host, with `--mx`.
    pub domain: Option<MailDomain>,
    /// The server's address that was reached, or the only one that was tried; nothing through a proxy or a program,
    /// which look the name up themselves.
    pub address: Option<SocketAddr>,
    /// Every address that was tried, in the order in which they ended; with a proxy those of the proxy.
    pub attempts: Vec<Tried>,
    /// The addresses that had not answered when another one connected: dead, or slower.
    pub passed_over: Vec<SocketAddr>,
    /// The addresses of the name, where there are several; with a proxy those of the proxy.
    pub addresses: Vec<SocketAddr>,
    /// So many more addresses the name has, which are not looked at.
    pub addresses_left_out: usize,
    /// The address that was reached is one of this machine itself.
    pub reached_itself: bool,
    /// The names that CNAME records led to.
    pub aliases: Vec<String>,
    /// The phases that were begun, in their order; after one that failed there is none, but for a certificate whose
    /// faults are passed over (`-k`).
    pub phases: Vec<Phase>,
    /// What EHLO offered before TLS; `None` when it was not said, not accepted, or TLS came first.
    pub offer: Option<Capabilities>,
    /// What EHLO offered inside TLS.
    pub offer_in_tls: Option<Capabilities>,
    /// What the handshake brought.
    pub tls: Option<Tls>,
    /// The login that was tried.
    pub login: Option<Login>,
    /// The names of the address that was reached (PTR), where they were asked for and that was answered.
    pub reverse_names: Option<Vec<String>>,
    /// What is worth noticing, warnings first.
    pub notices: Vec<Notice>,
    /// How it ended.
    pub verdict: Verdict,
    /// From the beginning to the verdict; waiting for a turn and the farewell are not in it.
    pub took: Duration,
    /// Milliseconds since 1970 at the beginning.
    pub began: u64,
    /// How many tries it took (`--retry`); 1 as a rule.
    pub tries: u32,
    /// With `--watch`: how it ended the last time, if that was different.
    pub before: Option<Verdict>,
}

/// Why this host was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailDomain {
    /// The domain.
    pub name: String,
    /// The preference in its MX record.
    pub preference: u16,
    /// The domain has no MX record, and its own address stands in for one.
    pub implicit: bool,
    /// Among its MX records there is one that says that no mail is taken, which then means nothing.
    pub null_among_others: bool,
    /// So many more mail servers it has, which are not looked at.
    pub left_out: usize,
    /// How long it took to look them up; that is before the check, and not part of its time.
    pub took: Duration,
}

/// An address that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The address.
    pub address: SocketAddr,
    /// Why it was not reached; `None` when it was.
    pub cause: Option<Cause>,
    /// How long it took.
    pub took: Duration,
}

/// A step of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PhaseKind {
    /// The name is looked up; not there for an address.
    Resolve,
    /// TCP, or a socket; not there with a program, of which the greeting is the first that shows.
    Connect,
    /// The proxy leads on.
    Proxy,
    /// The greeting.
    Greeting,
    /// EHLO, or HELO when it is refused; LHLO.
    Hello,
    /// The reply to STARTTLS.
    StartTls,
    /// The handshake.
    Handshake,
    /// The verdict on the certificate; takes no time of its own.
    Certificate,
    /// EHLO inside TLS.
    HelloInTls,
    /// A login.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
}

impl PhaseKind {
    /// All, in their order.
    pub const ALL: [Self; 12] = [
        Self::Resolve,
        Self::Connect,
        Self::Proxy,
        Self::Greeting,
        Self::Hello,
        Self::StartTls,
        Self::Handshake,
        Self::Certificate,
        Self::HelloInTls,
        Self::Auth,
        Self::Mail,
        Self::Recipient,
    ];

    /// One word, in all formats the same.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "dns",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Greeting => "banner",
            Self::Hello => "ehlo",
            Self::StartTls => "starttls",
            Self::Handshake => "tls",
            Self::Certificate => "certificate",
            Self::HelloInTls => "ehlo-tls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Recipient => "rcpt",
        }
    }
}

/// A step that was begun.
#[derive(Debug, Clone)]
pub struct Phase {
    /// Which.
    pub kind: PhaseKind,
    /// When it began, since the check did.
    pub start: Duration,
    /// How long it took; of one that failed, until then.
    pub took: Duration,
    /// Whether it went well. STARTTLS that is not offered is no step, and a certificate with faults is a failed one.
    pub ok: bool,
    /// The server's reply, where a step has one.
    pub reply: Option<Reply>,
    /// A refusal beside `reply`, where HELO was tried after EHLO: of EHLO when HELO was taken, else of HELO.
    pub refused: Option<Reply>,
    /// What came in the place of a reply and is none: lines, the last of which may have no end.
    pub came: Vec<Vec<u8>>,
}

impl Phase {
    /// A step of which no more is known than its times.
    pub(crate) fn timed(kind: PhaseKind, start: Duration, took: Duration, ok: bool) -> Self {
        Self { kind, start, took, ok, reply: None, refused: None, came: Vec::new() }
    }
}

/// What a handshake brought.
#[derive(Debug, Clone)]
pub struct Tls {
    /// TLS from the first byte, without STARTTLS.
    pub implicit: bool,
    /// `TLS 1.3`.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub suite: String,
    /// `X25519MLKEM768`; empty when it is not known.
    pub group: String,
    /// The server's own certificate; `None` when it sent none that can be read.
    pub certificate: Option<ServerCertificate>,
    /// Whether the certificate proves that the server is the one that was meant, and what is wrong with it.
    pub trust: Trust,
    /// The server asked for a certificate of ours.
    pub client_certificate_asked: bool,
}

impl Tls {
    /// Whether the TLS library accepted chain, dates, name and the signature of the handshake.
    pub fn is_verified(&self) -> bool {
        self.trust.is_verified()
    }
}

/// What is told of a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// Its common name, or the whole subject.
    pub name: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// The common name of its issuer, or the issuer's whole name.
    pub issuer: String,
    /// Seconds since 1970 from which it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: i64,
    /// Whole days until then; negative when that is past.
    pub days_left: i64,
    /// SHA-256 of the whole, in hexadecimal.
    pub sha256: String,
}

/// A login that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// By which mechanism.
    pub mechanism: &'static str,
    /// Who.
    pub user: String,
}

/// Something worth noticing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about, for programs.
    pub kind: NoticeKind,
    /// A sentence. Printable.
    pub text: String,
    /// A few words for a table: `no STARTTLS`. Printable.
    pub short: String,
}

impl Notice {
    /// Whether it makes the verdict a warning.
    pub fn is_warning(&self) -> bool {
        self.kind.is_warning()
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// The greeting is masked.
    MaskedGreeting,
    /// The greeting names an internal name.
    InternalName,
    /// Keywords were overwritten on the way.
    MaskedKeywords,
    /// STARTTLS is not offered.
    NoStartTls,
    /// A login is offered outside TLS and none inside.
    LoginOnlyOutsideTls,
    /// A certificate that has faults, and `-k` goes on in spite of them.
    Certificate,
    /// The certificate ends soon.
    CertificateEnds,
    /// A reply took more than ten seconds, or all of it more than `--warn` allows.
    Slow,
    /// EHLO is refused, HELO is not.
    OnlyHelo,
    /// The relay test: the server refuses to relay, as it should.
    RelayRefused,
    /// STARTTLS is offered inside TLS again.
    StartTlsInTls,
    /// The reply departs from the grammar.
    Odd,
    /// Something about the MX record that led here: a host that is a CNAME.
    MailDomain,
    /// A mail server that an MX record names is at an address that leads elsewhere for others: loopback, private.
    MailServerAddress,
    /// A name has more addresses than are looked at.
    AddressesLeftOut,
    /// Another address of the host was tried and is dead.
    DeadAddress,
    /// Another address of the host was tried and had not answered when this one connected.
    SilentAddress,
    /// The greeting names another host than the reply to EHLO does.
    OtherNameInHello,
    /// The address has no name, or another than the greeting says.
    ReverseName,
    /// A login by readable passwords is offered outside TLS too.
    LoginOutsideTlsToo,
    /// The server asked for a certificate of ours and went on without one.
    ClientCertificateAsked,
    /// It took several tries.
    Retried,
}

impl NoticeKind {
    /// Whether it makes the verdict a warning.
    pub const fn is_warning(self) -> bool {
        !matches!(
            self,
            Self::SilentAddress
                | Self::RelayRefused
                | Self::MailServerAddress
                | Self::AddressesLeftOut
                | Self::OtherNameInHello
                | Self::ReverseName
                | Self::LoginOutsideTlsToo
                | Self::ClientCertificateAsked
                | Self::Retried
        )
    }

    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaskedGreeting => "masked-greeting",
            Self::InternalName => "internal-name",
            Self::MaskedKeywords => "masked-keywords",
            Self::NoStartTls => "no-starttls",
            Self::LoginOnlyOutsideTls => "login-only-outside-tls",
            Self::Certificate => "certificate",
            Self::CertificateEnds => "certificate-ends",
            Self::Slow => "slow",
            Self::OnlyHelo => "only-helo",
            Self::RelayRefused => "relay-refused",
            Self::StartTlsInTls => "starttls-in-tls",
            Self::Odd => "odd",
            Self::MailDomain => "mail-domain",
            Self::MailServerAddress => "mail-server-address",
            Self::AddressesLeftOut => "addresses-left-out",
            Self::DeadAddress => "dead-address",
            Self::SilentAddress => "silent-address",
            Self::OtherNameInHello => "other-name-in-ehlo",
            Self::ReverseName => "reverse-name",
            Self::LoginOutsideTlsToo => "login-outside-tls-too",
            Self::ClientCertificateAsked => "client-certificate-asked",
            Self::Retried => "retried",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Good, or not.
    pub level: Level,
    /// One sentence without capital and full stop, or a few words: `ok`, `no STARTTLS`, `mx port 25 refused the
    /// connection`. Printable.
    pub sentence: String,
    /// What went wrong, to be put at length by [`crate::explain::failure::diagnose`]; there when and only when
    /// the level is [`Level::Failed`].
    pub failure: Option<Failure>,
}

impl Verdict {
    /// What kind of failure it is, from which the exit status follows ([`Class::status`]); `None`: no failure.
    pub fn class(&self) -> Option<Class> {
        self.failure.as_ref().map(Failure::class)
    }
}

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// All is well.
    Ok,
    /// It works, and something should be seen to.
    Warn,
    /// It did not come as far as it should have.
    Failed,
}

impl Level {
    /// `ok`, `warn`, `FAILED`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Failed => "FAILED",
        }
    }
}

impl Report {
    /// An MX record led here, and names the machine of whoever follows it.
    pub fn is_own_machine_by_mx(&self) -> bool {
        self.domain.as_ref().is_some_and(|domain| !domain.implicit) && is_own_machine(&self.target.host)
    }

    /// An endpoint of which nothing is known yet.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self {
            target: endpoint.target.clone(),
            domain: endpoint.domain.clone(),
            address: endpoint.address,
            attempts: Vec::new(),
            passed_over: Vec::new(),
            addresses: Vec::new(),
            addresses_left_out: endpoint.addresses_left_out,
            reached_itself: false,
            aliases: endpoint.aliases.clone(),
            phases: Vec::with_capacity(4),
            offer: None,
            offer_in_tls: None,
            tls: None,
            login: None,
            reverse_names: None,
            notices: Vec::new(),
            verdict: Verdict { level: Level::Ok, sentence: String::new(), failure: None },
            took: Duration::ZERO,
            began: words::now_ms(),
            tries: 1,
            before: None,
        }
    }

    /// A step, if it was begun.
    pub fn phase(&self, kind: PhaseKind) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.kind == kind)
    }

    /// The reply to a step.
    pub fn reply(&self, kind: PhaseKind) -> Option<&Reply> {
        self.phase(kind)?.reply.as_ref()
    }

    /// How long a step took, if it went well.
    pub fn time(&self, kind: PhaseKind) -> Option<Duration> {
        self.phase(kind).filter(|phase| phase.ok).map(|phase| phase.took)
    }

    /// The step that failed, if one did; not a certificate whose faults are passed over (`-k`).
    pub fn failed_phase(&self) -> Option<&Phase> {
        let failed = self.verdict.level == Level::Failed;
        self.phases.last().filter(|phase| failed && !phase.ok)
    }

    /// The refusal of EHLO, where HELO was taken in its place.
    pub fn hello_refusal(&self) -> Option<&Reply> {
        self.phase(PhaseKind::Hello).filter(|hello| hello.ok)?.refused.as_ref()
    }

    /// The offer that counts: the one inside TLS if there is one.
    pub fn last_offer(&self) -> Option<&Capabilities> {
        self.offer_in_tls.as_ref().or(self.offer.as_ref())
    }

    /// The certificate, if one came.
    pub fn certificate(&self) -> Option<&ServerCertificate> {
        self.tls.as_ref()?.certificate.as_ref()
    }
}

/// What several endpoints that were named together tell that each alone does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The host or the mail domain.
    pub name: String,
    /// Sentences. Printable.
    pub sentences: Vec<String>,
}

/// A line of the input that cannot be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub number: u64,
    /// What is wrong with it. Printable.
    pub words: String,
}

/// A check, or a look-up for one, that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What is checked.
    pub name: String,
    /// The phase that was begun last.
    pub phase: PhaseKind,
    /// How long all has taken so far.
    pub since: Duration,
}

/// All of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Endpoints that are well.
    pub ok: u64,
    /// Endpoints with warnings.
    pub warned: u64,
    /// Endpoints that failed.
    pub failed: u64,
    /// How many failed in which way, in the order of first appearance.
    pub classes: Vec<(Class, u64)>,
    /// Lines that could not be read.
    pub bad_lines: u64,
    /// Targets that were named again.
    pub duplicates: u64,
    /// A signal ended it, and what was not finished is not in it: the exit status of that.
    pub interrupted: Option<u8>,
    /// How many endpoints, or names that were looked up for them, were begun and not finished then.
    pub under_way: u64,
    /// The first few of them, where they are known by name.
    pub waited_for: Vec<Waiting>,
    /// How long all of it took.
    pub took: Duration,
}

impl Summary {
    /// Counts a report.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict.level {
            Level::Ok => self.ok += 1,
            Level::Warn => self.warned += 1,
            Level::Failed => self.failed += 1,
        }
        let Some(class) = verdict.class() else { return };
        match self.classes.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => self.classes.push((class, 1)),
        }
    }

    /// How many endpoints were checked.
    pub fn checked(&self) -> u64 {
        self.ok + self.warned + self.failed
    }

    /// The exit status: 0 when nothing failed, the status of the failure when all failed alike, else 10; that of the
    /// signal when it was interrupted. A bad line is a failure of the command line (2).
    pub fn status(&self) -> u8 {
        const MIXED: u8 = 10;
        if let Some(status) = self.interrupted {
            return status;
        }
        match (&self.classes[..], self.ok + self.warned, self.bad_lines) {
            ([], 0, _) => USAGE,
            ([], _, 0) => 0,
            ([(class, _)], 0, 0) => class.status(),
            _ => MIXED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(failure: Option<Failure>) -> Verdict {
        let level = if failure.is_some() { Level::Failed } else { Level::Ok };
        Verdict { level, sentence: String::new(), failure }
    }

    #[test]
    fn a_list_has_the_status_of_what_its_hosts_have_in_common() {
        // P43, P44
        let (fine, refused, silent) = (None, Some(Failure::Refused), Some(Failure::NoGreeting(Duration::from_secs(1))));
        let table: &[(&[&Option<Failure>], u64, u8)] = &[
            (&[&fine, &fine], 0, 0),
            (&[&fine, &refused], 0, 10),
            (&[&refused, &refused], 0, 4),
            (&[&refused, &silent], 0, 10),
            (&[&fine], 1, 10),
            (&[&refused], 1, 10),
            (&[], 1, 2),
            (&[], 0, 2),
        ];
        for (failures, bad_lines, status) in table {
            let mut summary = Summary { bad_lines: *bad_lines, ..Summary::default() };
            failures.iter().for_each(|failure| summary.add(&verdict((*failure).clone())));
            assert_eq!(summary.status(), *status, "{summary:?}");
            summary.interrupted = Some(143);
            assert_eq!(summary.status(), 143);
        }
    }

    #[test]
    fn names_for_programs_are_unique() {
        let names: Vec<&str> = PhaseKind::ALL.iter().map(|kind| kind.name()).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
        }
        assert!(PhaseKind::ALL.is_sorted());
    }
}
