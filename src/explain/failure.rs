//! Why there is no conversation: what happened, what is likely, what to do next. One row each.

use std::net::IpAddr;
use std::time::Duration;

use super::connecting;
use super::place::Place;
use super::route::{self, RouteFailure};
use super::talk::{self, TalkFailure};
use crate::text::printable_str;
use crate::wire::foreign::Foreign;
use crate::wire::reply::{Reply, TooLong};

/// The ways in which a connection comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The name does not exist.
    NoSuchName,
    /// The name has no address (of the wanted family).
    NoAddress {
        /// The other family has one.
        other_family: bool,
    },
    /// The resolver failed, in its words.
    Resolver(String),
    /// The resolver did not answer.
    ResolverSilent,
    /// Nothing listens there.
    Refused,
    /// No way leads to that network from here.
    NoRoute,
    /// Somebody says that the host cannot be reached.
    HostUnreachable,
    /// Cut as soon as it stood.
    ConnectReset,
    /// The address has a zone, and this machine has no such interface: the zone.
    UnknownZone(String),
    /// Nothing can be sent to the address, in the system's words.
    Unusable(String),
    /// Several addresses, which fail in different ways.
    Unreached(Vec<(IpAddr, Failure)>),
    /// Nothing came back.
    ConnectTimedOut(Duration),
    /// Forbidden here or on the way.
    Prohibited,
    /// The local address cannot be used.
    BadLocalAddress(String),
    /// The system's words.
    ConnectOther(String),
    /// The way through a socket, a proxy, a program or the MX records of a domain failed.
    Route(RouteFailure),
    /// Connected, and no greeting came.
    NoGreeting(Duration),
    /// A greeting began and did not end.
    GreetingUnfinished {
        /// The limit.
        after: Duration,
        /// What had come, line by line.
        lines: Vec<Vec<u8>>,
    },
    /// Closed before the greeting.
    ClosedAtOnce {
        /// Something had come.
        partial: bool,
    },
    /// The connection broke before the greeting, in the system's words.
    LostAtOnce(String),
    /// The server ended TLS before its greeting, in the words of the alert.
    TlsEnded(String),
    /// In the handshake the server asked for our certificate and got none, and ended it before its greeting,
    /// or with a refusal in its place: how.
    CertificateWanted(String),
    /// The server answered our header of the PROXY protocol as if it were a command: so.
    HeaderNotTaken(Reply),
    /// This failed on a connection that began with our header of the PROXY protocol.
    BehindHeader(Box<Failure>),
    /// What answered does not speak SMTP.
    NotSmtp(Option<Foreign>),
    /// More than a reply may have: which limit was passed.
    TooLong(TooLong),
    /// Line after line that nobody asked for.
    Flood,
    /// Greeted with a refusal for good.
    GreetingRefused(u16),
    /// Greeted with a refusal for now.
    GreetingLater(u16),
    /// What came after a good greeting failed.
    Talk(Box<TalkFailure>),
}

/// The kinds of failures, as far as programs tell them apart: each has its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The server refused for good.
    Refused,
    /// The name was not resolved.
    Dns,
    /// No connection.
    Connect,
    /// No reply in time.
    Timeout,
    /// The connection was lost, or what answers is not SMTP.
    Lost,
    /// No TLS, or a certificate with faults.
    Tls,
    /// The login was refused.
    Login,
    /// The server refused for now.
    TryLater,
}

/// The exit status of a command line or a list that is wrong, beside those of the classes.
pub const USAGE: u8 = 2;

impl Class {
    /// The exit status of the program.
    pub const fn status(self) -> u8 {
        match self {
            Self::Refused => 1,
            Self::Dns => 3,
            Self::Connect => 4,
            Self::Timeout => 5,
            Self::Lost => 6,
            Self::Tls => 7,
            Self::Login => 8,
            Self::TryLater => 9,
        }
    }

    /// A word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Lost => "lost",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::TryLater => "try-later",
        }
    }
}

impl From<TalkFailure> for Failure {
    fn from(failure: TalkFailure) -> Self {
        Self::Talk(Box::new(failure))
    }
}

