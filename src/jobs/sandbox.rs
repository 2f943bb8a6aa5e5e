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
use tokio_rustls::server::TlsStream;

use super::practice::{Instead, Tls};
use crate::net::connection::Stream;
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
#[derive(Clone)]
pub struct Options {
    /// Its manner of speaking.
    pub character: &'static Character,
    /// Its fault, if it has one.
    pub scenario: Option<&'static Scenario>,
    /// What it does about TLS.
    pub tls: Tls,
    /// TLS from the first byte.
    pub implicit_tls: bool,
    /// The mechanisms of AUTH that it offers.
    pub offer: Vec<&'static str>,
    /// The access token of its account.
    pub token: String,
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
                    clients.spawn(client(stream, peer.ip(), serial, options.clone()));
                    serial += 1;
                }
                // No file descriptors left, or the client was gone already: neither lasts.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            // A client that reset the connection is no fault of the server.
            Some(_) = clients.join_next() => {}
        }
    }
}

fn facts(client: IpAddr, serial: u64, token: String) -> io::Result<Facts> {
    let local = OffsetDateTime::now_local().unwrap_or_else(|_| OffsetDateTime::now_utc());
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random).map_err(io::Error::other)?;
    Ok(Facts {
        name: NAME.to_owned(),
        client: format!("[{client}]"),
        date: local.format(&Rfc2822).unwrap_or_default(),
        serial,
        now: now(),
        random,
        token,
    })
}

/// Milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

async fn client(stream: TcpStream, peer: IpAddr, serial: u64, options: Options) -> io::Result<()> {
    let facts = facts(peer, serial, options.token.clone())?;
    let mut server = Server::new(options.character, options.scenario, facts).offering(options.offer.clone());
    stream.set_nodelay(true)?;
    let mut link = Link::Clear(stream);
    if options.implicit_tls {
        let Some(encrypted) = link.encrypt(&options.tls, &mut server).await? else { return Ok(()) };
        link = encrypted;
    }
    let mut steps = server.greet();
    loop {
        match perform(&mut link, steps).await? {
            None => {}
            Some(Step::StartTls) => {
                let Some(encrypted) = link.encrypt(&options.tls, &mut server).await? else { return Ok(()) };
                link = encrypted;
            }
            Some(Step::Cut) => return link.cut().await,
            Some(_) => return link.close().await,
        }
        steps = next(&mut link, &mut server).await?;
    }
}

/// What the server does next by itself, or else because of the client.
async fn next(link: &mut Link, server: &mut Server) -> io::Result<Vec<Step>> {
    let steps = server.more();
    if !steps.is_empty() {
        return Ok(steps);
    }
    let mut bytes = [0; 4096];
    match within(server.idle_limit(), link.io().read(&mut bytes)).await {
        Err(_) => Ok(server.idle()),
        Ok(read) => match read? {
            0 => Ok(vec![Step::Close]),
            length => {
                server.set_time(now());
                Ok(server.receive(&bytes[..length]))
            }
        },
    }
}

/// Does the steps in their order; the last if it changes the link. What is written without a pause goes
/// out together.
async fn perform(link: &mut Link, steps: Vec<Step>) -> io::Result<Option<Step>> {
    let mut bytes = Vec::new();
    for step in steps {
        match step {
            Step::Write(more) => bytes.extend(more),
            Step::Pause(time) => {
                link.write(&std::mem::take(&mut bytes)).await?;
                sleep(time).await;
            }
            last => {
                link.write(&bytes).await?;
                return Ok(Some(last));
            }
        }
    }
    link.write(&bytes).await?;
    Ok(None)
}

