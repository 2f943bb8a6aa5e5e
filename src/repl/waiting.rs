//! Waiting: for the operator at a prompt, for the server's reply; and what the other says meanwhile.

use std::time::Duration;

use super::editor::Given;
use super::signals::Signal;
use super::snapshot::Mode;
use super::{Outcome, Repl};
use crate::net::Connection;
use crate::session::Event;

/// What a yes-or-no question was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Yes,
    No,
    /// Ctrl-C or Ctrl-D.
    Left,
    /// There is no terminal to ask at, or it is gone.
    Nothing,
}

/// When the server closed after it took all messages, how long a script may take to say more than QUIT.
const REST_OF_SCRIPT: Duration = Duration::from_secs(1);

/// What woke the loop.
pub(super) enum Woken {
    Given(Given),
    Event(Event),
    Signal(Signal),
    KeepAlive,
}

impl Repl {
    /// Reads one line at a prompt, and meanwhile shows what the server says.
    pub(super) async fn read(&mut self, prompt: &str) -> Given {
        self.source.update(|snapshot| {
            snapshot.prompt_width = crate::text::width(prompt);
            snapshot.hints = self.settings.hints && !self.options.raw;
            snapshot.lmtp = self.target.protocol == crate::target::Protocol::Lmtp;
            snapshot.own_name.clone_from(&self.hello_name);
            snapshot.addresses.clone_from(&self.memory.addresses);
            snapshot.update(self.connection.as_ref().map(Connection::session));
        });
        let bold = self.screen.style.color;
        let styled = if bold { format!("\x1b[1m{prompt}\x1b[0m") } else { prompt.to_owned() };
        let shown = if self.options.raw { String::new() } else { prompt.to_owned() };
        self.source.ask_line(shown.clone(), if self.options.raw { shown } else { styled });
        self.wait_for_operator().await
    }

