//! Where to connect: `host`, `host:port`, `[v6]:port`, `smtp://host`, a service name for the port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::text::{cut, printable_str};

/// The default port: SMTP (RFC 5321 §4.5.4.2).
pub const SMTP: u16 = 25;

/// The port of submission with TLS from the first byte (RFC 8314 §7.3).
pub const SUBMISSIONS: u16 = 465;

/// Service names that are understood in the place of a port number (the IANA registry's names).
pub const SERVICES: &[(&str, u16)] = &[("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465)];

/// A server to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port, 25 unless the operator said another.
    pub port: u16,
    /// TLS from the first byte (RFC 8314 §3).
    pub implicit_tls: bool,
}

/// What is wrong with an argument that should name a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// Nothing was given.
    Empty,
    /// A space, a control character or a slash in the host.
    BadHost(String),
    /// A mail address instead of a host.
    MailAddress {
        /// As typed.
        address: String,
        /// The part behind the `@`.
        domain: String,
    },
    /// Neither a number from 1 to 65535 nor a service name.
    BadPort(String),
    /// The port stands in the host and again behind it, and they differ.
    TwoPorts(u16, u16),
    /// `http://…` and the like.
    UnknownScheme(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no host was given"),
            Self::BadHost(host) => write!(f, "'{}' is not a host name or an address", printable_str(cut(host, 80))),
            Self::MailAddress { address, domain } => write!(
                f,
                "'{}' is a mail address, not a server: look up the mail servers of {} (nslookup -type=mx) and give one of them",
                printable_str(cut(address, 80)),
                printable_str(cut(domain, 80))
            ),
            Self::BadPort(port) => {
                write!(
                    f,
                    "'{}' is not a port: give a number from 1 to 65535 or smtp, submission, submissions",
                    printable_str(cut(port, 80))
                )
            }
            Self::TwoPorts(one, other) => write!(f, "two ports were given, {one} and {other}: give one"),
            Self::UnknownScheme(scheme) => {
                write!(f, "'{}://' is not understood: use smtp://, smtps:// or submission://", printable_str(cut(scheme, 80)))
            }
        }
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Reads the operator's arguments.
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with them; nothing that holds a control character passes (P33).
    pub fn parse(host: &str, port: Option<&str>) -> Result<Self, TargetError> {
        let (scheme, rest) = split_scheme(host.trim_matches(' '))?;
        let (host, inner) = split_port(rest)?;
        check_host(host)?;
        let inner = inner.map(parse_port).transpose()?;
        let outer = port.map(|p| parse_port(p.trim())).transpose()?;
        let port = match (inner, outer) {
            (Some(a), Some(b)) if a != b => return Err(TargetError::TwoPorts(a, b)),
            (a, b) => b.or(a).or(scheme.map(|scheme| scheme.port)).unwrap_or(SMTP),
        };
        let implicit_tls = scheme.map_or(port == SUBMISSIONS, |scheme| scheme.implicit_tls);
        Ok(Self { host: host.to_owned(), port, implicit_tls })
    }

    /// The address, when the host is one rather than a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// `mail.contoso.test`, `192.0.2.25:587`, `[2001:db8::1]:25`: the port is shown unless it is 25.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v6 = self.host.parse::<Ipv6Addr>().is_ok();
        match (self.port, v6) {
            (SMTP, _) => f.write_str(&self.host),
            (port, true) => write!(f, "[{}]:{port}", self.host),
            (port, false) => write!(f, "{}:{port}", self.host),
        }
    }
}

/// What a scheme says.
#[derive(Debug, Clone, Copy)]
struct Scheme {
    name: &'static str,
    port: u16,
    implicit_tls: bool,
}

/// The schemes that are understood.
const SCHEMES: &[Scheme] = &[
    Scheme { name: "smtp", port: SMTP, implicit_tls: false },
    Scheme { name: "submission", port: 587, implicit_tls: false },
    Scheme { name: "smtps", port: SUBMISSIONS, implicit_tls: true },
    Scheme { name: "submissions", port: SUBMISSIONS, implicit_tls: true },
];

