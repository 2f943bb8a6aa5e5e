//! A server that follows a text.
//!
//! ```text
//! S: 220 mx            a line, with CRLF behind it; \r \n \e \xNN are understood
//! S! 250-half          the same without a line end
//! C: EHLO a            exactly this line must come; `C: *` takes any line
//! C! bytes             exactly these bytes must come
//! message              all up to and with CRLF . CRLF; kept in `Played::messages`
//! wait 300ms           says nothing meanwhile
//! bytewise             from here on every byte is written by itself
//! trickle 300ms TEXT   TEXT byte by byte, this slowly
//! forever TEXT         TEXT again and again, until the client closes
//! hold                 reads and keeps what comes, until the client closes
//! stall                does not even read, until the test ends
//! quiet 300ms          nothing may come within this time
//! tls                  the handshake of a server that nobody vouches for; then all goes through TLS
//! tls asking           the same, and it asks for a certificate of the client without insisting
//! cut                  closes without the farewell of TLS
//! close                closes (the default at the end of the text)
//! reset                closes with a reset
//! again                the next connection
//! # ...                a comment
//! ```

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::{DEADLINE, unescape};

/// The server at work.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    thread: Option<JoinHandle<Played>>,
    stop: Arc<AtomicBool>,
    connected: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
}

/// What the server saw.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// What each read gave, all connections together.
    pub(crate) segments: Vec<Vec<u8>>,
    /// The messages, without the final `.` CRLF.
    pub(crate) messages: Vec<Vec<u8>>,
    /// How many connections came.
    pub(crate) connections: usize,
    problem: Option<String>,
}

impl Played {
    /// All bytes that the client sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.segments.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The lines that the client sent, without their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().split_terminator("\r\n").map(str::to_owned).collect()
    }
}

/// What a server shows in `tls`, and the key with which it signs the handshake: they need not belong together.
pub(crate) struct Shown {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: KeyPair,
}

impl Default for Shown {
    /// A certificate that nobody vouches for.
    fn default() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["mail.contoso.test".to_owned()]).unwrap();
        Self { chain: vec![made.cert.der().clone()], key: made.signing_key }
    }
}

/// Starts a server that plays the text.
pub(crate) fn serve(dialogue: &str) -> Scripted {
    serve_showing(dialogue, Shown::default())
}

/// Like `serve`, with a certificate of the test's own.
pub(crate) fn serve_showing(dialogue: &str, shown: Shown) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = Arc::new(AtomicBool::new(false));
    let connected = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reads);
    let (steps, told, tell) = (parse(dialogue), Arc::clone(&stop), Arc::clone(&connected));
    let thread = std::thread::spawn(move || {
        let mut player = Player {
            listener,
            stream: None,
            buffer: Vec::new(),
            bytewise: false,
            played: Played::default(),
            stop: told,
            connected: tell,
            reads: count,
            shown,
        };
        if let Err(problem) = player.play(&steps) {
            player.played.problem = Some(problem);
        }
        player.played
    });
    Scripted { port, thread: Some(thread), stop, connected, reads }
}

