//! Several addresses raced as RFC 8305 says, and what becomes of each attempt.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Attempt, Cause, DialError, DialEvent, system_words};
use crate::net::files;

/// How long an attempt runs alone before the next address is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// A connected address.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) took: Duration,
}

/// Connects to the first address that answers; each is told of.
pub(super) async fn race(
    addresses: Vec<SocketAddr>,
    bind: Option<SocketAddr>,
    deadline: Instant,
    tell: &mut (dyn FnMut(DialEvent<'_>) + Send),
) -> Result<Reached, DialError> {
    if let [address] = addresses[..] {
        tell(DialEvent::Trying(address));
        return attempt(address, bind, deadline).await.map_err(|attempt| {
            tell(DialEvent::Failed(&attempt));
            DialError::Unreachable(vec![attempt])
        });
    }
    let mut waiting: VecDeque<SocketAddr> = addresses.into();
    let mut under_way = Vec::new();
    let mut running = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        // Who has no turn before the limit was not tried.
        if Instant::now() >= deadline && !failed.is_empty() {
            waiting.clear();
        }
        if let Some(address) = waiting.pop_front() {
            tell(DialEvent::Trying(address));
            under_way.push(address);
            running.spawn(attempt(address, bind, deadline));
        }
        let stagger = sleep(STAGGER);
        tokio::pin!(stagger);
        let finished = tokio::select! {
            finished = running.join_next() => finished,
            () = &mut stagger, if !waiting.is_empty() => None,
        };
        match finished {
            Some(Ok(Ok(reached))) => {
                under_way.iter().filter(|address| **address != reached.address).for_each(|address| tell(DialEvent::PassedOver(*address)));
                return Ok(reached);
            }
            Some(Ok(Err(attempt))) => {
                under_way.retain(|address| *address != attempt.address);
                tell(DialEvent::Failed(&attempt));
                failed.push(attempt);
            }
            Some(Err(_)) | None => {}
        }
        if running.is_empty() && waiting.is_empty() {
            return Err(DialError::Unreachable(failed));
        }
    }
}

/// Connects to one address.
pub(super) async fn attempt(address: SocketAddr, bind: Option<SocketAddr>, deadline: Instant) -> Result<Reached, Attempt> {
    let started = Instant::now();
    let failed = |cause| Attempt { address, cause, took: started.elapsed() };
    match timeout_at(deadline, connect(address, bind, deadline)).await {
        Ok(Ok(stream)) => Ok(Reached { stream, address, took: started.elapsed() }),
        Ok(Err(cause)) => Err(failed(cause)),
        Err(_) => Err(failed(Cause::TimedOut)),
    }
}

async fn connect(address: SocketAddr, bind: Option<SocketAddr>, deadline: Instant) -> Result<TcpStream, Cause> {
    let new = if address.is_ipv4() { TcpSocket::new_v4 } else { TcpSocket::new_v6 };
    let socket = files::open(deadline, new).await.map_err(|error| cause(&error))?;
    if let Some(local) = bind {
        socket.bind(local).map_err(|error| Cause::BadLocalAddress(system_words(&error)))?;
    }
    let stream = socket.connect(address).await.map_err(|error| cause(&error))?;
    // A command is one small write that must not wait for others (Nagle).
    stream.set_nodelay(true).map_err(|error| cause(&error))?;
    Ok(stream)
}

fn cause(error: &io::Error) -> Cause {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, InvalidInput, NetworkDown, NetworkUnreachable,
        PermissionDenied, TimedOut,
    };
    match error.kind() {
        ConnectionRefused => Cause::Refused,
        NetworkUnreachable | NetworkDown => Cause::NoRoute,
        HostUnreachable => Cause::HostUnreachable,
        ConnectionReset | ConnectionAborted => Cause::Reset,
        InvalidInput => Cause::Unusable(system_words(error)),
        TimedOut => Cause::TimedOut,
        PermissionDenied => Cause::Prohibited,
        _ => Cause::Other(system_words(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_other_address_is_used_when_the_first_is_refused() {
        // P43
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let dead: SocketAddr = format!("127.0.0.2:{}", live.port()).parse().unwrap();
        let dialed = race(vec![dead, live], None, Instant::now() + Duration::from_secs(5), &mut |_| {}).await.unwrap();
        assert_eq!(dialed.address, live);
    }

    // A queue of one that is full: Linux drops what comes then, as a filter does.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_silent_address_is_told_when_another_one_connects() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let silent: SocketAddr = format!("127.0.0.3:{}", live.port()).parse().unwrap();
        let full = tokio::net::TcpSocket::new_v4().unwrap();
        full.bind(silent).unwrap();
        let _full = full.listen(1).unwrap();
        let _queue = [TcpStream::connect(silent).await.unwrap(), TcpStream::connect(silent).await.unwrap()];
        let mut passed_over = Vec::new();
        let mut tell = |event: DialEvent<'_>| {
            if let DialEvent::PassedOver(address) = event {
                passed_over.push(address);
            }
        };
        let reached = race(vec![silent, live], None, Instant::now() + Duration::from_secs(5), &mut tell).await.unwrap();
        assert_eq!((reached.address, passed_over), (live, vec![silent]));
    }

    #[test]
    fn what_the_system_says_of_a_connection_is_told_apart() {
        use io::ErrorKind as Kind;
        let table = [
            (Kind::ConnectionRefused, Cause::Refused),
            (Kind::NetworkUnreachable, Cause::NoRoute),
            (Kind::NetworkDown, Cause::NoRoute),
            (Kind::HostUnreachable, Cause::HostUnreachable),
            (Kind::ConnectionReset, Cause::Reset),
            (Kind::TimedOut, Cause::TimedOut),
            (Kind::PermissionDenied, Cause::Prohibited),
        ];
        for (kind, want) in table {
            assert_eq!(cause(&kind.into()), want);
        }
        assert!(matches!(cause(&Kind::InvalidInput.into()), Cause::Unusable(_)));
        assert!(matches!(cause(&Kind::AddrNotAvailable.into()), Cause::Other(_)));
    }
}
