//! One endpoint, phase after phase, under one deadline.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::options::{Endpoint, Options, Through};
use super::report::{Phase, PhaseKind, Report, ServerCertificate, Tls, Tried};
use super::{Checker, login, words};
use crate::explain::failure::Failure;
use crate::explain::hello::Other;
use crate::explain::reply::{Situation, explain};
use crate::explain::route::{RouteFailure, Trouble};
use crate::explain::talk::TalkFailure;
use crate::jobs::old_tls;
use crate::jobs::opening::{
    behind_header, command_silent, dial_failure, greeting_failure, mail_server_failure, or_mail_domain, without_certificate,
};
use crate::net::command::{Watch, how_it_ended};
use crate::net::connection::Stream;
use crate::net::dial::{DialError, DialEvent, Dialed, Peer, Route, dial, dial_address};
use crate::net::tls::{TlsCause, TlsFailure, TlsReport};
use crate::net::{Connection, Limits};
use crate::sasl::Channel;
use crate::session::{Ending, Event, Security};
use crate::target::Protocol;
use crate::wire::address;
use crate::wire::code::Class;
use crate::wire::reply::Reply;

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
    /// The program that the connection leads through.
    command: Option<Watch>,
    /// What a login can be bound to.
    pub(super) channel: Channel,
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
            deadline: begun + options.timeout,
            open: None,
            ongoing,
            command: None,
            channel: Channel::default(),
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
            let failure = if self.command.is_some() { self.or_command_failure(failure).await } else { failure };
            return Err(if self.options.dial.header.is_some() { behind_header(failure) } else { failure });
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
        let result = self.talk(&mut connection).await;
        if result.is_err() {
            self.failed();
        }
        self.report.took = self.begun.elapsed();
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
            self.report.phases.push(Phase { kind, start: since - self.begun, took: at - since, ok, reply });
        }
    }

    /// A phase whose times were measured elsewhere.
    fn add(&mut self, kind: PhaseKind, took: Duration, start: &mut Duration) {
        self.report.phases.push(Phase { kind, start: *start, took, ok: true, reply: None });
        *start += took;
    }

    // ---- the connection ------------------------------------------------------------------------

    async fn connect(&mut self, endpoint: &Endpoint) -> Result<Dialed, Failure> {
        let by_name = endpoint.address.is_none() && endpoint.target.address().is_none() && endpoint.target.socket.is_none();
        let looked_up = by_name && matches!(self.options.dial.route, Route::Direct);
        self.begin(if looked_up { PhaseKind::Resolve } else { PhaseKind::Connect });
        if let Some(address) = endpoint.address {
            let deadline = Instant::now() + self.options.dial.timeout;
            let result = dial_address(address, &self.options.dial, deadline).await;
            return result.map_err(|attempt| {
                let tried = Tried { address, cause: Some(attempt.cause.clone()), took: attempt.took };
                self.report.attempts.push(tried);
                dial_failure(&DialError::Unreachable(vec![attempt]), &endpoint.target, &self.options.dial)
            });
        }
        let options = self.options;
        let result = {
            let report = &mut self.report;
            let ongoing = self.ongoing.as_deref();
            let by_proxy = matches!(options.dial.route, Route::Proxy(_));
            dial(&endpoint.target, &options.dial, &mut |event| note(report, by_proxy, ongoing, &event)).await
        };
        match result {
            Ok(dialed) => Ok(dialed),
            Err(error) => {
                // Of several dead addresses none stands for the host.
                if self.report.attempts.len() > 1 {
                    self.report.address = None;
                }
                let kind = failed_in(&error);
                self.resolved(kind);
                let failure = dial_failure(&error, &endpoint.target, &options.dial);
                if endpoint.domain.as_ref().is_some_and(|domain| !domain.implicit) {
                    return Err(mail_server_failure(failure, &endpoint.target.host));
                }
                Err(if looked_up { Box::pin(or_mail_domain(failure, &endpoint.target, &options.dial)).await } else { failure })
            }
        }
    }

    /// Dialling failed in this phase: those before it went well.
    fn resolved(&mut self, kind: PhaseKind) {
        let Some((open, since)) = self.open.filter(|(open, _)| *open != kind) else { return };
        let tried: Duration = self.report.attempts.iter().map(|tried| tried.took).max().unwrap_or_default();
        let took = since.elapsed().saturating_sub(tried);
        if open == PhaseKind::Resolve {
            self.report.phases.push(Phase { kind: open, start: since - self.begun, took, ok: true, reply: None });
            self.open = Some((kind, since + took));
        } else {
            self.open = Some((kind, since));
        }
    }

    fn connected(&mut self, dialed: Dialed) -> Box<dyn Stream> {
        let Dialed { stream, peer, timings } = dialed;
        self.open = None;
        let mut start = Duration::ZERO;
        if let Some(resolve) = timings.resolve {
            self.add(PhaseKind::Resolve, resolve, &mut start);
        }
        // Where several addresses were tried, that is part of it. That a program runs is no connection yet.
        if !matches!(peer, Peer::Command(_)) {
            let connecting = self.begun.elapsed().saturating_sub(start + timings.proxy.unwrap_or_default());
            self.add(PhaseKind::Connect, connecting, &mut start);
        }
        if let Some(proxy) = timings.proxy {
            self.add(PhaseKind::Proxy, proxy, &mut start);
        }
        match peer {
            Peer::Address(address) | Peer::Proxy(address) => {
                // Which address the proxy connects to it does not tell.
                self.report.address = matches!(peer, Peer::Address(_)).then_some(address);
                self.report.attempts.push(Tried { address, cause: None, took: timings.connect });
            }
            Peer::Socket => {}
            Peer::Command(watch) => self.command = Some(watch),
        }
        stream
    }

    /// When the command has ended, that is why the connection has; of one that runs and is silent no more is known.
    async fn or_command_failure(&mut self, failure: Failure) -> Failure {
        if let (Failure::NoGreeting(after), Route::Command(template)) = (&failure, &self.options.dial.route) {
            return command_silent(template, *after);
        }
        let early = matches!(failure, Failure::ClosedAtOnce { .. } | Failure::LostAtOnce(_));
        let (true, Some(watch), Route::Command(template)) = (early, self.command.take(), &self.options.dial.route) else { return failure };
        match watch.ended(PROVOKED).await {
            Some((status, said)) => Failure::Route(RouteFailure {
                way: template.to_string(),
                trouble: Trouble::CommandEnded { status: how_it_ended(status), said },
            }),
            None => failure,
        }
    }

    async fn look_for_names(&mut self) {
        let (Some(resolver), Some(address)) = (&self.options.reverse, self.report.address) else { return };
        if let Ok(answer) = resolver.ptr(address.ip(), Instant::now() + Duration::from_secs(3)).await {
            self.report.reverse_names = answer.records;
        }
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
        connection.set_deadline(self.deadline - patience);
        let (failure, reply) = loop {
            match connection.next().await {
                Event::Unsolicited(_) => {}
                event => {
                    let failure = greeting_failure(&event);
                    let reply = if let Event::Reply { reply, .. } = event { Some(reply) } else { None };
                    break (failure, reply);
                }
            }
        };
        connection.set_deadline(self.deadline);
        let failure = match failure {
            Some(Failure::NoGreeting(_)) => {
                let foreign = if clear { Box::pin(connection.provoke(patience)).await.1 } else { None };
                match foreign {
                    Some(foreign) => Some(Failure::NotSmtp(Some(foreign))),
                    None => Some(Failure::NoGreeting(self.options.timeout)),
                }
            }
            Some(failure) if self.lacks_certificate() => Some(without_certificate(failure)),
            other => other,
        };
        self.end(failure.is_none(), reply);
        failure.map_or(Ok(()), Err)
    }

    /// EHLO, and HELO where it is refused for good.
    async fn hello(&mut self, connection: &mut Connection, kind: PhaseKind) -> Result<(), Failure> {
        self.begin(kind);
        let verb = self.report.target.protocol.hello();
        let mut reply = self.ask(connection, format!("{verb} {}", self.options.hello_name).as_bytes(), verb).await?;
        if kind == PhaseKind::Hello && matches!(reply.code.number(), 500 | 502 | 503) && self.options.dial.header.is_some() {
            self.refused(&reply);
            return Err(Failure::HeaderNotTaken(reply));
        }
        let may_be_old = self.report.target.protocol == Protocol::Smtp && kind == PhaseKind::Hello;
        if may_be_old && reply.class() == Some(Class::Permanent) {
            let second = self.ask(connection, format!("HELO {}", self.options.hello_name).as_bytes(), "HELO").await?;
            reply = if second.is_success() { second } else { reply };
        }
        if !reply.is_success() {
            self.refused(&reply);
            // Servers that insist on a certificate of ours often say so only now.
            if explain(&self.situation(verb), &reply).is_some_and(|fact| fact.is_about_our_certificate()) {
                return Err(Failure::CertificateWanted(reply.code.to_string()));
            }
            let other = Other::guess(verb, &reply, connection.session().greeting());
            return Err(refusal(reply, verb, |reply| TalkFailure::HelloRefused { verb, reply, other }));
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

    fn start_tls<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            if !self.report.offer.as_ref().is_some_and(|offer| offer.has("STARTTLS")) {
                if !self.options.tls_required {
                    return Ok(());
                }
                self.begin(PhaseKind::StartTls);
                return Err(Failure::from(TalkFailure::NoStartTls));
            }
            self.begin(PhaseKind::StartTls);
            // The roots are read while the server thinks about it.
            let asking = async { (self.ask(connection, b"STARTTLS", "STARTTLS").await, Instant::now()) };
            let ((reply, at), _) = tokio::join!(asking, self.checker.roots());
            let reply = reply?;
            if !reply.has_code(220) {
                self.refused(&reply);
                return Err(refusal(reply, "STARTTLS", TalkFailure::StartTlsRefused));
            }
            // P17
            if !connection.take_injected().is_empty() {
                return Err(Failure::from(TalkFailure::Injected));
            }
            self.end_at(at, true, Some(reply));
            self.handshake(connection).await?;
            self.hello(connection, PhaseKind::HelloInTls).await
        })
    }

    fn handshake<'b>(&'b mut self, connection: &'b mut Connection) -> Boxed<'b, Result<(), Failure>> {
        Box::pin(async move {
            let roots = self.checker.roots().await.map_err(|words| Failure::from(TalkFailure::TlsOptions(words)))?;
            self.begin(PhaseKind::Handshake);
            let host = self.checker.tls_name(&self.report.target.host).to_owned();
            match connection.start_tls(&host, &self.options.tls, roots).await {
                Err(failure) => Err(self.handshake_failed(&failure).await),
                Ok(report) => {
                    self.done(None);
                    self.certificate(&report)
                }
            }
        })
    }

    async fn handshake_failed(&mut self, failure: &TlsFailure) -> Failure {
        // TLS from the first byte, and nothing came of it: why is for the program to say.
        let hung_up = matches!(failure.cause, TlsCause::Closed | TlsCause::Reset);
        if hung_up && self.command.is_some() && self.report.target.implicit_tls {
            return Failure::ClosedAtOnce { partial: false };
        }
        let tls = &self.options.tls;
        let name = self.sent_name();
        if old_tls::may_be_old(failure, tls) {
            let target = self.report.target.clone();
            let asking = old_tls::what_it_speaks(failure, &target, &self.options.dial, &self.options.hello_name, name.as_deref());
            if let Ok(Some(spoken)) = timeout_at(self.deadline, asking).await {
                return Failure::from(TalkFailure::OldTls(spoken));
            }
        }
        if failure.client_certificate_asked && tls.identity.is_none() {
            return Failure::CertificateWanted(words::handshake(&failure.cause));
        }
        Failure::from(TalkFailure::Handshake(words::handshake_failure(failure, tls, name.is_some())))
    }

    /// The name that goes out in the handshake (SNI): no address does.
    fn sent_name(&self) -> Option<String> {
        let tls = &self.options.tls;
        let name = tls.server_name.clone().unwrap_or_else(|| self.report.target.host.clone());
        Some(name).filter(|name| !tls.no_sni && name.parse::<std::net::IpAddr>().is_err())
    }

    fn certificate(&mut self, report: &TlsReport) -> Result<(), Failure> {
        self.begin(PhaseKind::Certificate);
        let now = words::now();
        let certificate = report.chain.first().filter(|leaf| leaf.unreadable.is_none()).map(|leaf| ServerCertificate {
            name: leaf.common_name.clone(),
            names: leaf.names.clone(),
            issuer: leaf.issuer_name.clone(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            days_left: leaf.days_left(now),
            sha256: leaf.sha256.clone(),
        });
        self.channel = Channel { exporter: report.exporter.clone(), server_end_point: report.server_end_point.clone(), wanted: None };
        let days = certificate.as_ref().map(|certificate| certificate.days_left);
        self.report.tls = Some(Tls {
            implicit: self.report.target.implicit_tls,
            version: report.version.clone(),
            suite: report.suite.clone(),
            group: report.group.clone(),
            certificate,
            faults: report.faults.clone(),
            client_certificate_asked: report.lacks_client_certificate(),
        });
        if !report.faults.is_empty() && !self.options.insecure {
            let faults = report.faults.iter().map(|fault| words::fault(fault, now)).collect();
            return Err(Failure::from(TalkFailure::Certificate(faults)));
        }
        if let Some(days) = days
            && report.faults.is_empty()
            && self.options.fail_days.is_some_and(|limit| days < limit)
        {
            return Err(Failure::from(TalkFailure::CertificateEnds(days)));
        }
        self.end(report.faults.is_empty(), None);
        Ok(())
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
                let line = format!("MAIL FROM:<{}>", self.options.sender);
                self.command(connection, PhaseKind::Mail, &line, "MAIL FROM", &self.options.sender).await?;
            }
            if through >= Through::Recipient {
                let line = format!("RCPT TO:<{}>", self.options.recipient);
                self.command(connection, PhaseKind::Recipient, &line, "RCPT TO", &self.options.recipient).await?;
            }
            Ok(())
        })
    }

    async fn command(&mut self, connection: &mut Connection, kind: PhaseKind, line: &str, verb: &str, about: &str) -> Result<(), Failure> {
        self.begin(kind);
        let reply = self.ask(connection, line.as_bytes(), verb).await?;
        if reply.is_success() {
            self.done(Some(reply));
            return Ok(());
        }
        self.refused(&reply);
        let mut situation = self.situation(verb);
        situation.domain = address::domain(about).map(str::to_owned);
        Err(refusal(reply, verb, |reply| TalkFailure::Refused { situation, reply }))
    }

    pub(super) fn situation(&self, verb: &str) -> Situation {
        Situation {
            verb: verb.to_owned(),
            host: self.report.target.host.clone(),
            lacks_certificate: self.lacks_certificate(),
            ..Situation::default()
        }
    }

    fn lacks_certificate(&self) -> bool {
        self.report.tls.as_ref().is_some_and(|tls| tls.client_certificate_asked)
    }

    /// Sends a line and waits for its reply.
    pub(super) async fn ask(&self, connection: &mut Connection, line: &[u8], verb: &str) -> Result<Reply, Failure> {
        connection.send(line);
        self.reply(connection, verb).await
    }

    /// The reply to what was sent last.
    pub(super) async fn reply(&self, connection: &mut Connection, verb: &str) -> Result<Reply, Failure> {
        loop {
            match connection.next().await {
                Event::Reply { reply, .. } => return Ok(reply),
                Event::Stray { line, to: Some(_), .. } => {
                    return Err(Failure::from(TalkFailure::Odd { verb: verb.to_owned(), line }));
                }
                Event::Unsolicited(reply) if self.answers_header(&reply) => return Err(Failure::HeaderNotTaken(reply)),
                Event::Stray { .. } | Event::Unsolicited(_) => {}
                Event::Ended(ending) => return Err(self.ended(ending, verb)),
            }
        }
    }

    /// Before EHLO is answered, a refusal that nobody asked for can be about our header only.
    fn answers_header(&self, reply: &Reply) -> bool {
        self.options.dial.header.is_some() && self.report.phase(PhaseKind::Hello).is_none() && reply.class() == Some(Class::Permanent)
    }

    fn ended(&self, ending: Ending, verb: &str) -> Failure {
        let verb = verb.to_owned();
        match ending {
            Ending::Lost { reason, by_tls: true, .. } if self.lacks_certificate() => Failure::CertificateWanted(reason),
            Ending::Lost { reason, .. } => Failure::from(TalkFailure::Lost { verb, words: Some(reason) }),
            Ending::TimedOut { after, .. } => Failure::from(TalkFailure::Silent { verb, after }),
            Ending::TooLong { .. } | Ending::Flood => Failure::TooLong,
            Ending::Closed { .. } | Ending::ClosedByUs => Failure::from(TalkFailure::Lost { verb, words: None }),
        }
    }
}