/// The way to the client.
enum Link {
    Clear(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Link {
    fn io(&mut self) -> &mut dyn Stream {
        match self {
            Self::Clear(stream) => stream,
            Self::Encrypted(stream) => stream,
        }
    }

    fn into_tcp(self) -> TcpStream {
        match self {
            Self::Clear(stream) => stream,
            Self::Encrypted(stream) => stream.into_inner().0,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let io = self.io();
        timeout(WRITE_LIMIT, async {
            io.write_all(bytes).await?;
            io.flush().await
        })
        .await?
    }

    /// TLS, or `None` when nothing came of it; the connection is then closed.
    async fn encrypt(self, tls: &Tls, server: &mut Server) -> io::Result<Option<Self>> {
        let (mut stream, limit) = (self.into_tcp(), server.idle_limit());
        match tls.instead {
            Some(Instead::Silence) => {
                // That the limit passes is as good an end as the client's.
                let _ = within(limit, drain(&mut stream)).await;
                return Ok(None);
            }
            Some(Instead::Alert(description)) => {
                let mut hello = [0; 4096];
                let _ = within(limit, stream.read(&mut hello)).await;
                // A record of type alert (21), TLS 1.2 as always in records (RFC 8446 §5.1), two bytes long: fatal.
                stream.write_all(&[21, 3, 3, 0, 2, 2, description]).await?;
            }
            None => match within(limit, tls.acceptor.accept(stream).into_fallible()).await {
                Ok(Ok(encrypted)) => {
                    server.tls_started(tls.facts(encrypted.get_ref().1));
                    return Ok(Some(Self::Encrypted(Box::new(encrypted))));
                }
                Ok(Err((_, failed))) => stream = failed,
                Err(_) => return Ok(None),
            },
        }
        Self::Clear(stream).close().await.map(|()| None)
    }

    /// Closes, saying so inside TLS too.
    async fn close(mut self) -> io::Result<()> {
        self.io().shutdown().await?;
        linger(self.into_tcp()).await
    }

    /// Closes without a word of TLS.
    async fn cut(self) -> io::Result<()> {
        let mut stream = self.into_tcp();
        stream.shutdown().await?;
        linger(stream).await
    }
}

/// Waits so that the client still gets the last reply: bytes left unread would make it a reset.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    // The time-out is the answer to a client that goes on talking.
    let _ = timeout(LINGER, drain(&mut stream)).await;
    Ok(())
}

async fn drain(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    while !matches!(stream.read(&mut bytes).await, Ok(0) | Err(_)) {}
}

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    match limit {
        Some(limit) => timeout(limit, future).await,
        None => Ok(future.await),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::jobs::practice::Authority;
    use crate::net::tls::verdict::Fault;
    use crate::net::tls::{Roots, TlsCause, TlsFailure, TlsOptions, TlsReport, Version, connect, load_roots};
    use crate::session::server::scenario::{self, Quirk};
    use crate::session::server::{auth, character};

    fn options(authority: &Authority, scenario: Option<&'static Scenario>, implicit_tls: bool) -> Options {
        let character = character::lookup("exchange").unwrap();
        let offer = auth::offer(character, scenario).to_vec();
        let tls = authority.tls(scenario, &offer).unwrap();
        Options { character, scenario, tls, implicit_tls, offer, token: "token".to_owned() }
    }

    async fn start(scenario: Option<&'static Scenario>) -> (SocketAddr, JoinSet<()>) {
        let (listener, address) = bind(None).await.unwrap();
        let options = options(&Authority::new().unwrap(), scenario, false);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, options));
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

    struct Running {
        address: SocketAddr,
        roots: Roots,
        _task: JoinSet<()>,
    }

    /// The server that the scenario makes, and a client's trust in it.
    async fn start_tls(scenario: &str, implicit_tls: bool) -> Running {
        let authority = Authority::new().unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(authority.root_pem().as_bytes()).unwrap();
        let roots = load_roots(Some(file.path()), Vec::new()).unwrap();
        let scenario = (!scenario.is_empty()).then(|| scenario::lookup(scenario).unwrap());
        let (listener, address) = bind(None).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(serve(listener, options(&authority, scenario, implicit_tls)));
        Running { address, roots, _task: task }
    }

    impl Running {
        /// A client that has sent STARTTLS, and what it read.
        async fn start(&self) -> (TcpStream, String) {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(b"EHLO a\r\nSTARTTLS\r\n").await.unwrap();
            let mut text = String::new();
            let mut bytes = [0; 4096];
            while !text.contains("\r\n220 2.0.0 SMTP server ready\r\n") {
                let count = stream.read(&mut bytes).await.unwrap();
                text += std::str::from_utf8(&bytes[..count]).unwrap();
            }
            (stream, text)
        }

        async fn handshake(&self, stream: TcpStream, options: &TlsOptions) -> Result<(Box<dyn Stream>, TlsReport), TlsFailure> {
            timeout(Duration::from_secs(10), connect(Box::new(stream), NAME, options, &self.roots)).await.unwrap()
        }
    }

    /// What comes after these lines, and how it ends.
    async fn lines(stream: &mut Box<dyn Stream>, lines: &[u8]) -> (String, io::Result<()>) {
        stream.write_all(lines).await.unwrap();
        stream.flush().await.unwrap();
        let mut out = Vec::new();
        let end = timeout(Duration::from_secs(10), stream.read_to_end(&mut out)).await.unwrap();
        (String::from_utf8(out).unwrap(), end.map(|_| ()))
    }

    #[tokio::test]
    async fn starttls_brings_a_verified_connection_that_ends_with_a_farewell() {
        let server = start_tls("", false).await;
        let (stream, before) = server.start().await;
        assert!(before.contains("\r\n250-STARTTLS\r\n"), "{before}");
        let (mut stream, report) = server.handshake(stream, &TlsOptions::default()).await.unwrap();
        assert!(report.is_verified(), "{:?}", report.trust);
        let (text, end) = lines(&mut stream, b"MAIL FROM:<>\r\nEHLO a\r\nQUIT\r\n").await;
        assert!(text.starts_with("503 5.5.2 Send hello first\r\n250-mail") && text.ends_with("channel\r\n"), "{text}");
        assert!(!text.contains("STARTTLS") && end.is_ok(), "{text}{end:?}");
    }

    #[tokio::test]
    async fn implicit_tls_greets_inside() {
        let server = start_tls("", true).await;
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut stream, report) = server.handshake(stream, &TlsOptions::default()).await.unwrap();
        assert_eq!((report.version.as_str(), report.is_verified()), ("TLS 1.3", true));
        let (text, end) = lines(&mut stream, b"QUIT\r\n").await;
        assert!(text.starts_with("220 mail.contoso.test ") && end.is_ok(), "{text}{end:?}");
    }

