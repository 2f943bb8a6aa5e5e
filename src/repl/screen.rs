//! Where rows go: straight out, or above the line that is being edited. Write errors are kept, never a
//! panic (P40).

use std::io::{self, Write};
use std::sync::mpsc::Sender;

use tokio::sync::oneshot;

use crate::render::{Row, Style};

/// A message for the printer thread.
#[derive(Debug)]
pub enum Print {
    /// Text to show above the line that is being edited.
    Text(String),
    /// Answered once all before it was printed.
    Sync(oneshot::Sender<()>),
}

/// The operator's screen, or the two output streams of a script.
pub struct Screen {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// How rows become text on standard output.
    pub style: Style,
    err_style: Style,
    /// Both streams are one terminal.
    together: bool,
    /// Notes and hints are left out.
    pub quiet: bool,
    printer: Option<Sender<Print>>,
    editing: bool,
    printed: bool,
    failed: Option<io::Error>,
}

impl Screen {
    /// A terminal: all goes to one stream.
    pub fn terminal(out: Box<dyn Write>, style: Style) -> Self {
        Self::new(out, Box::new(io::sink()), style, style, true)
    }

    /// Two streams: the conversation, and what is said about it.
    pub fn streams(out: Box<dyn Write>, err: Box<dyn Write>, style: Style, err_style: Style) -> Self {
        Self::new(out, err, style, err_style, false)
    }

    fn new(out: Box<dyn Write>, err: Box<dyn Write>, style: Style, err_style: Style, together: bool) -> Self {
        Self { out, err, style, err_style, together, quiet: false, printer: None, editing: false, printed: false, failed: None }
    }

    /// The thread that prints above a line being edited.
    pub fn set_printer(&mut self, printer: Option<Sender<Print>>) {
        self.printer = printer;
    }

    /// Shows rows.
    pub fn show(&mut self, rows: &[Row]) {
        let (mut out, mut err) = (String::new(), String::new());
        for row in rows {
            if row.sign.is_conversation() || self.together {
                if row.sign.is_conversation() || !self.hides(row) {
                    self.style.write(row, &mut out);
                }
            } else if !self.hides(row) {
                self.err_style.write(row, &mut err);
            }
        }
        self.print(out);
        self.print_error(&err);
    }

    /// Shows one row.
    pub fn row(&mut self, row: Row) {
        self.show(&[row]);
    }

    /// A fact.
    pub fn note(&mut self, text: impl Into<String>) {
        self.row(Row::note(text));
    }

    /// Advice.
    pub fn hint(&mut self, text: impl Into<String>) {
        self.row(Row::hint(text));
    }

    /// A warning.
    pub fn warning(&mut self, text: impl Into<String>) {
        self.row(Row::warning(text));
    }

    /// The result of a local command: bare text on standard output.
    pub fn result(&mut self, text: &str) {
        self.print(format!("{text}\n"));
    }

    /// Bytes as they are, by the operator's wish (`--raw` into a file or pipe).
    pub fn bytes(&mut self, bytes: &[u8]) {
        let done = self.out.write_all(bytes).and_then(|()| self.out.flush());
        self.keep_error(done);
    }

    fn hides(&self, row: &Row) -> bool {
        use crate::render::Sign::{Hint, Note};
        (self.quiet || self.style.raw) && matches!(row.sign, Note | Hint)
    }

    /// Writes text that is to stay on its row (a progress line), on a terminal only.
    pub fn progress(&mut self, text: &str) {
        if self.together && !self.style.plain {
            let done = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
            self.keep_error(done);
        }
    }

    fn print(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        if self.editing
            && let Some(printer) = &self.printer
        {
            self.printed = true;
            if printer.send(Print::Text(text)).is_err() {
                self.printer = None;
            }
            return;
        }
        let done = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.keep_error(done);
    }

    fn print_error(&mut self, text: &str) {
        if !text.is_empty() {
            // Nobody can be told that standard error is closed.
            let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
        }
    }

    fn keep_error(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    /// The first write error.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Whether a write has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Draws the line that is being edited again.
    pub fn redraw(&mut self) {
        if self.editing
            && let Some(printer) = &self.printer
        {
            let _ = printer.send(Print::Text(String::new()));
        }
    }

    /// A line is being edited from now on.
    pub fn begin_editing(&mut self) {
        self.editing = true;
    }

    /// The line is done; waits until the printer has shown all.
    pub async fn end_editing(&mut self) {
        self.editing = false;
        if std::mem::take(&mut self.printed)
            && let Some(printer) = &self.printer
        {
            let (done, printed) = oneshot::channel();
            if printer.send(Print::Sync(done)).is_ok() {
                // The printer may hang on a terminal that reads nothing: do not wait for it for ever.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(500), printed).await;
            }
        }
    }
}
