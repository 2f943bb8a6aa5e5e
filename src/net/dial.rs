//! From a target to a connected stream: resolving, then every address, raced as RFC 8305 says, and
//! each attempt told.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::target::Target;

/// How long an attempt runs alone before the next address is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// Which addresses may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Which addresses may be used.
    pub family: Family,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
    /// The limit for resolving and connecting together.
    pub timeout: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self { family: Family::Any, bind: None, timeout: Duration::from_secs(30) }
    }
}

/// What happens on the way.
#[derive(Debug)]
pub enum DialEvent<'a> {
    /// The name resolved.
    Resolved {
        /// The addresses, in the order in which they will be tried.
        addresses: &'a [SocketAddr],
        /// How long it took.
        took: Duration,
    },
    /// An attempt began.
    Trying(SocketAddr),
    /// An attempt failed.
    Failed(&'a Attempt),
}

/// An attempt that failed.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub cause: Cause,
    /// How long it took.
    pub took: Duration,
}

/// Why an address could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The host said that nothing listens there.
    Refused,
    /// No way leads there from here.
    NoRoute,
    /// Nothing came back.
    TimedOut,
    /// The operating system or a firewall on the way forbids it.
    Prohibited,
    /// The local address cannot be used.
    BadLocalAddress(String),
    /// Anything else, in the system's words.
    Other(String),
}

/// Why no stream came of it.
#[derive(Debug)]
pub enum DialError {
    /// The name does not exist.
    NoSuchName,
    /// The name exists and has no address (of the family wanted).
    NoAddress {
        /// Addresses of the other family exist.
        other_family: bool,
    },
    /// The resolver gave no answer, in its words.
    Resolver(String),
    /// The resolver gave no answer in time.
    ResolverSilent,
    /// Every address failed.
    Unreachable(Vec<Attempt>),
}

/// A stream and how it was reached.
#[derive(Debug)]
pub struct Dialed {
    /// The stream.
    pub stream: TcpStream,
    /// The address.
    pub address: SocketAddr,
    /// How long the successful attempt took.
    pub took: Duration,
}

/// Connects to a target.
///
/// # Errors
/// [`DialError`], which holds every attempt and its cause.
pub async fn dial(target: &Target, options: &DialOptions, tell: &mut dyn FnMut(DialEvent<'_>)) -> Result<Dialed, DialError> {
    let started = Instant::now();
    let deadline = started + options.timeout;
    let addresses = resolve(target, options.family, deadline).await?;
    tell(DialEvent::Resolved { addresses: &addresses, took: started.elapsed() });
    race(addresses, options.bind, deadline, tell).await
}

async fn resolve(target: &Target, family: Family, deadline: Instant) -> Result<Vec<SocketAddr>, DialError> {
    let all = match target.address() {
        Some(ip) => vec![SocketAddr::new(ip, target.port)],
        None => match timeout_at(deadline, lookup_host((target.host.as_str(), target.port))).await {
            Err(_) => return Err(DialError::ResolverSilent),
            Ok(Err(error)) => return Err(resolver_error(&error)),
            Ok(Ok(found)) => found.collect(),
        },
    };
    let other_family = !all.is_empty();
    let wanted = all.into_iter().filter(|address| match family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    });
    let addresses = interleave(wanted);
    if addresses.is_empty() { Err(DialError::NoAddress { other_family }) } else { Ok(addresses) }
}

/// The system's resolver tells its errors only in words.
fn resolver_error(error: &io::Error) -> DialError {
    let words = error.to_string();
    let has = |part: &str| words.contains(part);
    if has("Name or service not known") || has("nodename nor servname") || has("No such host is known") || has("Name does not resolve") {
        DialError::NoSuchName
    } else if has("No address associated") || has("no data of the requested type") {
        DialError::NoAddress { other_family: false }
    } else {
        let detail = words.rsplit(": ").next().unwrap_or(&words);
        DialError::Resolver(detail.to_owned())
    }
}

/// The resolver's order, with the families taking turns (RFC 8305 §4); doubles are left out.
fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let first_is_v6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (VecDeque<_>, VecDeque<_>) = unique.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut queues = [one, other];
    let mut out = Vec::new();
    while let Some(address) = queues[0].pop_front().or_else(|| queues[1].pop_front()) {
        out.push(address);
        queues.swap(0, 1);
    }
    out
}

