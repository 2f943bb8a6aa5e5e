//! Through a proxy: SOCKS 4a and 5 (RFC 1928, RFC 1929), and CONNECT of HTTP (RFC 9110 §9.3.6). The name of
//! the server is given to the proxy, which looks it up.

use std::fmt;
use std::io;
use std::net::Ipv6Addr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tokio_socks::Error as Socks;
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};

use crate::host::{in_url, ip_of, without_zone};
use crate::secret::Secret;
use crate::target::Target;
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
    /// It wants a user name and a password, in its words.
    LoginWanted(String),
    /// It does not take the user name and the password, in its words.
    LoginRefused(String),
    /// It may not lead there by its rules, in its words.
    Forbidden(String),
    /// It tried and did not reach the server, in its words.
    NotReached(String),
    /// It answered something else, in its words.
    Refused(String),
    /// It was not asked: its protocol has no form for that, in words.
    NotAsked(&'static str),
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
        if place.contains("://") {
            return Err("a proxy is written socks5://HOST:PORT or http://HOST:PORT".to_owned());
        }
        // As a URL, in which the zone of an address is written %25eth0.
        let target = Target::parse(&format!("smtp://{place}"), None).map_err(|error| format!("the proxy: {error}"))?;
        let port = match (kind, has_port(place)) {
            (_, true) => target.port,
            (Kind::Http, false) => return Err("the port of the proxy is missing: http://HOST:PORT".to_owned()),
            (_, false) => SOCKS_PORT,
        };
        if target.socket.is_some() {
            return Err("a proxy is written socks5://HOST:PORT or http://HOST:PORT".to_owned());
        }
        Ok(Self { kind, host: target.host, port, user, password: None })
    }

    /// Asks the proxy, on a connection to it, to lead to a server.
    ///
    /// # Errors
    /// [`Fault`]; what it answered until the deadline may be one already.
    pub async fn connect(&self, stream: TcpStream, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, Fault> {
        let password = self.password.as_ref().map_or("", |password| password.expose());
        self.can_be_asked(host, password).map_err(Fault::NotAsked)?;
        let place = (host, port);
        match (self.kind, &self.user) {
            (Kind::Http, _) => {
                let mut stream = stream;
                ask_http(&mut stream, &self.request(host, port), self.user.is_some(), deadline).await?;
                Ok(stream)
            }
            (Kind::Socks5, None) => {
                let asking = Socks5Stream::connect_with_socket(stream, place);
                self.finish(timeout_at(deadline, asking).await, Socks5Stream::into_inner)
            }
            (Kind::Socks5, Some(user)) => {
                let asking = Socks5Stream::connect_with_password_and_socket(stream, place, user, password);
                self.finish(timeout_at(deadline, asking).await, Socks5Stream::into_inner)
            }
            (Kind::Socks4, None) => {
                let asking = Socks4Stream::connect_with_socket(stream, place);
                self.finish(timeout_at(deadline, asking).await, Socks4Stream::into_inner)
            }
            (Kind::Socks4, Some(user)) => {
                let asking = Socks4Stream::connect_with_userid_and_socket(stream, place, user);
                self.finish(timeout_at(deadline, asking).await, Socks4Stream::into_inner)
            }
        }
    }

    /// What the protocols of SOCKS have no form for (RFC 1929 §2, SOCKS 4a).
    fn can_be_asked(&self, host: &str, password: &str) -> Result<(), &'static str> {
        match self.kind {
            Kind::Socks5 if self.user.is_some() && !(1..=255).contains(&password.len()) => Err("SOCKS 5 takes passwords of 1 to 255 bytes"),
            _ if without_zone(host) != host => Err("the zone of an address (%interface) has a meaning on this machine only"),
            Kind::Socks4 if host.parse::<Ipv6Addr>().is_ok() => Err("SOCKS 4 has no IPv6 addresses"),
            Kind::Socks5 | Kind::Socks4 | Kind::Http => Ok(()),
        }
    }

    fn finish<S>(&self, result: Result<Result<S, Socks>, Elapsed>, inner: impl FnOnce(S) -> TcpStream) -> Result<TcpStream, Fault> {
        result.map_err(|_| Fault::Silent)?.map(inner).map_err(|error| socks_fault(&error, self.kind, self.user.is_some()))
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
        write!(f, "{scheme}://{user}{}:{}", in_url(&self.host), self.port)
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
    after.contains(':') && ip_of(place).is_none()
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

/// What a SOCKS proxy says is a number: it is told beside the words that the protocol has for it.
fn socks_fault(error: &Socks, kind: Kind, with_login: bool) -> Fault {
    let reply = |words: &str, code: u8| format!("{words} (SOCKS reply {code})");
    let not_reached = |words: &str, code: u8| Fault::NotReached(reply(words, code));
    match error {
        Socks::Io(error) => lost(error),
        Socks::InvalidResponseVersion | Socks::InvalidReservedByte | Socks::UnknownAddressType => Fault::NotAProxy(Vec::new()),
        // The version before it was right.
        Socks::UnknownAuthMethod => Fault::Refused("a method or a reply that SOCKS 5 does not have".to_owned()),
        Socks::NoAcceptableAuthMethods if with_login => Fault::LoginRefused("no acceptable method (SOCKS method 255)".to_owned()),
        Socks::NoAcceptableAuthMethods => Fault::LoginWanted("no acceptable method (SOCKS method 255)".to_owned()),
        Socks::PasswordAuthFailure(code) => Fault::LoginRefused(format!("status {code}")),
        Socks::AuthorizationRequired => Fault::LoginRefused("authorization required".to_owned()),
        Socks::IdentdAuthFailure => Fault::LoginRefused(reply("it does not reach identd here", 92)),
        Socks::InvalidUserIdAuthFailure => Fault::LoginRefused(reply("identd here names another user", 93)),
        Socks::GeneralSocksServerFailure if kind == Kind::Socks4 => not_reached("rejected or failed", 91),
        Socks::GeneralSocksServerFailure => not_reached("general failure", 1),
        Socks::ConnectionNotAllowedByRuleset => Fault::Forbidden(reply("not allowed by its rules", 2)),
        Socks::NetworkUnreachable => not_reached("network unreachable", 3),
        Socks::HostUnreachable => not_reached("host unreachable", 4),
        Socks::ConnectionRefused => not_reached("connection refused", 5),
        Socks::TtlExpired => not_reached("it took too long: TTL expired", 6),
        Socks::CommandNotSupported => Fault::Refused(reply("command not supported", 7)),
        Socks::AddressTypeNotSupported => Fault::Refused(reply("address type not supported", 8)),
        other => Fault::Refused(other.to_string()),
    }
}

fn lost(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Fault::Closed,
        _ => Fault::Lost(super::dial::system_words(error)),
    }
}

