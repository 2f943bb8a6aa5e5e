//! Opening a session: dial, greeting, and what is wrong when there is none.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::explain::failure::{Failure, diagnose};
use crate::explain::place::Place;
use crate::explain::reply::{Situation, explain};
use crate::explain::route::{RouteFailure, Trouble};
use crate::explain::talk::TalkFailure;
use crate::net::command;
use crate::net::dial::{Attempt, Cause, DialError, DialOptions, Route, SocketFault};
use crate::net::dns::mx::{MxError, mail_servers};
use crate::net::dns::{DnsError, Resolver};
use crate::net::proxy;
use crate::session::{Ending, Event, Expected, Judgement};
use crate::target::{Protocol, Target};
use crate::wire::code::Class;
use crate::wire::reply::Reply;

/// How long a look at MX records may take that nobody has asked for.
const SIDE_GLANCE: Duration = Duration::from_secs(3);

/// Where a target is, for what is said of its failures in a session.
pub fn place(target: &Target) -> Place {
    let place = Place::new(&target.host, target.port).speaking(target.protocol == Protocol::Lmtp, target.implicit_tls);
    place.at_socket(target.socket.as_deref())
}

/// Why dialling failed, for the operator. Several addresses that fail in different ways are each told.
pub fn dial_failure(error: &DialError, target: &Target, options: &DialOptions) -> Failure {
    let route = |way: &dyn std::fmt::Display, trouble| Failure::Route(RouteFailure { way: way.to_string(), trouble });
    let way = match (&target.socket, &options.route) {
        (Some(path), _) => path.clone(),
        (None, Route::Direct) => target.host.clone(),
        (None, Route::Proxy(proxy)) => proxy.to_string(),
        (None, Route::Command(template)) => template.to_string(),
    };
    match error {
        DialError::NoSuchName => Failure::NoSuchName,
        DialError::NoAddress { other_family } => Failure::NoAddress { other_family: *other_family },
        DialError::Resolver(words) => Failure::Resolver(words.clone()),
        DialError::ResolverSilent => Failure::ResolverSilent,
        DialError::UnknownZone(zone) => Failure::UnknownZone(zone.clone()),
        DialError::Unreachable(attempts) => unreachable(attempts, options.timeout),
        DialError::Socket(fault) => route(&way, socket_trouble(fault)),
        DialError::ProxyUnreachable(inner) => route(&way, Trouble::ProxyUnreachable(proxy_words(inner, options))),
        DialError::Proxy(fault) => route(&way, proxy_trouble(fault, options.timeout)),
        DialError::Command(command::Fault::OddHost) => route(&way, Trouble::OddHost(target.host.clone())),
        DialError::Command(command::Fault::NotStarted(words)) => route(&way, Trouble::CommandNotStarted(words.clone())),
        DialError::Header(words) => route(&way, Trouble::HeaderLost(words.clone())),
    }
}

/// What all addresses have in common, or the failure of each.
fn unreachable(attempts: &[Attempt], limit: Duration) -> Failure {
    let waited = attempts.iter().map(|attempt| attempt.took).max().unwrap_or_default();
    // What a look-up took was not waited for an answer. Timers are late by some milliseconds, and addresses begin one
    // after the other.
    let tenth = Duration::from_millis(100);
    let limit = match waited {
        waited if waited + 3 * tenth >= limit => limit,
        waited if waited < tenth => waited,
        waited => tenth * u32::try_from(waited.as_millis() / 100).unwrap_or(u32::MAX),
    };
    let each: Vec<(IpAddr, Failure)> = attempts.iter().map(|tried| (tried.address.ip(), cause_failure(&tried.cause, limit))).collect();
    match &each[..] {
        [] => Failure::NoRoute,
        [(_, first), rest @ ..] if rest.iter().all(|(_, failure)| failure == first) => first.clone(),
        _ => Failure::Unreached(each),
    }
}

/// Why an address was not reached within the limit.
pub fn cause_failure(cause: &Cause, limit: Duration) -> Failure {
    match cause {
        Cause::Refused => Failure::Refused,
        Cause::TimedOut => Failure::ConnectTimedOut(limit),
        Cause::Prohibited => Failure::Prohibited,
        Cause::NoRoute => Failure::NoRoute,
        Cause::HostUnreachable => Failure::HostUnreachable,
        Cause::Reset => Failure::ConnectReset,
        Cause::Unusable(words) => Failure::Unusable(words.clone()),
        Cause::BadLocalAddress(words) => Failure::BadLocalAddress(words.clone()),
        Cause::Other(words) => Failure::ConnectOther(words.clone()),
    }
}

