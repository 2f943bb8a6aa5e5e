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

/// Whether a name or an address means the machine of whoever uses it, wherever that is: `localhost` and what is below it
/// (RFC 6761 §6.3), the names that systems set beside it, loopback and unspecified addresses.
pub fn is_own_machine(host: &str) -> bool {
    const NAMES: [&str; 8] = [
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
    ];
    if let Some(ip) = ip_of(host) {
        return is_loopback(ip);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let below = name.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("localhost"));
    below || NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Loopback addresses, and unspecified ones, which lead there on many systems.
pub fn is_loopback(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Addresses that nobody outside can reach: private, unique local and link-local ones (RFC 1918, RFC 4193, RFC 3927,
/// RFC 4291 §2.5.6).
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
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

    #[test]
    fn who_is_meant_by_a_host_is_told_from_its_name_or_address() {
        let own = [
            "localhost",
            "LOCALHOST.",
            "localhost.localdomain",
            "mx.localhost",
            "ip6-localhost",
            "127.0.0.1",
            "127.8.9.10",
            "::1",
            "0.0.0.0",
            "::",
            "::ffff:127.0.0.1",
        ];
        assert!(own.into_iter().all(is_own_machine));
        let others =
            ["mx.contoso.test", "localhost.contoso.test", "notlocalhost", "mx.localhosts", "10.0.0.1", "2001:db8::1", "fe80::1%lo"];
        assert!(!others.into_iter().any(is_own_machine));
        let private = |address: &str| is_private(address.parse().unwrap());
        assert!(
            ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "fc00::1", "fd12::1", "fe80::1", "::ffff:10.0.0.1"].map(private)
                == [true; 8]
        );
        assert!(["192.0.2.1", "2001:db8::1", "127.0.0.1", "172.32.0.1"].map(private) == [false; 4]);
    }
}
