//! The dialogue with the operator: typed lines × session events × signals.
//!
//! One loop serves the terminal and the script. A raw verb goes out as it was typed; help stands beside
//! it. A line is held back only where it may do harm: a password over a clear line or in the place of a command, a
//! command in the place of a user name, a header word or a copied line typed as a command.

mod ahead;
mod answer;
mod challenge;
mod chunk;
mod commands;
mod data;
mod editor;
mod ending;
mod happened;
mod helper;
mod history;
mod input;
mod log;
mod login;
mod login_lines;
mod message;
mod opening;
mod outcome;
mod paste;
mod pasting;
mod prompt;
mod route;
mod screen;
mod script;
mod secure;
mod settings;
mod signals;
mod snapshot;
mod source;
mod terminal;
mod tour;
mod waiting;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

pub use history::{History, default_path as history_path};
use login::now_ms;
pub use outcome::Outcome;
pub use screen::Screen;
pub use signals::{Heard, Signal, Signals};
pub use source::Source;
pub use terminal::Terminal;

use crate::explain::reply::Situation;
use crate::jobs::credentials::LoginOptions;
use crate::net::dial::DialOptions;
use crate::net::hello_name::HelloName;
use crate::net::tls::TlsOptions;
use crate::net::{Connection, Limits};
use crate::session::{Session, Stage, redact};
use crate::target::Target;
use crate::wire::reply::{Lines, Oddity, Reply};
use editor::Given;
use settings::Settings;
use snapshot::Mode;

/// What the session is to be.
pub struct Options {
    /// The server.
    pub target: Target,
    /// The target is a mail domain: the session is with one of its mail servers.
    pub mx: bool,
    /// How to connect.
    pub dial: DialOptions,
    /// How long to wait for replies.
    pub limits: Limits,
    /// The name to say in EHLO.
    pub hello_name: HelloName,
    /// Log in once connected, or what `:auth` needs.
    pub login: LoginOptions,
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
    /// How TLS is to be spoken.
    pub tls: TlsOptions,
    /// EHLO, STARTTLS and EHLO are said before anything else.
    pub starttls: bool,
    /// A script goes on although the certificate has faults.
    pub insecure: bool,
    /// Walk through a session step by step.
    pub tour: bool,
    /// Said before anything else.
    pub preface: Option<String>,
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
    /// The program that the connection leads through.
    command: Option<crate::net::command::Watch>,
    target: Target,
    /// What is said in EHLO on this connection.
    hello_name: String,
    /// An MX record led to the target, and it is not connected yet.
    by_mx: bool,
    log: Option<log::Log>,
    /// Lines that wait for their turn: a paste, or type-ahead that was no answer to a question.
    queue: VecDeque<paste::Queued>,
    /// The line being handled was pasted or queued.
    from_queue: bool,
    secure: secure::Secure,
    memory: Memory,
    message: Message,
    /// The user name of a PLAIN login that waits for its password.
    plain_user: Option<String>,
    /// The login that is carried out for the operator.
    carrying: Option<login::Carrying>,
    /// Which lines of a script belong to a login.
    login_lines: login_lines::LoginLines,
    /// The line that was held back; typed again it is sent.
    held_back: Option<Vec<u8>>,
    /// The log could not be written: the exit status must say so.
    log_broken: bool,
    /// Messages that were accepted on earlier connections.
    accepted_before: u32,
    /// The connection ended with all that was begun delivered: whether more was asked, the next line tells.
    over_since: Option<tokio::time::Instant>,
    keepalives: u32,
    interrupts: u8,
    /// With `--keep-going`: the refusal that decides the exit status.
    first_refusal: Option<Outcome>,
    tour: Option<tour::Tour>,
    outcome: Option<Outcome>,
}

/// What was said so far, as far as later lines depend on it.
#[derive(Debug, Default)]
struct Memory {
    /// The line as it was typed last.
    typed: Vec<u8>,
    /// The command that was sent last.
    command: Vec<u8>,
    /// The EHLO or HELO that was accepted last, to be repeated after a reconnect.
    hello_line: Option<Vec<u8>>,
    /// What `:raw` without an argument shows.
    reply: Option<Lines>,
    /// What `:explain` explains.
    refusal: Option<Box<(Situation, Reply)>>,
    /// Explanations that were given in full already.
    explained: Vec<&'static str>,
    /// Addresses used so far, the newest first.
    addresses: Vec<String>,
    /// The login is being cancelled; and it was before, and the server asked on.
    cancelling: bool,
    cancelled_before: bool,
    /// The reply that was shown last answered QUIT.
    quit_answered: bool,
    /// When something was sent last.
    sent_at: Option<tokio::time::Instant>,
    told: Told,
}

/// What is said once only.
#[derive(Debug, Default)]
struct Told {
    data: bool,
    dots: bool,
    clear_text: bool,
    /// The domains whose recipients were accepted, of which the operator was asked whether they are hosted there.
    relay: Vec<String>,
    quit_in_message: bool,
    accepted: bool,
    starttls_again: bool,
    oddities: Vec<Oddity>,
}