fn socket_trouble(fault: &SocketFault) -> Trouble {
    match fault {
        SocketFault::Missing => Trouble::SocketMissing,
        SocketFault::Refused => Trouble::SocketRefused,
        SocketFault::Forbidden => Trouble::SocketForbidden,
        SocketFault::TimedOut => Trouble::SocketOther("no answer in time".to_owned()),
        SocketFault::Other(words) => Trouble::SocketOther(words.clone()),
    }
}

fn proxy_trouble(fault: &proxy::Fault, limit: Duration) -> Trouble {
    match fault {
        proxy::Fault::LoginWanted(words) => Trouble::ProxyLoginWanted(words.clone()),
        proxy::Fault::LoginRefused(words) => Trouble::ProxyLoginRefused(words.clone()),
        proxy::Fault::Forbidden(words) => Trouble::ProxyForbids(words.clone()),
        proxy::Fault::NotReached(words) => Trouble::ProxyNotReached(words.clone()),
        proxy::Fault::Refused(words) => Trouble::ProxyRefused(words.clone()),
        proxy::Fault::NotAsked(words) => Trouble::ProxyNotAsked((*words).to_owned()),
        proxy::Fault::NotAProxy(head) => Trouble::NotAProxy(head.clone()),
        proxy::Fault::Closed => Trouble::ProxyClosed,
        proxy::Fault::Silent => Trouble::ProxySilent(limit),
        proxy::Fault::Lost(words) => Trouble::ProxyLost(words.clone()),
    }
}

/// The headline that a server in the place of the proxy would have had.
fn proxy_words(inner: &DialError, options: &DialOptions) -> String {
    let (host, port) = match &options.route {
        Route::Proxy(proxy) => (proxy.host.clone(), proxy.port),
        Route::Direct | Route::Command(_) => (String::new(), 0),
    };
    let straight = DialOptions { route: Route::Direct, ..options.clone() };
    let failure = dial_failure(inner, &Target::new(host.clone(), port), &straight);
    diagnose(&failure, &Place::new(&host, port)).headline
}

/// A command runs, and for so long nothing has come out of it: whether it has reached the server is not known.
pub fn command_silent(template: &command::Template, after: Duration) -> Failure {
    Failure::Route(RouteFailure { way: template.to_string(), trouble: Trouble::CommandSilent(after) })
}

/// Why a domain has no mail servers, for the operator.
pub fn mx_failure(error: &MxError, domain: &str) -> Failure {
    let trouble = match error {
        MxError::Null => Trouble::NullMx,
        MxError::Dns(DnsError::NoSuchName) => Trouble::NoSuchDomain,
        MxError::Dns(other) => Trouble::NoMxAnswer(other.to_string()),
    };
    Failure::Route(RouteFailure { way: domain.to_owned(), trouble })
}

/// Of a mail server that a domain names, a missing address is told as a fault of that domain.
pub fn mail_server_failure(failure: Failure, host: &str) -> Failure {
    let exists = match failure {
        Failure::NoSuchName => false,
        Failure::NoAddress { other_family: false } => true,
        _ => return failure,
    };
    Failure::Route(RouteFailure { way: host.to_owned(), trouble: Trouble::MxWithoutAddress { exists } })
}

/// A host without address may be a mail domain: then that is what there is to say, if it shows before the deadline.
pub async fn or_mail_domain(failure: Failure, target: &Target, options: &DialOptions, deadline: Option<Instant>) -> Failure {
    let direct = matches!(options.route, Route::Direct) && target.socket.is_none();
    if failure != (Failure::NoAddress { other_family: false }) || !direct {
        return failure;
    }
    let Ok(resolver) = options.resolver.clone().map_or_else(|| Resolver::new(None), Ok) else { return failure };
    let soon = Instant::now() + SIDE_GLANCE;
    match mail_servers(&target.host, &resolver, deadline.map_or(soon, |deadline| deadline.min(soon))).await {
        Ok(found) if !found.implicit => {
            let servers = found.servers.into_iter().map(|mx| mx.host).collect();
            Failure::Route(RouteFailure { way: target.host.clone(), trouble: Trouble::MailDomain(servers) })
        }
        Err(error @ MxError::Null) => mx_failure(&error, &target.host),
        Ok(_) | Err(MxError::Dns(_)) => failure,
    }
}

