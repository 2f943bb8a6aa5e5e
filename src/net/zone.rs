//! Zones of IPv6 addresses: `%eth0` says by which interface of this machine an address is reached (RFC 4007 §11).

use std::net::{SocketAddr, ToSocketAddrs as _};

use crate::host::address_and_zone;
use crate::text::printable_str;

/// The socket address of a host that was given as an address, with the zone's number; `None` where it is a name.
///
/// # Errors
/// The zone, when this machine has no interface of that name.
pub fn socket_address(host: &str, port: u16) -> Option<Result<SocketAddr, String>> {
    let (ip, zone) = address_and_zone(host)?;
    let mut address = SocketAddr::new(ip, port);
    if let (SocketAddr::V6(v6), Some(zone)) = (&mut address, zone) {
        match index(zone) {
            Some(index) => v6.set_scope_id(index),
            None => return Some(Err(zone.to_owned())),
        }
    }
    Some(Ok(address))
}

/// The number of an interface, by its name or as given. Only the system knows its interfaces, and its resolver asks no
/// server about an address.
fn index(zone: &str) -> Option<u32> {
    // With an address of another kind not every system looks the name up.
    let mut found = (format!("fe80::1%{zone}").as_str(), 0).to_socket_addrs().ok()?;
    match found.next()? {
        SocketAddr::V6(address) => Some(address.scope_id()),
        SocketAddr::V4(_) => None,
    }
}

/// Reads an address of this machine (`--bind`): `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`.
///
/// # Errors
/// In words: it is no address, or there is no such interface.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match socket_address(bare, 0) {
        Some(found) => found.map_err(|zone| no_interface(&zone)),
        None => Err("give an address, such as 192.0.2.1, 2001:db8::1 or fe80::1%eth0".to_owned()),
    }
}

/// Reads an address with a port or without: `192.0.2.53`, `[fe80::53%eth0]:5353`; `None` where it is none.
///
/// # Errors
/// In words: there is no such interface.
pub fn parse_socket_address(text: &str, usual_port: u16) -> Option<Result<SocketAddr, String>> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, if behind.is_empty() { usual_port } else { behind.strip_prefix(':')?.parse().ok()? })
        }
        None if address_and_zone(text).is_some() => (text, usual_port),
        None => text.split_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)))?,
    };
    if port == 0 {
        return None;
    }
    socket_address(host, port).map(|found| found.map_err(|zone| no_interface(&zone)))
}

/// The words for a zone that is none.
pub fn no_interface(zone: &str) -> String {
    format!("this machine has no interface '{}'", printable_str(zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The loopback interface has a name that each system chooses.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_is_the_name_or_the_number_of_an_interface() {
        let scope = |host: &str| match socket_address(host, 25) {
            Some(Ok(SocketAddr::V6(address))) => Some(address.scope_id()),
            _ => None,
        };
        let lo = scope("fe80::1%lo").unwrap();
        assert!(lo > 0);
        assert_eq!(scope("::1%lo"), Some(lo));
        assert_eq!(scope(&format!("fe80::1%{lo}")), Some(lo));
        assert_eq!(scope("fe80::1"), Some(0));
        assert_eq!(socket_address("fe80::1%no-such", 25), Some(Err("no-such".to_owned())));
        assert_eq!(socket_address("mx.contoso.test", 25), None);
    }

    #[test]
    fn addresses_are_read_with_a_port_and_without() {
        for (text, want) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(parse_socket_address(text, 53), Some(Ok(want.parse().unwrap())), "{text}");
        }
        for text in ["", "ns.test", "192.0.2.53:0", "192.0.2.53:x", "[::1]x", "[::1", "::1%", "192.0.2.53%eth0"] {
            assert_eq!(parse_socket_address(text, 53), None, "{text}");
        }
        assert_eq!(parse_address("fe80::1%no-such").unwrap_err(), "this machine has no interface 'no-such'");
        assert!(parse_address("mx.test").is_err() && parse_address("127.0.0.1").is_ok());
    }
}
