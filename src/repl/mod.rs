//! The dialogue with the operator: typed lines × session events × signals.
//!
//! One loop serves the terminal and the script. A raw verb goes out as it was typed; help stands beside
//! it. A line is held back in two cases only: a password over a clear line, and a header word typed as a
//! command.

mod answer;
mod commands;
mod data;
mod editor;
mod happened;
mod helper;
mod history;
mod input;
mod log;
mod message;
mod opening;
mod outcome;
mod prompt;
mod screen;
mod script;
mod settings;
mod signals;
mod snapshot;
mod source;
mod terminal;
mod tour;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

pub use history::{History, default_path as history_path};
pub use outcome::Outcome;
pub use screen::Screen;
pub use signals::{Signal, Signals};
pub use source::Source;
pub use terminal::Terminal;

use crate::explain::reply::Situation;
use crate::net::dial::DialOptions;
use crate::net::{Connection, Limits};
use crate::render::Row;
use crate::session::{Event, Session, Stage};
use crate::target::Target;
use crate::wire::reply::Reply;
use editor::Given;
use settings::Settings;
use snapshot::Mode;

/// What the session is to be.
pub struct Options {
    /// The server.
    pub target: Target,
    /// How to connect.
    pub dial: DialOptions,
    /// How long to wait for replies.
    pub limits: Limits,
    /// The name to say in EHLO.
    pub hello_name: String,
    /// Log in as this user once connected.
    pub user: Option<String>,
    /// Write a log there.
    pub log: Option<PathBuf>,
    /// Passwords may go over a clear line without a question.
    pub allow_cleartext: bool,
    /// The server is the practice server inside this program, and says that this is its name.
    pub practice: Option<&'static str>,
    /// A script goes on after a refusal.
    pub keep_going: bool,
    /// Tell every address that is tried.
    pub verbose: u8,
    /// Bytes in, bytes out.
    pub raw: bool,
    /// Walk through a session step by step.
    pub tour: bool,
}

/// A session with its operator.
pub struct Repl {
    options: Options,
    screen: Screen,
    source: Source,
    signals: Signals,
    terminal: Option<Terminal>,
    history: History,
    settings: Settings,
    connection: Option<Connection>,
    target: Target,
    log: Option<log::Log>,
    /// Lines that wait for their turn: a paste, or type-ahead that was no answer to a question.
    queue: VecDeque<Vec<u8>>,
    /// What `:explain` explains.
    last_refusal: Option<(Situation, Reply)>,
    /// What `:raw` without an argument shows.
    last_reply: Option<Vec<Vec<u8>>>,
    /// Explanations that were given in full already.
    explained: Vec<&'static str>,
    /// The line being handled was pasted or queued, and what it was.
    from_queue: bool,
    last_typed: Vec<u8>,
    /// A script's DATA was refused: this many lines of its message were passed over so far (P31).
    passed_over: Option<u64>,
    /// DATA was said for a file: no advice on typing.
    streaming: bool,
    /// The log could not be written: the exit status must say so.
    log_broken: bool,
    /// The message as far as it was typed, and one composed before DATA.
    draft: Vec<u8>,
    prepared: Option<Vec<u8>>,
    /// The user name of a PLAIN login that waits for its password.
    plain_user: Option<String>,
    /// The header word that was held back; typed again it is sent.
    held_back: Option<Vec<u8>>,
    /// The EHLO or HELO line that was accepted last, to be repeated after a reconnect.
    hello_line: Option<Vec<u8>>,
    /// The verb line that was sent last.
    last_command: Vec<u8>,
    /// Addresses used so far, the newest first.
    addresses: Vec<String>,
    messages_accepted: u32,
    keepalives: u32,
    told: Told,
    interrupts: u8,
    /// With `--keep-going`: the refusal that decides the exit status.
    first_refusal: Option<Outcome>,
    tour: Option<tour::Tour>,
    outcome: Option<Outcome>,
}

/// What is said once only.
#[derive(Debug, Default)]
struct Told {
    data: bool,
    dots: bool,
    clear_text: bool,
    relay: bool,
    quit_in_message: bool,
}

/// What woke the loop.
enum Woken {
    Given(Given),
    Event(Event),
    Signal(Signal),
    KeepAlive,
}