/// The message in the making.
#[derive(Debug, Default)]
struct Message {
    /// What was typed since 354.
    draft: Vec<u8>,
    /// What was composed before DATA.
    prepared: Option<Vec<u8>>,
    /// Which of its lines are too long was said.
    long_lines_told: bool,
    /// DATA was said for a file: no advice on typing.
    streaming: bool,
    /// A script's DATA was refused: its lines may follow.
    is_unwanted: bool,
    /// A script's DATA was refused: this many lines of its message were passed over so far (P31).
    passed_over: Option<u64>,
}

impl Repl {
    /// A session that is not yet connected.
    pub fn new(options: Options, screen: Screen, source: Source, terminal: Option<Terminal>, history: History) -> std::io::Result<Self> {
        let target = options.target.clone();
        let tour = options.tour.then(tour::Tour::default);
        let hello_name = options.hello_name.on(None);
        Ok(Self {
            settings: Settings { raw_answers: options.raw, ..Settings::default() },
            options,
            screen,
            source,
            signals: Signals::listen()?,
            terminal,
            history,
            connection: None,
            command: None,
            target,
            hello_name,
            by_mx: false,
            log: None,
            queue: VecDeque::new(),
            from_queue: false,
            secure: secure::Secure::default(),
            memory: Memory::default(),
            message: Message::default(),
            plain_user: None,
            carrying: None,
            login_lines: login_lines::LoginLines::default(),
            held_back: None,
            log_broken: false,
            accepted_before: 0,
            over_since: None,
            keepalives: 0,
            interrupts: 0,
            first_refusal: None,
            tour,
            outcome: None,
        })
    }

    /// When the session heard of a signal last.
    pub fn heard(&self) -> Heard {
        self.signals.heard()
    }

    /// Connects, talks until the end, and says how it went.
    pub async fn run(mut self) -> Outcome {
        if let Some(terminal) = &self.terminal {
            terminal.between_prompts();
        }
        if let Some(preface) = self.options.preface.take() {
            self.screen.note(preface);
        }
        if let Some(path) = self.options.log.clone() {
            self.start_log(&path);
        }
        if self.outcome.is_none() {
            self.open_first().await;
        }
        if self.outcome.is_none() && self.options.starttls && self.is_open() {
            self.start_tls().await;
        }
        if self.outcome.is_none() && self.options.login.is_wanted {
            self.log_in().await;
        }
        self.take_password_line().await;
        while self.outcome.is_none() {
            self.turn().await;
            self.drop_answers().await;
        }
        let outcome = self.leave().await;
        if let Some(terminal) = &self.terminal {
            terminal.restore();
            if matches!(outcome, Outcome::Signalled(_)) {
                // The signal may wake the editor's thread too, which then restores the modes that it
                // found: let it, and have the last word (P39).
                tokio::time::sleep(Duration::from_millis(30)).await;
                terminal.restore();
            }
        }
        outcome
    }

    /// One line, and all that follows from it.
    async fn turn(&mut self) {
        self.tour_step();
        self.tell_command().await;
        // Before anything that waits in the queue: a pasted line must not become the password (P24).
        if let Mode::Answer(question) = self.mode()
            && self.wants_password(question)
        {
            self.password_turn().await;
            return;
        }
        if self.answers_without_line().await {
            return;
        }
        let queued = self.queue.pop_front();
        self.from_queue = queued.is_some();
        let line = match queued {
            Some(queued) => self.take_queued(queued),
            None => self.next_line().await,
        };
        let Some(line) = line else { return };
        line.clone_into(&mut self.memory.typed);
        match self.mode() {
            Mode::Command | Mode::Question => self.command_line(line).await,
            Mode::Answer(question) => self.answer_line(question, line).await,
            Mode::Message => self.message_line(line).await,
            Mode::Chunk => self.chunk_line(line).await,
        }
        self.after_turn();
    }

