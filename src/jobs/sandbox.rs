//! The practice server on a port of this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::session::server::character::Character;
use crate::session::server::scenario::Scenario;
use crate::session::server::{Facts, NAME, Server, Step};

/// How many clients are served at once; more wait in the queue of the listener.
const MAX_CLIENTS: usize = 64;
/// How long a client may leave what was sent to it unread.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
/// How long the client's last bytes are waited for after the server closed.
const LINGER: Duration = Duration::from_secs(1);

/// How the practice server behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Its manner of speaking.
    pub character: &'static Character,
    /// Its fault, if it has one.
    pub scenario: Option<&'static Scenario>,
}

/// Opens a port of this machine, a free one if none is given. Other machines cannot reach it.
pub async fn bind(port: Option<u16>) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves every client that connects. It never ends; dropped, it drops its clients too.
pub async fn serve(listener: TcpListener, options: Options) {
    let mut clients = JoinSet::new();
    let mut serial = 0;
    loop {
        tokio::select! {
            accepted = listener.accept(), if clients.len() < MAX_CLIENTS => match accepted {
                Ok((stream, peer)) => {
                    let server = Server::new(options.character, options.scenario, facts(peer.ip(), serial));
                    serial += 1;
                    clients.spawn(client(stream, server));
                }
                // No file descriptors left, or the client was gone already: neither lasts.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            // A client that reset the connection is no fault of the server.
            Some(_) = clients.join_next() => {}
        }
    }
}

fn facts(client: IpAddr, serial: u64) -> Facts {
    let now = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    Facts { name: NAME.to_owned(), client: format!("[{client}]"), date: now.format(&Rfc2822).unwrap_or_default(), serial }
}

async fn client(mut stream: TcpStream, mut server: Server) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = [0; 4096];
    let mut steps = server.greet();
    while perform(&mut stream, steps).await? {
        steps = server.more();
        if steps.is_empty() {
            steps = match within(server.idle_limit(), stream.read(&mut bytes)).await {
                Err(_) => server.idle(),
                Ok(read) => match read? {
                    0 => return Ok(()),
                    length => server.receive(&bytes[..length]),
                },
            };
        }
    }
    close(stream).await
}

/// Does the steps in their order; `false` when the last was to close.
async fn perform(stream: &mut TcpStream, steps: Vec<Step>) -> io::Result<bool> {
    for step in steps {
        match step {
            Step::Write(bytes) => timeout(WRITE_LIMIT, stream.write_all(&bytes)).await??,
            Step::Pause(time) => sleep(time).await,
            Step::Close => return Ok(false),
        }
    }
    Ok(true)
}

/// Closes so that the client still gets the last reply: bytes left unread would make it a reset.
async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut bytes = [0; 4096];
    let drain = async { while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {} };
    // The time-out is the answer to a client that goes on talking.
    let _ = timeout(LINGER, drain).await;
    Ok(())
}

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    match limit {
        Some(limit) => timeout(limit, future).await,
        None => Ok(future.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::server::character;
    use crate::session::server::scenario::{self, Quirk};

    async fn start(scenario: Option<&'static Scenario>) -> (SocketAddr, JoinSet<()>) {
        let (listener, address) = bind(None).await.unwrap();
        let character = character::lookup("exchange").unwrap();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Options { character, scenario }));
        (address, task)
    }

    async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut out = Vec::new();
        timeout(Duration::from_secs(10), stream.read_to_end(&mut out)).await.unwrap().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn clients_are_served_over_a_real_socket() {
        let (address, _task) = start(None).await;
        assert!(address.ip().is_loopback());
        let got = talk(address, b"EHLO client.alt.test\r\nQUIT\r\nand more that nobody reads\r\n").await;
        assert!(got.starts_with("220 mail.contoso.test Microsoft ESMTP MAIL Service ready at "), "{got}");
        assert!(got.contains("\r\n250-mail.contoso.test Hello [127.0.0.1]\r\n"), "{got}");
        assert!(got.ends_with("\r\n221 2.0.0 Service closing transmission channel\r\n"), "{got}");
    }

    #[tokio::test]
    async fn a_client_that_resets_harms_nobody_and_messages_are_numbered() {
        let (address, _task) = start(None).await;
        for _ in 0..3 {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_zero_linger().unwrap();
        }
        let got = talk(address, b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@contoso.test>\r\nDATA\r\n.\r\nQUIT\r\n").await;
        assert!(got.contains("[InternalId=48743]"), "{got}");
    }

    #[tokio::test]
    async fn more_clients_than_places_wait_for_their_turn() {
        let (address, _task) = start(None).await;
        let mut waiting = Vec::new();
        for _ in 0..MAX_CLIENTS {
            waiting.push(TcpStream::connect(address).await.unwrap());
        }
        let last = talk(address, b"QUIT\r\n");
        tokio::pin!(last);
        assert!(timeout(Duration::from_millis(200), &mut last).await.is_err());
        drop(waiting);
        assert!(last.await.contains("221 2.0.0"));
    }

    #[tokio::test]
    async fn an_endless_reply_goes_on_as_long_as_it_is_read() {
        let (address, _task) = start(scenario::lookup("endless-reply")).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"EHLO a\r\n").await.unwrap();
        let mut bytes = vec![0; 1 << 20];
        stream.read_exact(&mut bytes).await.unwrap();
        assert!(memchr::memmem::find(&bytes, b"\r\n250 ").is_none());
    }

    #[tokio::test]
    async fn silence_ends_with_421() {
        static QUICK: Scenario = Scenario { name: "quick", summary: "hangs up soon", quirks: &[Quirk::Idle(Duration::from_millis(20))] };
        let (address, _task) = start(Some(&QUICK)).await;
        let got = talk(address, b"NOOP\r\n").await;
        assert!(got.ends_with("\r\n250 2.0.0 OK\r\n421 4.4.1 Connection timed out\r\n"), "{got}");
    }
}