async fn race(
    addresses: Vec<SocketAddr>,
    bind: Option<IpAddr>,
    deadline: Instant,
    tell: &mut dyn FnMut(DialEvent<'_>),
) -> Result<Dialed, DialError> {
    let mut waiting: VecDeque<SocketAddr> = addresses.into();
    let mut running = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        if let Some(address) = waiting.pop_front() {
            tell(DialEvent::Trying(address));
            running.spawn(attempt(address, bind, deadline));
        }
        let stagger = sleep(STAGGER);
        tokio::pin!(stagger);
        let finished = tokio::select! {
            finished = running.join_next() => finished,
            () = &mut stagger, if !waiting.is_empty() => None,
        };
        match finished {
            Some(Ok(Ok(dialed))) => return Ok(dialed),
            Some(Ok(Err(attempt))) => {
                tell(DialEvent::Failed(&attempt));
                failed.push(attempt);
            }
            Some(Err(_)) | None => {}
        }
        if running.is_empty() && waiting.is_empty() {
            return Err(DialError::Unreachable(failed));
        }
    }
}

async fn attempt(address: SocketAddr, bind: Option<IpAddr>, deadline: Instant) -> Result<Dialed, Attempt> {
    let started = Instant::now();
    let failed = |cause| Attempt { address, cause, took: started.elapsed() };
    match timeout_at(deadline, connect(address, bind)).await {
        Ok(Ok(stream)) => Ok(Dialed { stream, address, took: started.elapsed() }),
        Ok(Err(cause)) => Err(failed(cause)),
        Err(_) => Err(failed(Cause::TimedOut)),
    }
}

async fn connect(address: SocketAddr, bind: Option<IpAddr>) -> Result<TcpStream, Cause> {
    let stream = match bind {
        None => TcpStream::connect(address).await,
        Some(local) => {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            let socket = socket.map_err(|error| cause(&error))?;
            socket.bind(SocketAddr::new(local, 0)).map_err(|error| Cause::BadLocalAddress(system_words(&error)))?;
            socket.connect(address).await
        }
    };
    let stream = stream.map_err(|error| cause(&error))?;
    // A command is one small write that must not wait for others (Nagle).
    stream.set_nodelay(true).map_err(|error| cause(&error))?;
    Ok(stream)
}

fn cause(error: &io::Error) -> Cause {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, PermissionDenied, TimedOut};
    match error.kind() {
        ConnectionRefused => Cause::Refused,
        HostUnreachable | NetworkUnreachable | NetworkDown => Cause::NoRoute,
        TimedOut => Cause::TimedOut,
        PermissionDenied => Cause::Prohibited,
        _ => Cause::Other(system_words(error)),
    }
}

/// The system's message without Rust's `(os error N)`.
pub fn system_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or(&words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16) -> Target {
        Target::new(host, port)
    }

    #[test]
    fn families_take_turns_and_doubles_go() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:25", "[::2]:25", "[::1]:25", "1.0.0.1:25", "1.0.0.2:25", "1.0.0.3:25"]);
        assert_eq!(interleave(given.into_iter()), parse(&["[::1]:25", "1.0.0.1:25", "[::2]:25", "1.0.0.2:25", "1.0.0.3:25"]));
    }

    #[tokio::test]
    async fn a_refused_port_is_told_apart() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut tried = 0;
        let result = dial(&target("127.0.0.1", port), &DialOptions::default(), &mut |event| {
            tried += usize::from(matches!(event, DialEvent::Trying(_)));
        })
        .await;
        let Err(DialError::Unreachable(attempts)) = result else { panic!("{result:?}") };
        assert_eq!((attempts.len(), &attempts[0].cause, tried), (1, &Cause::Refused, 1));
    }

    #[tokio::test]
    async fn the_other_address_is_used_when_the_first_is_refused() {
        // P43
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let dead: SocketAddr = format!("127.0.0.2:{}", live.port()).parse().unwrap();
        let dialed = race(vec![dead, live], None, Instant::now() + Duration::from_secs(5), &mut |_| {}).await.unwrap();
        assert_eq!(dialed.address, live);
    }

    #[tokio::test]
    async fn a_family_without_address_is_told() {
        let options = DialOptions { family: Family::V6, ..DialOptions::default() };
        let result = dial(&target("127.0.0.1", 25), &options, &mut |_| {}).await;
        assert!(matches!(result, Err(DialError::NoAddress { other_family: true })), "{result:?}");
    }
}