    /// The next line from the operator; `None` when there was none, and what that means was done.
    async fn next_line(&mut self) -> Option<Vec<u8>> {
        let mode = self.mode();
        let prompt = self.prompt();
        match self.read(&prompt).await {
            // What was typed as content is none for the server any more, and must not become a command (P31).
            Given::Line(line) if matches!(mode, Mode::Message | Mode::Chunk) && self.mode() != mode => {
                if !line.is_empty() {
                    self.screen.note("The line is dropped, not sent: the server is not waiting for it any more.");
                }
                None
            }
            Given::Line(line) => self.take_line(mode, line).await,
            Given::Password { .. } | Given::Ahead(_) => None,
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
        self.take_paste(mode, &text).await;
        None
    }

    /// A line in command mode.
    async fn command_line(&mut self, line: Vec<u8>) {
        if self.passes_over(&line) {
            return;
        }
        match input::read(&line) {
            input::Typed::Nothing => {}
            input::Typed::Local { name, arguments } => {
                // A script's line may be a password that begins with a colon.
                if self.is_terminal() || commands::is_name(name) || self.may_be_command(&line).await {
                    commands::run(self, name, arguments).await;
                }
            }
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
            input::Typed::Copied(copied) if self.is_terminal() && self.held_back.as_deref() != Some(line.as_slice()) => {
                let what = match copied {
                    paste::Copied::Reply => "a server's reply",
                    paste::Copied::Marked => "a line copied from a transcript",
                };
                self.screen.hint(format!("That looks like {what}; not sent. Enter it again to send it anyway."));
                self.held_back = Some(line);
            }
            input::Typed::Header(_) | input::Typed::Copied(_) => {
                if self.is_terminal() || self.may_be_command(&line).await {
                    self.send_command(&line).await;
                }
            }
            input::Typed::Command(command) => {
                let command = command.to_vec();
                if !self.may_be_command(&command).await {
                    return;
                }
                if !self.sends_content(&command).await {
                    self.send_command(&command).await;
                }
                if std::mem::take(&mut self.message.is_unwanted) && self.outcome.is_none() {
                    self.look_for_message().await;
                }
            }
        }
    }

    /// Whether the line belongs to a message whose DATA was refused.
    fn passes_over(&mut self, line: &[u8]) -> bool {
        let Some(count) = self.message.passed_over else { return false };
        let ends = line == b".";
        self.message.passed_over = (!ends).then_some(count + 1);
        if ends {
            let lines = if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
            let are = if count == 1 { "is" } else { "are" };
            self.screen.note(format!("{lines} of the message, up to the dot, {are} not sent."));
        }
        true
    }

    /// Sends a command as it was typed and waits for the reply.
    async fn send_command(&mut self, line: &[u8]) {
        self.held_back = None;
        self.catch_up().await;
        if self.outcome.is_some() {
            return;
        }
        if !self.is_open() && !self.reconnect_for(line).await {
            return;
        }
        if self.may_send_credentials(line).await {
            self.transmit(line).await;
        }
    }

    /// Puts a command on the wire, waits for the reply, and offers a message that was prepared.
    async fn transmit(&mut self, line: &[u8]) {
        if !self.is_open() {
            self.screen.note("Nothing is open.");
            return;
        }
        line.clone_into(&mut self.memory.command);
        self.expect_answers(line);
        self.memory.sent_at = Some(tokio::time::Instant::now());
        self.memory.cancelling = false;
        self.memory.cancelled_before = false;
        self.remember_address(line);
        self.message.long_lines_told = false;
        if !self.is_terminal() {
            self.show_sent(line);
        }
        if let Some((mechanism, crate::session::dialogue::Sent { description: Some(said), .. })) = redact::initial_response(line) {
            self.tell_answer(&mechanism, &said);
        }
        if let Some(connection) = &mut self.connection {
            connection.send(line);
        }
        if self.in_chunk() {
            if !self.message.streaming {
                self.begin_chunk();
            }
            return;
        }
        self.settle().await;
        self.await_farewell().await;
        let pasted = matches!(self.queue.front(), Some(paste::Queued::Content(_)));
        if self.in_message() && !self.message.streaming && !pasted {
            self.use_prepared().await;
        }
    }

    fn remember_address(&mut self, line: &[u8]) {
        use crate::wire::command::Command;
        if let Command::Mail(Some(address)) | Command::Rcpt(Some(address)) = Command::parse(line)
            && !address.is_empty()
            && self.is_terminal()
        {
            self.memory.addresses.retain(|known| *known != address);
            self.memory.addresses.insert(0, address);
            self.memory.addresses.truncate(50);
        }
    }

    /// After each line: what must hold whatever it was.
    fn after_turn(&mut self) {
        if self.screen.has_failed() {
            let outcome = self.screen.take_failure().map_or(Outcome::Done, |error| Outcome::output_failed(&error));
            self.outcome.get_or_insert(outcome);
        }
    }

    /// Closes without a word, and says so if there is something to say.
    fn drop_connection(&mut self, words: &str) {
        if let Some(connection) = &mut self.connection
            && connection.session().is_open()
        {
            connection.close();
            // How it ends now is our doing.
            self.command = None;
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
            Some(session) if session.stage() == Stage::Chunk => Mode::Chunk,
            Some(session) if session.dialogue().is_some() => {
                snapshot.update(Some(session));
                snapshot.mode
            }
            _ => Mode::Command,
        }
    }

    /// A screen reader wants prompts that end in a colon.
    fn styled_prompt(&self, prompt: &str) -> String {
        match prompt.strip_suffix("> ") {
            Some(words) if self.screen.style.plain => format!("{words}: "),
            _ => prompt.to_owned(),
        }
    }

    fn prompt(&self) -> String {
        let columns = Terminal::width().unwrap_or(80);
        let practice = self.options.practice.map(|name| Target::new(name, crate::target::SMTP));
        let prompt = prompt::prompt(self.session(), practice.as_ref().unwrap_or(&self.target), self.settings.full_prompt, columns);
        // What is left of a chunk is known here only: lines that were typed wait for the last one.
        let prompt = if self.in_chunk() { format!("({} left) {prompt}", self.octets_left()) } else { prompt };
        self.styled_prompt(&prompt)
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
