//! Local commands about the message.

use std::io::{Read as _, Write as _};
use std::process::Command;

use super::inspect::expand;
use crate::render::Row;
use crate::repl::{Outcome, Repl, Signal};
use crate::text::{printable, printable_str, size};

/// A bigger file is not put into the message by `:file`; `:data` streams it.
const LARGEST_INSERT: u64 = 16 * 1024 * 1024;

impl Repl {
    /// `:data FILE`
    pub(super) async fn data_command(&mut self, argument: &str) {
        if argument.is_empty() {
            self.local_error("A file name is wanted: :data FILE");
            return;
        }
        let path = expand(argument);
        self.send_file(&path).await;
    }

    /// `:bdat FILE`
    pub(super) async fn bdat_command(&mut self, argument: &str) {
        if argument.is_empty() {
            self.local_error("Give a file name: :bdat FILE");
            return;
        }
        let path = expand(argument);
        self.bdat_file(&path).await;
    }

    /// `:file NAME` within the message
    pub(super) fn insert_file(&mut self, argument: &str) {
        let path = expand(argument);
        let shown = printable_str(&path).into_owned();
        let read = std::fs::File::open(&path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(LARGEST_INSERT + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        match read {
            Err(error) => self.local_error(&format!("{shown}: {}", crate::net::dial::system_words(&error))),
            Ok(bytes) if bytes.len() as u64 > LARGEST_INSERT => {
                self.local_error(&format!("{shown} is larger than {}: :data {shown} sends it as it is read", size(LARGEST_INSERT)));
            }
            Ok(bytes) => {
                self.screen.note(format!("{shown}: {} added. A lone dot ends the message.", size(bytes.len() as u64)));
                self.message.draft.extend_from_slice(&bytes);
                if !self.message.draft.ends_with(b"\n") {
                    self.message.draft.extend_from_slice(b"\r\n");
                }
            }
        }
    }

    /// `:sample`
    pub(super) fn sample_command(&mut self) {
        let sample = self.sample_message();
        self.show_message(&sample);
        if self.in_message() {
            self.message.draft.extend_from_slice(&sample);
        } else {
            self.screen.note("Kept for the next DATA; :edit changes it.");
            self.message.prepared = Some(sample);
        }
    }

    /// `:show`
    pub(super) fn show_command(&mut self) {
        let message = if self.in_message() { Some(self.message.draft.clone()) } else { self.message.prepared.clone() };
        match message.filter(|message| !message.is_empty()) {
            Some(message) => self.show_message(&message),
            None => self.screen.note("Nothing is composed yet."),
        }
    }

    fn show_message(&mut self, message: &[u8]) {
        let lines: Vec<&[u8]> = message.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let shown = lines.len().saturating_sub(usize::from(lines.last().is_some_and(|line| line.is_empty())));
        let rows: Vec<Row> = lines[..shown].iter().map(|line| Row::new(crate::render::Sign::Sent, printable(line))).collect();
        self.screen.show(&rows);
    }

    /// `:abort`
    pub(super) async fn abort_command(&mut self) {
        if self.in_message() || self.in_chunk() {
            self.abort_message(self.is_terminal()).await;
        } else if self.message.prepared.take().is_some() {
            self.screen.note("The prepared message is thrown away.");
        } else {
            self.screen.note("No message is begun. RSET clears the sender and the recipients.");
        }
    }

    /// `:edit`
    pub(super) async fn edit_command(&mut self) {
        if !self.is_terminal() {
            self.local_error("There is no terminal for an editor: :data FILE sends a file");
            return;
        }
        let in_message = self.in_message();
        let begun = if in_message { self.message.draft.clone() } else { self.message.prepared.clone().unwrap_or_default() };
        let begun = if begun.is_empty() { self.sample_message() } else { begun };
        match self.run_editor(&begun).await {
            Err(words) => self.local_error(&words),
            Ok(edited) => {
                self.screen.note(format!(
                    "{} composed.{}",
                    size(edited.len() as u64),
                    if in_message { " A lone dot ends the message." } else { " Kept for the next DATA." }
                ));
                if in_message {
                    self.message.draft = edited;
                } else {
                    self.message.prepared = Some(edited);
                }
            }
        }
    }

    /// Runs the operator's editor on the text, with the terminal as it was found.
    async fn run_editor(&mut self, text: &[u8]) -> Result<Vec<u8>, String> {
        let words = |error: std::io::Error| crate::net::dial::system_words(&error);
        let (mut file, path) = crate::repl::log::create_new(&std::env::temp_dir().join("ehlo-message.eml")).map_err(words)?;
        let text: Vec<u8> =
            text.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect::<Vec<_>>().join(&b'\n');
        file.write_all(&text).map_err(words)?;
        let editor = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.trim().is_empty());
        let editor = editor.unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.to_owned());
        let mut parts = editor.split_ascii_whitespace();
        let program = parts.next().unwrap_or("vi").to_owned();
        let mut command = Command::new(&program);
        command.args(parts).arg(&path);
        if let Some(terminal) = &self.terminal {
            terminal.restore();
        }
        let mut editing = tokio::task::spawn_blocking(move || command.status());
        // Ctrl-C is the editor's while it has the terminal.
        let finished = loop {
            tokio::select! {
                finished = &mut editing => break finished,
                signal = self.signals.next() => match signal {
                    Signal::Interrupt | Signal::Continue => {}
                    signal => {
                        self.outcome = Some(Outcome::Signalled(signal));
                        return Err("the editor was left".to_owned());
                    }
                },
            }
        };
        if let Some(terminal) = &self.terminal {
            terminal.between_prompts();
        }
        let result = match finished {
            Ok(Ok(status)) if status.success() => read_back(&path).map_err(words),
            Ok(Ok(_)) => Err(format!("{} ended with an error: nothing is changed", printable_str(&program))),
            Ok(Err(error)) => Err(format!("{} cannot be started: {}", printable_str(&program), words(error))),
            Err(_) => Err("the editor was lost".to_owned()),
        };
        let _ = std::fs::remove_file(&path);
        result
    }

    /// After DATA was accepted: what was composed before.
    pub(in crate::repl) async fn use_prepared(&mut self) {
        let Some(prepared) = self.message.prepared.clone() else { return };
        let question = format!("*  Use the prepared message ({})?", size(prepared.len() as u64));
        if self.ask(&question, true).await.unwrap_or(true) {
            self.message.prepared = None;
            let transaction = self.session().map(|session| session.transaction().clone()).unwrap_or_default();
            let (message, added) = crate::repl::message::with_addresses(prepared, transaction.sender.as_deref(), &transaction.accepted);
            if added {
                self.screen.note("From and To were missing; they are filled in from the session.");
            }
            self.send_body(crate::repl::message::Body::Text(message)).await;
        }
    }
}

/// The edited text: editors may replace the file, so it is opened anew.
fn read_back(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let mut lines: Vec<&[u8]> = text.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    Ok(lines.into_iter().flat_map(|line| [line, b"\r\n"].concat()).collect())
}
