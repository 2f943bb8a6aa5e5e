//! Connecting, and connecting again with the typed line kept.

use std::time::Duration;

use super::log::Log;
use super::signals::Signal;
use super::{Outcome, Repl};
use crate::explain::failure::{Failure, diagnose};
use crate::jobs::opening::{behind_header, greeting_failure, place, without_certificate};
use crate::net::Limits;
use crate::render::{Row, human, transcript};
use crate::session::{Ending, Event, Security, Session, Stage, redact};
use crate::target::Target;
use crate::text::printable_str;
use crate::wire::foreign::Foreign;

impl Repl {
    /// The first connection: when it fails, the program ends and says why.
    pub(super) async fn open_first(&mut self) {
        let failure = self.open().await;
        match failure {
            Some(failure) if self.outcome.is_none() && (!self.is_open() || !self.is_terminal()) => {
                self.outcome = Some(Outcome::NotOpened(failure));
            }
            Some(_) => {}
            None if self.history.is_first && self.is_open() && self.is_terminal() && !self.options.tour => {
                self.screen.note("Type SMTP as you would in telnet. Tab completes, :help helps, QUIT ends.");
            }
            None => {}
        }
    }

    /// Connects to the target and waits for the greeting.
    pub(super) async fn open(&mut self) -> Option<Failure> {
        self.drop_connection("");
        self.accepted_before = self.messages_accepted();
        self.connection = None;
        self.over_since = None;
        let failure = match self.find_a_way().await {
            Ok(Some(dialed)) => {
                self.connected(dialed);
                let failure = if self.target.implicit_tls && !self.handshake().await { None } else { self.await_greeting().await };
                let failure = self.or_command_failure(failure).await;
                let greeting = self.session().and_then(|session| session.greeting());
                failure.map(|failure| if self.options.dial.header.is_some() { behind_header(failure, greeting) } else { failure })
            }
            Ok(None) => None,
            Err(failure) => Some(failure),
        };
        if let Some(failure) = &failure {
            let words = diagnose(failure, &place(&self.target));
            let rows = human::diagnosis(&words);
            let shown = if self.screen.quiet { &rows[..1] } else { &rows[..] };
            self.screen.show(shown);
        }
        failure
    }

    async fn await_greeting(&mut self) -> Option<Failure> {
        let slow = tokio::time::sleep(Duration::from_secs(1));
        tokio::pin!(slow);
        let mut patient = self.is_terminal();
        loop {
            let Self { connection: Some(connection), signals, .. } = self else { return None };
            let event = tokio::select! {
                biased;
                event = connection.next() => event,
                signal = signals.next() => {
                    if signal == Signal::Continue {
                        continue;
                    }
                    self.outcome = Some(if signal == Signal::Interrupt { Outcome::Interrupted } else { Outcome::Signalled(signal) });
                    return None;
                }
                () = &mut slow, if patient => {
                    patient = false;
                    let limit = human::duration(connection.limits_mut().reply);
                    self.screen.note(format!("Connected; waiting for the greeting (up to {limit}; Ctrl-C gives up)."));
                    continue;
                }
            };
            let failure = greeting_failure(&event);
            let failure = if self.lacks_client_certificate() { failure.map(without_certificate) } else { failure };
            self.show_opening_event(event);
            let greeted = self.session().is_none_or(|session| session.stage() != Stage::Greeting);
            if let Some(Failure::NoGreeting(_)) = failure {
                return self.who_is_silent().await.map(|foreign| Failure::NotSmtp(Some(foreign))).or(failure);
            }
            if failure.is_some() || greeted {
                return failure;
            }
        }
    }

    /// Nothing greeted us within the limit: what speaks there may show by its answer to a line.
    async fn who_is_silent(&mut self) -> Option<Foreign> {
        let (answer, foreign) = self.connection.as_mut()?.provoke(Duration::from_secs(1)).await;
        let readable = !matches!(foreign, Some(Foreign::Tls | Foreign::Binary | Foreign::Echo));
        if let Some(line) = answer.split(|&b| b == b'\n').next().filter(|line| readable && !line.is_empty()) {
            self.screen.row(human::stray(line.strip_suffix(b"\r").unwrap_or(line)));
        }
        foreign
    }

    /// As any event; but of an end before the greeting the diagnosis tells more than the usual sentence.
    fn show_opening_event(&mut self, event: Event) {
        match event {
            Event::Ended(
                Ending::Closed { partial, .. }
                | Ending::Lost { partial, .. }
                | Ending::TimedOut { partial, .. }
                | Ending::TooLong { partial, .. },
            ) => {
                let rows: Vec<Row> = partial.iter().map(|line| human::stray(line)).collect();
                self.screen.show(&rows);
                self.update_log();
            }
            event => self.happened(event),
        }
    }

    /// The connection is gone and a line was typed: it is kept, and sent after a reconnect.
    pub(super) async fn reconnect_for(&mut self, line: &[u8]) -> bool {
        let says_quit = line.trim_ascii().eq_ignore_ascii_case(b"QUIT");
        let is_over = self.over_since.is_some() || self.first_refusal.is_some() && self.session().is_some_and(Session::is_leaving);
        if !self.is_terminal() && says_quit && is_over {
            // Nothing is left to be done (P12); after 421 the server has closed as it said.
            self.outcome = Some(Outcome::Quit);
            return false;
        }
        if !self.is_terminal() {
            self.screen.warning(format!("Not sent, the connection is closed: {}", crate::text::printable(&redact::command(line))));
            self.outcome = Some(Outcome::Lost);
            return false;
        }
        if says_quit {
            self.outcome = Some(Outcome::Done);
            return false;
        }
        if let Some(true) = self.ask("*  Not sent: the connection is closed. Reconnect and send it?", true).await {
        } else {
            self.screen.note("Not sent. Up brings the line back; :reconnect opens the connection again.");
            self.drop_queue();
            return false;
        }
        self.reconnect().await && !self.repeats_hello(line)
    }

