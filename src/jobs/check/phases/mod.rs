//! One endpoint, phase after phase, under one deadline.

mod secure;
mod way;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use super::options::{Endpoint, Options, Through};
use super::report::{Phase, PhaseKind, Report};
use super::{Checker, login};
use crate::explain::failure::Failure;
use crate::explain::hello::{HeloEnd, Other};
use crate::explain::protection::Unsafe;
use crate::explain::reply::{Situation, explain};
use crate::explain::talk::TalkFailure;
use crate::jobs::circumstances;
use crate::jobs::opening::{behind_header, greeting_failure, without_certificate};
use crate::jobs::protection::why_unsafe;
use crate::net::command::Watch;
use crate::net::connection::Stream;
use crate::net::{Connection, Limits};
use crate::sasl::Channel;
use crate::session::{Ending, Event, Expected, Judgement, Security};
use crate::target::{Protocol, ascii_domain};
use crate::wire::address;
use crate::wire::code::Class;
use crate::wire::command::Command;
use crate::wire::foreign::Foreign;
use crate::wire::reply::{Reply, first_reply, looks_like_reply};

/// What a silent server is asked at the end, by the first message of TLS, is answered within this.
const PROVOKED: Duration = Duration::from_secs(1);

/// How long a farewell may take. It is not part of what is measured.
const FAREWELL: Duration = Duration::from_secs(2);

/// A part of the walk that is not in the way of all the others: kept out of their futures' size.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is told of a check under way.
#[derive(Debug)]
pub struct Ongoing {
    /// What is checked.
    pub name: String,
    /// Since when.
    pub since: Instant,
    phase: AtomicU8,
}

impl Ongoing {
    /// A check that begins now.
    pub(super) fn new(name: String) -> Self {
        Self { name, since: Instant::now(), phase: AtomicU8::new(0) }
    }

    /// The phase that was begun last.
    pub fn phase(&self) -> PhaseKind {
        let at = usize::from(self.phase.load(Ordering::Relaxed));
        PhaseKind::ALL.get(at).copied().unwrap_or(PhaseKind::Resolve)
    }
}