fn split_scheme(text: &str) -> Result<(Option<Scheme>, &str), TargetError> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok((None, text)) };
    let rest = rest.split('/').next().unwrap_or(rest);
    match SCHEMES.iter().find(|known| known.name.eq_ignore_ascii_case(scheme)) {
        Some(known) => Ok((Some(*known), rest)),
        None => Err(TargetError::UnknownScheme(scheme.to_owned())),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), TargetError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| TargetError::BadHost(text.to_owned()))?;
        if host.parse::<IpAddr>().is_err() {
            return Err(TargetError::BadHost(text.to_owned()));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(TargetError::BadHost(text.to_owned())),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

fn check_host(host: &str) -> Result<(), TargetError> {
    if host.is_empty() {
        return Err(TargetError::Empty);
    }
    if let Some((local, domain)) = host.rsplit_once('@')
        && !local.is_empty()
    {
        return Err(TargetError::MailAddress { address: host.to_owned(), domain: domain.to_owned() });
    }
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '/' | '@' | '<' | '>' | ',' | ';' | '"' | '\\' | '?' | '#' | '[' | ']')
    };
    // What `text` would have to escape (bidirectional and invisible characters too) is in no name.
    if printable_str(host) != host || host.chars().any(odd) || host.len() > 255 || host.starts_with('-') {
        return Err(TargetError::BadHost(host.to_owned()));
    }
    Ok(())
}

/// A port number or a service name.
pub fn parse_port(text: &str) -> Result<u16, TargetError> {
    let known = SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    match (known, text.parse::<u16>()) {
        (Some((_, port)), _) => Ok(*port),
        (None, Ok(port)) if port > 0 => Ok(port),
        _ => Err(TargetError::BadPort(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_server_is_understood() {
        let table = [
            ("mail.contoso.test", None, "mail.contoso.test", 25),
            ("mail.contoso.test", Some("587"), "mail.contoso.test", 587),
            ("mail.contoso.test", Some("submission"), "mail.contoso.test", 587),
            ("mail.contoso.test:2525", None, "mail.contoso.test", 2525),
            ("mail.contoso.test:smtp", Some("25"), "mail.contoso.test", 25),
            ("127.0.0.1:2525", None, "127.0.0.1", 2525),
            ("::1", None, "::1", 25),
            ("[::1]", Some("2525"), "::1", 2525),
            ("[2001:db8::1]:587", None, "2001:db8::1", 587),
            ("smtp://mail.contoso.test", None, "mail.contoso.test", 25),
            ("SUBMISSION://mail.contoso.test/", None, "mail.contoso.test", 587),
            ("smtp://[::1]:2525", None, "::1", 2525),
        ];
        for (host, port, want, want_port) in table {
            let got = Target::parse(host, port).unwrap();
            assert_eq!((got.host.as_str(), got.port, got.implicit_tls), (want, want_port, false), "{host}");
        }
        for (host, port, want_port, implicit) in [
            ("x", Some("465"), 465, true),
            ("smtps://x", None, 465, true),
            ("smtps://x:2525", None, 2525, true),
            ("smtp://x:465", None, 465, false),
        ] {
            let got = Target::parse(host, port).unwrap();
            assert_eq!((got.port, got.implicit_tls), (want_port, implicit), "{host}");
        }
    }

    #[test]
    fn wrong_arguments_are_refused_before_anything_is_sent() {
        // P33
        for host in [
            "",
            "[a:b]",
            "[[]",
            "a[b",
            "a b",
            "a\r\nb",
            "a\0",
            "user@contoso.test",
            "http://x",
            "[::1",
            "[::1]x",
            "x:99999",
            "x:0",
            "x:smtpp",
            "-v",
        ] {
            assert!(Target::parse(host, None).is_err(), "{host:?}");
        }
        assert_eq!(Target::parse("x:25", Some("26")), Err(TargetError::TwoPorts(25, 26)));
        let shown = Target::parse("a\x1b[31m", None).unwrap_err().to_string();
        assert!(!shown.contains('\x1b'), "{shown}");
    }

    #[test]
    fn the_port_is_shown_unless_it_is_25() {
        for (text, shown) in [("h:25", "h"), ("h:587", "h:587"), ("[::1]:587", "[::1]:587"), ("::1", "::1")] {
            assert_eq!(Target::parse(text, None).unwrap().to_string(), shown);
        }
    }
}
