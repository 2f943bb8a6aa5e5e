//! Through a proxy: SOCKS 4a and 5 (RFC 1928, RFC 1929), and CONNECT of HTTP (RFC 9110 §9.3.6). The name of
//! the server is given to the proxy, which looks it up.

use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::Error as Socks;
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};

use crate::secret::Secret;
use crate::text::{cut, printable_str};

/// Where a proxy listens when its port is not given (the IANA registry's socks).
const SOCKS_PORT: u16 = 1080;

/// The most that the head of an answer to CONNECT may have.
const MAX_HEAD: usize = 8 * 1024;

/// What the proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SOCKS version 4 with names (4a).
    Socks4,
    /// SOCKS version 5.
    Socks5,
    /// CONNECT of HTTP.
    Http,
}

/// The schemes that are understood.
const SCHEMES: &[(&str, Kind)] =
    &[("socks5", Kind::Socks5), ("socks5h", Kind::Socks5), ("socks4", Kind::Socks4), ("socks4a", Kind::Socks4), ("http", Kind::Http)];

/// A proxy and who we are there.
#[derive(Debug)]
pub struct Proxy {
    /// What it speaks.
    pub kind: Kind,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user name, with the `%XX` of the URL undone.
    pub user: Option<String>,
    /// The password, which no URL holds.
    pub password: Option<Secret<String>>,
}

/// Why the proxy did not lead to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It wants a user name and a password.
    LoginWanted,
    /// It does not take the user name and the password.
    LoginRefused,
    /// It may not lead there by its rules, in its words.
    Forbidden(String),
    /// It tried and did not reach the server, in its words.
    NotReached(String),
    /// It answered something else, in its words.
    Refused(String),
    /// What answers there speaks something else; its first bytes, where they were seen.
    NotAProxy(Vec<u8>),
    /// It closed the connection without an answer.
    Closed,
    /// It gave no answer in time.
    Silent,
    /// The connection to it broke, in the system's words.
    Lost(String),
}

impl Proxy {
    /// Reads `socks5://[user@]host[:port]`, `socks4://…`, `http://[user@]host:port`.
    ///
    /// # Errors
    /// What is wrong with it, in words; a password in it is refused (P24), and control characters (P33).
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("a proxy is written socks5://HOST:PORT or http://HOST:PORT")?;
        let known = SCHEMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        let kind = known.map(|(_, kind)| *kind).ok_or_else(|| unknown_scheme(scheme))?;
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user_name(user)?), place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        let target = crate::target::Target::parse(place, None).map_err(|error| format!("the proxy: {error}"))?;
        let port = match (kind, has_port(place)) {
            (_, true) => target.port,
            (Kind::Http, false) => return Err("the port of the proxy is missing: http://HOST:PORT".to_owned()),
            (_, false) => SOCKS_PORT,
        };
        if target.socket.is_some() || place.contains("://") {
            return Err("a proxy is written socks5://HOST:PORT or http://HOST:PORT".to_owned());
        }
        Ok(Self { kind, host: target.host, port, user, password: None })
    }

    /// Asks the proxy, on a connection to it, to lead to a server.
    ///
    /// # Errors
    /// [`Fault`]. There is no limit of time here.
    pub async fn connect(&self, stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, Fault> {
        let password = self.password.as_ref().map_or("", |password| password.expose());
        match (self.kind, &self.user) {
            (Kind::Http, _) => {
                let mut stream = stream;
                ask_http(&mut stream, &self.request(host, port), self.user.is_some()).await?;
                Ok(stream)
            }
            (Kind::Socks5, None) => finish(Socks5Stream::connect_with_socket(stream, (host, port)).await, Socks5Stream::into_inner),
            (Kind::Socks5, Some(user)) => {
                finish(Socks5Stream::connect_with_password_and_socket(stream, (host, port), user, password).await, Socks5Stream::into_inner)
            }
            (Kind::Socks4, None) => finish(Socks4Stream::connect_with_socket(stream, (host, port)).await, Socks4Stream::into_inner),
            (Kind::Socks4, Some(user)) => {
                finish(Socks4Stream::connect_with_userid_and_socket(stream, (host, port), user).await, Socks4Stream::into_inner)
            }
        }
    }

    /// The CONNECT request.
    fn request(&self, host: &str, port: u16) -> Secret<String> {
        use base64::Engine as _;
        let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(user) = &self.user {
            let password = self.password.as_ref().map_or("", |password| password.expose());
            let login = Secret::new(format!("{user}:{password}"));
            let encoded = Secret::new(base64::engine::general_purpose::STANDARD.encode(login.expose()));
            request = format!("{request}Proxy-Authorization: Basic {}\r\n", encoded.expose());
        }
        request.push_str("\r\n");
        Secret::new(request)
    }
}

/// `socks5://user@127.0.0.1:1080`, never with the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = SCHEMES.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| *name);
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{user}{host}:{}", self.port)
    }
}