/// What dialling tells.
fn note(report: &mut Report, by_proxy: bool, ongoing: Option<&Ongoing>, event: &DialEvent<'_>) {
    match event {
        DialEvent::Resolved(resolved) => {
            if !resolved.aliases.is_empty() && !by_proxy {
                report.aliases.clone_from(&resolved.aliases);
            }
            if let Some(ongoing) = ongoing {
                ongoing.phase.store(PhaseKind::Connect as u8, Ordering::Relaxed);
            }
        }
        DialEvent::Failed(attempt) => {
            report.attempts.push(Tried { address: attempt.address, cause: Some(attempt.cause.clone()), took: attempt.took });
            if !by_proxy {
                report.address = Some(attempt.address);
            }
        }
        DialEvent::PassedOver(address) => report.passed_over.push(*address),
        DialEvent::Trying(_) | DialEvent::Connected { .. } | DialEvent::Proxied { .. } | DialEvent::Header(_) => {}
    }
}

/// In which phase dialling failed.
fn failed_in(error: &DialError) -> PhaseKind {
    match error {
        DialError::NoSuchName | DialError::NoAddress { .. } | DialError::Resolver(_) | DialError::ResolverSilent => PhaseKind::Resolve,
        DialError::Unreachable(_) | DialError::Socket(_) | DialError::Header(_) => PhaseKind::Connect,
        DialError::ProxyUnreachable(_) | DialError::Proxy(_) | DialError::Command(_) => PhaseKind::Proxy,
    }
}

/// A reply that says no; one that says neither yes nor no is out of place.
fn refusal(reply: Reply, verb: &str, failure: impl FnOnce(Reply) -> TalkFailure) -> Failure {
    if reply.is_refusal() {
        return Failure::from(failure(reply));
    }
    let line = reply.lines.into_iter().next().unwrap_or_default();
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
