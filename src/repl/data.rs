//! The message: typed at `data>`, prepared before, or streamed from a file; and how it is given up.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{self, Body, CHUNK};
use super::signals::Signal;
use super::waiting::{Said, Woken};
use super::{Outcome, Repl, commands};
use crate::net::Connection;
use crate::session::Stage;
use crate::text::{printable_str, size};
use crate::wire::dot::Changes;

/// How much may wait in memory for the server to read.
const HIGH_WATER: usize = 2 * CHUNK;

impl Repl {
    /// After 354.
    pub(super) fn begin_message(&mut self) {
        self.message.draft.clear();
        if self.is_terminal()
            && !std::mem::replace(&mut self.memory.told.data, true)
            && self.message.prepared.is_none()
            && !self.message.streaming
        {
            self.screen.note(
                "Headers, an empty line, the text; a lone dot ends it. :sample fills in a message, :file NAME reads one, :abort gives up.",
            );
        }
    }

    /// A line of the message.
    pub(super) async fn message_line(&mut self, line: Vec<u8>) {
        if line == b"." {
            let draft = std::mem::take(&mut self.message.draft);
            self.send_body(Body::Text(draft)).await;
            return;
        }
        if !self.is_terminal() && self.tour.is_none() {
            self.stream_script_line(&line).await;
            return;
        }
        // What was pasted is content as it stands (P49); the tour's lines are typed ones.
        let literal = self.from_queue && self.tour.is_none();
        let text = match super::input::read(&line) {
            _ if literal => &line,
            super::input::Typed::Local { name, arguments } => {
                commands::run(self, name, arguments).await;
                return;
            }
            super::input::Typed::Command(rest) if line.starts_with(b"::") => rest,
            _ => &line,
        };
        if !literal && !self.memory.told.quit_in_message && text.eq_ignore_ascii_case(b"QUIT") {
            self.memory.told.quit_in_message = true;
            self.screen.hint("You are in the message: a lone dot ends it.");
        }
        if !self.memory.told.dots && text.starts_with(b".") {
            self.memory.told.dots = true;
            self.screen.note("A dot at the beginning of a line is doubled for you.");
        }
        self.message.draft.extend_from_slice(text);
        self.message.draft.extend_from_slice(b"\r\n");
    }

    /// A script's lines go out as they come, so that a long message is not kept.
    async fn stream_script_line(&mut self, line: &[u8]) {
        let Some(connection) = &mut self.connection else { return };
        let mut bytes = line.to_vec();
        bytes.extend_from_slice(b"\r\n");
        // What has arrived already goes with it: line by line, each would be a write of its own.
        if connection.body(&bytes).is_err() || connection.body(self.source.body()).is_err() {
            self.refuse_nul();
            return;
        }
        if connection.queued() > HIGH_WATER {
            self.make_room(CHUNK).await;
        }
    }

    fn refuse_nul(&mut self) {
        self.screen.warning("The message holds a NUL byte, which DATA cannot carry: the connection is closed without the final dot, and nothing is delivered. Encode it (base64), or use BDAT with BINARYMIME.");
        self.drop_connection("");
        if !self.is_terminal() {
            self.outcome = Some(Outcome::Unfinished);
        }
    }

    /// `:data FILE`: DATA, the file, the dot.
    pub(super) async fn send_file(&mut self, path: &str) {
        let body = match Body::open(Path::new(path)) {
            Ok(body) => body,
            Err(error) => {
                self.local_error(&format!("{}: {error}", printable_str(path)));
                return;
            }
        };
        let in_message = self.session().is_some_and(|session| session.stage() == Stage::Message);
        if !in_message {
            if let Some(why) = self.why_no_content() {
                self.screen.note(format!("{} is not sent: {why}.", printable_str(path)));
                return;
            }
            self.message.streaming = true;
            if self.is_terminal() {
                self.show_sent(b"DATA");
            }
            self.send_command(b"DATA").await;
            self.message.streaming = false;
        }
        if self.session().is_some_and(|session| session.stage() == Stage::Message) {
            if !self.message.draft.is_empty() {
                let draft = std::mem::take(&mut self.message.draft);
                if let Some(connection) = &mut self.connection
                    && connection.body(&draft).is_err()
                {
                    self.refuse_nul();
                    return;
                }
            }
            self.send_body(body).await;
        }
    }

    /// Sends a whole message and waits for its fate.
    pub(super) async fn send_body(&mut self, body: Body) {
        let total = body.length();
        let mut progress = Progress::new(total);
        let sent = match body {
            Body::Text(bytes) => self.push_piece(&bytes).await.then_some(bytes.len() as u64),
            Body::File { file, .. } => self.stream_file(file, &mut progress).await,
        };
        if progress.shown {
            self.screen.progress("\r\x1b[K");
        }
        let Some(sent) = sent else { return };
        let Some(connection) = &mut self.connection else { return };
        if !connection.session().is_open() {
            return;
        }
        let changes = connection.end_body();
        self.tell_changes(changes);
        if self.is_terminal() && (progress.shown || sent > 1 << 20) {
            self.screen.note(format!("{} sent in {}.", size(sent), crate::render::human::duration(progress.begun.elapsed())));
        }
        self.settle().await;
    }

