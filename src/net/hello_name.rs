//! The name that we say in EHLO: what the operator gave, this machine's full name, or where it has none its address
//! (RFC 5321 §4.1.1.1, §4.1.3).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::host::is_own_machine;

/// No more of the file of hosts is read than this: where it is used to block names it is long.
#[cfg(unix)]
const LONGEST_FILE: u64 = 256 * 1024;

/// What is said in EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloName {
    /// This, on each connection.
    Fixed(String),
    /// The address of our end of the connection.
    Address,
}

impl HelloName {
    /// The full name of this machine, if it is set to have one. No name server is asked.
    pub fn of_this_machine() -> Self {
        full_name(&own_name(), &hosts()).map_or(Self::Address, Self::Fixed)
    }

    /// What is said on a connection whose end is at this address. Where none is known (a socket of this machine, a
    /// program), it is that of the loopback.
    pub fn on(&self, local: Option<SocketAddr>) -> String {
        match self {
            Self::Fixed(name) => name.clone(),
            Self::Address => address_literal(local.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |local| local.ip())),
        }
    }
}

impl From<&str> for HelloName {
    fn from(name: &str) -> Self {
        Self::Fixed(name.to_owned())
    }
}

/// The name of this machine for logins that want one (NTLM), from what is said in EHLO: one label in capitals.
pub fn workstation(hello_name: &str) -> String {
    let own = if hello_name.starts_with('[') { own_name() } else { hello_name.to_owned() };
    own.split('.').next().unwrap_or_default().to_ascii_uppercase()
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn address_literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// The full name of a machine of this name: the name itself, or the one that stands beside it in the file of hosts,
/// where the first name of a line is the canonical one.
fn full_name(own: &str, hosts: &str) -> Option<String> {
    let own = own.strip_suffix('.').unwrap_or(own);
    if is_full_name(own) {
        return Some(own.to_owned());
    }
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default().split_ascii_whitespace().skip(1));
    let mut of_own = lines.filter(|names| names.clone().any(|name| name.eq_ignore_ascii_case(own)));
    of_own.find_map(|mut names| names.find(|name| is_full_name(name)).map(str::to_owned))
}

/// Whether others can know a machine by this name: labels of letters, digits and hyphens (RFC 1123 §2.1), two at least,
/// the last no number; not one that each machine has, nor one that only its neighbours resolve (RFC 6762 §3).
fn is_full_name(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let Some(last) = labels.last().filter(|_| labels.len() > 1 && name.len() <= 253) else { return false };
    let is_nowhere = last.eq_ignore_ascii_case("localdomain") || last.eq_ignore_ascii_case("local") && labels.len() == 2;
    labels.iter().all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit()) && !is_nowhere && !is_own_machine(name)
}

/// This machine's name as it is set.
fn own_name() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let (name, domain) = (variable("COMPUTERNAME"), variable("USERDNSDOMAIN"));
        if domain.is_empty() { name } else { format!("{name}.{domain}").to_ascii_lowercase() }
    }
}

/// The file of hosts, which needs no network; empty where there is none.
fn hosts() -> String {
    #[cfg(unix)]
    {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        if let Ok(file) = std::fs::File::open("/etc/hosts") {
            let _ = file.take(LONGEST_FILE).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
    #[cfg(not(unix))]
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_of_a_machine_is_found_without_a_name_server() {
        let hosts = "127.0.0.1 localhost vm2\n127.0.1.1\tpc1.contoso.test pc1 # ours\n::1 localhost.localdomain pc2\n\
                     192.0.2.7 pc3 pc3.contoso.test\n#192.0.2.8 pc4.contoso.test pc4\n192.0.2.9 db.contoso.test pc5";
        let table = [
            ("mx.contoso.test", Some("mx.contoso.test")),
            ("mx.contoso.test.", Some("mx.contoso.test")),
            ("PC1", Some("pc1.contoso.test")),
            ("pc2", None),
            ("pc3", Some("pc3.contoso.test")),
            ("pc4", None),
            ("pc5", Some("db.contoso.test")),
            ("pc", None),
            ("vm2", None),
            ("localhost", None),
            ("localhost.localdomain", None),
            ("pc.localdomain", None),
            ("a.localhost", None),
            ("macbook.local", None),
            ("pc.contoso.local", Some("pc.contoso.local")),
            ("my_pc.contoso.test", None),
            ("m\u{fc}ller-pc.test", None),
            ("-a.test", None),
            ("a..test", None),
            ("192.0.2.1", None),
            ("", None),
        ];
        for (own, want) in table {
            assert_eq!(full_name(own, hosts).as_deref(), want, "{own}");
        }
    }

    #[test]
    fn a_machine_without_a_full_name_says_its_address() {
        let address = |text: &str| HelloName::Address.on(text.parse().ok());
        assert_eq!(address("192.0.2.1:4711"), "[192.0.2.1]");
        assert_eq!(address("[2001:db8::1]:4711"), "[IPv6:2001:db8::1]");
        // What is no part of an address literal is left out: the zone, and the form of IPv6 for IPv4.
        assert_eq!(address("[fe80::1%2]:4711"), "[IPv6:fe80::1]");
        assert_eq!(address("[::ffff:192.0.2.1]:4711"), "[192.0.2.1]");
        assert_eq!(address(""), "[127.0.0.1]");
        assert_eq!(HelloName::from("a b\u{fc}").on(None), "a b\u{fc}");
        assert!(!workstation("[192.0.2.1]").contains(['[', '.']) && workstation("pc1.contoso.test") == "PC1");
    }
}
