//! From a target to a connected stream: every address raced as RFC 8305 says and each attempt told, or a
//! socket of this machine, or the way through a proxy or a program. One deadline for all of it.

mod race;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use race::{Reached, attempt, race};

use super::command::{self, Template, Watch};
use super::connection::Stream;
use super::dns::Resolver;
use super::header::Header;
use super::proxy::{self, Proxy};
use super::resolve::{Resolved, resolve};
use crate::host::ip_of;
use crate::target::Target;

/// So many files a server takes while it is looked up and connected to: two attempts at the same time, or the questions
/// for both kinds of address. More attempts at the same time wait for those of others.
pub const FILES: u64 = 2;

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

/// Which way leads to a server that is not a socket of this machine.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// Straight there.
    #[default]
    Direct,
    /// Through a proxy, which is given the name of the server.
    Proxy(Arc<Proxy>),
    /// Through a program.
    Command(Template),
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Which addresses may be used; of a proxy, its own.
    pub family: Family,
    /// The local address to connect from.
    pub bind: Option<SocketAddr>,
    /// The limit for all phases together: resolving, connecting, the proxy, the header.
    pub timeout: Duration,
    /// Who resolves names; the system when it is left open.
    pub resolver: Option<Resolver>,
    /// The way.
    pub route: Route,
    /// What is sent before everything else.
    pub header: Option<Header>,
}

impl Default for DialOptions {
    fn default() -> Self {
        let timeout = Duration::from_secs(30);
        Self { family: Family::Any, bind: None, timeout, resolver: None, route: Route::Direct, header: None }
    }
}

/// What happens on the way. Addresses are those of the proxy when there is one.
#[derive(Debug)]
pub enum DialEvent<'a> {
    /// The name resolved.
    Resolved(&'a Resolved),
    /// An attempt began.
    Trying(SocketAddr),
    /// An attempt failed.
    Failed(&'a Attempt),
    /// An attempt was under way when another one succeeded.
    PassedOver(SocketAddr),
    /// An address is connected; a proxy is now asked, or there is nothing more to do.
    Connected {
        /// The address.
        address: SocketAddr,
        /// How long the attempt took.
        took: Duration,
    },
    /// The proxy leads to the server.
    Proxied {
        /// How long the proxy took.
        took: Duration,
    },
    /// The header of the PROXY protocol was sent, which says this.
    Header(&'a str),
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
    /// No way leads to that network from here.
    NoRoute,
    /// A router, a firewall or this machine says that the host cannot be reached: Linux does not tell apart that
    /// nobody answers in the last network and that somebody forbids it (ICMP codes 1, 10 and 13).
    HostUnreachable,
    /// The connection was cut as soon as it stood.
    Reset,
    /// The system takes the address for one that nothing can be sent to, in its words.
    Unusable(String),
    /// Nothing came back.
    TimedOut,
    /// The operating system or a firewall on the way forbids it.
    Prohibited,
    /// The local address cannot be used.
    BadLocalAddress(String),
    /// Anything else, in the system's words.
    Other(String),
}

/// Why a socket of this machine could not be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketFault {
    /// There is no such file.
    Missing,
    /// Nobody listens there any more, or the file is no socket.
    Refused,
    /// We may not.
    Forbidden,
    /// Its queue was full until the limit.
    TimedOut,
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
    /// The address has a zone, and this machine has no such interface.
    UnknownZone(String),
    /// Every address failed.
    Unreachable(Vec<Attempt>),
    /// The socket cannot be connected to.
    Socket(SocketFault),
    /// The proxy itself was not reached; never holds an error of this kind or the next in turn.
    ProxyUnreachable(Box<DialError>),
    /// The proxy did not lead to the server.
    Proxy(proxy::Fault),
    /// The program was not started.
    Command(command::Fault),
    /// The connection broke while the header was sent, in the system's words.
    Header(String),
}

/// How the server was reached.
#[derive(Debug)]
pub enum Peer {
    /// At an address.
    Address(SocketAddr),
    /// At a socket of this machine.
    Socket,
    /// Through a proxy at this address.
    Proxy(SocketAddr),
    /// Through a program.
    Command(Watch),
}

/// How long the phases took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// The name; nothing for an address, a socket, a program.
    pub resolve: Option<Duration>,
    /// The attempt that succeeded.
    pub connect: Duration,
    /// The proxy.
    pub proxy: Option<Duration>,
}

impl Timings {
    /// From the attempt that succeeded on.
    pub fn after_name(&self) -> Duration {
        self.connect + self.proxy.unwrap_or_default()
    }
}

