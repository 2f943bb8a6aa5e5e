//! BDAT (RFC 3030): a message by its size. In a script the octets stand behind the command, at a terminal they are
//! typed line by line, `:bdat` takes them from a file.

use std::io::Read as _;
use std::time::Duration;

use tokio::time::Instant;

use super::ahead::{Ahead, ChunkFault, MAX_CHUNK, Wanted};
use super::editor::Given;
use super::message::CHUNK;
use super::{Outcome, Repl, commands};
use crate::session::{Session, Stage};
use crate::text::{printable, printable_str, size as bytes};
use crate::wire::command::{Command, is_malformed_bdat};
use crate::wire::keyword::Capabilities;

/// Where CHUNKING is not offered, how long BDAT may take to be refused before its octets follow.
const EARLY_REFUSAL: Duration = Duration::from_secs(1);

impl Repl {
    /// Whether the server waits for octets that BDAT announced.
    pub(super) fn in_chunk(&self) -> bool {
        self.session().is_some_and(|session| session.stage() == Stage::Chunk)
    }

    fn offers_chunking(&self) -> bool {
        self.session().and_then(Session::capabilities).is_some_and(|offer: &Capabilities| offer.has("CHUNKING"))
    }

    // ---- in a script ---------------------------------------------------------------------------

    /// BDAT and the octets behind it. They are looked at before anything is sent: what is sent is whole (P32).
    pub(super) async fn script_chunk(&mut self, line: &[u8], size: u64) {
        let octets = match self.read_chunk(size).await {
            None => return,
            Some(Err(fault)) => return self.chunk_fault(size, fault),
            Some(Ok(octets)) => octets,
        };
        if let Some(why) = self.why_no_content() {
            self.screen.note(format!("BDAT and its {} are not sent: {why}.", count(size)));
            return;
        }
        self.message.streaming = true;
        self.send_command(line).await;
        self.message.streaming = false;
        if !self.in_chunk() || self.outcome.is_some() {
            return;
        }
        if !self.offers_chunking() && self.is_refused_early().await {
            self.screen.note(format!("The {} behind BDAT are not sent.", count(size)));
            return;
        }
        self.send_octets(&octets).await;
    }

    /// The octets that follow in the script; `None` when the script is over.
    async fn read_chunk(&mut self, size: u64) -> Option<Result<Vec<u8>, ChunkFault>> {
        self.source.look_for(Wanted::Chunk(size));
        match self.wait_for_operator().await {
            Given::Ahead(Ahead::Chunk(found)) => Some(found),
            Given::Failed(words) => {
                self.input_failed(&words);
                None
            }
            _ => {
                self.outcome.get_or_insert(Outcome::Interrupted);
                None
            }
        }
    }

    fn chunk_fault(&mut self, size: u64, fault: ChunkFault) {
        let announced = count(size);
        let words = match fault {
            ChunkFault::InLine { meant: Some(meant), .. } => {
                format!("BDAT {size} counts each line end as one octet; CRLF goes out, which makes {}: BDAT {meant}.", count(meant))
            }
            ChunkFault::InLine { line, before, with, .. } => format!(
                "BDAT {size} ends inside line {line} of its content: {before} octets end before that line, {with} with it and its CRLF. :bdat FILE sends content that ends elsewhere."
            ),
            ChunkFault::GoesOn { until_command } => format!(
                "What follows the {announced} of BDAT {size} is no command: up to the next command, or the end of the input, there are {until_command} octets."
            ),
            ChunkFault::Short { there } => format!("The input ends inside the {announced} of BDAT {size}: {} are there.", count(there)),
            ChunkFault::TooLarge => {
                format!("BDAT {size} is too large for a script ({} at most); :bdat FILE sends a file of any size.", bytes(MAX_CHUNK))
            }
        };
        self.refuse_chunk(words);
    }

    /// A BDAT that cannot be meant as it stands ends a script: what follows it must not go out as commands.
    fn refuse_chunk(&mut self, words: String) {
        self.screen.warning(words);
        self.screen.note("BDAT is not sent; the connection is closed, and nothing is delivered.");
        self.drop_connection("");
        self.outcome = Some(Outcome::Unfinished);
    }

