//! Where to connect: `host`, `host:port`, `[v6]:port`, `smtp://host`, `lmtp://host`, a service name for the
//! port; `unix:/path` and, as Postfix writes it, `lmtp:unix:/path` for a socket of this machine.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::host::{address_and_zone, in_url, ip_of, out_of_url};
use crate::text::{cut, printable_str};

/// The default port: SMTP (RFC 5321 §4.5.4.2).
pub const SMTP: u16 = 25;

/// The port of submission with TLS from the first byte (RFC 8314 §7.3).
pub const SUBMISSIONS: u16 = 465;

/// The port of LMTP: RFC 2033 §5 forbids 25, and 24 is for any private mail system.
pub const LMTP: u16 = 24;

/// Service names that are understood in the place of a port number (the IANA registry's names).
pub const SERVICES: &[(&str, u16)] = &[("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465)];

/// What is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO for EHLO, and a reply for each recipient after the final dot.
    Lmtp,
}

impl Protocol {
    /// The verb that opens a session and asks for the extensions.
    pub fn hello(self) -> &'static str {
        match self {
            Self::Smtp => "EHLO",
            Self::Lmtp => "LHLO",
        }
    }
}

/// A server to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name (in its ASCII form) or an address, without brackets; `localhost` for a socket.
    pub host: String,
    /// The port, 25 unless the operator said another; of no meaning for a socket.
    pub port: u16,
    /// TLS from the first byte (RFC 8314 §3).
    pub implicit_tls: bool,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The path of a Unix socket of this machine, in the place of host and port.
    pub socket: Option<String>,
}

/// What is wrong with an argument that should name a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// Nothing was given.
    Empty,
    /// A space, a control character or a slash in the host.
    BadHost(String),
    /// A number instead of a host: a port, most likely.
    Number(String),
    /// A mail address instead of a host.
    MailAddress {
        /// As typed.
        address: String,
        /// The part behind the `@`.
        domain: String,
    },
    /// A name in letters beyond ASCII that has no ASCII form, or none that this build can make.
    NotAscii(String),
    /// Neither a number from 1 to 65535 nor a service name.
    BadPort(String),
    /// Several ports, where there can be one only.
    SeveralPorts(String),
    /// The path of a socket is empty or holds a control character.
    BadPath(String),
    /// A port behind a socket.
    PortOfSocket(String),
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
            Self::Number(number) => {
                let number = printable_str(cut(number, 80));
                write!(f, "'{number}' is a number and not a host; a port stands behind its host (HOST:{number})")
            }
            Self::MailAddress { address, domain } => write!(
                f,
                "'{}' is a mail address, not a server: --mx {} connects to the mail server of its domain",
                printable_str(cut(address, 80)),
                printable_str(cut(domain, 80))
            ),
            Self::NotAscii(host) => write!(
                f,
                "'{}' has no form in ASCII that could be looked up: write it as the DNS does (xn--...)",
                printable_str(cut(host, 80))
            ),
            Self::SeveralPorts(ports) => {
                write!(f, "'{}' are several ports, and a session has one: give one of them", printable_str(cut(ports, 80)))
            }
            Self::BadPath(path) => write!(f, "'{}' is not the path of a socket", printable_str(cut(path, 80))),
            Self::PortOfSocket(port) => write!(f, "a socket has no port: leave out '{}'", printable_str(cut(port, 80))),
            Self::BadPort(port) => {
                write!(
                    f,
                    "'{}' is not a port: give a number from 1 to 65535 or smtp, submission, submissions",
                    printable_str(cut(port, 80))
                )
            }
            Self::TwoPorts(one, other) => write!(f, "two ports were given, {one} and {other}: give one"),
            Self::UnknownScheme(scheme) => {
                write!(f, "'{}://' is not understood: use smtp://, smtps://, submission:// or lmtp://", printable_str(cut(scheme, 80)))
            }
        }
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// A host and a port, plain SMTP.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, implicit_tls: false, protocol: Protocol::Smtp, socket: None }
    }

    /// TLS from the first byte where that is wished beside what port and scheme say; who wishes STARTTLS wants that, on
    /// port 465 too.
    pub fn wish_tls(&mut self, implicit: bool, starttls: bool) {
        self.implicit_tls = (self.implicit_tls || implicit) && !starttls;
    }

    /// Reads the operator's arguments.
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with them; nothing that holds a control character passes (P33).
    pub fn parse(host: &str, port: Option<&str>) -> Result<Self, TargetError> {
        match &*Self::parse_ports(host, port)? {
            [one] => Ok(one.clone()),
            several => {
                let ports: Vec<String> = several.iter().map(|target| target.port.to_string()).collect();
                Err(TargetError::SeveralPorts(ports.join(",")))
            }
        }
    }

    /// Reads a host with one port or several: `host:25,465,587`; each port once, in the order given.
    ///
    /// # Errors
    /// As [`Target::parse`]. The list is never empty.
    pub fn parse_ports(host: &str, port: Option<&str>) -> Result<Vec<Self>, TargetError> {
        let host = host.trim_matches(' ');
        if let Some((protocol, path)) = split_socket(host) {
            return Self::of_socket(protocol, path, port).map(|target| vec![target]);
        }
        let (scheme, rest) = split_scheme(host)?;
        let (host, inner) = split_port(rest)?;
        let host = if scheme.is_some() { out_of_url(host) } else { Cow::Borrowed(host) };
        let host = check_host(&host)?;
        let inner = inner.map(parse_port_list).transpose()?;
        let outer = port.map(|p| parse_port_list(p.trim())).transpose()?;
        let ports = match (inner, outer) {
            (Some(a), Some(b)) if a != b => return Err(TargetError::TwoPorts(a[0], b[0])),
            (a, b) => b.or(a).unwrap_or_else(|| vec![scheme.map_or(SMTP, |scheme| scheme.port)]),
        };
        let of = |host, port| Self {
            host,
            port,
            implicit_tls: scheme.map_or(port == SUBMISSIONS, |scheme| scheme.implicit_tls),
            protocol: scheme.map_or(Protocol::Smtp, |scheme| scheme.protocol),
            socket: None,
        };
        if let [port] = ports[..] {
            return Ok(vec![of(host, port)]);
        }
        Ok(ports.into_iter().map(|port| of(host.clone(), port)).collect())
    }

    fn of_socket(protocol: Protocol, path: &str, port: Option<&str>) -> Result<Self, TargetError> {
        if let Some(port) = port {
            return Err(TargetError::PortOfSocket(port.to_owned()));
        }
        // `unix:///run/x` as the other URLs have it.
        let path = if path.starts_with("//") { format!("/{}", path.trim_start_matches('/')) } else { path.to_owned() };
        if path.is_empty() || printable_str(&path) != path {
            return Err(TargetError::BadPath(path));
        }
        Ok(Self { protocol, socket: Some(path), ..Self::new("localhost", SMTP) })
    }

    /// The address, when the host is one rather than a name; its zone is not part of it.
    pub fn address(&self) -> Option<IpAddr> {
        ip_of(&self.host)
    }
}