/// A stream and how it was reached.
pub struct Dialed {
    /// The stream.
    pub stream: Box<dyn Stream>,
    /// The other end.
    pub peer: Peer,
    /// Our end; that of the connection to the proxy where there is one, nothing for a socket or a program.
    pub local: Option<SocketAddr>,
    /// The phases.
    pub timings: Timings,
}

impl fmt::Debug for Dialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed").field("peer", &self.peer).field("timings", &self.timings).finish_non_exhaustive()
    }
}

/// Connects to a target.
///
/// # Errors
/// [`DialError`], which holds every attempt and its cause.
pub async fn dial(target: &Target, options: &DialOptions, tell: &mut (dyn FnMut(DialEvent<'_>) + Send)) -> Result<Dialed, DialError> {
    let deadline = Instant::now() + options.timeout;
    match (&target.socket, &options.route) {
        (Some(path), _) => {
            let started = Instant::now();
            let stream = connect_socket(path, deadline).await.map_err(DialError::Socket)?;
            let timings = Timings { connect: started.elapsed(), ..Timings::default() };
            complete(stream, Ends::default(), Peer::Socket, timings, options, deadline, tell).await.map_err(DialError::Header)
        }
        (None, Route::Direct) => {
            let (reached, resolve) = reach(&target.host, target.port, options, deadline, tell).await?;
            let timings = Timings { resolve, connect: reached.took, proxy: None };
            let ends = ends(&reached.stream);
            complete(Box::new(reached.stream), ends, Peer::Address(reached.address), timings, options, deadline, tell)
                .await
                .map_err(DialError::Header)
        }
        (None, Route::Proxy(proxy)) => Box::pin(through(proxy, target, options, deadline, tell)).await,
        (None, Route::Command(template)) => {
            let line = template.fill(&target.host, target.port).map_err(DialError::Command)?;
            let (stream, watch) = command::start(&line).map_err(DialError::Command)?;
            complete(Box::new(stream), Ends::default(), Peer::Command(watch), Timings::default(), options, deadline, tell)
                .await
                .map_err(DialError::Header)
        }
    }
}

/// Connects to one address alone, straight, and sends the header if one is wanted.
///
/// # Errors
/// The attempt.
pub async fn dial_address(address: SocketAddr, options: &DialOptions, deadline: Instant) -> Result<Dialed, Attempt> {
    let started = Instant::now();
    let Reached { stream, took, .. } = attempt(address, options.bind, deadline).await?;
    let timings = Timings { connect: took, ..Timings::default() };
    let ends = ends(&stream);
    let completed = complete(Box::new(stream), ends, Peer::Address(address), timings, options, deadline, &mut |_| {}).await;
    completed.map_err(|words| Attempt { address, cause: Cause::Other(words), took: started.elapsed() })
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    /// Ours.
    local: Option<SocketAddr>,
    /// The server's; not that of a proxy.
    server: Option<SocketAddr>,
}

fn ends(stream: &TcpStream) -> Ends {
    Ends { local: stream.local_addr().ok(), server: stream.peer_addr().ok() }
}

/// What remains when the stream stands: the header. The system's words when it breaks there.
async fn complete(
    mut stream: Box<dyn Stream>,
    ends: Ends,
    peer: Peer,
    timings: Timings,
    options: &DialOptions,
    deadline: Instant,
    tell: &mut (dyn FnMut(DialEvent<'_>) + Send),
) -> Result<Dialed, String> {
    if let Some(header) = &options.header {
        let (bytes, words) = header.encode(ends.local.zip(ends.server));
        let sending = async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        };
        let sent = timeout_at(deadline, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| system_words(&error))?;
        tell(DialEvent::Header(&words));
    }
    Ok(Dialed { stream, peer, local: ends.local, timings })
}

async fn through(
    proxy: &Proxy,
    target: &Target,
    options: &DialOptions,
    deadline: Instant,
    tell: &mut (dyn FnMut(DialEvent<'_>) + Send),
) -> Result<Dialed, DialError> {
    let reached = reach(&proxy.host, proxy.port, options, deadline, tell).await;
    let (reached, resolve) = reached.map_err(|error| DialError::ProxyUnreachable(Box::new(error)))?;
    let started = Instant::now();
    // Whom the server sees is the proxy's matter: nothing true could stand in a header.
    let ends = Ends { server: None, ..ends(&reached.stream) };
    let stream = proxy.connect(reached.stream, &target.host, target.port, deadline).await.map_err(DialError::Proxy)?;
    let timings = Timings { resolve, connect: reached.took, proxy: Some(started.elapsed()) };
    tell(DialEvent::Proxied { took: started.elapsed() });
    complete(Box::new(stream), ends, Peer::Proxy(reached.address), timings, options, deadline, tell).await.map_err(DialError::Header)
}

#[cfg(unix)]
async fn connect_socket(path: &str, deadline: Instant) -> Result<Box<dyn Stream>, SocketFault> {
    match timeout_at(deadline, tokio::net::UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::NotFound => SocketFault::Missing,
            io::ErrorKind::ConnectionRefused => SocketFault::Refused,
            io::ErrorKind::PermissionDenied => SocketFault::Forbidden,
            _ => SocketFault::Other(system_words(&error)),
        }),
        Err(_) => Err(SocketFault::TimedOut),
    }
}

#[cfg(not(unix))]
#[allow(clippy::unused_async, reason = "the same signature as on Unix")]
async fn connect_socket(_path: &str, _deadline: Instant) -> Result<Box<dyn Stream>, SocketFault> {
    Err(SocketFault::Other("this system has no Unix sockets".to_owned()))
}

/// Resolves a name and connects to one of its addresses; says how long the name took, if it was one.
async fn reach(
    host: &str,
    port: u16,
    options: &DialOptions,
    deadline: Instant,
    tell: &mut (dyn FnMut(DialEvent<'_>) + Send),
) -> Result<(Reached, Option<Duration>), DialError> {
    let resolved = resolve(host, port, options, deadline).await?;
    tell(DialEvent::Resolved(&resolved));
    let by_name = ip_of(host).is_none();
    let reached = race(resolved.addresses, options.bind, deadline, tell).await?;
    tell(DialEvent::Connected { address: reached.address, took: reached.took });
    Ok((reached, by_name.then_some(resolved.took)))
}

/// The system's message without Rust's `(os error N)`.
pub fn system_words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return "it is at the limit for the size of files (ulimit -f)".to_owned();
    }
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or(&words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16) -> Target {
        Target::new(host, port)
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
    async fn an_address_alone_is_connected_to_and_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let options = DialOptions { header: Some(Header::parse("v1,local").unwrap()), ..DialOptions::default() };
        let dialed = dial_address(live, &options, deadline).await.unwrap();
        assert!(matches!(dialed.peer, Peer::Address(address) if address == live));
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0; 15];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut header).await.unwrap();
        assert_eq!(&header, b"PROXY UNKNOWN\r\n");
        drop((listener, stream));
        let attempt = dial_address(live, &options, deadline).await.unwrap_err();
        assert_eq!(attempt.cause, Cause::Refused);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_of_this_machine_is_connected_to_or_says_why_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("lmtp");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let reach = |path: std::path::PathBuf| async move {
            let target = Target::parse(&format!("lmtp:unix:{}", path.display()), None).unwrap();
            dial(&target, &DialOptions::default(), &mut |_| {}).await
        };
        assert!(matches!(reach(path.clone()).await.unwrap().peer, Peer::Socket));
        drop(listener);
        assert!(matches!(reach(path).await, Err(DialError::Socket(SocketFault::Refused))));
        assert!(matches!(reach(folder.path().join("gone")).await, Err(DialError::Socket(SocketFault::Missing))));
        assert!(matches!(reach(folder.path().join("x".repeat(200))).await, Err(DialError::Socket(SocketFault::Other(_)))));
    }

    #[tokio::test]
    async fn a_silent_proxy_is_waited_for_no_longer_than_the_limit_for_all() {
        // P7
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::parse(&format!("socks5://{}", listener.local_addr().unwrap())).unwrap();
        let options = DialOptions { route: Route::Proxy(Arc::new(proxy)), timeout: Duration::from_millis(200), ..DialOptions::default() };
        let result = dial(&target("mx.alt.test", 25), &options, &mut |_| {}).await;
        assert!(matches!(result, Err(DialError::Proxy(proxy::Fault::Silent))), "{result:?}");
    }

    #[tokio::test]
    async fn a_proxy_that_is_not_there_is_not_taken_for_the_server() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::parse(&format!("socks5://{}", free.local_addr().unwrap())).unwrap();
        drop(free);
        let options = DialOptions { route: Route::Proxy(Arc::new(proxy)), ..DialOptions::default() };
        let result = dial(&target("mx.alt.test", 25), &options, &mut |_| {}).await;
        assert!(matches!(&result, Err(DialError::ProxyUnreachable(inner)) if matches!(**inner, DialError::Unreachable(_))), "{result:?}");
    }
}
