//! The line editor on a thread of its own: no key but Enter reaches anything else.
//!
//! rustyline blocks, so it lives here and is asked over a channel. Passwords are read by rpassword,
//! never by the editor, whose kill ring and echo under `TERM=dumb` would give them away.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Editor as Rustyline, Event, EventContext, EventHandler,
    ExternalPrinter, KeyEvent, Movement, RepeatCount,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zeroize::Zeroize;

use super::helper::Helper;
use super::screen::Print;
use super::snapshot::{Mode, Snapshot};
use super::terminal::Terminal;
use crate::secret::Secret;

/// What the operator gave.
#[derive(Debug)]
pub enum Given {
    /// A line, or several from a paste.
    Line(Vec<u8>),
    /// A password.
    Password {
        /// The password.
        password: Secret<Vec<u8>>,
    },
    /// What a script holds ahead of its next line, where that was asked for.
    Ahead(super::ahead::Ahead),
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-D on an empty line, or the end of the input.
    End,
    /// The terminal or the input is gone.
    Failed(String),
}

enum Ask {
    Line { prompt: String, styled: String },
    Password { prompt: String },
    Remember(String),
}

/// How the editor looks and behaves.
#[derive(Debug, Clone)]
pub struct Look {
    /// Colours may be used.
    pub color: bool,
    /// Standard output is the terminal too.
    pub on_screen: bool,
}

/// The editor, as the session's loop sees it.
pub struct Editor {
    asks: Sender<Ask>,
    given: UnboundedReceiver<Given>,
    waiting: bool,
    hidden: bool,
}

type SharedPrinter = Arc<Mutex<Option<Box<dyn ExternalPrinter + Send>>>>;

impl Editor {
    /// Starts the thread. Returns the editor and the channel to print above the line being edited.
    pub fn start(look: Look, snapshot: Arc<Mutex<Snapshot>>, history: Vec<String>) -> std::io::Result<(Self, Option<Sender<Print>>)> {
        let (asks, asked) = channel();
        let (give, given) = unbounded_channel();
        let printer: SharedPrinter = Arc::new(Mutex::new(None));
        let on_screen = look.on_screen;
        let thread = Thread { look, snapshot, history, printer: Arc::clone(&printer) };
        std::thread::Builder::new().name("editor".to_owned()).spawn(move || thread.run(&asked, &give))?;
        let print = if on_screen { Some(start_printer(printer)?) } else { None };
        Ok((Self { asks, given, waiting: false, hidden: false }, print))
    }

    /// Asks for a line unless one is being edited already.
    pub fn ask_line(&mut self, prompt: String, styled: String) {
        if !std::mem::replace(&mut self.waiting, true) {
            self.hidden = false;
            let _ = self.asks.send(Ask::Line { prompt, styled });
        }
    }

    /// Asks for a password, hidden.
    pub fn ask_password(&mut self, prompt: String) {
        if !std::mem::replace(&mut self.waiting, true) {
            self.hidden = true;
            let _ = self.asks.send(Ask::Password { prompt });
        }
    }

    /// Whether a password is being read.
    pub(super) fn asks_password(&self) -> bool {
        self.waiting && self.hidden
    }

    /// Adds a line to what Up brings back.
    pub fn remember(&self, line: &str) {
        let _ = self.asks.send(Ask::Remember(line.to_owned()));
    }

    /// What the operator gave. May be dropped and called again.
    pub async fn given(&mut self) -> Given {
        let given = self.given.recv().await.unwrap_or_else(|| Given::Failed("the line editor ended".to_owned()));
        self.waiting = false;
        given
    }
}

fn start_printer(printer: SharedPrinter) -> std::io::Result<Sender<Print>> {
    let (print, prints) = channel::<Print>();
    // `print` blocks while an earlier text waits to be shown, so it has a thread of its own.
    std::thread::Builder::new().name("printer".to_owned()).spawn(move || {
        for message in prints {
            match message {
                Print::Sync(done) => drop(done.send(())),
                Print::Text(text) => print_text(&printer, text),
            }
        }
    })?;
    Ok(print)
}

fn print_text(printer: &SharedPrinter, text: String) {
    use std::io::Write as _;
    let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
    let direct = |text: &str| {
        let mut out = std::io::stdout();
        // A terminal that is gone is noticed by the editor.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    match printer.as_mut() {
        Some(printer) => drop(printer.print(text)),
        None => direct(&format!("\r\n{text}")),
    }
}

struct Thread {
    look: Look,
    snapshot: Arc<Mutex<Snapshot>>,
    history: Vec<String>,
    printer: SharedPrinter,
}