/// `mail.contoso.test`, `192.0.2.25:587`, `[2001:db8::1]:25`, `lmtp://mail.contoso.test`, `lmtp:unix:/path`: the
/// port is shown unless it is the usual one, 25 (LMTP: 24).
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lmtp = self.protocol == Protocol::Lmtp;
        if let Some(path) = &self.socket {
            return write!(f, "{}unix:{path}", if lmtp { "lmtp:" } else { "" });
        }
        let usual = if lmtp { LMTP } else { SMTP };
        if lmtp {
            f.write_str("lmtp://")?;
        }
        let v6 = self.address().is_some_and(|address| address.is_ipv6());
        match (self.port, v6) {
            (port, _) if lmtp && port == usual => f.write_str(&in_url(&self.host)),
            (port, _) if lmtp => write!(f, "{}:{port}", in_url(&self.host)),
            (port, _) if port == usual => f.write_str(&self.host),
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
    protocol: Protocol,
}

/// The schemes that are understood.
const SCHEMES: &[Scheme] = &[
    Scheme { name: "smtp", port: SMTP, implicit_tls: false, protocol: Protocol::Smtp },
    Scheme { name: "submission", port: 587, implicit_tls: false, protocol: Protocol::Smtp },
    Scheme { name: "smtps", port: SUBMISSIONS, implicit_tls: true, protocol: Protocol::Smtp },
    Scheme { name: "submissions", port: SUBMISSIONS, implicit_tls: true, protocol: Protocol::Smtp },
    Scheme { name: "lmtp", port: LMTP, implicit_tls: false, protocol: Protocol::Lmtp },
    Scheme { name: "lmtps", port: LMTP, implicit_tls: true, protocol: Protocol::Lmtp },
];

/// What stands before the path of a socket.
const SOCKETS: &[(&str, Protocol)] = &[("unix:", Protocol::Smtp), ("lmtp:unix:", Protocol::Lmtp)];

/// The same as URLs, which are about a path only when it is a whole one: a host may be called `unix`.
const SOCKET_URLS: &[(&str, Protocol)] = &[("smtp://unix:/", Protocol::Smtp), ("lmtp://unix:/", Protocol::Lmtp)];

