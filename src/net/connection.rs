//! The one driver loop between a stream and a [`Session`].
//!
//! [`Connection::next`] is the only place that reads and writes. It can be dropped and called again at
//! any time without loss. What is to be sent is queued and goes out as one write if the kernel takes
//! it; reading goes on while a write is stuck, so that a server's last words are not lost (P34).

use std::any::Any;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use zeroize::Zeroize;

use super::tls::{self, Reference, Roots, TlsCause, TlsFailure, TlsOptions, TlsReport};
use crate::session::client::Answer;
use crate::session::dialogue::{Dialogue, Sent};
use crate::session::event::Expected;
use crate::session::transcript::Transcript;
use crate::session::{Event, Security, Session};
use crate::wire::command::Command;
use crate::wire::dot::{Changes, NulByte};
use crate::wire::foreign::{self, Foreign};
use crate::wire::reply::{first_reply, looks_like_reply};

/// After a failed write, how long the server's last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long saying goodbye to the TLS layer may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// How long to wait for what. Each limit is for the whole reply, not for a single byte (P7).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a reply, and for the server to take what was written (RFC 5321 §4.5.3.2: 5 minutes).
    pub reply: Duration,
    /// For the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes).
    pub final_dot: Duration,
}

impl Limits {
    /// One limit for every reply; where none is wished, those of RFC 5321, in which the fate of a message is waited for
    /// longest.
    pub fn new(reply: Option<Duration>) -> Self {
        match reply {
            Some(reply) => Self { reply, final_dot: reply },
            None => Self { reply: Duration::from_secs(300), final_dot: Duration::from_secs(600) },
        }
    }
}

/// Any stream to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The TCP connection, if it is one without anything around it.
    fn tcp(&self) -> Option<&TcpStream>;
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {
    fn tcp(&self) -> Option<&TcpStream> {
        (self as &dyn Any).downcast_ref()
    }
}

/// A connection to a server and the session on it.
pub struct Connection {
    stream: Box<dyn Stream>,
    session: Session,
    opened: Instant,
    limits: Limits,
    /// When all must be over.
    deadline: Option<Instant>,
    /// Until then something of a reply must have come.
    silence: Option<Instant>,
    out: Vec<u8>,
    written: usize,
    /// The stream may hold back some of what it was given.
    unflushed: bool,
    /// When the server last took something of `out`, or `out` was last empty.
    progress: Instant,
    holds_secret: bool,
    /// Writing failed so; until then what the server said before it closed is read.
    broken: Option<(io::Error, Instant)>,
    alarm: Option<(Instant, Pin<Box<Sleep>>)>,
    journal: Option<Journal>,
    /// Something was queued since the journal was written.
    unrecorded: bool,
}

/// What is given the transcript before anything that it tells of is on the wire.
pub type Journal = Box<dyn FnMut(&Transcript) + Send>;