    /// Waits for what was asked of the operator, and meanwhile shows what the server says.
    pub(super) async fn wait_for_operator(&mut self) -> Given {
        self.screen.begin_editing();
        let hidden = self.source.asks_password();
        let given = loop {
            let keepalive = self.settings.keepalive.filter(|_| self.is_open() && self.mode() == Mode::Command);
            let Self { source, connection, signals, .. } = self;
            let event = async {
                match connection {
                    Some(connection) if connection.session().is_open() || connection.session().has_events() => connection.next().await,
                    _ => std::future::pending().await,
                }
            };
            let idle = async {
                match keepalive {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            let over = async {
                match self.over_since {
                    Some(since) => tokio::time::sleep_until(since + REST_OF_SCRIPT).await,
                    None => std::future::pending().await,
                }
            };
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Woken::Signal(signal),
                event = event => Woken::Event(event),
                given = source.given() => Woken::Given(given),
                () = over => Woken::Given(Given::End),
                () = idle => Woken::KeepAlive,
            };
            match woken {
                Woken::Given(given) => break given,
                Woken::Event(event) => {
                    self.happened(event);
                    self.tell_command().await;
                }
                // The reader of passwords tells of Ctrl-C itself, and raises the signal besides.
                Woken::Signal(Signal::Interrupt) if self.source.asks_password() => {}
                Woken::Signal(Signal::Interrupt) => break Given::Interrupted,
                Woken::Signal(Signal::Continue) => {
                    if let Some(terminal) = self.terminal.as_ref().filter(|_| !self.source.asks_password()) {
                        terminal.editing();
                    }
                    self.screen.redraw();
                }
                Woken::Signal(signal) => {
                    self.outcome = Some(Outcome::Signalled(signal));
                    break Given::Failed(String::new());
                }
                Woken::KeepAlive => self.send_keepalive(),
            }
            if self.outcome.is_some() {
                break Given::Failed(String::new());
            }
        };
        self.resume();
        match given {
            Given::Interrupted => self.count_interrupt(),
            Given::Line(_) | Given::Password { .. } => self.interrupts = 0,
            Given::Ahead(_) | Given::End | Given::Failed(_) => {}
        }
        if hidden && matches!(given, Given::Interrupted) {
            // The signal that the reader raised must not interrupt what comes next; any other one counts.
            match tokio::time::timeout(Duration::from_millis(50), self.signals.next()).await {
                Ok(signal @ (Signal::Terminate | Signal::Hangup)) => self.outcome = Some(Outcome::Signalled(signal)),
                Ok(Signal::Interrupt | Signal::Continue) | Err(_) => {}
            }
        }
        self.screen.end_editing().await;
        given
    }

    /// Waits until the server has answered all that was sent.
    pub(super) async fn settle(&mut self) {
        let mut told = !self.is_terminal();
        let busy = |connection: &Connection| connection.session().is_waiting() || connection.session().has_events();
        while (self.outcome.is_none() || self.awaits_verdicts()) && self.connection.as_ref().is_some_and(busy) {
            let Self { connection: Some(connection), signals, .. } = self else { return };
            let what = connection.session().awaited().map(|(what, _)| what.describe()).unwrap_or_default();
            let slow = tokio::time::sleep(Duration::from_secs(1));
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Woken::Signal(signal),
                event = connection.next() => Woken::Event(event),
                () = slow, if !told => Woken::KeepAlive,
            };
            match woken {
                Woken::Event(event) => self.happened(event),
                Woken::KeepAlive => {
                    told = true;
                    self.screen.note(format!("Waiting for {} (Ctrl-C stops waiting).", crate::text::printable_str(&what)));
                }
                Woken::Signal(Signal::Interrupt) if self.is_terminal() => {
                    self.count_interrupt();
                    if self.outcome.is_none() {
                        self.stop_waiting().await;
                    }
                }
                Woken::Signal(Signal::Continue) => self.resume(),
                Woken::Signal(signal) => self.outcome = Some(Outcome::Signalled(signal)),
                Woken::Given(_) => {}
            }
        }
        if self.session().is_some_and(crate::session::Session::is_starting_tls) {
            self.upgrade().await;
        }
    }

    /// The message was refused for one recipient, which ends a script; what becomes of it for the others is still to
    /// come (P11).
    fn awaits_verdicts(&self) -> bool {
        let refused = matches!(self.outcome, Some(Outcome::Refused(_) | Outcome::TryLater(_)));
        let Some(session) = self.session() else { return false };
        refused && (session.has_events() || session.awaited().is_some_and(|(what, _)| what.is_fate()))
    }

    /// After 221 both sides may close, and many servers leave it to us. After 421 the server does: a prompt before
    /// that would be for nothing.
    pub(super) async fn await_farewell(&mut self) {
        let is_leaving = |repl: &Self| repl.session().is_some_and(|session| session.is_open() && session.is_leaving());
        if self.said_quit() {
            if is_leaving(self) && self.outcome.is_none() {
                self.hang_up().await;
                self.tell_closed(true, true);
            }
            return;
        }
        let until = tokio::time::Instant::now() + Duration::from_millis(300);
        while self.outcome.is_none() && is_leaving(self) {
            let Some(connection) = &mut self.connection else { return };
            match tokio::time::timeout_at(until, connection.next()).await {
                Ok(event) => self.happened(event),
                Err(_) => return,
            }
        }
    }

    /// Shows what has come by itself before a command goes out: it does not answer it (P9).
    pub(super) async fn catch_up(&mut self) {
        if let Some(connection) = self.connection.as_mut().filter(|connection| connection.session().is_open()) {
            connection.catch_up().await;
        }
        while self.outcome.is_none() {
            let Some(connection) = self.connection.as_mut().filter(|connection| connection.session().has_events()) else { return };
            let event = connection.next().await;
            self.happened(event);
        }
    }