/// A port of this machine on which nothing listens.
pub(crate) fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Scripted {
    /// Waits until the first client is there.
    pub(crate) fn wait_connected(&self) {
        let end = Instant::now() + DEADLINE;
        while !self.connected.load(Ordering::Relaxed) {
            assert!(Instant::now() < end, "nobody connected");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many segments have come so far.
    pub(crate) fn segments(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Waits until so many segments have come.
    pub(crate) fn wait_segments(&self, count: usize) {
        let end = Instant::now() + DEADLINE;
        while self.reads.load(Ordering::Relaxed) < count {
            assert!(Instant::now() < end, "{count} segments never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the server and gives what it saw. The text must have been played as it stands.
    #[track_caller]
    pub(crate) fn finish(self) -> Played {
        let played = self.end();
        assert!(played.problem.is_none(), "server: {}\nit saw {:?}", played.problem.as_deref().unwrap_or_default(), played.text());
        played
    }

    /// The same, when the client may leave before the end of the text.
    pub(crate) fn end(mut self) -> Played {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

enum Step {
    Send(Vec<u8>),
    Line(Vec<u8>),
    AnyLine,
    Bytes(Vec<u8>),
    Message,
    Wait(Duration),
    Quiet(Duration),
    Trickle(Duration, Vec<u8>),
    Forever(Vec<u8>),
    Bytewise,
    Hold,
    Stall,
    Tls { asking: bool },
    Cut,
    Close,
    Reset,
    Again,
}

fn parse(dialogue: &str) -> Vec<(String, Step)> {
    let lines = dialogue.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (line.to_owned(), step(line).unwrap_or_else(|| panic!("not understood: {line}")))).collect()
}

fn step(line: &str) -> Option<Step> {
    let with_end = |text: &str| [unescape(text), b"\r\n".to_vec()].concat();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some(match word {
        "S:" => Step::Send(with_end(rest)),
        "S!" => Step::Send(unescape(rest)),
        "C:" if rest == "*" => Step::AnyLine,
        "C:" => Step::Line(with_end(rest)),
        "C!" => Step::Bytes(unescape(rest)),
        "message" => Step::Message,
        "wait" => Step::Wait(time(rest)?),
        "quiet" => Step::Quiet(time(rest)?),
        "trickle" => {
            let (every, text) = rest.split_once(' ')?;
            Step::Trickle(time(every)?, unescape(text))
        }
        "forever" => Step::Forever(unescape(rest)),
        "bytewise" => Step::Bytewise,
        "hold" => Step::Hold,
        "stall" => Step::Stall,
        "tls" => Step::Tls { asking: rest == "asking" },
        "cut" => Step::Cut,
        "close" => Step::Close,
        "reset" => Step::Reset,
        "again" => Step::Again,
        _ => return None,
    })
}

fn time(text: &str) -> Option<Duration> {
    Some(Duration::from_millis(text.strip_suffix("ms")?.parse().ok()?))
}

/// A connection, in clear or encrypted.
enum Link {
    Clear(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Link {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for Link {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(bytes),
            Self::Encrypted(stream) => stream.read(bytes),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

struct Player {
    listener: TcpListener,
    stream: Option<Link>,
    /// Read and not yet expected.
    buffer: Vec<u8>,
    bytewise: bool,
    played: Played,
    stop: Arc<AtomicBool>,
    connected: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    shown: Shown,
}

impl Player {
    fn play(&mut self, steps: &[(String, Step)]) -> Result<(), String> {
        self.accept()?;
        for (line, step) in steps {
            self.perform(step).map_err(|problem| format!("at `{line}`: {problem}"))?;
        }
        Ok(())
    }

    fn perform(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send(bytes) if self.bytewise => self.send_slowly(Duration::from_millis(1), bytes),
            Step::Send(bytes) => self.send(bytes),
            Step::Trickle(every, bytes) => {
                // The client may close when it has waited long enough.
                let _ = self.send_slowly(*every, bytes);
                Ok(())
            }
            Step::Forever(bytes) => {
                while self.send(bytes).is_ok() {}
                Ok(())
            }
            Step::Line(want) => self.expect_line(Some(want)),
            Step::AnyLine => self.expect_line(None),
            Step::Bytes(want) => {
                self.read_until(|buffer| buffer.len() >= want.len())?;
                let got: Vec<u8> = self.buffer.drain(..want.len()).collect();
                same(&got, want)
            }
            Step::Message => self.take_message(),
            Step::Wait(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            Step::Quiet(time) => self.expect_silence(*time),
            Step::Bytewise => {
                self.bytewise = true;
                Ok(())
            }
            Step::Hold => {
                let _ = self.read_until(|_| false);
                Ok(())
            }
            Step::Stall => {
                let end = Instant::now() + DEADLINE;
                while !self.stop.load(Ordering::Relaxed) && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            }
            Step::Tls { asking } => self.encrypt(*asking),
            Step::Close => {
                if let Some(Link::Encrypted(stream)) = &mut self.stream {
                    stream.conn.send_close_notify();
                    // The client may be gone.
                    let _ = stream.flush();
                }
                self.stream = None;
                Ok(())
            }
            Step::Cut => {
                self.stream = None;
                Ok(())
            }
            Step::Reset => self.reset(),
            Step::Again => {
                self.stream = None;
                self.buffer.clear();
                self.accept()
            }
        }
    }

    fn accept(&mut self) -> Result<(), String> {
        self.listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let end = Instant::now() + DEADLINE;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true)).map_err(|error| error.to_string())?;
                    self.stream = Some(Link::Clear(stream));
                    self.played.connections += 1;
                    self.connected.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.to_string()),
                Err(_) if self.stop.load(Ordering::Relaxed) || Instant::now() > end => return Err("nobody connected".to_owned()),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn stream(&mut self) -> Result<&mut Link, String> {
        self.stream.as_mut().ok_or_else(|| "the connection is closed".to_owned())
    }

    fn encrypt(&mut self, asking: bool) -> Result<(), String> {
        let Some(Link::Clear(socket)) = self.stream.take() else { return Err("no connection in clear".to_owned()) };
        socket.set_read_timeout(Some(DEADLINE)).map_err(|error| error.to_string())?;
        let connection = ServerConnection::new(Arc::new(tls_config(&self.shown, asking))).map_err(|error| error.to_string())?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        self.stream = Some(Link::Encrypted(Box::new(stream)));
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let stream = self.stream()?;
        stream.socket().set_write_timeout(Some(DEADLINE)).and_then(|()| stream.write_all(bytes)).map_err(|error| error.to_string())
    }

    fn send_slowly(&mut self, every: Duration, bytes: &[u8]) -> Result<(), String> {
        for byte in bytes {
            self.send(&[*byte])?;
            std::thread::sleep(every);
        }
        Ok(())
    }

    fn expect_line(&mut self, want: Option<&[u8]>) -> Result<(), String> {
        let end = |buffer: &[u8]| buffer.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2);
        self.read_until(|buffer| end(buffer).is_some())?;
        let at = end(&self.buffer).unwrap_or_default();
        let line: Vec<u8> = self.buffer.drain(..at).collect();
        want.map_or(Ok(()), |want| same(&line, want))
    }

    fn take_message(&mut self) -> Result<(), String> {
        let end = |buffer: &[u8]| {
            let at = buffer.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| at + 2);
            if buffer.starts_with(b".\r\n") { Some(0) } else { at }
        };
        self.read_until(|buffer| end(buffer).is_some())?;
        let at = end(&self.buffer).unwrap_or_default();
        let mut message: Vec<u8> = self.buffer.drain(..at + 3).collect();
        message.truncate(at);
        self.played.messages.push(message);
        Ok(())
    }

    fn expect_silence(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if !self.buffer.is_empty() || self.read_once(end.saturating_duration_since(Instant::now()))? {
                return Err(format!("silence was expected, not {:?}", String::from_utf8_lossy(&self.buffer)));
            }
        }
        Ok(())
    }

    fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        while !enough(&self.buffer) {
            if Instant::now() > end {
                return Err(format!("nothing more came after {:?}", String::from_utf8_lossy(&self.buffer)));
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if !self.read_once(Duration::from_millis(200))? && stopped {
                return Err("the test is over".to_owned());
            }
        }
        Ok(())
    }

    /// Whether something came within the time; the end of the stream is an error.
    fn read_once(&mut self, patience: Duration) -> Result<bool, String> {
        let mut bytes = vec![0; 64 * 1024];
        let stream = self.stream()?;
        stream.socket().set_read_timeout(Some(patience.max(Duration::from_millis(1)))).map_err(|error| error.to_string())?;
        match stream.read(&mut bytes) {
            Ok(0) => Err(format!("the client closed; left over: {:?}", String::from_utf8_lossy(&self.buffer))),
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                self.played.segments.push(bytes[..count].to_vec());
                self.reads.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn reset(&mut self) -> Result<(), String> {
        let Some(Link::Clear(stream)) = self.stream.take() else { return Err("no connection in clear".to_owned()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(|error| error.to_string())?;
        runtime
            .block_on(async {
                stream.set_nonblocking(true)?;
                tokio::net::TcpStream::from_std(stream)?.set_zero_linger()
            })
            .map_err(|error| error.to_string())
    }
}

fn tls_config(shown: &Shown, asking: bool) -> ServerConfig {
    let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = if asking {
        let mut roots = RootCertStore::empty();
        roots.add(shown.chain[0].clone()).unwrap();
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).allow_unauthenticated().build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let certified = CertifiedKey::new(shown.chain.clone(), provider.key_provider.load_private_key(key).unwrap());
    builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
}

fn same(got: &[u8], want: &[u8]) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("the client sent {:?}", String::from_utf8_lossy(got))) }
}