    #[tokio::test]
    async fn scenarios_show_the_certificate_that_they_promise() {
        type Fits = fn(&Fault) -> bool;
        let table: [(&str, Fits); 4] = [
            ("self-signed", |fault| *fault == Fault::SelfSigned),
            ("expired", |fault| matches!(fault, Fault::Expired { .. })),
            ("wrong-name", |fault| matches!(fault, Fault::WrongName { .. })),
            ("missing-intermediate", |fault| matches!(fault, Fault::MissingIntermediate { issuer } if issuer == "Practice Issuing CA 1")),
        ];
        for (scenario, fits) in table {
            let server = start_tls(scenario, false).await;
            let (stream, _) = server.start().await;
            let (_, report) = server.handshake(stream, &TlsOptions::default()).await.unwrap();
            assert!(matches!(report.trust.faults(), [fault] if fits(fault)), "{scenario}: {:?}", report.trust);
        }
    }

    #[tokio::test]
    async fn scenario_tls12_knows_nothing_newer() {
        let server = start_tls("tls12", true).await;
        let stream = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(server.handshake(stream, &TlsOptions::default()).await.unwrap().1.version, "TLS 1.2");
    }

    #[tokio::test]
    async fn scenario_client_certificate_says_what_it_wants() {
        let server = start_tls("client-certificate", true).await;
        let older = TlsOptions { max: Some(Version::Tls12), ..TlsOptions::default() };
        let failure = server.handshake(TcpStream::connect(server.address).await.unwrap(), &older).await.err().unwrap();
        assert!(failure.client_certificate_asked);
        assert_eq!(failure.cause, TlsCause::Alert("certificate_required".into()));
        // TLS 1.3 says so only to the first read (RFC 8446 §4.4.2.4).
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut stream, report) = server.handshake(stream, &TlsOptions::default()).await.unwrap();
        assert_eq!((report.client_certificate_asked, report.client_certificate_given), (Some(0), false));
        let error = stream.read(&mut [0; 100]).await.unwrap_err();
        assert_eq!(crate::net::tls::words(&error), "the server ended TLS with the alert certificate_required");
    }

    #[tokio::test]
    async fn scenarios_without_a_handshake() {
        let server = start_tls("tls-alert", true).await;
        let stream = TcpStream::connect(server.address).await.unwrap();
        let failure = server.handshake(stream, &TlsOptions::default()).await.err().unwrap();
        assert_eq!(failure.cause, TlsCause::Alert("handshake_failure".into()));
        let server = start_tls("tls-silence", false).await;
        let (mut stream, _) = server.start().await;
        stream.write_all(&[22, 3, 1]).await.unwrap();
        assert!(timeout(Duration::from_millis(200), stream.read(&mut [0; 100])).await.is_err());
    }

    #[tokio::test]
    async fn scenario_starttls_injection_sends_one_segment() {
        // P17
        let server = start_tls("starttls-injection", false).await;
        let (_, text) = server.start().await;
        assert!(text.ends_with("220 2.0.0 SMTP server ready\r\n250-mail.contoso.test\r\n250 AUTH PLAIN LOGIN\r\n"), "{text}");
    }

    #[tokio::test]
    async fn scenario_truncated_tls_ends_without_a_farewell() {
        // P22
        let server = start_tls("truncated-tls", false).await;
        let (stream, _) = server.start().await;
        let (mut stream, _) = server.handshake(stream, &TlsOptions::default()).await.unwrap();
        let (text, end) = lines(&mut stream, b"EHLO a\r\nNOOP\r\n").await;
        assert!(text.starts_with("250-mail") && text.ends_with("250 CHUNKING\r\n"), "{text}");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn plain_text_in_the_place_of_a_handshake_ends_the_connection_only() {
        let server = start_tls("", false).await;
        let (mut stream, _) = server.start().await;
        stream.write_all(b"EHLO a\r\nMAIL FROM:<>\r\n").await.unwrap();
        let mut out = Vec::new();
        timeout(Duration::from_secs(10), stream.read_to_end(&mut out)).await.unwrap().unwrap();
        assert_eq!(out.first(), Some(&21), "an alert and no reply: {out:?}");
        server.start().await;
    }
}