impl Thread {
    fn run(mut self, asks: &Receiver<Ask>, give: &UnboundedSender<Given>) {
        let mut editor = None;
        for ask in asks {
            let given = match ask {
                Ask::Remember(line) => {
                    if let Some(editor) = &mut editor {
                        add(editor, &line);
                    }
                    self.history.push(line);
                    continue;
                }
                Ask::Line { prompt, styled } => {
                    if editor.is_none() {
                        editor = self.editor();
                    }
                    match &mut editor {
                        None => Given::Failed("the terminal cannot be used for editing".to_owned()),
                        Some(editor) => read_line(editor, &prompt, &styled),
                    }
                }
                Ask::Password { prompt } => {
                    // The editor goes, and with it whatever it has read ahead: a line pasted behind the
                    // user name must neither become the password nor, later, a command (P24).
                    *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    editor = None;
                    read_password(&prompt)
                }
            };
            if give.send(given).is_err() {
                return;
            }
        }
    }

    fn editor(&self) -> Option<Rustyline<Helper, MemHistory>> {
        let config = Config::builder()
            .auto_add_history(false)
            .history_ignore_space(true)
            .max_history_size(super::history::KEPT)
            .ok()?
            .completion_type(CompletionType::List)
            .color_mode(if self.look.color { ColorMode::Forced } else { ColorMode::Disabled })
            .behavior(if self.look.on_screen { Behavior::Stdio } else { Behavior::PreferTerm })
            .build();
        let mut editor = Rustyline::with_history(config, MemHistory::new()).ok()?;
        rustyline::config::Configurer::enable_synchronized_output(&mut editor, false);
        editor.set_helper(Some(Helper::new(Arc::clone(&self.snapshot), self.look.color)));
        // Fingers that know telnet press Ctrl-] for local commands.
        editor.bind_sequence(KeyEvent::ctrl(']'), Cmd::Insert(1, ":".to_owned()));
        // Ctrl-C clears what is typed; only on an empty line it is told.
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        // A tab in a message is a tab: a paste that the terminal does not mark comes as keys.
        let tab = EventHandler::Conditional(Box::new(LiteralTab(Arc::clone(&self.snapshot))));
        editor.bind_sequence(KeyEvent::from('\t'), tab);
        for line in &self.history {
            add(&mut editor, line);
        }
        let printer = editor.create_external_printer().ok().map(|printer| Box::new(printer) as Box<dyn ExternalPrinter + Send>);
        *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = printer;
        Some(editor)
    }
}

/// Clears a line that holds something; an empty one is left to the default.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        (!context.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// Tab within a message, but for local commands and the names of headers; what remains is left to completion.
struct LiteralTab(Arc<Mutex<Snapshot>>);

impl ConditionalEventHandler for LiteralTab {
    fn handle(&self, _: &Event, count: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let mode = self.0.lock().unwrap_or_else(PoisonError::into_inner).mode;
        let completes = context.line().starts_with(':') || super::helper::begins_header(context.line());
        (matches!(mode, Mode::Message | Mode::Chunk) && !completes).then_some(Cmd::Insert(count, "\t".to_owned()))
    }
}

fn add(editor: &mut Rustyline<Helper, MemHistory>, line: &str) {
    // A line that history does not take is no loss.
    let _ = editor.add_history_entry(line);
}

fn read_line(editor: &mut Rustyline<Helper, MemHistory>, prompt: &str, styled: &str) -> Given {
    match editor.readline(&(prompt, styled)) {
        Ok(line) => Given::Line(line.into_bytes()),
        Err(ReadlineError::Interrupted) => Given::Interrupted,
        Err(ReadlineError::Eof) => Given::End,
        Err(ReadlineError::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            Given::Failed("the terminal sent bytes that are not UTF-8 (such text is sent from a file: :data FILE)".to_owned())
        }
        Err(error) => Given::Failed(error.to_string()),
    }
}

fn read_password(prompt: &str) -> Given {
    match rpassword::prompt_password(prompt) {
        Ok(mut password) => {
            let secret = Secret::new(password.as_bytes().to_vec());
            password.zeroize();
            Given::Password { password: secret }
        }
        Err(error) => match error.kind() {
            std::io::ErrorKind::Interrupted => Given::Interrupted,
            std::io::ErrorKind::UnexpectedEof => Given::End,
            _ => Given::Failed(error.to_string()),
        },
    }
}

/// Whether something was typed ahead of a password prompt, and is now gone.
pub(super) fn drop_type_ahead() -> bool {
    Terminal::drop_type_ahead()
}