impl Repl {
    /// A session that is not yet connected.
    pub fn new(options: Options, screen: Screen, source: Source, terminal: Option<Terminal>, history: History) -> std::io::Result<Self> {
        let target = options.target.clone();
        let tour = options.tour.then(tour::Tour::default);
        Ok(Self {
            settings: Settings { raw_answers: options.raw, ..Settings::default() },
            options,
            screen,
            source,
            signals: Signals::listen()?,
            terminal,
            history,
            connection: None,
            target,
            log: None,
            queue: VecDeque::new(),
            last_refusal: None,
            last_reply: None,
            explained: Vec::new(),
            from_queue: false,
            last_typed: Vec::new(),
            passed_over: None,
            streaming: false,
            log_broken: false,
            draft: Vec::new(),
            prepared: None,
            plain_user: None,
            held_back: None,
            hello_line: None,
            last_command: Vec::new(),
            addresses: Vec::new(),
            messages_accepted: 0,
            keepalives: 0,
            told: Told::default(),
            interrupts: 0,
            first_refusal: None,
            tour,
            outcome: None,
        })
    }

    /// Connects, talks until the end, and says how it went.
    pub async fn run(mut self) -> Outcome {
        if let Some(terminal) = &self.terminal {
            terminal.between_prompts();
        }
        if let Some(path) = self.options.log.clone() {
            self.start_log(&path);
        }
        if self.outcome.is_none() {
            self.open_first().await;
        }
        if self.outcome.is_none() && self.options.user.is_some() {
            self.log_in().await;
        }
        while self.outcome.is_none() {
            self.turn().await;
        }
        let outcome = self.leave().await;
        if let Some(terminal) = &self.terminal {
            terminal.restore();
        }
        outcome
    }

    /// One line, and all that follows from it.
    async fn turn(&mut self) {
        self.tour_step();
        let queued = self.queue.pop_front();
        self.from_queue = queued.is_some();
        let line = match queued {
            Some(line) => {
                if self.is_terminal() && self.mode() != Mode::Answer(crate::session::dialogue::Question::Password) {
                    let text = format!("{}{}", self.prompt(), crate::text::printable(&line));
                    self.screen.result(&text);
                }
                line
            }
            None => match self.next_line().await {
                Some(line) => line,
                None => return,
            },
        };
        line.clone_into(&mut self.last_typed);
        match self.mode() {
            Mode::Command | Mode::Question => self.command_line(line).await,
            Mode::Answer(question) => self.answer_line(question, line).await,
            Mode::Message => self.message_line(line).await,
        }
        self.after_turn();
    }

    /// The next line from the operator; `None` when there was none, and what that means was done.
    async fn next_line(&mut self) -> Option<Vec<u8>> {
        let mode = self.mode();
        if let Mode::Answer(question) = mode
            && self.wants_password(question)
        {
            self.password_turn().await;
            return None;
        }
        let prompt = self.prompt();
        match self.read(&prompt).await {
            Given::Line(line) => {
                self.interrupts = 0;
                self.take_line(mode, line).await
            }
            Given::Password { .. } => None,
            Given::Interrupted => {
                self.interrupted(mode).await;
                None
            }
            Given::End => {
                self.input_ended(mode).await;
                None
            }
            Given::Failed(words) => {
                self.input_failed(&words);
                None
            }
        }
    }