fn split_socket(text: &str) -> Option<(Protocol, &str)> {
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let socket = SOCKETS.iter().find(|(prefix, _)| begins(prefix)).map(|(prefix, protocol)| (*protocol, &text[prefix.len()..]));
    let url = || SOCKET_URLS.iter().find(|(prefix, _)| begins(prefix)).map(|(prefix, protocol)| (*protocol, &text[prefix.len() - 1..]));
    socket.or_else(url)
}

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
        if ip_of(host).is_none() {
            return Err(TargetError::BadHost(text.to_owned()));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(TargetError::BadHost(text.to_owned())),
        };
    }
    // What stands behind the percent sign is looked at with the host.
    if text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) {
        return Ok((text, None));
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

/// The host in its ASCII form.
fn check_host(host: &str) -> Result<String, TargetError> {
    if host.is_empty() {
        return Err(TargetError::Empty);
    }
    // The old form of an IPv4 address as one number is meant by nobody.
    if host.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::Number(host.to_owned()));
    }
    if address_and_zone(host).is_some() {
        return Ok(host.to_owned());
    }
    let is_usual = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':'));
    let ascii = if is_usual { host.to_owned() } else { unusual_host(host)? };
    let gap = ascii.starts_with('.') || ascii.as_bytes().windows(2).any(|pair| pair == b"..");
    if gap || ascii.is_empty() || ascii.len() > 255 || ascii.starts_with('-') {
        return Err(TargetError::BadHost(host.to_owned()));
    }
    Ok(ascii)
}

fn unusual_host(host: &str) -> Result<String, TargetError> {
    if let Some((local, domain)) = host.rsplit_once('@')
        && !local.is_empty()
    {
        return Err(TargetError::MailAddress { address: host.to_owned(), domain: domain.to_owned() });
    }
    // What `text` would have to escape (bidirectional and invisible characters too) is in no name.
    if printable_str(host) != host {
        return Err(TargetError::BadHost(host.to_owned()));
    }
    let ascii = if host.is_ascii() { host.to_owned() } else { to_ascii(host)? };
    let odd = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '/' | '%' | '@' | '<' | '>' | ',' | ';' | '"' | '\\' | '?' | '#' | '[' | ']')
    };
    if ascii.chars().any(odd) { Err(TargetError::BadHost(host.to_owned())) } else { Ok(ascii) }
}

/// A mail domain in A-labels (RFC 5891); `None` where it has no such form, or this build can make none.
pub fn ascii_domain(domain: &str) -> Option<String> {
    to_ascii(domain).ok()
}

/// A-labels, as they stand in the DNS (RFC 5891).
#[cfg(feature = "dns")]
fn to_ascii(host: &str) -> Result<String, TargetError> {
    // The final dot is none of its labels.
    let (name, dot) = host.strip_suffix('.').map_or((host, ""), |name| (name, "."));
    idna::domain_to_ascii_strict(name).map(|ascii| ascii + dot).map_err(|_| TargetError::NotAscii(host.to_owned()))
}

#[cfg(not(feature = "dns"))]
fn to_ascii(host: &str) -> Result<String, TargetError> {
    Err(TargetError::NotAscii(host.to_owned()))
}