/// The same failure of a server that had asked for our certificate and got none: that it insists it tells
/// only now.
pub fn without_certificate(failure: Failure) -> Failure {
    let how = match failure {
        Failure::GreetingLater(code) | Failure::GreetingRefused(code) => code.to_string(),
        Failure::TlsEnded(words) | Failure::LostAtOnce(words) => words,
        Failure::ClosedAtOnce { .. } => "it closed the connection".to_owned(),
        other => return other,
    };
    Failure::CertificateWanted(how)
}

/// The same failure of a connection that began with our header of the PROXY protocol: it may be why. Who is reached
/// and refuses only later than EHLO has taken it. A greeting that says that we talked before it can mean the header
/// only.
pub fn behind_header(failure: Failure, greeting: Option<&Reply>) -> Failure {
    if let (Failure::GreetingRefused(_) | Failure::GreetingLater(_), Some(greeting)) = (&failure, greeting)
        && explain(&Situation::default(), greeting).is_some_and(|fact| fact.is_about_talking_early())
    {
        return Failure::HeaderNotTaken(greeting.clone());
    }
    let early = match &failure {
        Failure::ClosedAtOnce { .. }
        | Failure::LostAtOnce(_)
        | Failure::NoGreeting(_)
        | Failure::GreetingUnfinished { .. }
        | Failure::NotSmtp(_)
        | Failure::TlsEnded(_)
        | Failure::GreetingRefused(_)
        | Failure::GreetingLater(_) => true,
        Failure::Talk(talk) => match &**talk {
            TalkFailure::HelloRefused { .. } => true,
            TalkFailure::Lost { verb, .. } | TalkFailure::Silent { verb, .. } | TalkFailure::Odd { verb, .. } => {
                matches!(verb.as_str(), "EHLO" | "HELO" | "LHLO")
            }
            TalkFailure::Handshake(_) => true,
            _ => false,
        },
        _ => false,
    };
    if early { Failure::BehindHeader(Box::new(failure)) } else { failure }
}

/// What the first event on a new connection means for it: `None` when the server greeted as it should.
pub fn greeting_failure(event: &Event) -> Option<Failure> {
    match event {
        Event::Reply { reply, to: Expected::Greeting, judgement, .. } => match judgement {
            Judgement::Done => None,
            Judgement::Refused if reply.class() == Some(Class::Transient) => Some(Failure::GreetingLater(reply.code.number())),
            Judgement::Refused => Some(Failure::GreetingRefused(reply.code.number())),
            Judgement::Continue | Judgement::OutOfStep | Judgement::Malformed => Some(Failure::NotSmtp(None)),
        },
        Event::Stray { foreign, .. } => Some(Failure::NotSmtp(*foreign)),
        Event::Ended(ending) => match ending {
            Ending::Closed { partial, .. } => Some(foreign_or(partial, Failure::ClosedAtOnce { partial: !partial.is_empty() })),
            Ending::Lost { reason, by_tls: true, .. } => Some(Failure::TlsEnded(reason.clone())),
            Ending::Lost { reason, partial, .. } => Some(foreign_or(partial, Failure::LostAtOnce(reason.clone()))),
            Ending::TimedOut { after, partial, .. } if partial.is_empty() => Some(Failure::NoGreeting(*after)),
            Ending::TimedOut { after, partial, .. } => {
                Some(foreign_or(partial, Failure::GreetingUnfinished { after: *after, lines: partial.clone() }))
            }
            Ending::TooLong { kind, .. } => Some(Failure::TooLong(*kind)),
            Ending::Flood => Some(Failure::Flood),
            Ending::ClosedByUs => None,
        },
        Event::Reply { .. } | Event::Unsolicited(_) => None,
    }
}

/// Half a line may be enough to see that it is not SMTP: a TLS alert has no line end.
fn foreign_or(partial: &[Vec<u8>], otherwise: Failure) -> Failure {
    match partial.first().and_then(|line| crate::wire::foreign::guess(line)) {
        Some(foreign) => Failure::NotSmtp(Some(foreign)),
        None => otherwise,
    }
}