fn unknown_scheme(scheme: &str) -> String {
    let shown = printable_str(cut(scheme, 40)).into_owned();
    if scheme.eq_ignore_ascii_case("https") {
        return "TLS to the proxy itself is not spoken here: use http://, or --proxy-command with a program that does".to_owned();
    }
    format!("'{shown}://' is no proxy that is understood: use socks5://, socks4:// or http://")
}

fn has_port(place: &str) -> bool {
    let after = place.rsplit_once(']').map_or(place, |(_, after)| after);
    after.contains(':') && place.parse::<std::net::Ipv6Addr>().is_err()
}

/// The user name of the URL, its `%XX` undone.
fn user_name(text: &str) -> Result<String, String> {
    if text.contains(':') {
        return Err("a password on the command line can be read by others: leave it out, and set EHLO_PROXY_PASSWORD".to_owned());
    }
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'%', None) => return Err("a percent sign in the user name of the proxy is written %25".to_owned()),
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    let name = String::from_utf8(bytes).map_err(|_| "the user name of the proxy is no UTF-8".to_owned())?;
    // P33; a colon would end the name too early (RFC 7617 section 2).
    if name.is_empty() || name.contains(':') || printable_str(&name) != name || name.len() > 255 {
        return Err("the user name of the proxy is empty, too long, or holds a colon or a control character".to_owned());
    }
    Ok(name)
}

fn finish<S>(result: Result<S, Socks>, inner: impl FnOnce(S) -> TcpStream) -> Result<TcpStream, Fault> {
    result.map(inner).map_err(|error| socks_fault(&error))
}

fn socks_fault(error: &Socks) -> Fault {
    let not_reached = |words: &str| Fault::NotReached(words.to_owned());
    match error {
        Socks::Io(error) => lost(error),
        Socks::InvalidResponseVersion | Socks::UnknownAuthMethod | Socks::InvalidReservedByte | Socks::UnknownAddressType => {
            Fault::NotAProxy(Vec::new())
        }
        Socks::NoAcceptableAuthMethods => Fault::LoginWanted,
        Socks::PasswordAuthFailure(_) | Socks::AuthorizationRequired | Socks::InvalidUserIdAuthFailure | Socks::IdentdAuthFailure => {
            Fault::LoginRefused
        }
        Socks::ConnectionNotAllowedByRuleset => Fault::Forbidden("not allowed by its rules".to_owned()),
        Socks::NetworkUnreachable => not_reached("network unreachable"),
        Socks::HostUnreachable => not_reached("host unreachable"),
        Socks::ConnectionRefused => not_reached("connection refused"),
        Socks::TtlExpired => not_reached("it took too long (TTL expired)"),
        Socks::GeneralSocksServerFailure => not_reached("general failure"),
        other => Fault::Refused(other.to_string()),
    }
}

fn lost(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Fault::Closed,
        _ => Fault::Lost(super::dial::system_words(error)),
    }
}

async fn ask_http<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &Secret<String>, with_login: bool) -> Result<(), Fault> {
    stream.write_all(request.expose().as_bytes()).await.map_err(|error| lost(&error))?;
    let mut head = Vec::new();
    // Byte by byte, so that nothing of what the server says behind it is lost.
    while !ends_head(&head) {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if head.is_empty() => return Err(lost(&error)),
            Err(_) => break,
        }
        if head.len() >= MAX_HEAD || !may_be_http(&head) {
            return Err(Fault::NotAProxy(head));
        }
    }
    judge(&head, with_login)
}

fn ends_head(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n")
}

fn may_be_http(head: &[u8]) -> bool {
    let begin = b"HTTP/1.";
    let length = head.len().min(begin.len());
    head[..length] == begin[..length]
}

/// What the head of an answer to CONNECT says (RFC 9112 §4).
pub fn judge(head: &[u8], with_login: bool) -> Result<(), Fault> {
    let not_http = || Fault::NotAProxy(head.to_vec());
    let line = head.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii_end();
    let rest =
        line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(1..)).and_then(|rest| rest.strip_prefix(b" ")).ok_or_else(not_http)?;
    let code =
        rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let code: u16 = code.and_then(|digits| digits.parse().ok()).ok_or_else(not_http)?;
    if !matches!(rest.get(3), None | Some(b' ')) {
        return Err(not_http());
    }
    let words = String::from_utf8_lossy(cut_bytes(rest, 120)).into_owned();
    match code {
        200..=299 => Ok(()),
        407 if with_login => Err(Fault::LoginRefused),
        407 => Err(Fault::LoginWanted),
        401 | 403 | 405 => Err(Fault::Forbidden(words)),
        500..=599 => Err(Fault::NotReached(words)),
        _ => Err(Fault::Refused(words)),
    }
}

fn cut_bytes(bytes: &[u8], length: usize) -> &[u8] {
    &bytes[..bytes.len().min(length)]
}