/// An endpoint and how far one has come with it.
pub(super) struct Walk<'a> {
    pub(super) checker: &'a Checker,
    pub(super) options: &'a Options,
    pub(super) report: Report,
    begun: Instant,
    deadline: Instant,
    /// The phase under way, and when it began.
    open: Option<(PhaseKind, Instant)>,
    ongoing: Option<Arc<Ongoing>>,
    /// What came in the phase under way and is no reply.
    came: Vec<Vec<u8>>,
    /// A refusal in the phase under way beside the reply that decides.
    beside: Option<Box<Reply>>,
    /// The program that the connection leads through.
    command: Option<Watch>,
    /// What is said in EHLO on this connection.
    pub(super) hello_name: String,
    /// What a login can be bound to.
    pub(super) channel: Channel,
    /// Why a password is not safe here; `None` where it is.
    pub(super) lack: Option<Box<Unsafe>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(checker: &'a Checker, endpoint: &Endpoint, ongoing: Option<Arc<Ongoing>>) -> Self {
        let begun = Instant::now();
        let options = &checker.options;
        let report = Report::of(endpoint);
        Self {
            checker,
            options,
            report,
            begun,
            deadline: begun + options.timeout.saturating_sub(endpoint.spent),
            open: None,
            came: Vec::new(),
            beside: None,
            hello_name: options.hello_name.on(None),
            ongoing,
            command: None,
            channel: Channel::default(),
            lack: why_unsafe(None).map(Box::new),
        }
    }

    /// Goes as far as was asked. How it ended is the value; the rest stands in the report.
    pub(super) async fn go(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        let stream = match self.connect(endpoint).await {
            Ok(dialed) => self.connected(dialed),
            Err(failure) => {
                self.failed();
                self.report.took = self.begun.elapsed();
                return Err(failure);
            }
        };
        let result = self.proceed(stream).await;
        if let Err(failure) = result {
            let greeting = self.report.reply(PhaseKind::Greeting);
            return Err(if self.options.dial.header.is_some() { behind_header(failure, greeting) } else { failure });
        }
        if self.options.reverse.is_some() {
            Box::pin(self.look_for_names()).await;
        }
        Ok(())
    }

    /// From a stream that stands to the farewell.
    pub(super) async fn proceed(&mut self, stream: Box<dyn Stream>) -> Result<(), Failure> {
        // Whether a program has come through to the server shows in the first that it brings: the greeting.
        if self.options.through == Through::Connect && self.command.is_none() {
            self.report.took = self.begun.elapsed();
            return Ok(());
        }
        let mut connection = Connection::brief(stream, Limits::new(Some(self.options.timeout)), self.deadline);
        let mut result = self.talk(&mut connection).await;
        if result.is_ok() {
            result = self.look_behind(&mut connection).await;
        }
        if result.is_err() {
            self.failed();
        }
        self.report.took = self.begun.elapsed();
        // While the program still has its connection: it says why it ends.
        let result = match result {
            Err(failure) if self.command.is_some() => Err(Box::pin(self.or_command_failure(failure)).await),
            other => other,
        };
        farewell(connection).await;
        result
    }

    // ---- the record ----------------------------------------------------------------------------

    pub(super) fn begin(&mut self, kind: PhaseKind) {
        self.open = Some((kind, Instant::now()));
        if let Some(ongoing) = &self.ongoing {
            ongoing.phase.store(kind as u8, Ordering::Relaxed);
        }
    }

    /// The phase under way went well.
    pub(super) fn done(&mut self, reply: Option<Reply>) {
        self.end(true, reply);
    }

    /// The phase under way, if there is one, did not.
    fn failed(&mut self) {
        self.end(false, None);
    }

    pub(super) fn refused(&mut self, reply: &Reply) {
        self.end(false, Some(reply.clone()));
    }

    fn end(&mut self, ok: bool, reply: Option<Reply>) {
        self.end_at(Instant::now(), ok, reply);
    }

    fn end_at(&mut self, at: Instant, ok: bool, reply: Option<Reply>) {
        if let Some((kind, since)) = self.open.take() {
            let (came, refused) = (std::mem::take(&mut self.came), self.beside.take().map(|reply| *reply));
            self.report.phases.push(Phase { kind, start: since - self.begun, took: at - since, ok, reply, refused, came });
        }
    }

    /// What was done since then is our own work, and no part of the times.
    fn pass_over(&mut self, since: Instant) {
        self.begun += since.elapsed();
    }

    /// A phase whose times were measured elsewhere.
    fn add(&mut self, kind: PhaseKind, took: Duration, start: &mut Duration) {
        self.report.phases.push(Phase::timed(kind, *start, took, true));
        *start += took;
    }

    // ---- the conversation ----------------------------------------------------------------------

    async fn talk(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let through = self.options.through;
        if self.report.target.implicit_tls {
            self.handshake(connection).await?;
        }
        self.greeting(connection).await?;
        if through < Through::Hello {
            return Ok(());
        }
        self.hello(connection, PhaseKind::Hello).await?;
        if through >= Through::Tls && !self.report.target.implicit_tls {
            self.start_tls(connection).await?;
        }
        if through > Through::Tls { self.transaction(connection).await } else { Ok(()) }
    }

    async fn greeting(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        self.begin(PhaseKind::Greeting);
        // Who is silent to the end is asked in another way, still within the limit.
        let clear = connection.session().security() == Security::Clear;
        let patience = if clear { PROVOKED.min(self.options.timeout / 8) } else { Duration::ZERO };
        connection.set_silence(Some(self.deadline - patience));
        let (failure, reply) = loop {
            match connection.next().await {
                Event::Unsolicited(_) => {}
                event => {
                    let failure = greeting_failure(&event);
                    break (failure, self.keep(event));
                }
            }
        };
        connection.set_silence(None);
        let failure = match failure {
            Some(Failure::NoGreeting(_)) if clear => return Box::pin(self.provoke(connection, patience)).await,
            Some(Failure::NoGreeting(_)) => Some(Failure::NoGreeting(self.options.timeout)),
            Some(Failure::GreetingUnfinished { lines, .. }) => Some(Failure::GreetingUnfinished { after: self.options.timeout, lines }),
            Some(failure) if self.lacks_certificate() => Some(without_certificate(failure)),
            other => other,
        };
        self.end(failure.is_none(), reply);
        failure.map_or(Ok(()), Err)
    }

    /// Who was silent until shortly before the end: the first message of TLS, and what it brings. A greeting may come all
    /// the same, too late for more than that.
    async fn provoke(&mut self, connection: &mut Connection, patience: Duration) -> Result<(), Failure> {
        let (answer, foreign) = connection.provoke(patience).await;
        if let Some(reply) = first_reply(&answer) {
            return self.greeted_late(reply);
        }
        // Of what is no text its name tells more.
        if !matches!(foreign, Some(Foreign::Tls | Foreign::Binary | Foreign::Echo)) {
            self.came = answer.split_inclusive(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
        }
        let after = self.options.timeout;
        Err(match &answer[..] {
            [] => Failure::NoGreeting(after),
            answer if looks_like_reply(answer.trim_ascii_start()) => Failure::GreetingUnfinished { after, lines: self.came.clone() },
            _ => Failure::NotSmtp(foreign),
        })
    }

    /// A greeting when nothing is left of the limit.
    fn greeted_late(&mut self, reply: Reply) -> Result<(), Failure> {
        let limit = self.options.timeout;
        let code = reply.code.number();
        if reply.has_code(220) {
            self.done(Some(reply));
            let verb = self.report.target.protocol.hello();
            let wants_more = self.options.through >= Through::Hello;
            return if wants_more { Err(Failure::from(TalkFailure::NoTimeLeft { verb, limit })) } else { Ok(()) };
        }
        self.refused(&reply);
        let is_about_us = || explain(&Situation::default(), &reply).is_some_and(|fact| fact.is_about_talking_early());
        Err(match code {
            // It answers our question, and has not greeted.
            200..400 | 500..505 => Failure::NoGreeting(limit),
            _ if is_about_us() => Failure::NoGreeting(limit),
            400..500 => Failure::GreetingLater(code),
            _ => Failure::GreetingRefused(code),
        })
    }

    /// What is to be told of an event: gives the reply, keeps what is none.
    fn keep(&mut self, event: Event) -> Option<Reply> {
        match event {
            Event::Reply { reply, .. } => return Some(reply),
            Event::Stray { line, .. } => self.came.push(line),
            Event::Ended(ending) => self.came = ending.into_partial(),
            Event::Unsolicited(_) => {}
        }
        None
    }

    /// EHLO, and HELO where it is refused for good.
    async fn hello(&mut self, connection: &mut Connection, kind: PhaseKind) -> Result<(), Failure> {
        self.begin(kind);
        let verb = self.report.target.protocol.hello();
        let mut reply = self.ask(connection, format!("{verb} {}", self.hello_name).as_bytes(), verb).await?;
        if kind == PhaseKind::Hello && matches!(reply.code.number(), 500 | 502 | 503) && self.options.dial.header.is_some() {
            self.refused(&reply);
            return Err(Failure::HeaderNotTaken(reply));
        }
        let may_be_old = self.report.target.protocol == Protocol::Smtp && kind == PhaseKind::Hello;
        let mut helo = None;
        if may_be_old && reply.class() == Some(Class::Permanent) {
            (reply, helo) = self.helo(connection, reply).await;
        }
        if !reply.is_success() {
            self.refused(&reply);
            // Servers that insist on a certificate of ours often say so only now.
            if explain(&self.situation(connection, verb), &reply).is_some_and(|fact| fact.is_about_our_certificate()) {
                return Err(Failure::CertificateWanted(reply.code.to_string()));
            }
            let sent = circumstances::of(connection.session());
            let other = Other::guess(verb, &reply, connection.session().greeting());
            return Err(refusal(reply, verb, |reply| TalkFailure::HelloRefused { verb, reply, other, helo, sent }));
        }
        let offer = connection.session().capabilities().cloned();
        if connection.session().security() == Security::Clear {
            self.report.offer = offer;
        } else {
            self.report.offer_in_tls = offer;
        }
        self.done(Some(reply));
        Ok(())
    }

    /// HELO after the refusal of EHLO: the reply that decides, and what became of HELO if it was not taken. Whatever
    /// that was, the server's words about EHLO are the reason.
    fn helo<'b>(&'b mut self, connection: &'b mut Connection, refusal: Reply) -> Boxed<'b, (Reply, Option<HeloEnd>)> {
        Box::pin(async move {
            match self.ask(connection, format!("HELO {}", self.hello_name).as_bytes(), "HELO").await {
                Ok(second) if second.is_success() => {
                    self.beside = Some(Box::new(refusal));
                    (second, None)
                }
                Ok(second) => {
                    self.beside = Some(Box::new(second.clone()));
                    (refusal, Some(HeloEnd::Answered(second)))
                }
                Err(failure) => {
                    // What is no answer to HELO has ended the phase: it stands beside the refusal, not in its place.
                    if self.open.is_none()
                        && let Some(phase) = self.report.phases.last_mut()
                    {
                        phase.refused = phase.reply.replace(refusal.clone());
                    }
                    (refusal, Some(HeloEnd::Failed(failure.short())))
                }
            }
        })
    }

    /// AUTH, MAIL, RCPT.
    fn transaction<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            let through = self.options.through;
            if let Some(credentials) = &self.options.login {
                self.begin(PhaseKind::Auth);
                let reply = login::log_in(self, connection, credentials).await?;
                self.done(Some(reply));
            }
            if through >= Through::Mail {
                let recipient = if through >= Through::Recipient { &self.options.recipient } else { "" };
                let offers_utf8 = connection.session().capabilities().is_some_and(|offer| offer.has("SMTPUTF8"));
                let paths = paths(&self.options.sender, recipient, offers_utf8);
                self.begin(PhaseKind::Mail);
                let Paths { sender, recipient, parameter } = paths.map_err(|address| Failure::from(TalkFailure::NoSmtpUtf8 { address }))?;
                let line = format!("MAIL FROM:<{sender}>{parameter}");
                self.command(connection, PhaseKind::Mail, &line, "MAIL FROM", &sender).await?;
                if through >= Through::Recipient {
                    let line = format!("RCPT TO:<{recipient}>");
                    self.command(connection, PhaseKind::Recipient, &line, "RCPT TO", &recipient).await?;
                }
            }
            Ok(())
        })
    }

    async fn command(&mut self, connection: &mut Connection, kind: PhaseKind, line: &str, verb: &str, about: &str) -> Result<(), Failure> {
        self.begin(kind);
        let reply = self.ask(connection, line.as_bytes(), verb).await?;
        let tests_relay = self.options.relay_test;
        if reply.is_success() && tests_relay && kind == PhaseKind::Recipient {
            self.refused(&reply);
            let domain = address::domain(about).unwrap_or(about).to_owned();
            return Err(Failure::from(TalkFailure::Relays { domain, reply }));
        }
        if reply.is_success() {
            self.done(Some(reply));
            return Ok(());
        }
        let mut situation = self.situation(connection, verb);
        situation.domain = address::domain(about).map(str::to_owned);
        let refuses_relay = || explain(&situation, &reply).is_some_and(|fact| fact.is_about_relaying());
        if tests_relay && kind == PhaseKind::Recipient && reply.class() == Some(Class::Permanent) && refuses_relay() {
            self.done(Some(reply));
            return Ok(());
        }
        self.refused(&reply);
        if tests_relay && reply.is_refusal() {
            return Err(Failure::from(TalkFailure::RelayUnknown { situation, reply }));
        }
        Err(refusal(reply, verb, |reply| TalkFailure::Refused { situation, reply }))
    }

    pub(super) fn situation(&self, connection: &Connection, verb: &str) -> Situation {
        Situation {
            verb: verb.to_owned(),
            host: self.report.target.host.clone(),
            lacks_certificate: self.lacks_certificate(),
            sent: circumstances::of(connection.session()),
            ..Situation::default()
        }
    }

    fn lacks_certificate(&self) -> bool {
        self.report.tls.as_ref().is_some_and(|tls| tls.client_certificate_asked)
    }

    /// Sends a line and waits for its reply.
    pub(super) async fn ask(&mut self, connection: &mut Connection, line: &[u8], verb: &str) -> Result<Reply, Failure> {
        connection.send(line);
        self.reply(connection, verb).await
    }

    /// The reply to what was sent last.
    pub(super) async fn reply(&mut self, connection: &mut Connection, verb: &str) -> Result<Reply, Failure> {
        loop {
            match connection.next().await {
                // Whether STARTTLS is in step or not, no TLS comes of any reply but 220: the caller says so.
                Event::Reply { reply, to, judgement: Judgement::OutOfStep, .. } if to != Expected::Command(Command::StartTls) => {
                    self.refused(&reply);
                    return Err(Failure::from(TalkFailure::OutOfStep { verb: verb.to_owned(), due: to.due(), reply }));
                }
                Event::Reply { reply, .. } => return Ok(reply),
                Event::Stray { line, to: Some(_), .. } => {
                    self.came.push(line.clone());
                    return Err(Failure::from(TalkFailure::Odd { verb: verb.to_owned(), line }));
                }
                Event::Unsolicited(reply) if self.answers_header(&reply) => return Err(Failure::HeaderNotTaken(reply)),
                // The server closes, whatever was asked (RFC 5321 §3.8, P10).
                Event::Unsolicited(reply) if reply.has_code(421) => return Ok(reply),
                Event::Unsolicited(reply) => return Err(Failure::from(TalkFailure::Unasked { verb: verb.to_owned(), reply })),
                Event::Stray { .. } => {}
                Event::Ended(ending) => return Err(self.ended(ending, verb)),
            }
        }
    }

    /// What has arrived behind the last reply: no reply of an orderly server (P9, P55).
    fn look_behind<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            connection.catch_up().await;
            while connection.session().has_events() {
                let Event::Unsolicited(reply) = connection.next().await else { continue };
                let Some(last) = self.report.phases.last_mut() else { continue };
                last.ok = false;
                let behind = last.kind;
                if behind == PhaseKind::Greeting && self.answers_header(&reply) {
                    return Err(Failure::HeaderNotTaken(reply));
                }
                let protocol = self.report.target.protocol;
                let verb = match behind {
                    PhaseKind::Hello | PhaseKind::HelloInTls => protocol.hello(),
                    PhaseKind::Auth => "AUTH",
                    PhaseKind::Mail => "MAIL FROM",
                    PhaseKind::Recipient => "RCPT TO",
                    _ => return Err(Failure::from(TalkFailure::Behind { what: "the greeting".to_owned(), reply })),
                };
                return Err(Failure::from(TalkFailure::Behind { what: format!("the reply to {verb}"), reply }));
            }
            Ok(())
        })
    }

    /// Before EHLO is answered, a refusal that nobody asked for can be about our header only.
    fn answers_header(&self, reply: &Reply) -> bool {
        self.options.dial.header.is_some() && self.report.phase(PhaseKind::Hello).is_none() && reply.class() == Some(Class::Permanent)
    }

    fn ended(&mut self, ending: Ending, verb: &str) -> Failure {
        let verb = verb.to_owned();
        let failure = match &ending {
            Ending::Lost { reason, by_tls: true, .. } if self.lacks_certificate() => Failure::CertificateWanted(reason.clone()),
            Ending::Lost { reason, .. } => Failure::from(TalkFailure::Lost { verb, words: Some(reason.clone()) }),
            Ending::TimedOut { after, .. } => Failure::from(TalkFailure::Silent { verb, after: *after }),
            Ending::TooLong { kind, .. } => Failure::TooLong(*kind),
            Ending::Flood => Failure::Flood,
            Ending::Closed { .. } | Ending::ClosedByUs => Failure::from(TalkFailure::Lost { verb, words: None }),
        };
        self.came = ending.into_partial();
        failure
    }
}