impl Failure {
    /// The kind.
    pub fn class(&self) -> Class {
        match self {
            Self::NoSuchName | Self::NoAddress { .. } | Self::Resolver(_) | Self::ResolverSilent => Class::Dns,
            Self::Refused
            | Self::NoRoute
            | Self::HostUnreachable
            | Self::ConnectReset
            | Self::UnknownZone(_)
            | Self::Unusable(_)
            | Self::Unreached(_)
            | Self::ConnectTimedOut(_)
            | Self::Prohibited
            | Self::BadLocalAddress(_)
            | Self::ConnectOther(_) => Class::Connect,
            Self::Route(failure) => failure.trouble.class(),
            Self::NoGreeting(_) | Self::GreetingUnfinished { .. } => Class::Timeout,
            Self::TlsEnded(_) | Self::CertificateWanted(_) => Class::Tls,
            Self::ClosedAtOnce { .. }
            | Self::LostAtOnce(_)
            | Self::NotSmtp(_)
            | Self::HeaderNotTaken(_)
            | Self::TooLong(_)
            | Self::Flood => Class::Lost,
            Self::BehindHeader(failure) => failure.class(),
            Self::GreetingRefused(_) => Class::Refused,
            Self::GreetingLater(_) => Class::TryLater,
            Self::Talk(failure) => failure.class(),
        }
    }

    /// A few words, for a table. Printable.
    pub fn short(&self) -> String {
        let words = match self {
            Self::NoSuchName => "the name does not exist",
            Self::NoAddress { other_family: true } => "no address of the wanted kind",
            Self::NoAddress { .. } => "the name has no address",
            Self::Resolver(words) => return format!("not looked up: {}", printable_str(words)),
            Self::ResolverSilent => "no answer from the name server",
            Self::Refused => "connection refused",
            Self::NoRoute => "no route from here",
            Self::HostUnreachable => "the host cannot be reached",
            Self::ConnectReset => "the connection was reset",
            Self::UnknownZone(zone) => return format!("this machine has no interface '{}'", printable_str(zone)),
            Self::Unreached(addresses) => {
                return format!("none of its {} addresses can be connected to: {}", addresses.len(), connecting::ways(addresses));
            }
            Self::ConnectTimedOut(after) => return format!("no answer within {} (connecting)", seconds(*after)),
            Self::Prohibited => "connecting is forbidden",
            Self::BadLocalAddress(_) => "the local address cannot be used",
            Self::ConnectOther(words) | Self::Unusable(words) => return format!("not connected: {}", printable_str(words)),
            Self::Route(failure) => return failure.trouble.short(),
            Self::NoGreeting(after) => return format!("no greeting within {}", seconds(*after)),
            Self::GreetingUnfinished { after, .. } => return format!("no end of the greeting within {}", seconds(*after)),
            Self::ClosedAtOnce { .. } => "closed before the greeting",
            Self::LostAtOnce(_) => "broke before the greeting",
            Self::TlsEnded(_) => "TLS ended before the greeting",
            Self::CertificateWanted(_) => "wants a certificate of ours",
            Self::HeaderNotTaken(reply) => return format!("does not take the PROXY header ({})", reply.code),
            Self::BehindHeader(failure) => return failure.short(),
            Self::NotSmtp(Some(foreign)) => return format!("not SMTP: {}", foreign.describe()),
            Self::NotSmtp(None) => "not SMTP",
            Self::TooLong(limit) => return format!("{} in a reply", limit.describe()),
            Self::Flood => "line after line that nobody asked for",
            Self::GreetingRefused(code) | Self::GreetingLater(code) => return format!("greets with a refusal ({code})"),
            Self::Talk(failure) => return failure.short(),
        };
        words.to_owned()
    }
}

/// The answer for the operator.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// One sentence.
    pub headline: String,
    /// What happened.
    pub happened: String,
    /// Likely causes, the likeliest first.
    pub likely: Vec<String>,
    /// What to do next.
    pub next: Vec<String>,
}

