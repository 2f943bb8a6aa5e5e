//! Hosts as they are written: addresses with their zones, and names.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The longest zone that is taken: interfaces have shorter names everywhere.
const LONGEST_ZONE: usize = 64;

/// A host that was given as an address, and its zone: `fe80::1%eth0`, on Windows `fe80::1%12` (RFC 4007 §11).
pub fn address_and_zone(host: &str) -> Option<(IpAddr, Option<&str>)> {
    let Some((address, zone)) = host.split_once('%') else { return Some((host.parse().ok()?, None)) };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_zone = (1..=LONGEST_ZONE).contains(&zone.len()) && zone.chars().all(fits);
    let address: Ipv6Addr = address.parse().ok().filter(|_| is_zone)?;
    Some((address.into(), Some(zone)))
}

/// The address, when the host is one, without its zone.
pub fn ip_of(host: &str) -> Option<IpAddr> {
    address_and_zone(host).map(|(address, _)| address)
}

/// A host without the zone, which has a meaning on this machine only: what others are told of it.
pub fn without_zone(host: &str) -> &str {
    match address_and_zone(host) {
        Some((_, Some(zone))) => &host[..host.len() - zone.len() - 1],
        _ => host,
    }
}

/// A host as it stands in a URL: IPv6 in brackets, the percent sign before a zone encoded (RFC 6874 §2).
pub fn in_url(host: &str) -> Cow<'_, str> {
    if host.contains(':') { Cow::Owned(format!("[{}]", host.replacen('%', "%25", 1))) } else { Cow::Borrowed(host) }
}

/// The IP address, with the number of its zone if it has one: `192.0.2.25`, `fe80::1%2`.
pub fn shown_ip(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => address.ip().to_string(),
    }
}

/// In a URL the percent sign before a zone is written `%25` (RFC 6874 §2), and alone by many.
pub fn out_of_url(host: &str) -> Cow<'_, str> {
    match host.split_once("%25") {
        Some((address, zone)) if !zone.is_empty() => Cow::Owned(format!("{address}%{zone}")),
        _ => Cow::Borrowed(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_its_zone() {
        let table = [
            ("192.0.2.1", Some(("192.0.2.1", None))),
            ("::1", Some(("::1", None))),
            ("fe80::1%eth0", Some(("fe80::1", Some("eth0")))),
            ("fe80::1%12", Some(("fe80::1", Some("12")))),
            ("fe80::1%", None),
            ("fe80::1%a%b", None),
            ("fe80::1%a b", None),
            ("192.0.2.1%eth0", None),
            ("mx%eth0", None),
            ("mx.contoso.test", None),
        ];
        for (host, want) in table {
            let want = want.map(|(ip, zone): (&str, Option<&str>)| (ip.parse().unwrap(), zone));
            assert_eq!(address_and_zone(host), want, "{host}");
            assert_eq!(ip_of(host), want.map(|(ip, _)| ip));
        }
        assert_eq!(["fe80::1%eth0", "a%b", "mx.test"].map(without_zone), ["fe80::1", "a%b", "mx.test"]);
        let shown = |address: &str| shown_ip(&address.parse().unwrap());
        assert_eq!([shown("[fe80::1%2]:25"), shown("[::1]:25"), shown("192.0.2.1:25")], ["fe80::1%2", "::1", "192.0.2.1"]);
    }

    #[test]
    fn a_host_goes_into_a_url_and_out_of_it() {
        for (host, url) in [("mx.test", "mx.test"), ("::1", "[::1]"), ("fe80::1%lo", "[fe80::1%25lo]"), ("fe80::1%251", "[fe80::1%25251]")]
        {
            assert_eq!(in_url(host), url);
            assert_eq!(out_of_url(url.trim_matches(['[', ']'])), host);
        }
        // Many leave the percent sign as it is.
        assert_eq!((out_of_url("fe80::1%lo"), out_of_url("fe80::1%25")), ("fe80::1%lo".into(), "fe80::1%25".into()));
    }
}
