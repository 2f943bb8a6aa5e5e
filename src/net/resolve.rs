//! From a name to addresses: by the system's resolver, as other programs do it, or at a name server of the
//! operator's choice.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::dial::{DialError, DialOptions, Family};
use super::dns::mx::MOST;
use super::dns::{DnsError, Resolver};
use super::zone::socket_address;

/// The addresses of a host, in the order in which they are to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Never empty, at most [`MOST`], each once, the families taking turns.
    pub addresses: Vec<SocketAddr>,
    /// So many more there are, which are not tried.
    pub left_out: usize,
    /// The names that CNAME records led to; the system's resolver does not tell them.
    pub aliases: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Resolves a name; an address is its own answer.
///
/// # Errors
/// All of [`DialError`] that is about names.
pub async fn resolve(host: &str, port: u16, options: &DialOptions, deadline: Instant) -> Result<Resolved, DialError> {
    let started = Instant::now();
    let (mut all, aliases) = match (socket_address(host, port), &options.resolver) {
        (Some(address), _) => (vec![address.map_err(DialError::UnknownZone)?], Vec::new()),
        (None, Some(resolver)) => at_server(host, port, resolver, options.family, deadline).await?,
        (None, None) => (by_system(host, port, deadline).await?, Vec::new()),
    };
    // From an IPv4 address nothing can reach an IPv6 address: where there is one of its kind the others do not count.
    let of_bind = |address: &SocketAddr| options.bind.is_none_or(|local| local.is_ipv4() == address.is_ipv4());
    if all.iter().any(of_bind) {
        all.retain(of_bind);
    }
    let other_family = !all.is_empty();
    let wanted = all.into_iter().filter(|address| match options.family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    });
    let mut addresses = interleave(wanted);
    if addresses.is_empty() {
        return Err(DialError::NoAddress { other_family });
    }
    let left_out = addresses.len().saturating_sub(MOST);
    addresses.truncate(MOST);
    Ok(Resolved { addresses, left_out, aliases, took: started.elapsed() })
}

async fn by_system(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, DialError> {
    match timeout_at(deadline, lookup_host((host, port))).await {
        Err(_) => Err(DialError::ResolverSilent),
        Ok(Err(error)) => Err(resolver_error(&error)),
        Ok(Ok(found)) => Ok(found.collect()),
    }
}

async fn at_server(
    host: &str,
    port: u16,
    resolver: &Resolver,
    family: Family,
    deadline: Instant,
) -> Result<(Vec<SocketAddr>, Vec<String>), DialError> {
    let answer = resolver.addresses(host, family, deadline).await.map_err(|error| match error {
        DnsError::NoSuchName => DialError::NoSuchName,
        DnsError::NoData { .. } => DialError::NoAddress { other_family: false },
        DnsError::TimedOut => DialError::ResolverSilent,
        other => DialError::Resolver(other.to_string()),
    })?;
    let addresses = answer.records.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Ok((addresses, answer.aliases))
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
    let mut known = HashSet::new();
    let unique: Vec<SocketAddr> = addresses.filter(|address| known.insert(*address)).collect();
    if unique.len() < 2 {
        return unique;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_doubles_go() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:25", "[::2]:25", "[::1]:25", "1.0.0.1:25", "1.0.0.2:25", "1.0.0.3:25"]);
        assert_eq!(interleave(given.into_iter()), parse(&["[::1]:25", "1.0.0.1:25", "[::2]:25", "1.0.0.2:25", "1.0.0.3:25"]));
    }

    #[tokio::test]
    async fn a_family_without_address_is_told() {
        let options = DialOptions { family: Family::V6, ..DialOptions::default() };
        let result = resolve("127.0.0.1", 25, &options, Instant::now() + Duration::from_secs(5)).await;
        assert!(matches!(result, Err(DialError::NoAddress { other_family: true })), "{result:?}");
    }
}