    /// With `--keep-going`: why neither DATA nor BDAT makes sense any more (P30, P31).
    pub(super) fn why_no_content(&self) -> Option<&'static str> {
        let transaction = self.session().map(Session::transaction)?;
        if self.is_terminal() || !self.options.keep_going {
            return None;
        }
        if transaction.accepted.is_empty() && !transaction.refused.is_empty() {
            return Some("no recipient was accepted");
        }
        transaction.chunk_refused.then_some("the chunk before was refused; RSET or MAIL begins anew")
    }

    /// Gives a server that does not offer CHUNKING the time to refuse BDAT: octets sent to one that does not know it
    /// would be read as commands.
    async fn is_refused_early(&mut self) -> bool {
        let until = Instant::now() + EARLY_REFUSAL;
        while self.in_chunk() && self.outcome.is_none() {
            let Some(connection) = &mut self.connection else { break };
            match tokio::time::timeout_at(until, connection.next()).await {
                Ok(event) => self.happened(event),
                Err(_) => return false,
            }
        }
        true
    }

    /// Sends the octets of the chunk, or the rest of them, and waits for the reply.
    async fn send_octets(&mut self, octets: &[u8]) {
        for piece in octets.chunks(CHUNK) {
            if !self.push_octets(piece).await {
                return;
            }
        }
        if self.in_chunk() {
            return;
        }
        if self.is_terminal() {
            self.screen.note(format!("{} sent.", count(octets.len() as u64)));
        }
        self.settle().await;
        self.await_farewell().await;
    }

    /// Queues octets and lets the server take them; `false` when the chunk cannot go on.
    async fn push_octets(&mut self, piece: &[u8]) -> bool {
        if !self.in_chunk() {
            return false;
        }
        let Some(connection) = &mut self.connection else { return false };
        connection.chunk(piece);
        if connection.queued() <= CHUNK || self.make_room(CHUNK).await {
            return true;
        }
        false
    }

    // ---- at a terminal -------------------------------------------------------------------------

    /// BDAT was typed and sent.
    pub(super) fn begin_chunk(&mut self) {
        self.message.draft.clear();
        self.screen.note("Type the octets line by line: each line counts with its CRLF. They are sent when all are there; :abort closes.");
    }

    /// How many octets are still to be typed.
    pub(super) fn octets_left(&self) -> u64 {
        let due = self.session().and_then(Session::chunk_left).unwrap_or_default();
        due.saturating_sub(self.message.draft.len() as u64)
    }

    /// A line at `bdat>`.
    pub(super) async fn chunk_line(&mut self, line: Vec<u8>) {
        let literal = self.from_queue || !self.is_terminal();
        let text = match super::input::read(&line) {
            _ if literal => &line[..],
            super::input::Typed::Local { name, arguments } => {
                commands::run(self, name, arguments).await;
                return;
            }
            super::input::Typed::Command(rest) if line.starts_with(b"::") => rest,
            _ => &line,
        };
        let (left, plain) = (self.octets_left(), text.len() as u64);
        if plain + 2 <= left {
            self.message.draft.extend_from_slice(text);
            self.message.draft.extend_from_slice(b"\r\n");
        } else if plain == left {
            self.message.draft.extend_from_slice(text);
            self.screen.note("The last line goes out without a line end: there is no room for one.");
        } else {
            self.screen.hint(format!("Not taken: the line has {} with its line end, and {left} are left.", count(plain + 2)));
            if !self.is_terminal() {
                self.drop_connection("Closed inside the chunk: nothing is delivered.");
                self.outcome.get_or_insert(Outcome::Unfinished);
            }
            return;
        }
        if self.octets_left() == 0 {
            let octets = std::mem::take(&mut self.message.draft);
            self.send_octets(&octets).await;
        }
    }

    // ---- from a file ---------------------------------------------------------------------------

    /// `:bdat FILE`: the file as one chunk, byte for byte (P30).
    pub(super) async fn bdat_file(&mut self, path: &str) {
        let shown = printable_str(path).into_owned();
        if self.in_message() || self.in_chunk() {
            return self.local_error("A message is under way: :abort gives it up");
        }
        if !self.is_open() {
            return self.local_error("Nothing is open");
        }
        if !self.offers_chunking() {
            return self.local_error(&format!("The server does not offer CHUNKING here: :data {shown} sends the file with DATA"));
        }
        if let Some(why) = self.why_no_content() {
            self.screen.note(format!("{shown} is not sent: {why}."));
            return;
        }
        let opened = std::fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (file, size) = match opened {
            Err(error) => return self.local_error(&format!("{shown}: {}", crate::net::dial::system_words(&error))),
            Ok((facts, _)) if !facts.is_file() => {
                return self.local_error(&format!("{shown} is no regular file: BDAT has to know its size"));
            }
            Ok((facts, file)) => (file, facts.len()),
        };
        let line = format!("BDAT {size} LAST");
        if self.is_terminal() {
            self.show_sent(line.as_bytes());
        }
        self.message.streaming = true;
        self.send_command(line.as_bytes()).await;
        self.message.streaming = false;
        if self.in_chunk() {
            self.stream_octets(file, size).await;
        }
    }

    async fn stream_octets(&mut self, file: std::fs::File, size: u64) {
        let mut file = file.take(size);
        let mut piece = vec![0; CHUNK];
        let mut bare = BareLineEnds::default();
        while self.in_chunk() {
            let read = match file.read(&mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read,
            };
            match read {
                Ok(count @ 1..) => {
                    bare.look(&piece[..count]);
                    if !self.push_octets(&piece[..count]).await {
                        break;
                    }
                }
                Ok(_) => return self.chunk_broken("The file became shorter while it was read"),
                Err(error) => return self.chunk_broken(&format!("Reading failed: {}", crate::net::dial::system_words(&error))),
            }
        }
        let refused = self.is_open() && self.session().is_some_and(|session| !session.is_waiting()) && file.limit() > 0;
        if refused {
            // The server still reads for the octets that were announced, and would take commands for them.
            self.drop_connection("The chunk was refused before all of it was sent: the connection is closed.");
            return;
        }
        if bare.count > 0 {
            let lines = if bare.count == 1 { "1 line ends".to_owned() } else { format!("{} lines end", bare.count) };
            self.screen
                .hint(format!("{lines} with LF alone: BDAT sends them so, and some servers refuse that. :data changes them to CRLF."));
        }
        self.settle().await;
        self.await_farewell().await;
    }

    fn chunk_broken(&mut self, why: &str) {
        self.screen.warning(format!("{why}. The connection is closed inside the chunk, and nothing is delivered."));
        self.drop_connection("");
        if !self.is_terminal() {
            self.outcome.get_or_insert(Outcome::Unfinished);
        }
    }

    // ---- a message that is not wanted ----------------------------------------------------------

    /// DATA was refused, or not sent, and the script goes on: are its next lines those of the message? They are where a
    /// lone dot follows; without one they are commands (P31).
    pub(super) async fn look_for_message(&mut self) {
        self.source.look_for(Wanted::LoneDot);
        match self.wait_for_operator().await {
            Given::Ahead(Ahead::Message(true)) => self.message.passed_over = Some(0),
            Given::Ahead(_) => {}
            Given::Failed(words) => self.input_failed(&words),
            _ => {
                self.outcome.get_or_insert(Outcome::Interrupted);
            }
        }
    }

    /// Whether a script's line is sent in another way: BDAT with its octets, or not at all (P31).
    pub(super) async fn sends_content(&mut self, line: &[u8]) -> bool {
        if self.is_terminal() || self.tour.is_some() {
            return false;
        }
        match Command::parse(line) {
            Command::Bdat { .. } if is_malformed_bdat(line) => {
                let shown = shortened(line);
                self.refuse_chunk(format!("{shown} is not the syntax of BDAT, which is: BDAT octets [LAST]."));
            }
            Command::Bdat { size: size @ 1.., .. } => self.script_chunk(line, size).await,
            command @ (Command::Data | Command::Bdat { .. }) => {
                let Some(why) = self.why_no_content() else { return false };
                self.screen.note(format!("{} is not sent: {why}.", command.verb()));
                if command == Command::Data {
                    self.look_for_message().await;
                }
            }
            _ => return false,
        }
        true
    }
}

/// Counts line ends that are an LF without a CR before it.
#[derive(Debug, Default)]
struct BareLineEnds {
    count: u64,
    behind_cr: bool,
}

impl BareLineEnds {
    fn look(&mut self, piece: &[u8]) {
        for at in memchr::memchr_iter(b'\n', piece) {
            let behind_cr = if at == 0 { self.behind_cr } else { piece[at - 1] == b'\r' };
            self.count += u64::from(!behind_cr);
        }
        self.behind_cr = piece.last() == Some(&b'\r');
    }
}

/// The line, or the beginning of one that is long.
fn shortened(line: &[u8]) -> String {
    const ENOUGH: usize = 60;
    let dots = if line.len() > ENOUGH { "..." } else { "" };
    format!("{}{dots}", printable(&line[..line.len().min(ENOUGH)]))
}

/// `1 octet`, `20 octets`.
fn count(octets: u64) -> String {
    if octets == 1 { "1 octet".to_owned() } else { format!("{octets} octets") }
}