    /// Connects again and says EHLO as before.
    pub(super) async fn reconnect(&mut self) -> bool {
        let was_secure = !self.target.implicit_tls && self.session().is_some_and(|session| session.security() != Security::Clear);
        let user = self.session().and_then(|session| session.user()).map(str::to_owned);
        let had = self.session().map(|session| session.transaction().clone()).is_some_and(|transaction| transaction.sender.is_some());
        let failed = self.open().await.is_some();
        if failed || !self.is_open() {
            return false;
        }
        if was_secure {
            self.start_tls().await;
        } else if let Some(hello) = self.memory.hello_line.clone() {
            if self.is_terminal() {
                self.show_sent(&hello);
            }
            self.transmit(&hello).await;
        }
        if let Some(user) = user.filter(|_| self.is_open()) {
            self.log_in_again(&user).await;
        }
        if had {
            self.screen.note("MAIL FROM and RCPT TO are not repeated by themselves.");
            self.screen.hint("For slow typing: compose first with :edit, or :keepalive 60.");
        }
        self.is_open()
    }

    /// The line that was kept is the EHLO that the reconnect has just said.
    fn repeats_hello(&self, line: &[u8]) -> bool {
        self.memory.hello_line.as_deref() == Some(line)
    }

    /// `:connect HOST [PORT]`.
    pub(super) async fn connect_to(&mut self, target: Target) {
        if self.is_open() {
            let left = self.target.to_string();
            self.drop_connection(&format!("The connection to {} is closed.", printable_str(&left)));
        }
        self.target = target;
        self.secure.mail_domain = None;
        self.memory.hello_line = None;
        self.options.practice = None;
        let failure = self.open().await;
        if let Some(failure) = failure
            && !self.is_terminal()
        {
            self.outcome = Some(Outcome::NotOpened(failure));
        }
    }

    /// Says EHLO with our name, shown as sent.
    pub(super) async fn say_hello(&mut self) {
        if !self.is_open() {
            self.screen.note("Nothing is open. :reconnect opens the connection again.");
            return;
        }
        let line = format!("{} {}", self.target.protocol.hello(), self.hello_name);
        if self.is_terminal() {
            self.show_sent(line.as_bytes());
        }
        self.transmit(line.as_bytes()).await;
    }

    /// The limits for later connections and this one.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.options.limits = limits;
        if let Some(connection) = &mut self.connection {
            *connection.limits_mut() = limits;
        }
    }

    // ---- the log -------------------------------------------------------------------------------

    /// Begins a log; what was said so far is left out.
    pub(super) fn start_log(&mut self, path: &std::path::Path) {
        let header = self.log_header();
        let transcript = self.connection.as_ref().map(|connection| connection.session().transcript());
        let begun = Log::create(path).and_then(|mut log| {
            // Before the first connection there is nothing to head yet.
            transcript.map_or(Ok(()), |transcript| log.begin(&header, Some(transcript)))?;
            Ok(log)
        });
        match begun {
            Err(error) => {
                self.screen.warning(format!(
                    "The log {} cannot be written: {}.",
                    printable_str(&path.to_string_lossy()),
                    crate::net::dial::system_words(&error)
                ));
                if self.connection.is_none() {
                    self.outcome = Some(Outcome::Unfinished);
                } else {
                    self.fails_script();
                }
            }
            Ok(log) => {
                let note = format!("Logging to {}; secrets are left out.", printable_str(&log.path.to_string_lossy()));
                if let Some(old) = self.log.replace(log) {
                    self.screen.note(format!("The log {} is closed.", printable_str(&old.path.to_string_lossy())));
                }
                self.attach_log();
                self.screen.note(note);
            }
        }
    }

    pub(super) fn log_header(&self) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        transcript::header(env!("CARGO_PKG_VERSION"), &self.target.to_string(), &format!("{} UTC", human::utc_date(now)))
    }

    pub(super) fn restart_log(&mut self) {
        let header = self.log_header();
        if let Some(log) = &mut self.log
            && let Err(error) = log.begin(&header, None)
        {
            self.log_failed(&error);
        }
    }

    /// Lets the connection write the log before it sends; without a log it need not.
    pub(super) fn attach_log(&mut self) {
        let journal = self.log.as_ref().map(Log::journal);
        if let Some(connection) = &mut self.connection {
            connection.set_journal(journal);
        }
    }

    /// Brings the log up to date. A full disk is told once, and decides the exit status (P40).
    pub(super) fn update_log(&mut self) {
        let Self { log: Some(log), connection: Some(connection), .. } = self else { return };
        if let Err(error) = log.update(connection.session().transcript()) {
            self.log_failed(&error);
        }
    }

    fn log_failed(&mut self, error: &std::io::Error) {
        let words = crate::net::dial::system_words(error);
        let path = self.log.take().map(|log| log.path.to_string_lossy().into_owned()).unwrap_or_default();
        self.attach_log();
        self.screen.warning(format!("The log {} cannot be written on: {words}.", printable_str(&path)));
        if !self.is_terminal() {
            self.outcome.get_or_insert(Outcome::OutputFailed(words));
        }
        self.log_broken = true;
    }
}