async fn ask_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &Secret<String>,
    with_login: bool,
    deadline: Instant,
) -> Result<(), Fault> {
    let sending = timeout_at(deadline, stream.write_all(request.expose().as_bytes())).await;
    sending.map_err(|_| Fault::Silent)?.map_err(|error| lost(&error))?;
    let mut head = Vec::new();
    // Byte by byte, so that nothing of what the server says behind it is lost.
    while !ends_head(&head) {
        let fault = match timeout_at(deadline, stream.read_u8()).await {
            Ok(Ok(byte)) => {
                head.push(byte);
                None
            }
            Ok(Err(error)) => Some(lost(&error)),
            Err(_) => Some(Fault::Silent),
        };
        match fault {
            None => {}
            Some(fault) if !head.contains(&b'\n') => return Err(fault),
            // Half an answer may say no, and not yes.
            Some(fault) => return judge(&head, with_login).and(Err(fault)),
        }
        if head.len() >= MAX_HEAD || !may_be_http(&head) {
            return Err(Fault::NotAProxy(with_the_rest(stream, head).await));
        }
    }
    judge(&head, with_login)
}

/// What else has come with it, without waiting: more to guess from.
async fn with_the_rest<S: AsyncRead + Unpin>(stream: &mut S, mut head: Vec<u8>) -> Vec<u8> {
    let mut more = [0; 200];
    if let Ok(Ok(count)) = tokio::time::timeout(std::time::Duration::ZERO, stream.read(&mut more)).await {
        head.extend(&more[..count]);
    }
    head
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
        // tinyproxy answers a wrong password with 401.
        401 | 407 if with_login => Err(Fault::LoginRefused(words)),
        401 | 407 => Err(Fault::LoginWanted(words)),
        403 | 405 => Err(Fault::Forbidden(words)),
        500..=599 => Err(Fault::NotReached(words)),
        _ => Err(Fault::Refused(words)),
    }
}