impl Diagnosis {
    /// A likelier cause than all others, and what to do about it.
    pub(super) fn first(&mut self, cause: &str, step: String) {
        self.likely.insert(0, cause.to_owned());
        self.next.insert(0, step);
    }
}

/// Puts a failure into words.
pub fn diagnose(failure: &Failure, place: &Place) -> Diagnosis {
    let words = Words { place, host: place.host(), at: place.shown() };
    match failure {
        Failure::NoSuchName | Failure::NoAddress { .. } | Failure::Resolver(_) | Failure::ResolverSilent => words.name(failure),
        Failure::NoGreeting(_)
        | Failure::GreetingUnfinished { .. }
        | Failure::ClosedAtOnce { .. }
        | Failure::LostAtOnce(_)
        | Failure::TlsEnded(_)
        | Failure::CertificateWanted(_)
        | Failure::NotSmtp(_)
        | Failure::TooLong(_)
        | Failure::Flood
        | Failure::GreetingRefused(_)
        | Failure::GreetingLater(_) => words.greeting(failure),
        Failure::HeaderNotTaken(reply) => words.header(reply),
        Failure::BehindHeader(failure) => behind_header(diagnose(failure, &place.clone().after_header())),
        Failure::Route(failure) => route::diagnose(failure, place),
        Failure::Talk(failure) => talk::diagnose(failure, place),
        _ => connecting::diagnose(failure, place),
    }
}

struct Words<'a> {
    place: &'a Place,
    host: &'a str,
    /// `mx.contoso.test port 25`
    at: String,
}

pub(super) fn diagnosis(headline: String, happened: &str, likely: &[&str], next: &[&str]) -> Diagnosis {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Diagnosis { headline, happened: happened.to_owned(), likely: owned(likely), next: owned(next) }
}

/// `30 s`, `0.3 s`.
pub(super) fn seconds(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 100 {
        format!("{ms} ms")
    } else if ms < 1000 || !ms.is_multiple_of(1000) && ms < 10_000 {
        format!("{}.{} s", ms / 1000, ms % 1000 / 100)
    } else {
        format!("{} s", ms / 1000)
    }
}

/// A likely cause where a server is silent, or closes without a word, before anything was said.
pub(super) fn header_expected(words: &mut Diagnosis) {
    words.likely.push("It waits for a PROXY header, as behind a load balancer.".to_owned());
    words.next.push("If it is behind a load balancer: --proxy-protocol v1 (or v2)".to_owned());
}

/// What fails on a connection that began with a header may fail because of it.
fn behind_header(mut words: Diagnosis) -> Diagnosis {
    words.first(
        "The port does not expect the header of --proxy-protocol, or not from this address.",
        "Leave out --proxy-protocol.".to_owned(),
    );
    words
}