/// `25,465,587`: ports or service names, each once.
fn parse_port_list(text: &str) -> Result<Vec<u16>, TargetError> {
    let mut ports = Vec::new();
    for port in text.split(',').map(parse_port) {
        let port = port?;
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
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
    fn lmtp_and_sockets_are_understood_and_shown_as_they_are_written() {
        for (text, protocol, socket, port, shown) in [
            ("lmtp://mail.contoso.test", Protocol::Lmtp, None, 24, "lmtp://mail.contoso.test"),
            ("LMTP://mail.contoso.test:2424", Protocol::Lmtp, None, 2424, "lmtp://mail.contoso.test:2424"),
            ("lmtp://[::1]", Protocol::Lmtp, None, 24, "lmtp://[::1]"),
            ("lmtp://[::1]:25", Protocol::Lmtp, None, 25, "lmtp://[::1]:25"),
            ("unix:/run/smtp", Protocol::Smtp, Some("/run/smtp"), 25, "unix:/run/smtp"),
            ("unix:///run/smtp", Protocol::Smtp, Some("/run/smtp"), 25, "unix:/run/smtp"),
            ("unix:private/smtp", Protocol::Smtp, Some("private/smtp"), 25, "unix:private/smtp"),
            ("lmtp://unix:/run/lmtp", Protocol::Lmtp, Some("/run/lmtp"), 25, "lmtp:unix:/run/lmtp"),
            ("smtp://unix:/run/smtp", Protocol::Smtp, Some("/run/smtp"), 25, "unix:/run/smtp"),
            ("lmtp://unix:2424", Protocol::Lmtp, None, 2424, "lmtp://unix:2424"),
            ("lmtp:unix:/run/a b", Protocol::Lmtp, Some("/run/a b"), 25, "lmtp:unix:/run/a b"),
        ] {
            let got = Target::parse(text, None).unwrap();
            assert_eq!((got.protocol, got.socket.as_deref(), got.port), (protocol, socket, port), "{text}");
            assert_eq!(got.to_string(), shown);
            assert_eq!(Target::parse(shown, None).unwrap(), got);
        }
        // P33
        for text in ["unix:", "unix:/a\n", "lmtp:unix:", "unix:/\u{202e}"] {
            assert!(matches!(Target::parse(text, None), Err(TargetError::BadPath(_))), "{text:?}");
        }
        assert_eq!(Target::parse("unix:/a", Some("25")), Err(TargetError::PortOfSocket("25".to_owned())));
    }

    #[test]
    fn several_ports_are_for_those_who_can_use_them() {
        let ports = |host, port| Target::parse_ports(host, port).map(|list| list.iter().map(|one| one.port).collect::<Vec<_>>());
        assert_eq!(ports("h:25,submission,465,25", None), Ok(vec![25, 587, 465]));
        assert_eq!(ports("h", Some("465,587")), Ok(vec![465, 587]));
        assert_eq!(ports("[::1]:25,26", None), Ok(vec![25, 26]));
        assert_eq!(ports("h", None), Ok(vec![25]));
        let implicit: Vec<bool> = Target::parse_ports("h:25,465", None).unwrap().iter().map(|one| one.implicit_tls).collect();
        assert_eq!(implicit, [false, true]);
        assert!(ports("h:25,,26", None).is_err() && ports("h:25,", None).is_err());
        assert_eq!(Target::parse("h:25,26", None), Err(TargetError::SeveralPorts("25,26".to_owned())));
    }

    #[cfg(feature = "dns")]
    #[test]
    fn a_name_beyond_ascii_becomes_its_form_in_the_dns() {
        for (typed, want) in [
            ("bücher.test", "xn--bcher-kva.test"),
            ("BÜCHER.test:587", "xn--bcher-kva.test"),
            ("bücher.test.", "xn--bcher-kva.test."),
            ("１２７.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(Target::parse(typed, None).unwrap().host, want, "{typed}");
        }
        for typed in ["büc her.test", "ü\u{202e}.test", "a\u{ff0f}ü.test", "xn--\u{fc}.test"] {
            assert!(Target::parse(typed, None).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn wrong_arguments_are_refused_before_anything_is_sent() {
        // P33
        for host in [
            "",
            ".test",
            "a..b",
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

    #[test]
    fn a_link_local_address_keeps_its_zone_and_what_is_shown_leads_there_again() {
        for (given, port, host, shown) in [
            ("fe80::1%lo", None, "fe80::1%lo", "fe80::1%lo"),
            ("fe80::1%12", None, "fe80::1%12", "fe80::1%12"),
            ("fe80::1%eth0.100", Some("587"), "fe80::1%eth0.100", "[fe80::1%eth0.100]:587"),
            ("[fe80::1%br-lan]:2525", None, "fe80::1%br-lan", "[fe80::1%br-lan]:2525"),
            ("[fe80::1%25]", None, "fe80::1%25", "fe80::1%25"),
            ("smtp://[fe80::1%25lo]:2525", None, "fe80::1%lo", "[fe80::1%lo]:2525"),
            ("smtp://[fe80::1%lo]", None, "fe80::1%lo", "fe80::1%lo"),
            ("smtp://[fe80::1%25]", None, "fe80::1%25", "fe80::1%25"),
            ("lmtp://[fe80::1%25lo]", None, "fe80::1%lo", "lmtp://[fe80::1%25lo]"),
            ("lmtp://[fe80::1%25251]:25", None, "fe80::1%251", "lmtp://[fe80::1%25251]:25"),
        ] {
            let target = Target::parse(given, port).unwrap();
            assert_eq!((target.host.as_str(), target.to_string().as_str()), (host, shown), "{given}");
            assert_eq!(Target::parse(shown, None).unwrap(), target, "{shown}");
            assert_eq!(target.address(), "fe80::1".parse().ok());
        }
        // P33
        for given in ["fe80::1%", "[fe80::1%]", "fe80::1%a b", "fe80::1%lo/x", "fe80::1%a%b", "127.0.0.1%lo", "mx%lo", "[fe80::1%\r\n]"] {
            assert!(Target::parse(given, None).is_err(), "{given:?}");
        }
    }
}