    /// Takes a paste apart, keeps history.
    async fn take_line(&mut self, mode: Mode, line: Vec<u8>) -> Option<Vec<u8>> {
        if !self.is_terminal() {
            return Some(line);
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        if !text.contains('\n') {
            if mode == Mode::Command
                && let Some(kept) = input::for_history(&text)
                && self.history.add(kept.clone())
            {
                self.source.remember(&kept);
            }
            return Some(line);
        }
        if mode == Mode::Message {
            self.queue.extend(text.lines().map(|line| line.as_bytes().to_vec()));
            return None;
        }
        let pasted = input::pasted(&text);
        let count = pasted.commands.len();
        let which = if pasted.lines == count { String::new() } else { format!(", {count} of them commands") };
        let question = format!("{} lines pasted{which}. Send one by one, waiting for each reply?", pasted.lines);
        if self.ask(&question, true).await == Some(true) {
            self.queue.extend(pasted.commands.into_iter().map(String::into_bytes));
        }
        None
    }

    /// Reads one line at a prompt, and meanwhile shows what the server says.
    async fn read(&mut self, prompt: &str) -> Given {
        self.source.update(|snapshot| {
            snapshot.prompt_width = crate::text::width(prompt);
            snapshot.hints = self.settings.hints && !self.options.raw;
            snapshot.own_name.clone_from(&self.options.hello_name);
            snapshot.addresses.clone_from(&self.addresses);
            snapshot.update(self.connection.as_ref().map(Connection::session));
        });
        let bold = self.screen.style.color;
        let styled = if bold { format!("\x1b[1m{prompt}\x1b[0m") } else { prompt.to_owned() };
        let shown = if self.options.raw { String::new() } else { prompt.to_owned() };
        self.source.ask_line(shown.clone(), if self.options.raw { shown } else { styled });
        self.wait_for_operator().await
    }

    /// Waits for what was asked of the operator, and meanwhile shows what the server says.
    async fn wait_for_operator(&mut self) -> Given {
        self.screen.begin_editing();
        let given = loop {
            let keepalive = self.settings.keepalive.filter(|_| self.is_open() && self.mode() == Mode::Command);
            let Self { source, connection, signals, .. } = self;
            let event = async {
                match connection {
                    Some(connection) if connection.session().is_open() => connection.next().await,
                    _ => std::future::pending().await,
                }
            };
            let idle = async {
                match keepalive {
                    Some(every) => tokio::time::sleep(every).await,
                    None => std::future::pending().await,
                }
            };
            let woken = tokio::select! {
                biased;
                signal = signals.next() => Woken::Signal(signal),
                event = event => Woken::Event(event),
                given = source.given() => Woken::Given(given),
                () = idle => Woken::KeepAlive,
            };
            match woken {
                Woken::Given(given) => break given,
                Woken::Event(event) => self.happened(event),
                Woken::Signal(Signal::Interrupt) => break Given::Interrupted,
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
        self.screen.end_editing().await;
        given
    }

    /// Waits until the server has answered all that was sent.
    async fn settle(&mut self) {
        let mut told = !self.is_terminal();
        while self.outcome.is_none() && self.connection.as_ref().is_some_and(|connection| connection.session().is_waiting()) {
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
                Woken::Signal(Signal::Interrupt) if self.is_terminal() => self.stop_waiting().await,
                Woken::Signal(signal) => self.outcome = Some(Outcome::Signalled(signal)),
                Woken::Given(_) => {}
            }
        }
    }

    /// After QUIT or 421 the server hangs up: a prompt before that would be for nothing.
    async fn await_farewell(&mut self) {
        let asked = self.said_quit();
        let patience = Duration::from_millis(if asked { 2000 } else { 300 });
        let until = tokio::time::Instant::now() + patience;
        while self.outcome.is_none() && self.session().is_some_and(|session| session.is_open() && session.is_leaving()) {
            let Some(connection) = &mut self.connection else { return };
            match tokio::time::timeout_at(until, connection.next()).await {
                Ok(event) => self.happened(event),
                Err(_) if asked => {
                    self.drop_connection("");
                    self.tell_closed(true, true);
                }
                Err(_) => return,
            }
        }
    }

    /// Ctrl-C while a reply is waited for: SMTP replies cannot be cancelled.
    async fn stop_waiting(&mut self) {
        self.screen.begin_editing();
        let prompt = "*  Still waiting. [w]ait, [c]lose the connection? [W/c] ".to_owned();
        self.source.ask_line(prompt.clone(), prompt);
        match self.wait_for_operator().await {
            Given::Line(answer) if !answer.trim_ascii().eq_ignore_ascii_case(b"c") => {}
            Given::Line(_) => self.drop_connection("Closed."),
            Given::Interrupted | Given::End => {
                self.drop_connection("Closed.");
                self.outcome = Some(Outcome::Interrupted);
            }
            Given::Password { .. } | Given::Failed(_) => {}
        }
    }

    /// Asks a yes-or-no question; `None` without a terminal. Lines that are no answer wait for their turn.
    async fn ask(&mut self, question: &str, default: bool) -> Option<bool> {
        if !self.is_terminal() {
            return None;
        }
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        let prompt = format!("{question} {choice} ");
        loop {
            match self.read(&prompt).await {
                Given::Line(line) => match line.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"" => return Some(default),
                    b"y" | b"yes" => return Some(true),
                    b"n" | b"no" => return Some(false),
                    _ => {
                        let lines = line.split(|&b| b == b'\n').map(<[u8]>::to_vec);
                        self.queue.extend(lines);
                        self.screen.note("That waits for its turn: answer y or n first.");
                    }
                },
                Given::Interrupted | Given::End => return Some(false),
                Given::Password { .. } | Given::Failed(_) => return None,
            }
        }
    }

    /// A line in command mode.
    async fn command_line(&mut self, line: Vec<u8>) {
        if self.passes_over(&line) {
            return;
        }
        match input::read(&line) {
            input::Typed::Nothing => {}
            input::Typed::Local { name, arguments } => commands::run(self, name, arguments).await,
            input::Typed::Header(word) if self.is_terminal() && self.held_back.as_deref() != Some(line.as_slice()) => {
                let word = word.to_ascii_uppercase();
                let advice = match word.as_str() {
                    "BCC" | "CC" | "TO" => "use one RCPT TO for each reader; headers go into DATA.",
                    "FROM" => "use MAIL FROM; headers go into DATA.",
                    _ => "headers go into DATA.",
                };
                self.screen.hint(format!("SMTP has no {word} command: {advice} Enter once more sends the line anyway."));
                self.held_back = Some(line);
            }
            input::Typed::Header(_) => self.send_command(&line).await,
            input::Typed::Command(command) => {
                let command = command.to_vec();
                self.send_command(&command).await;
            }
        }
    }

    /// Whether the line belongs to a message whose DATA was refused.
    fn passes_over(&mut self, line: &[u8]) -> bool {
        let Some(count) = self.passed_over else { return false };
        let ends = line == b".";
        self.passed_over = (!ends).then_some(count + 1);
        if ends {
            self.screen.note(format!("DATA was refused: {count} lines of the message, up to the dot, are not sent."));
        }
        true
    }

    /// Sends a command as it was typed and waits for the reply.
    async fn send_command(&mut self, line: &[u8]) {
        self.held_back = None;
        if !self.is_open() && !self.reconnect_for(line).await {
            return;
        }
        if self.may_send_credentials(line).await {
            self.transmit(line).await;
        }
    }

    /// Puts a command on the wire, waits for the reply, and offers a message that was prepared.
    async fn transmit(&mut self, line: &[u8]) {
        line.clone_into(&mut self.last_command);
        self.remember_address(line);
        if !self.is_terminal() {
            let shown = crate::wire::command::without_secret(line).unwrap_or_else(|| line.to_vec());
            self.screen.row(Row::new(crate::render::Sign::Sent, crate::text::printable(&shown)));
        }
        if let Some(connection) = &mut self.connection {
            connection.send(line);
        }
        self.settle().await;
        self.await_farewell().await;
        if self.in_message() && !self.streaming {
            self.use_prepared().await;
        }
    }

    fn remember_address(&mut self, line: &[u8]) {
        use crate::wire::command::Command;
        if let Command::Mail(Some(address)) | Command::Rcpt(Some(address)) = Command::parse(line)
            && !address.is_empty()
            && self.is_terminal()
        {
            self.addresses.retain(|known| *known != address);
            self.addresses.insert(0, address);
            self.addresses.truncate(50);
        }
    }

    /// After each line: what must hold whatever it was.
    fn after_turn(&mut self) {
        if self.screen.has_failed() {
            let outcome = self.screen.take_failure().map_or(Outcome::Done, |error| Outcome::output_failed(&error));
            self.outcome.get_or_insert(outcome);
        }
    }

    async fn interrupted(&mut self, mode: Mode) {
        if !self.is_terminal() {
            self.outcome = Some(Outcome::Interrupted);
            return;
        }
        self.interrupts += 1;
        match mode {
            Mode::Answer(_) => self.cancel_login().await,
            Mode::Message => self.abort_message(true).await,
            Mode::Command | Mode::Question if self.interrupts > 1 => self.outcome = Some(Outcome::Interrupted),
            Mode::Command | Mode::Question => self.screen.note("Ctrl-D or QUIT ends politely; Ctrl-C once more leaves at once."),
        }
    }

    async fn input_ended(&mut self, mode: Mode) {
        match mode {
            Mode::Message if self.is_terminal() => {
                if self.ask("End the message and send it?", false).await == Some(true) {
                    self.message_line(b".".to_vec()).await;
                }
            }
            Mode::Message => {
                self.screen.warning(
                    "The input ended inside the message: the connection is closed without the final dot, and nothing is delivered.",
                );
                self.drop_connection("");
                self.outcome = Some(Outcome::Unfinished);
            }
            Mode::Answer(_) => {
                self.cancel_login().await;
                if !self.is_terminal() {
                    self.outcome = Some(Outcome::LoginRefused);
                }
            }
            Mode::Command | Mode::Question => {
                self.outcome.get_or_insert(Outcome::Done);
            }
        }
    }

    fn input_failed(&mut self, words: &str) {
        if self.outcome.is_none() {
            self.screen.warning(format!("The input cannot be read: {}.", crate::text::printable_str(words)));
            self.outcome = Some(Outcome::InputLost);
        }
    }

    /// Ends the session as politely as the state allows.
    async fn leave(&mut self) -> Outcome {
        let mut outcome = self.outcome.take().unwrap_or(Outcome::Done);
        let polite = matches!(outcome, Outcome::Done | Outcome::Refused(_) | Outcome::TryLater(_) | Outcome::LoginRefused | Outcome::Quit);
        let can_quit = self.connection.as_ref().is_some_and(|connection| {
            let session = connection.session();
            session.is_open() && matches!(session.stage(), Stage::Greeted | Stage::Ready) && !session.is_waiting() && !session.is_leaving()
        });
        if polite && can_quit {
            self.say_quit().await;
        }
        self.drop_connection("");
        if outcome == Outcome::Done
            && let Some(refusal) = self.first_refusal.take()
            && !self.options.tour
        {
            outcome = refusal;
        }
        if self.messages_accepted > 0 && matches!(outcome, Outcome::Lost) && self.said_quit() {
            outcome = Outcome::Done;
        }
        if self.log_broken && outcome == Outcome::Done {
            outcome = Outcome::OutputFailed("the log is not complete".to_owned());
        }
        if let Some(error) = self.screen.take_failure() {
            outcome = Outcome::output_failed(&error);
        }
        outcome
    }

    /// A local command or a file failed: told, and the end of a script.
    fn local_error(&mut self, words: &str) {
        self.screen.warning(format!("{words}."));
        if !self.is_terminal() && !self.options.keep_going {
            self.outcome = Some(Outcome::Unfinished);
        }
    }

    fn said_quit(&self) -> bool {
        self.last_command.trim_ascii().eq_ignore_ascii_case(b"QUIT")
    }

    async fn say_quit(&mut self) {
        let row = Row::new(crate::render::Sign::Sent, "QUIT");
        self.screen.row(row);
        b"QUIT".as_slice().clone_into(&mut self.last_command);
        let Some(connection) = &mut self.connection else { return };
        connection.send(b"QUIT");
        let patience = if self.terminal.is_some() { 2 } else { 5 };
        // The farewell decides nothing any more: whatever comes, or not, the session was over.
        let _ = tokio::time::timeout(Duration::from_secs(patience), self.settle()).await;
        self.outcome = None;
    }

    fn send_keepalive(&mut self) {
        if let Some(connection) = &mut self.connection
            && !connection.session().is_waiting()
        {
            connection.send(b"NOOP");
            self.keepalives += 1;
        }
    }

    /// Closes without a word, and says so if there is something to say.
    fn drop_connection(&mut self, words: &str) {
        if let Some(connection) = &mut self.connection
            && connection.session().is_open()
        {
            connection.close();
            if !words.is_empty() {
                self.screen.note(words);
            }
        }
        self.update_log();
    }

    fn mode(&self) -> Mode {
        let mut snapshot = snapshot::Snapshot::default();
        match self.session() {
            Some(session) if session.stage() == Stage::Message => Mode::Message,
            Some(session) if session.dialogue().is_some() => {
                snapshot.update(Some(session));
                snapshot.mode
            }
            _ => Mode::Command,
        }
    }

    fn prompt(&self) -> String {
        let columns = Terminal::width().unwrap_or(80);
        let practice = self.options.practice.map(|name| Target { host: name.to_owned(), port: crate::target::SMTP });
        prompt::prompt(self.session(), practice.as_ref().unwrap_or(&self.target), self.settings.full_prompt, columns)
    }

    fn session(&self) -> Option<&Session> {
        self.connection.as_ref().map(Connection::session)
    }

    fn is_open(&self) -> bool {
        self.session().is_some_and(Session::is_open)
    }

    fn is_terminal(&self) -> bool {
        self.source.is_terminal()
    }
}