    /// Between two prompts again.
    fn resume(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.between_prompts();
        }
    }

    /// Ctrl-C while a reply is waited for: SMTP replies cannot be cancelled.
    pub(super) async fn stop_waiting(&mut self) {
        self.screen.begin_editing();
        let prompt = "*  Still waiting. [w]ait, [c]lose the connection? [W/c] ".to_owned();
        self.source.ask_line(prompt.clone(), prompt);
        match self.wait_for_operator().await {
            Given::Line(answer) if !answer.trim_ascii().eq_ignore_ascii_case(b"c") => {}
            Given::Line(_) => {
                self.drop_connection("Closed.");
                self.drop_queue();
            }
            Given::Interrupted | Given::End => {
                self.drop_connection("Closed.");
                self.outcome = Some(Outcome::Interrupted);
            }
            Given::Password { .. } | Given::Ahead(_) | Given::Failed(_) => {}
        }
    }

    /// The second Ctrl-C with no line between leaves, whatever the state is (P38).
    pub(super) fn count_interrupt(&mut self) {
        self.interrupts += 1;
        if self.interrupts > 1 && self.is_terminal() {
            self.outcome.get_or_insert(Outcome::Interrupted);
        }
    }

    /// Asks a yes-or-no question; `None` without a terminal. Ctrl-C and Ctrl-D are a no.
    pub(super) async fn ask(&mut self, question: &str, default: bool) -> Option<bool> {
        match self.ask_or_leave(question, default).await {
            Said::Yes => Some(true),
            Said::No | Said::Left => Some(false),
            Said::Nothing => None,
        }
    }

    /// Asks a yes-or-no question. A line that is no answer is dropped: sent later, when nobody thinks of it any more,
    /// it would do harm.
    pub(super) async fn ask_or_leave(&mut self, question: &str, default: bool) -> Said {
        if !self.is_terminal() {
            return Said::Nothing;
        }
        let prompt = self.question(question, default);
        loop {
            match self.read(&prompt).await {
                Given::Line(line) => match line.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"" => return if default { Said::Yes } else { Said::No },
                    b"y" | b"yes" => return Said::Yes,
                    b"n" | b"no" => return Said::No,
                    _ => self.screen.note("Please answer y or n."),
                },
                Given::Interrupted | Given::End => return Said::Left,
                Given::Password { .. } | Given::Ahead(_) | Given::Failed(_) => return Said::Nothing,
            }
        }
    }

    /// A question as it is shown.
    fn question(&self, question: &str, default: bool) -> String {
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        let question = match (self.screen.style.plain, question.get(..3)) {
            (true, Some("*  ")) => format!("note: {}", &question[3..]),
            (true, Some("!  ")) => format!("warning: {}", &question[3..]),
            _ => question.to_owned(),
        };
        format!("{question} {choice} ")
    }

    /// Asks a yes-or-no question where a password may be typed next: what was typed ahead is dropped, and what is typed
    /// is not shown, whatever it is. `None` without a terminal.
    pub(super) async fn ask_hidden(&mut self, question: &str, default: bool) -> Option<bool> {
        if !self.is_terminal() {
            return None;
        }
        let prompt = self.question(question, default);
        loop {
            let answer = self.read_hidden(&prompt, "a question").await;
            let Some(answer) = answer else { return if self.outcome.is_some() { None } else { Some(false) } };
            let said = match answer.expose().trim_ascii().to_ascii_lowercase().as_slice() {
                b"" => default,
                b"y" | b"yes" => true,
                b"n" | b"no" => false,
                _ => {
                    self.screen.note("Please answer y or n. What was typed is dropped.");
                    continue;
                }
            };
            return Some(said);
        }
    }

    fn send_keepalive(&mut self) {
        if let Some(connection) = &mut self.connection
            && !connection.session().is_waiting()
        {
            connection.send(b"NOOP");
            self.keepalives += 1;
        }
    }
}