fn cut_bytes(bytes: &[u8], length: usize) -> &[u8] {
    &bytes[..bytes.len().min(length)]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_proxy_is_read_and_shown_without_its_password() {
        for (text, kind, host, port, user, shown) in [
            ("socks5://127.0.0.1", Kind::Socks5, "127.0.0.1", 1080, None, "socks5://127.0.0.1:1080"),
            ("socks5h://px.alt.test:1081/", Kind::Socks5, "px.alt.test", 1081, None, "socks5://px.alt.test:1081"),
            ("SOCKS4a://u@[::1]:9", Kind::Socks4, "::1", 9, Some("u"), "socks4://u@[::1]:9"),
            ("socks5://[::1]", Kind::Socks5, "::1", 1080, None, "socks5://[::1]:1080"),
            ("socks5://::1", Kind::Socks5, "::1", 1080, None, "socks5://[::1]:1080"),
            ("http://CONTOSO%5Calice%40x@px:3128", Kind::Http, "px", 3128, Some("CONTOSO\\alice@x"), "http://CONTOSO\\alice@x@px:3128"),
        ] {
            let mut proxy = Proxy::parse(text).unwrap();
            assert_eq!((proxy.kind, proxy.host.as_str(), proxy.port, proxy.user.as_deref()), (kind, host, port, user), "{text}");
            // P24
            proxy.password = Some(Secret::new("marker".to_owned()));
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("marker"));
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_with_advice() {
        // P24 P33
        for (text, words) in [
            ("127.0.0.1:1080", "is written"),
            ("ftp://x:1", "no proxy that is understood"),
            ("https://x:1", "--proxy-command"),
            ("http://x", "port of the proxy is missing"),
            ("http://u:p@x:1", "EHLO_PROXY_PASSWORD"),
            ("http://u%3Ap@x:1", "colon"),
            ("http://u%0d@x:1", "control character"),
            ("http://%zz@x:1", "%25"),
            ("http://@x:1", "empty"),
            ("http://x\r\n:1", "not a host name"),
            ("http://:1", "no host"),
            ("http://x:0", "not a port"),
            ("http://x:1,2", "several ports"),
            ("socks5://unix:/run/x", "is written"),
        ] {
            let error = Proxy::parse(text).unwrap_err();
            assert!(error.contains(words) && !error.contains(char::is_control), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_answer_to_connect_is_judged_by_its_first_line() {
        let not_reached = |words: &str| Err(Fault::NotReached(words.to_owned()));
        for (head, with_login, want) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", false, Ok(())),
            ("HTTP/1.0 200\n\n", false, Ok(())),
            ("HTTP/1.1 299 x\r\nA: b\r\n\r\n", false, Ok(())),
            ("HTTP/1.1 407 Auth\r\n\r\n", false, Err(Fault::LoginWanted("407 Auth".to_owned()))),
            ("HTTP/1.1 407 Auth\r\n\r\n", true, Err(Fault::LoginRefused("407 Auth".to_owned()))),
            ("HTTP/1.1 401 Auth\r\n\r\n", true, Err(Fault::LoginRefused("401 Auth".to_owned()))),
            ("HTTP/1.1 403 No\r\n\r\n", false, Err(Fault::Forbidden("403 No".to_owned()))),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", false, not_reached("502 Bad Gateway")),
            ("HTTP/1.1 504 Gateway Timeout\r\n\r\n", false, not_reached("504 Gateway Timeout")),
            ("HTTP/1.1 302 Found\r\n\r\n", false, Err(Fault::Refused("302 Found".to_owned()))),
            ("HTTP/1.1 100 Continue\r\n\r\n", false, Err(Fault::Refused("100 Continue".to_owned()))),
        ] {
            assert_eq!(judge(head.as_bytes(), with_login), want, "{head:?}");
        }
        for head in [
            "",
            "HTTP/1.",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 20",
            "HTTP/1.1 2000 x",
            "HTTP/1.1 2x0 x",
            "HTTP/2 200",
            "HTTP/1.1  200",
            "220 mx",
        ] {
            assert_eq!(judge(head.as_bytes(), false), Err(Fault::NotAProxy(head.as_bytes().to_vec())), "{head:?}");
        }
    }

    /// What the proxy waits for, and what it then says.
    type Step = (&'static [u8], Vec<u8>);

    /// A proxy that expects some bytes after the other and answers each; what follows is the server's.
    async fn scripted(steps: Vec<Step>) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for (expected, answer) in steps {
                let mut got = vec![0; expected.len()];
                stream.read_exact(&mut got).await.unwrap();
                assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string());
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// What comes of it, and what the server says behind the proxy.
    async fn through(url: &str, host: &str, steps: Vec<Step>) -> Result<Vec<u8>, Fault> {
        let address = scripted(steps).await;
        let mut proxy = Proxy::parse(&url.replace("PORT", &address.port().to_string())).unwrap();
        proxy.password = proxy.user.as_ref().map(|_| Secret::new("secret".to_owned()));
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = tokio::time::timeout(Duration::from_secs(20), proxy.connect(stream, host, 25, soon())).await.unwrap()?;
        let mut greeting = Vec::new();
        stream.read_to_end(&mut greeting).await.unwrap();
        Ok(greeting)
    }

    #[tokio::test]
    async fn each_kind_of_proxy_is_asked_in_its_own_way_and_nothing_behind_it_is_lost() {
        const CONNECT: &[u8] = b"CONNECT mx.alt.test:25 HTTP/1.1\r\nHost: mx.alt.test:25\r\n\r\n";
        const LOGIN: &[u8] = b"CONNECT [::1]:25 HTTP/1.1\r\nHost: [::1]:25\r\nProxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n";
        const METHODS: &[u8] = b"\x05\x01\0";
        const FIVE: &[u8] = b"\x05\x01\0\x03\x0bmx.alt.test\0\x19";
        const FOUR: &[u8] = b"\x04\x01\0\x19\0\0\0\x01\0mx.alt.test\0";
        let table = [
            ("http://127.0.0.1:PORT", "mx.alt.test", vec![(CONNECT, &b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n220 mx\r\n"[..])]),
            ("http://alice@127.0.0.1:PORT", "::1", vec![(LOGIN, b"HTTP/1.1 200 OK\n\n220 mx\r\n")]),
            ("socks5://127.0.0.1:PORT", "mx.alt.test", vec![(METHODS, b"\x05\0"), (FIVE, b"\x05\0\0\x01\x7f\0\0\x01\0\x19220 mx\r\n")]),
            ("socks4://127.0.0.1:PORT", "mx.alt.test", vec![(FOUR, b"\0\x5a\0\0\0\0\0\x00220 mx\r\n")]),
        ];
        for (url, host, steps) in table {
            let steps = steps.into_iter().map(|(expected, answer)| (expected, answer.to_vec())).collect();
            assert_eq!(through(url, host, steps).await, Ok(b"220 mx\r\n".to_vec()), "{url}");
        }
    }

    #[tokio::test]
    async fn each_refusal_of_a_proxy_is_told_apart() {
        const HELLO: &[u8] = b"\x05\x01\0";
        const ASK: &[u8] = b"\x05\x01\0\x03\x0bmx.alt.test\0\x19";
        let socks = |code: u8| vec![(HELLO, b"\x05\0".to_vec()), (ASK, [5, code, 0, 1, 0, 0, 0, 0, 0, 0].to_vec())];
        let not_reached = |words: &str| Fault::NotReached(words.to_owned());
        let table = [
            (socks(1), not_reached("general failure (SOCKS reply 1)")),
            (socks(2), Fault::Forbidden("not allowed by its rules (SOCKS reply 2)".to_owned())),
            (socks(3), not_reached("network unreachable (SOCKS reply 3)")),
            (socks(4), not_reached("host unreachable (SOCKS reply 4)")),
            (socks(5), not_reached("connection refused (SOCKS reply 5)")),
            (socks(6), not_reached("it took too long: TTL expired (SOCKS reply 6)")),
            (socks(7), Fault::Refused("command not supported (SOCKS reply 7)".to_owned())),
            (socks(9), Fault::Refused("a method or a reply that SOCKS 5 does not have".to_owned())),
            (vec![(HELLO, b"\x05\xff".to_vec())], Fault::LoginWanted("no acceptable method (SOCKS method 255)".to_owned())),
            (vec![(HELLO, b"220 mx\r\n".to_vec())], Fault::NotAProxy(Vec::new())),
            (vec![(HELLO, b"".to_vec())], Fault::Closed),
        ];
        for (steps, fault) in table {
            assert_eq!(through("socks5://127.0.0.1:PORT", "mx.alt.test", steps.clone()).await, Err(fault), "{steps:?}");
        }
        let fault = through("http://127.0.0.1:PORT", "mx", vec![(b"CONNECT mx:25 ", b"220 mx ESMTP\r\n".to_vec())]).await.unwrap_err();
        assert!(matches!(&fault, Fault::NotAProxy(head) if head.starts_with(b"2")), "{fault:?}");
    }

    #[tokio::test]
    async fn what_a_protocol_has_no_form_for_is_not_asked() {
        let table = [
            ("socks4://127.0.0.1:1", "::1", "x", Some("SOCKS 4 has no IPv6 addresses")),
            ("socks4://127.0.0.1:1", "127.0.0.1", "x", None),
            ("socks5://alice@127.0.0.1:1", "mx", "", Some("SOCKS 5 takes passwords of 1 to 255 bytes")),
            ("socks5://alice@127.0.0.1:1", "::1", "x", None),
            ("socks5://127.0.0.1:1", "mx", "", None),
            ("http://alice@127.0.0.1:1", "::1", "", None),
        ];
        for (url, host, password, want) in table {
            assert_eq!(Proxy::parse(url).unwrap().can_be_asked(host, password).err(), want, "{url} {host}");
        }
        let long = "x".repeat(256);
        assert!(Proxy::parse("socks5://alice@127.0.0.1:1").unwrap().can_be_asked("mx", &long).is_err());
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_leads_nowhere() {
        let table = [
            ("HTTP/1.1 200 OK\r\nA: b\r\n", Fault::Closed),
            ("HTTP/1.1 502 Bad Gateway\r\n", Fault::NotReached("502 Bad Gateway".to_owned())),
        ];
        for (head, fault) in table {
            let (mut ours, mut theirs) = tokio::io::duplex(64);
            theirs.write_all(head.as_bytes()).await.unwrap();
            let request = Secret::new("x".to_owned());
            let asked = ask_http(&mut ours, &request, false, soon());
            let (asked, ()) = tokio::join!(asked, async move {
                theirs.read_u8().await.unwrap();
                drop(theirs);
            });
            assert_eq!(asked, Err(fault), "{head:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_answer_that_says_no_counts_when_no_more_comes() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"HTTP/1.1 403 Forbidden\r\n").await.unwrap();
        let asked = ask_http(&mut ours, &Secret::new("x".to_owned()), false, soon()).await;
        assert_eq!(asked, Err(Fault::Forbidden("403 Forbidden".to_owned())));
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"HTTP/1.1 4").await.unwrap();
        assert_eq!(ask_http(&mut ours, &Secret::new("x".to_owned()), false, soon()).await, Err(Fault::Silent));
    }

    #[tokio::test]
    async fn a_head_without_end_is_no_proxy() {
        // P6
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        tokio::spawn(async move {
            theirs.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            while theirs.write_all(b"A: b\r\n").await.is_ok() {}
        });
        let fault = ask_http(&mut ours, &Secret::new("x".to_owned()), false, soon()).await.unwrap_err();
        assert!(matches!(&fault, Fault::NotAProxy(head) if head.len() <= MAX_HEAD + 200), "{fault:?}");
    }
}