impl Connection {
    /// A connection on a stream that was just opened; the greeting is waited for.
    pub fn new(stream: Box<dyn Stream>, limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            stream,
            session: Session::new(),
            opened: now,
            limits,
            deadline: None,
            silence: None,
            out: Vec::new(),
            written: 0,
            unflushed: false,
            progress: now,
            holds_secret: false,
            broken: None,
            alarm: None,
            journal: None,
            unrecorded: false,
        }
    }

    /// The same for a short look: one deadline for all, and no transcript.
    pub fn brief(stream: Box<dyn Stream>, limits: Limits, deadline: Instant) -> Self {
        Self { session: Session::without_transcript(), deadline: Some(deadline), ..Self::new(stream, limits) }
    }

    /// The session's state.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// From now on `journal` is given the transcript before each write of commands, answers and messages (P51).
    pub fn set_journal(&mut self, journal: Option<Journal>) {
        self.journal = journal;
    }

    /// Since when the connection stands.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Gives the stream away, for something that is not a session.
    pub fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// What came in plain text behind the 220 to STARTTLS.
    pub fn take_injected(&mut self) -> Vec<u8> {
        self.session.take_injected()
    }

    /// The limits in force.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Until then something of a reply must have come; `None`: it may begin as late as it ends.
    pub fn set_silence(&mut self, until: Option<Instant>) {
        self.silence = until;
    }

    /// One deadline for all that is still to come, beside the limits of each reply.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Sends a command line, without its end.
    pub fn send(&mut self, line: &[u8]) {
        self.about_to_queue();
        self.holds_secret |= crate::session::redact::hides(line);
        self.session.send(self.opened.elapsed(), line, &mut self.out);
    }

    /// Answers a challenge. Returns what may be seen of it.
    pub fn answer(&mut self, answer: &Answer) -> Sent {
        self.about_to_queue();
        self.holds_secret = true;
        self.session.answer(self.opened.elapsed(), answer, &mut self.out)
    }

    /// The login that was refused, for a last look.
    pub fn take_refused_login(&mut self) -> Option<Dialogue> {
        self.session.take_refused_login()
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.about_to_queue();
        self.holds_secret |= crate::session::redact::hides(bytes.trim_ascii_end());
        self.session.send_raw(self.opened.elapsed(), bytes, &mut self.out);
    }

    /// Queues a piece of the message; see [`Connection::room`].
    ///
    /// # Errors
    /// [`NulByte`]: SMTP's DATA cannot carry it.
    pub fn body(&mut self, piece: &[u8]) -> Result<(), NulByte> {
        self.about_to_queue();
        self.session.body(piece, &mut self.out)
    }

    /// Queues the end of the message.
    pub fn end_body(&mut self) -> Changes {
        self.about_to_queue();
        self.session.end_body(self.opened.elapsed(), &mut self.out)
    }

    /// Queues octets of the chunk that BDAT announced, exactly as they are; see [`Connection::room`].
    pub fn chunk(&mut self, octets: &[u8]) {
        self.about_to_queue();
        self.session.chunk(self.opened.elapsed(), octets, &mut self.out);
    }

    /// Starts TLS on the stream, within the limit for a reply.
    ///
    /// # Errors
    /// [`TlsFailure`]; the connection is then closed.
    pub async fn start_tls(
        &mut self,
        reference: impl Into<Reference<'_>>,
        options: &TlsOptions,
        roots: &Roots,
    ) -> Result<TlsReport, TlsFailure> {
        let stream = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.unwrap_or(self.limits.reply).min(self.limits.reply);
        let result = match tokio::time::timeout(limit, tls::connect(stream, reference, options, roots)).await {
            Ok(result) => result,
            Err(_) => Err(TlsFailure { cause: TlsCause::TimedOut(limit), client_certificate_asked: false }),
        };
        match result {
            Ok((stream, report)) => {
                self.stream = stream;
                self.session.tls_started(self.opened.elapsed(), report.is_trusted());
                Ok(report)
            }
            Err(failure) => {
                self.session.close(self.opened.elapsed());
                Err(failure)
            }
        }
    }

    /// Adds a fact to the transcript.
    pub fn note(&mut self, text: impl Into<String>) {
        self.session.note(self.opened.elapsed(), text);
    }

    /// Reads what has arrived, without waiting. A reply that came before a command was sent cannot answer it (P9).
    pub async fn catch_up(&mut self) {
        // The runtime learns of what has arrived when it is its turn.
        tokio::task::yield_now().await;
        poll_fn(|context| {
            while self.session.is_open() && !self.session.is_starting_tls() && self.poll_read(context).is_ready() {}
            Poll::Ready(())
        })
        .await;
    }

    /// Closes as TLS wants it, with `close_notify` (RFC 8446 §6.1); in the clear there is nothing to say.
    pub async fn close_politely(&mut self) {
        use tokio::io::AsyncWriteExt as _;
        if self.session.is_open() && self.session.security() != Security::Clear {
            // A server that does not take it misses nothing that counts.
            let _ = tokio::time::timeout(GOODBYE, self.stream.shutdown()).await;
        }
        self.close();
    }

    /// Closes without a word.
    pub fn close(&mut self) {
        self.session.close(self.opened.elapsed());
        self.hang_up();
        self.tidy_all();
    }

    /// Lets the stream go: a program that it leads through is ended. What was received stays.
    pub fn hang_up(&mut self) {
        self.stream = Box::new(tokio::io::empty());
    }

    /// After a greeting that never came: the first message of TLS, and what it provokes within the limit, to the end of
    /// a line or until it shows what it is. A TLS server takes it, a web server complains. Gives what came, and what it
    /// looks like if anything did.
    pub async fn provoke(&mut self, limit: Duration) -> (Vec<u8>, Option<Foreign>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        /// A greeting of many lines has its place in it.
        const MOST: usize = 4096;
        let asked = tls::probe::client_hello(&[0; 32], None);
        let mut answer = Vec::with_capacity(512);
        let stream = &mut self.stream;
        let exchange = async {
            stream.write_all(&asked).await?;
            stream.flush().await?;
            while answer.len() < MOST && !shows_what_it_is(&answer) && stream.read_buf(&mut answer).await? > 0 {}
            std::io::Result::Ok(())
        };
        // Whatever ends it, what came until then counts.
        let _ = tokio::time::timeout(limit, exchange).await;
        // A program such as cat, or the echo service (RFC 862): that is no server of TLS, whose first bytes are alike.
        let is_ours = answer.len() > 16 && (asked.starts_with(&answer) || answer.starts_with(&asked));
        let foreign = if is_ours {
            Some(Foreign::Echo)
        } else {
            Some(&answer).filter(|answer| !answer.is_empty()).and_then(|answer| foreign::guess(answer))
        };
        (answer, foreign)
    }

    /// Bytes that the kernel has not taken yet.
    pub fn queued(&self) -> usize {
        self.out.len() - self.written
    }

    /// Waits for the next event. Never ends when the connection is closed and all was told.
    pub async fn next(&mut self) -> Event {
        match self.step_until(|_| false).await {
            Some(event) => event,
            None => pending().await,
        }
    }

    /// Waits until at most `low` bytes are queued, or for an event, or for the end.
    pub async fn room(&mut self, low: usize) -> Option<Event> {
        // What cannot be written leaves no room: why is told first.
        let has_room = |this: &Self| this.queued() <= low && this.broken.is_none();
        if has_room(self) { None } else { self.step_until(has_room).await }
    }

    async fn step_until(&mut self, enough: impl Fn(&Self) -> bool) -> Option<Event> {
        poll_fn(|context| {
            loop {
                if let Some(event) = self.session.next_event() {
                    return Poll::Ready(Some(event));
                }
                if !self.session.is_open() || enough(self) {
                    return Poll::Ready(None);
                }
                let wrote = self.poll_write(context);
                if !self.session.is_open() {
                    // Why it closed comes before everything else.
                    continue;
                }
                if enough(self) {
                    return Poll::Ready(None);
                }
                let read = self.poll_read(context);
                if wrote.is_pending() && read.is_pending() && self.poll_alarm(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Writes what is queued. Ready when some of it went out.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.broken.is_some() {
            return Poll::Pending;
        }
        if self.queued() == 0 {
            return self.poll_flush(context);
        }
        self.record();
        match Pin::new(&mut self.stream).poll_write(context, &self.out[self.written..]) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => {
                self.write_failed(io::ErrorKind::WriteZero.into());
                Poll::Ready(())
            }
            Poll::Ready(Ok(count)) => {
                self.written += count;
                self.progress = Instant::now();
                self.tidy();
                // Streams that buffer (TLS, pipes) hand it on here; on TCP this does nothing.
                self.unflushed = true;
                let _ = self.poll_flush(context);
                Poll::Ready(())
            }
            Poll::Ready(Err(error)) => {
                self.write_failed(error);
                Poll::Ready(())
            }
        }
    }

    /// The server may have said why before it closed: what was received is read to its end before this counts.
    fn write_failed(&mut self, error: io::Error) {
        self.tidy_all();
        self.broken.get_or_insert((error, Instant::now() + LAST_WORDS));
    }

    /// Hands on what the stream still buffers. Ready when it did.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.unflushed {
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => {
                self.unflushed = false;
                self.write_failed(error);
            }
        }
        Poll::Ready(())
    }

    /// Reads once. Ready when something came or the stream ended.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // On the stack and not filled with zeros: a connection that waits holds no buffer.
        let mut bytes = [const { MaybeUninit::<u8>::uninit() }; 8192];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => match self.broken.take() {
                // A write to a connection that the server has closed fails so: the end says it better.
                Some((error, _)) if error.kind() != io::ErrorKind::BrokenPipe => self.fail(&error),
                _ => self.session.received_end(self.opened.elapsed()),
            },
            Poll::Ready(Ok(())) => self.session.receive(self.opened.elapsed(), buffer.filled()),
            Poll::Ready(Err(error)) => self.fail(&error),
        }
        if !self.session.is_open() {
            self.tidy_all();
        }
        Poll::Ready(())
    }

    /// Ready when a limit has passed.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((deadline, limit)) = self.deadline() else { return Poll::Pending };
        let alarm = match &mut self.alarm {
            // It goes off too early when the deadline has moved since; that costs less than to move it each time.
            Some((at, alarm)) if *at <= deadline => alarm,
            _ => &mut self.alarm.insert((deadline, Box::pin(sleep_until(deadline)))).1,
        };
        loop {
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                break;
            }
            alarm.as_mut().reset(deadline);
        }
        match self.broken.take() {
            Some((error, _)) => self.fail(&error),
            None => self.session.timed_out(self.opened.elapsed(), limit),
        }
        self.tidy_all();
        Poll::Ready(())
    }

    /// The next moment at which it is too late, and the limit that it comes from.
    fn deadline(&self) -> Option<(Instant, Duration)> {
        if let Some((_, until)) = &self.broken {
            return Some((self.deadline.map_or(*until, |deadline| deadline.min(*until)), LAST_WORDS));
        }
        let (at, limit, from) = self.limit()?;
        let silence = self.silence.filter(|_| !self.session.is_amid_reply());
        match self.deadline.into_iter().chain(silence).min() {
            Some(deadline) if deadline < at => Some((deadline, deadline.saturating_duration_since(from))),
            _ => Some((at, limit)),
        }
    }

    /// When the limit for what is waited for has passed, the limit, and since when it counts.
    fn limit(&self) -> Option<(Instant, Duration, Instant)> {
        if self.queued() > 0 {
            return Some((self.progress + self.limits.reply, self.limits.reply, self.progress));
        }
        let (what, since) = self.session.awaited()?;
        let limit = if what.is_fate() { self.limits.final_dot } else { self.limits.reply };
        let follows_content = what.is_fate() || matches!(what, Expected::Command(Command::Bdat { .. }));
        // What was queued for long before the kernel took it must not eat up the time for the reply.
        let from = (self.opened + since).max(if follows_content { self.progress } else { self.opened });
        Some((from + limit, limit, from))
    }

    fn fail(&mut self, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let tls = self.session.security() != Security::Clear;
        let words = match error.kind() {
            ConnectionReset => "the server or a device on the way reset the connection".to_owned(),
            BrokenPipe | ConnectionAborted => "the connection was cut".to_owned(),
            // Without the farewell of TLS nobody can tell an end from a cut (RFC 8446 §6.1, P22).
            UnexpectedEof if tls => "it was closed without the farewell of TLS (close_notify), so something may be missing".to_owned(),
            _ if tls => tls::words(error),
            _ => super::dial::system_words(error),
        };
        let by_tls = tls && tls::is_alert(error);
        self.session.lost(self.opened.elapsed(), words, by_tls);
        self.tidy_all();
    }

    /// Tells the journal of what is queued, before any of it is written.
    fn record(&mut self) {
        if !std::mem::take(&mut self.unrecorded) {
            return;
        }
        self.session.record_content(self.opened.elapsed());
        if let Some(journal) = &mut self.journal {
            journal(self.session.transcript());
        }
    }

    /// Before something is added to what is to be sent.
    fn about_to_queue(&mut self) {
        self.tidy();
        self.unrecorded = true;
    }

    /// Gives room back once all is written.
    fn tidy(&mut self) {
        if self.queued() == 0 {
            self.tidy_all();
        } else if self.written > 64 * 1024 {
            self.out.drain(..self.written);
            self.written = 0;
        }
    }

    fn tidy_all(&mut self) {
        if self.queued() == 0 || !self.session.is_open() {
            self.progress = Instant::now();
        }
        self.written = 0;
        if std::mem::take(&mut self.holds_secret) {
            self.out.zeroize();
        } else {
            self.out.clear();
        }
    }
}