/// The addresses as they go out, and what MAIL says of them.
#[derive(Debug, PartialEq, Eq)]
struct Paths {
    sender: String,
    recipient: String,
    /// With the space before it.
    parameter: &'static str,
}

/// Addresses beyond ASCII need SMTPUTF8, which MAIL declares for the recipients too (RFC 6531 §3.4). Where it is not
/// offered, a domain can still be said in A-labels. `Err`: the address that cannot be said.
fn paths(sender: &str, recipient: &str, offers_utf8: bool) -> Result<Paths, String> {
    let is_ascii = sender.is_ascii() && recipient.is_ascii();
    if is_ascii || offers_utf8 {
        let parameter = if is_ascii { "" } else { " SMTPUTF8" };
        return Ok(Paths { sender: sender.to_owned(), recipient: recipient.to_owned(), parameter });
    }
    let in_ascii = |text: &str| address::in_ascii(text, ascii_domain).ok_or_else(|| text.to_owned());
    Ok(Paths { sender: in_ascii(sender)?, recipient: in_ascii(recipient)?, parameter: "" })
}

/// A reply that says no; one that says neither yes nor no is out of place.
fn refusal(reply: Reply, verb: &str, failure: impl FnOnce(Reply) -> TalkFailure) -> Failure {
    if reply.is_refusal() {
        return Failure::from(failure(reply));
    }
    let line = reply.lines.first().unwrap_or_default().to_vec();
    Failure::from(TalkFailure::Odd { verb: verb.to_owned(), line })
}

/// RSET where a transaction is begun, and QUIT. Its reply is not waited for: nothing is learnt from it, and it
/// would cost a whole turn. What is open inside TLS is closed as TLS wants it (RFC 8446 §6.1).
async fn farewell(mut connection: Connection) {
    if !connection.session().is_open() || connection.session().greeting().is_none() || connection.session().is_waiting() {
        return;
    }
    let in_tls = connection.session().security() != Security::Clear;
    let begun = connection.session().transaction().sender.is_some();
    connection.set_deadline(Instant::now() + FAREWELL);
    if begun {
        connection.send(b"RSET");
        let _ = connection.next().await;
    }
    connection.send(b"QUIT");
    let _ = connection.room(0).await;
    if in_tls {
        let mut stream = connection.into_stream();
        let _ = timeout(FAREWELL, stream.shutdown()).await;
    }
}