impl Words<'_> {
    fn header(&self, reply: &Reply) -> Diagnosis {
        diagnosis(
            format!("{} does not take the PROXY header ({})", self.at, reply.code),
            &format!("{} It took the header of --proxy-protocol for a command.", talk::said(reply)),
            &["The port is for clients that come straight, not through a load balancer."],
            &[
                "Leave out --proxy-protocol.",
                "On the server: is the PROXY protocol switched on for this port (Postfix: smtpd_upstream_proxy_protocol)?",
            ],
        )
    }

    fn name(&self, failure: &Failure) -> Diagnosis {
        let host = self.host;
        match failure {
            Failure::NoSuchName => diagnosis(
                format!("The name {host} does not exist"),
                "The name server answered that there is no such name. Nothing was sent to a mail server.",
                &[
                    "A typing error.",
                    "An internal name, asked from outside (or the reverse).",
                    "The domain has expired or its zone is broken.",
                ],
                &["Check the spelling.", "Ask another name server: --resolver ADDRESS"],
            ),
            Failure::NoAddress { other_family: true } => diagnosis(
                format!("{host} has no address of the wanted kind"),
                "The name has addresses, but none of the IP version that -4 or -6 asks for.",
                &["The host is reachable by the other IP version only."],
                &["Leave out -4 and -6."],
            ),
            Failure::NoAddress { .. } => diagnosis(
                format!("{host} exists but has no address"),
                "The name server knows the name, but has no A or AAAA record for it.",
                &["It is a mail domain, not a host: its mail servers have other names.", "The address record was deleted."],
                &[&format!("Is it a mail domain?  {}", self.place.call_by_mx(host)), "Ask another name server: --resolver ADDRESS"],
            ),
            Failure::ResolverSilent => diagnosis(
                format!("No answer from the name server about {host}"),
                "The question went out and nothing came back. Nothing was learned about the mail server.",
                &["The name server that was asked is down or not reachable.", "This machine has no network."],
                &["Try another name.", "Give the address instead of the name."],
            ),
            _ => {
                let detail = if let Failure::Resolver(words) = failure { printable_str(words).into_owned() } else { String::new() };
                diagnosis(
                    format!("The name {host} could not be looked up: {detail}"),
                    "The name server gave no usable answer. Nothing was learned about the mail server.",
                    &["The name server that was asked is down or not reachable.", "The zone of the domain is broken (also its DNSSEC)."],
                    &["Try again, and try another name.", "Give the address instead of the name."],
                )
            }
        }
    }

    /// Silence and a silent end before the greeting, which a port for load balancers only brings about too.
    fn greeting(&self, failure: &Failure) -> Diagnosis {
        let mut words = self.no_greeting(failure);
        // Inside TLS the header would have come before the handshake.
        let fits = match failure {
            Failure::NoGreeting(_) | Failure::ClosedAtOnce { partial: false } | Failure::LostAtOnce(_) => !self.place.implicit_tls,
            _ => false,
        };
        if fits && !self.place.behind_header {
            header_expected(&mut words);
        }
        words
    }

    fn no_greeting(&self, failure: &Failure) -> Diagnosis {
        let Self { place, at, .. } = self;
        let other = if place.port() == 587 { 25 } else { 587 };
        // LMTP has no other port, and neither has a socket.
        let is_only = place.is_socket() || place.lmtp;
        let wait = ["Wait longer: --timeout 300", &format!("Try port {other}:  {} {} {other}", place.program(), place.host())];
        match failure {
            Failure::NoGreeting(after) => diagnosis(
                format!("{at} is connected but sent no greeting within {}", seconds(*after)),
                if place.implicit_tls {
                    "The handshake went well, and then nothing was said. An SMTP server speaks first."
                } else {
                    "Something accepted the connection and then said nothing. An SMTP server speaks first."
                },
                &[
                    "The port expects TLS from the first byte (465 does), so both sides wait.",
                    "The server delays its greeting on purpose (tarpit), or waits for a DNS answer about you.",
                    "A firewall or proxy accepts in the server's place and cannot reach it.",
                ][usize::from(place.implicit_tls)..],
                if is_only { &wait[..1] } else { &wait },
            ),
            Failure::GreetingUnfinished { after, lines } => diagnosis(
                format!("{at} began its greeting and did not end it within {}", seconds(*after)),
                &format!("It says {}, and more was announced.", talk::quoted(lines.iter().map(Vec::as_slice))),
                &[
                    "The server delays its greeting on purpose, line by line (tarpit): who cannot wait is no mail server.",
                    "The server, or a device on the way, is stuck.",
                ],
                &wait[..1],
            ),
            Failure::ClosedAtOnce { partial } => diagnosis(
                format!("{at} closed the connection before its greeting"),
                if *partial {
                    "The connection was accepted and closed in the middle of the greeting."
                } else {
                    "The connection was accepted and closed at once, without a word."
                },
                &[
                    "The server or a filter before it does not want your address.",
                    "Too many connections at the same time.",
                    "The service behind a load balancer is down.",
                ],
                &["Try from another address.", "Look at the server's log: it says why."],
            ),
            Failure::TlsEnded(words) => diagnosis(
                format!("{at} ended TLS before its greeting: {}", printable_str(words)),
                "The handshake went well on this side, and then the server refused it.",
                &["It does not accept the certificate that was given (TLS 1.3 tells it only now).", "Its own settings are broken."],
                &["Look at the server's log: it says why."],
            ),
            Failure::CertificateWanted(how) => diagnosis(
                format!("{at} wants a certificate of yours: {}", printable_str(how)),
                "In the TLS handshake the server asked for a certificate of this side and got none; then it did not greet as usual.",
                &[
                    "It serves only clients whose certificate it knows.",
                    "Something else: the server's words, if there are any, stand above.",
                ],
                &[
                    "Give one: --cert FILE --key FILE",
                    if is_only { "Is this the right place?" } else { "Is this the right port? Others need none (587, 25)." },
                    "Look at the server's log: it says why.",
                ],
            ),
            Failure::LostAtOnce(words) => diagnosis(
                format!("The connection to {at} broke before the greeting: {}", printable_str(words)),
                "The connection was accepted and then cut.",
                &["A firewall on the way cuts SMTP.", "The server's process died or refuses your address."],
                &["Try from another network.", "Look at the server's log."],
            ),
            Failure::NotSmtp(Some(Foreign::Tls)) => diagnosis(
                format!("{at} speaks TLS from the first byte"),
                "Nothing was said in plain text: the server waited for TLS, and so did we for its greeting.",
                &["It is a port for submission over TLS (465 is the usual one)."],
                &[&place.call_with_tls()],
            ),
            Failure::NotSmtp(foreign) => {
                let looks = foreign.map(|foreign| format!(": it looks like {}", foreign.describe())).unwrap_or_default();
                diagnosis(
                    format!("{at} does not greet as an SMTP server does{looks}"),
                    "What answered is not a mail server's greeting (220 ...).",
                    &["The wrong port.", "Another service is reachable under this address."],
                    &[if place.lmtp {
                        "LMTP is usual on port 24, and on a socket of the mail server's own machine."
                    } else {
                        "SMTP is usual on 25, 587 (submission) and, inside TLS, on 465."
                    }],
                )
            }
            Failure::TooLong(limit) => diagnosis(
                format!("{at} sent more than a reply may have: {}", limit.describe()),
                "Whatever goes on after that is not waited for. The connection was closed.",
                &["It is not a mail server.", "The server is broken."],
                &["Is this the right port?"],
            ),
            Failure::Flood => diagnosis(
                format!("{at} sends line after line that nobody asked for"),
                "What is said and what is answered cannot be told apart any more. The connection was closed.",
                &["It is not a mail server.", "The server is broken."],
                &["Is this the right port?"],
            ),
            Failure::GreetingRefused(code) => diagnosis(
                format!("{at} refuses to talk ({code})"),
                "The server greeted with a refusal for good; its text stands above.",
                &["Your address is blocked there.", "This host takes no mail from outside, or no mail at all."],
                &["Read its text: it often names a block list or a page.", "Try from another address."],
            ),
            _ => {
                let code = if let Failure::GreetingLater(code) = failure { *code } else { 421 };
                diagnosis(
                    format!("{at} does not want to talk now ({code})"),
                    "The server greeted with a refusal for now; its text stands above.",
                    &["It is overloaded, starting or stopping.", "Too many connections from your address."],
                    &["Try again in some minutes."],
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn refusal() -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(b"502 5.5.2 what\x1b\r\n");
        let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!("that is a reply") };
        reply
    }

    #[test]
    fn every_failure_has_words_of_its_own() {
        let some = Duration::from_secs(30);
        let failures = [
            Failure::NoSuchName,
            Failure::NoAddress { other_family: false },
            Failure::NoAddress { other_family: true },
            Failure::Resolver("x".to_owned()),
            Failure::ResolverSilent,
            Failure::Refused,
            Failure::NoRoute,
            Failure::HostUnreachable,
            Failure::ConnectReset,
            Failure::Unusable("x".to_owned()),
            Failure::UnknownZone("x\x1b".to_owned()),
            Failure::Unreached(vec![(IpAddr::from([192, 0, 2, 17]), Failure::Refused)]),
            Failure::ConnectTimedOut(some),
            Failure::Prohibited,
            Failure::BadLocalAddress("x".to_owned()),
            Failure::ConnectOther("x".to_owned()),
            Failure::NoGreeting(some),
            Failure::GreetingUnfinished { after: some, lines: vec![b"220-mx".to_vec()] },
            Failure::ClosedAtOnce { partial: false },
            Failure::LostAtOnce("x".to_owned()),
            Failure::TlsEnded("x".to_owned()),
            Failure::CertificateWanted("x".to_owned()),
            Failure::NotSmtp(Some(Foreign::Http)),
            Failure::HeaderNotTaken(refusal()),
            Failure::TooLong(TooLong::Line),
            Failure::Flood,
            Failure::GreetingRefused(554),
            Failure::GreetingLater(421),
        ];
        let mut seen = Vec::new();
        for failure in &failures {
            let words = diagnose(failure, &Place::new("mx.alt.test\x1b", 25));
            assert!(!words.headline.contains('\x1b'), "{failure:?}");
            assert!(!words.happened.is_empty() && !words.likely.is_empty() && !words.next.is_empty());
            assert!(!seen.contains(&words.headline), "{failure:?}");
            seen.push(words.headline);
        }
    }

    #[test]
    fn silence_inside_tls_is_not_for_want_of_tls_and_lmtp_has_no_other_port() {
        let silence = |place: Place| {
            let words = diagnose(&Failure::NoGreeting(Duration::from_secs(60)), &place);
            [words.likely, words.next].concat().join("\n")
        };
        let mx = || Place::new("mx.alt.test", 25);
        assert!(silence(mx()).contains("expects TLS") && silence(mx()).contains("Try port 587"));
        assert!(!silence(mx().speaking(false, true)).contains("expects TLS"));
        assert!(!silence(mx().speaking(true, false)).contains("Try port"));
    }

    #[test]
    fn behind_a_header_of_ours_it_is_the_first_to_be_named() {
        let failure = Failure::BehindHeader(Box::new(Failure::ClosedAtOnce { partial: false }));
        let words = diagnose(&failure, &Place::new("mx.alt.test", 25));
        assert!(words.likely[0].contains("--proxy-protocol") && words.next[0].contains("--proxy-protocol"), "{words:?}");
        assert_eq!((failure.class(), failure.short().as_str()), (Class::Lost, "closed before the greeting"));
    }

    #[test]
    fn a_port_for_load_balancers_is_among_the_causes_of_silence_unless_a_header_was_sent() {
        // P54
        use super::super::handshake::Why;
        let lost = || Failure::LostAtOnce("connection reset".to_owned());
        let silent = || Failure::NoGreeting(Duration::from_secs(60));
        let closed = |partial| Failure::ClosedAtOnce { partial };
        let handshake = |why| {
            let failure = super::super::handshake::HandshakeFailure { words: "x".to_owned(), why, narrowed_by: Vec::new() };
            Failure::from(TalkFailure::Handshake(failure))
        };
        let mx = || Place::new("mx.alt.test", 25);
        let inside = || mx().speaking(false, true);
        let table = [
            (silent(), mx(), true),
            (closed(false), mx(), true),
            (lost(), mx(), true),
            (closed(true), mx(), false),
            (silent(), inside(), false),
            (handshake(Why::Cut), inside(), true),
            (handshake(Why::Silent), inside(), true),
            (handshake(Why::NothingInCommon), inside(), false),
            // It has greeted, and answered STARTTLS.
            (handshake(Why::Cut), mx(), false),
            (Failure::GreetingRefused(554), mx(), false),
        ];
        let flag = |list: &[String]| list.iter().filter(|text| text.contains("--proxy-protocol v1")).count();
        for (failure, place, want) in table {
            let words = diagnose(&failure, &place);
            let named = words.likely.last().is_some_and(|cause| cause.contains("PROXY header"));
            assert_eq!((named, flag(&words.next)), (want, usize::from(want)), "{failure:?}: {words:?}");
            // Who has sent one is not told to.
            let behind = diagnose(&Failure::BehindHeader(Box::new(failure)), &place);
            assert_eq!(flag(&behind.next), 0, "{behind:?}");
        }
    }
}