/// Whether more would tell no more: a whole reply or other line, or the beginning of another protocol.
fn shows_what_it_is(answer: &[u8]) -> bool {
    let goes_on = answer.trim_ascii_start().is_empty() || looks_like_reply(answer.trim_ascii_start()) && first_reply(answer).is_none();
    answer.contains(&b'\n') && !goes_on || foreign::guess(answer).is_some_and(|foreign| foreign != Foreign::Binary)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::session::Ending;

    fn connection(size: usize) -> (Connection, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(size);
        (Connection::new(Box::new(ours), Limits::new(Some(Duration::from_secs(5)))), theirs)
    }

    #[tokio::test]
    async fn a_command_is_one_write_and_its_reply_an_event() {
        let (mut connection, mut server) = connection(4096);
        server.write_all(b"220 mx\r\n").await.unwrap();
        assert!(matches!(connection.next().await, Event::Reply { to: Expected::Greeting, .. }));
        connection.send(b"NOOP");
        let mut bytes = [0; 64];
        let (event, count) = tokio::join!(connection.next(), async {
            let count = server.read(&mut bytes).await.unwrap();
            server.write_all(b"250 ok\r\n").await.unwrap();
            count
        });
        assert_eq!(&bytes[..count], b"NOOP\r\n");
        assert!(matches!(event, Event::Reply { to: Expected::Command(_), .. }), "{event:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_does_not_extend_the_limit_for_a_reply() {
        // P7
        let (mut connection, mut server) = connection(4096);
        let trickle = async {
            loop {
                if server.write_all(b"2").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let started = Instant::now();
        tokio::select! {
            event = connection.next() => assert!(matches!(event, Event::Ended(Ending::TimedOut { .. })), "{event:?}"),
            () = trickle => {}
        }
        assert!(started.elapsed() <= Duration::from_secs(6), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_reading_is_given_up() {
        // P34
        let (mut connection, mut server) = connection(64);
        server.write_all(b"220 mx\r\n").await.unwrap();
        connection.next().await;
        connection.send(&[b'a'; 1000]);
        let event = connection.next().await;
        assert!(matches!(event, Event::Ended(Ending::TimedOut { .. })), "{event:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_does_not_extend_the_limit_for_a_handshake() {
        // P7: the beginning of a ServerHello of 16000 bytes, a byte every half second.
        let (mut connection, mut server) = connection(4096);
        let trickle = async {
            for byte in [&[22, 3, 3, 0x3e, 0x80, 2, 0, 0x3e, 0x7c, 3, 3][..], &[7; 100]].concat() {
                if server.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let (options, roots) = (TlsOptions::default(), tls::load_roots(None, Vec::new()).unwrap());
        let started = Instant::now();
        let (result, ()) = tokio::join!(connection.start_tls("mx.contoso.test", &options, &roots), trickle);
        assert_eq!(result.err().map(|failure| failure.cause), Some(TlsCause::TimedOut(Duration::from_secs(5))));
        assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
        assert!(!connection.session().is_open());
    }

    #[tokio::test]
    async fn a_half_read_reply_is_kept_at_close() {
        // P11
        let (mut connection, mut server) = connection(4096);
        server.write_all(b"220-mx\r\n220 ha").await.unwrap();
        drop(server);
        let Event::Ended(Ending::Closed { partial, awaited, .. }) = connection.next().await else { panic!() };
        assert_eq!((partial, awaited), (vec![b"220-mx".to_vec(), b"220 ha".to_vec()], Some(Expected::Greeting)));
    }

    #[tokio::test]
    async fn what_a_first_message_of_tls_provokes_is_told_from_that_message() {
        let answers: [(&[u8], Option<Foreign>); 4] = [
            (b"\x16\x03\x03", Some(Foreign::Tls)),
            (b"\x15\x03\x01\0\x02\x02\x46", Some(Foreign::Tls)),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Foreign::Http)),
            (b"", None),
        ];
        for (answer, want) in answers {
            let (mut connection, mut server) = connection(4096);
            server.write_all(answer).await.unwrap();
            server.shutdown().await.unwrap();
            assert_eq!(connection.provoke(Duration::from_secs(5)).await, (answer.to_vec(), want));
        }
        for short in [17, 4096] {
            let (mut connection, mut server) = connection(4096);
            let echo = async {
                let mut bytes = [0; 4096];
                let count = server.read(&mut bytes).await.unwrap();
                server.write_all(&bytes[..count.min(short)]).await.unwrap();
            };
            let ((_, foreign), ()) = tokio::join!(connection.provoke(Duration::from_secs(5)), echo);
            assert_eq!(foreign, Some(Foreign::Echo), "{short}");
        }
    }

    /// A stream that cannot be written to, and whose last words arrive a while after that has shown.
    struct Cut {
        words: &'static [u8],
        arrives: Pin<Box<Sleep>>,
        ends: bool,
    }

    impl AsyncRead for Cut {
        fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.arrives.as_mut().poll(context).is_pending() || self.words.is_empty() && !self.ends {
                return Poll::Pending;
            }
            buffer.put_slice(self.words);
            self.words = b"";
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Cut {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn last_words_count_though_they_arrive_after_a_write_has_failed() {
        // P12 P34
        for ends in [true, false] {
            let arrives = Box::pin(tokio::time::sleep(Duration::from_millis(300)));
            let stream = Cut { words: b"220 mx\r\n452 4.3.1 full\r\n", arrives, ends };
            let mut connection = Connection::new(Box::new(stream), Limits::new(Some(Duration::from_secs(60))));
            connection.send(&[b'x'; 1000]);
            let started = Instant::now();
            assert!(connection.room(0).await.is_some(), "there is no room in what cannot be written");
            assert!(matches!(connection.next().await, Event::Reply { reply, .. } if reply.has_code(452)));
            // Without an end of what is read, the write has failed and nothing more comes.
            let ended = connection.next().await;
            assert_eq!(matches!(ended, Event::Ended(Ending::Closed { .. })), ends, "{ended:?}");
            assert_eq!(matches!(ended, Event::Ended(Ending::Lost { .. })), !ends, "{ended:?}");
            assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        }
    }

    #[tokio::test]
    async fn what_came_before_a_command_does_not_answer_it() {
        // P9
        let (mut connection, mut server) = connection(4096);
        server.write_all(b"220 mx\r\n").await.unwrap();
        connection.next().await;
        server.write_all(b"535 again\r\n").await.unwrap();
        connection.catch_up().await;
        connection.send(b"QUIT");
        server.write_all(b"221 bye\r\n").await.unwrap();
        assert!(matches!(connection.next().await, Event::Unsolicited(reply) if reply.has_code(535)));
        assert!(matches!(connection.next().await, Event::Reply { reply, .. } if reply.has_code(221)));
    }

    #[tokio::test]
    async fn last_words_are_read_before_a_failed_write_is_told() {
        // P34
        let (mut connection, mut server) = connection(4096);
        server.write_all(b"220 mx\r\n421 4.3.2 going\r\n").await.unwrap();
        drop(server);
        connection.send(b"NOOP");
        let mut seen = Vec::new();
        loop {
            match connection.next().await {
                Event::Ended(_) => break,
                Event::Reply { reply, .. } => seen.push(reply.code.number()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, [220, 421]);
    }
}