    async fn stream_file(&mut self, mut file: std::fs::File, progress: &mut Progress) -> Option<u64> {
        let mut chunk = vec![0; CHUNK];
        let mut sent = 0;
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Some(sent),
                Ok(count) => {
                    if !self.push_piece(&chunk[..count]).await {
                        return None;
                    }
                    sent += count as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // A message is completed only if it is whole (P32).
                    let words = crate::net::dial::system_words(&error);
                    self.screen.warning(format!(
                        "Reading failed: {words}. The connection is closed without the final dot, and nothing is delivered."
                    ));
                    self.drop_connection("");
                    if !self.is_terminal() {
                        self.outcome = Some(Outcome::Unfinished);
                    }
                    return None;
                }
            }
            if self.is_terminal()
                && let Some(line) = progress.line(sent)
            {
                self.screen.progress(&line);
            }
        }
    }

    /// Queues a piece and lets the server take it; `false` when the message cannot go on.
    async fn push_piece(&mut self, piece: &[u8]) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        if connection.body(piece).is_err() {
            self.refuse_nul();
            return false;
        }
        connection.queued() <= CHUNK || self.make_room(CHUNK).await
    }

    /// Waits until the server has taken most of what is queued.
    pub(super) async fn make_room(&mut self, low: usize) -> bool {
        loop {
            if self.outcome.is_some() || !self.is_open() {
                return false;
            }
            let Self { connection: Some(connection), signals, .. } = self else { return false };
            let woken = tokio::select! {
                biased;
                event = connection.room(low) => event.map(Woken::Event),
                signal = signals.next() => Some(Woken::Signal(signal)),
            };
            match woken {
                None => return self.is_open(),
                Some(Woken::Event(event)) => self.happened(event),
                Some(Woken::Signal(Signal::Interrupt)) if self.is_terminal() => {
                    self.count_interrupt();
                    self.abort_message(true).await;
                }
                Some(Woken::Signal(Signal::Continue)) => {}
                Some(Woken::Signal(signal)) => {
                    self.drop_connection("");
                    self.outcome = Some(Outcome::Signalled(signal));
                }
                Some(_) => {}
            }
        }
    }

    fn tell_changes(&mut self, changes: Changes) {
        let mut parts = Vec::new();
        if changes.bare_lf > 0 && self.is_terminal() || changes.bare_cr > 0 {
            parts.push(format!("{} line ends made CRLF", changes.bare_lf + changes.bare_cr));
        }
        if changes.end_added {
            parts.push("the last line was given its end".to_owned());
        }
        if !parts.is_empty() {
            self.screen.note(format!("Changed on the way: {}.", parts.join(", ")));
        }
    }

    /// `:abort`, Ctrl-C: there is no way back in SMTP but to close.
    pub(super) async fn abort_message(&mut self, ask: bool) {
        let said = if ask {
            self.ask_or_leave("*  Closing the connection is the only way; nothing is delivered. Close?", false).await
        } else {
            Said::Yes
        };
        match said {
            Said::Yes => self.give_message_up(),
            Said::Left => self.leave_message(),
            Said::No | Said::Nothing => {}
        }
    }

    fn give_message_up(&mut self) {
        self.message.draft.clear();
        self.drop_connection("Closed without the final dot: nothing is delivered.");
        self.drop_queue();
    }

    /// Ctrl-C or Ctrl-D at the question whether to give the message up: the program ends, without the final dot (P32).
    pub(super) fn leave_message(&mut self) {
        self.give_message_up();
        self.outcome.get_or_insert(Outcome::Interrupted);
    }

    /// `:sample` before or within the message.
    pub(super) fn sample_message(&self) -> Vec<u8> {
        let transaction = self.session().map(|session| session.transaction().clone()).unwrap_or_default();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        message::sample(
            transaction.sender.as_deref().unwrap_or_default(),
            &transaction.accepted,
            &self.hello_name,
            now,
            &crate::render::human::utc_date(now),
        )
    }

    /// Whether the connection waits for the message.
    pub(super) fn in_message(&self) -> bool {
        self.connection.as_ref().map(Connection::session).is_some_and(|session| session.stage() == Stage::Message)
    }
}

/// The progress line of a long message.
struct Progress {
    begun: Instant,
    last: Instant,
    total: Option<u64>,
    shown: bool,
}

impl Progress {
    fn new(total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, total, shown: false }
    }

    /// The line to draw now, if a second has gone by since the last one.
    fn line(&mut self, sent: u64) -> Option<String> {
        if self.last.elapsed() < Duration::from_secs(1) {
            return None;
        }
        self.last = Instant::now();
        self.shown = true;
        let seconds = self.begun.elapsed().as_secs().max(1);
        let of = self.total.map(|total| format!(" of {}", size(total))).unwrap_or_default();
        Some(format!("\r\x1b[K*  {}{of} sent, {}/s", size(sent), size(sent / seconds)))
    }
}
