//! The client's side of a session, sans-IO.
//!
//! [`Session`] is told what is sent and given what was received; it answers with the bytes for the
//! wire and with [`Event`]s. Moments are passed in, as time since the session began.

mod content;
mod receiving;

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::session::dialogue::{Dialogue, MAX_STEPS, Sent};
use crate::session::event::{Event, Expected};
use crate::session::redact::{self, Redactor};
use crate::session::transcript::{Transcript, What};
use crate::text::lossy;
use crate::wire::base64;
use crate::wire::code::ReplyCode;
use crate::wire::command::{self, Command};
use crate::wire::dot::Stuffer;
use crate::wire::keyword::Capabilities;
use crate::wire::line_length::LineLengths;
use crate::wire::reply::{Reply, ReplyParser};

/// More lines than this that nobody asked for, and the connection is of no use (P6).
const MAX_UNASKED: u32 = 50;

/// How far the conversation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Connected; the greeting has not come.
    Greeting,
    /// Greeted; neither EHLO nor HELO was accepted.
    Greeted,
    /// EHLO or HELO was accepted.
    Ready,
    /// The server waits for an answer within AUTH.
    Auth,
    /// The server waits for the message.
    Message,
    /// The server waits for the octets that BDAT announced.
    Chunk,
    /// The connection is over.
    Closed,
}

/// A reply that is waited for.
#[derive(Debug)]
struct Awaited {
    what: Expected,
    since: Duration,
    /// The command line without secrets; empty for what is no command.
    line: Vec<u8>,
}

/// The mail transaction (RFC 5321 §3.3).
#[derive(Debug, Default, Clone)]
pub struct Transaction {
    /// The sender that was accepted.
    pub sender: Option<String>,
    /// MAIL declared SMTPUTF8 (RFC 6531 §3.4).
    pub declares_utf8: bool,
    /// The recipients that were accepted.
    pub accepted: Vec<String>,
    /// The recipients that were refused.
    pub refused: Vec<String>,
    /// MAIL asked for a reply for each recipient (PRDR, draft-hall-prdr).
    pub prdr: bool,
    /// A chunk was refused: no other may follow before RSET (RFC 3030 §2).
    pub chunk_refused: bool,
    /// A chunk was accepted, and the last one, which ends the message, was not said yet (RFC 3030 §2).
    pub chunks_begun: bool,
}

impl Transaction {
    /// Whether a sender or a recipient was accepted, and neither the message nor RSET has ended it.
    pub fn is_begun(&self) -> bool {
        self.sender.is_some() || !self.accepted.is_empty()
    }
}

/// One session with a server.
#[derive(Debug)]
pub struct Session {
    parser: ReplyParser,
    stage: Stage,
    awaited: VecDeque<Awaited>,
    events: VecDeque<Event>,
    transcript: Transcript,
    redactor: Redactor,
    greeting: Option<Reply>,
    capabilities: Option<Capabilities>,
    /// EHLO, HELO or LHLO was accepted.
    greeted: bool,
    transaction: Transaction,
    dialogue: Option<Dialogue>,
    /// The user name that an answer named and the server has not yet judged.
    claimed_user: Option<String>,
    user: Option<String>,
    /// How many logins the server has accepted.
    logins: u32,
    stuffer: Option<Stuffer>,
    body_bytes: u64,
    /// The transcript says that the message or chunk has begun.
    content_recorded: bool,
    chunk: Option<content::Chunk>,
    /// The lines of the message under way, or of the last one.
    line_lengths: LineLengths,
    fate: content::Fate,
    messages_accepted: u32,
    leaving: bool,
    /// Of the reply before.
    last_code: Option<ReplyCode>,
    /// STARTTLS was accepted: what comes now is no plain text.
    starting_tls: bool,
    security: Security,
    /// LHLO was said last, and was accepted last.
    says_lhlo: bool,
    /// MAIL was said last, with PRDR.
    asks_prdr: bool,
    lmtp: bool,
    /// The command line, without secrets, that the reply taken last answers; empty where that was no command.
    answered: Vec<u8>,
    /// The name in the EHLO, HELO or LHLO that was sent last.
    hello_name: Option<String>,
    /// EHLO or HELO was accepted before STARTTLS.
    greeted_before_tls: bool,
    /// Lines that nobody asked for since something was sent.
    unasked: u32,
}

/// How far the connection can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Anybody on the way can read and change what is said.
    Clear,
    /// Encrypted, to a server that has not proved to be the one that was meant.
    Unverified,
    /// Encrypted, to the server that was meant.
    Verified,
}

impl Session {
    /// A session on a connection that was just opened.
    pub fn new() -> Self {
        let greeting = Awaited { what: Expected::Greeting, since: Duration::ZERO, line: Vec::new() };
        Self {
            parser: ReplyParser::default(),
            stage: Stage::Greeting,
            awaited: VecDeque::from([greeting]),
            events: VecDeque::new(),
            transcript: Transcript::default(),
            redactor: Redactor::default(),
            greeting: None,
            capabilities: None,
            greeted: false,
            transaction: Transaction::default(),
            dialogue: None,
            claimed_user: None,
            user: None,
            logins: 0,
            stuffer: None,
            body_bytes: 0,
            content_recorded: false,
            chunk: None,
            line_lengths: LineLengths::default(),
            fate: content::Fate::default(),
            messages_accepted: 0,
            leaving: false,
            last_code: None,
            starting_tls: false,
            security: Security::Clear,
            says_lhlo: false,
            asks_prdr: false,
            lmtp: false,
            answered: Vec::new(),
            hello_name: None,
            greeted_before_tls: false,
            unasked: 0,
        }
    }

    /// The same, and nobody will look at its transcript: it is not kept.
    pub fn without_transcript() -> Self {
        Self { transcript: Transcript::off(), ..Self::new() }
    }

    // ---- sending -------------------------------------------------------------------------------

    /// A command line as typed, without its end. Appends the bytes for the wire to `out`.
    pub fn send(&mut self, now: Duration, line: &[u8], out: &mut Vec<u8>) {
        let command = Command::parse(line);
        if command == Command::Ehlo {
            self.says_lhlo = line.trim_ascii_start().first().is_some_and(|first| first.eq_ignore_ascii_case(&b'L'));
        }
        if matches!(command, Command::Ehlo | Command::Helo) {
            let name = lossy(line).trim().split_once([' ', '\t']).map(|(_, name)| name.trim().to_owned());
            self.hello_name = name.filter(|name| !name.is_empty());
        }
        for secret in redact::miswritten_secrets(line) {
            // Whether it is base64 or was typed as it is, nobody knows: `hunter22` is both.
            self.redactor.add(secret);
            self.redactor.add_encoded(secret);
        }
        self.begin_login(&command, line);
        self.transcript.add_with(now, || What::Sent(redact::command(line).into_owned()));
        match command {
            Command::Bdat { size: size @ 1.., .. } => self.begin_chunk(now, command, size),
            command => {
                if let Command::Mail(_) = command {
                    self.asks_prdr = command::has_parameter(line, b"PRDR");
                }
                self.expect_command(now, command, line);
            }
        }
        push_line(out, line);
    }

    /// An answer within AUTH. Appends the bytes for the wire to `out`, and returns what may be seen of them.
    pub fn answer(&mut self, now: Duration, answer: &Answer, out: &mut Vec<u8>) -> Sent {
        let encoded: Zeroizing<String>;
        let line: &[u8] = match answer {
            Answer::Message(message) => {
                encoded = Zeroizing::new(base64::encode(message.expose()));
                encoded.as_bytes()
            }
            Answer::AsTyped(line) => line.expose(),
            Answer::Cancel => b"*",
        };
        let sent = match &mut self.dialogue {
            Some(dialogue) if !matches!(answer, Answer::Cancel) => dialogue.answered(line),
            _ => Sent { description: None, hidden: None },
        };
        self.redactor.add_sent(&sent, line);
        self.transcript.add(now, sent.hidden.as_ref().map_or_else(|| What::Sent(line.to_vec()), |name| What::SentSecret(name.clone())));
        let mechanism = self.dialogue.as_ref().map(|dialogue| dialogue.mechanism.clone()).unwrap_or_default();
        self.claimed_user = self.dialogue.as_ref().and_then(|dialogue| dialogue.user.clone());
        self.expect(now, Expected::Answer(mechanism));
        if self.stage == Stage::Auth {
            self.stage = self.resting_stage();
        }
        push_line(out, line);
        sent
    }

    /// Between commands.
    fn resting_stage(&self) -> Stage {
        if self.greeted { Stage::Ready } else { Stage::Greeted }
    }

    fn expect_command(&mut self, now: Duration, command: Command, line: &[u8]) {
        match command {
            Command::Bdat { last: true, .. } => self.expect_fate(now, Expected::Command(command)),
            command => self.expect_line(now, Expected::Command(command), line),
        }
    }

    /// Bytes exactly as given, appended to `out`. A reply is expected when they end a line.
    pub fn send_raw(&mut self, now: Duration, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
        let shown =
            if redact::hides(bytes.trim_ascii_end()) { redact::command(bytes.trim_ascii_end()).into_owned() } else { bytes.to_vec() };
        self.transcript.add(now, What::Sent(shown));
        if let Some(chunk) = &mut self.chunk {
            // These are octets that BDAT announced: its reply answers both.
            chunk.left = chunk.left.saturating_sub(bytes.len() as u64);
            if chunk.left == 0 {
                self.end_chunk(now);
            }
            return;
        }
        if bytes.ends_with(b"\n") {
            let line = bytes.trim_ascii_end();
            let command = Command::parse(line);
            let known = !matches!(command, Command::Other(_));
            self.begin_login(&command, line);
            match command {
                Command::Bdat { size: size @ 1.., .. } => self.begin_chunk(now, command, size),
                command if known => self.expect_command(now, command, line),
                _ => self.expect(now, Expected::Raw),
            }
        }
    }

    /// Adds a fact to the transcript.
    pub fn note(&mut self, now: Duration, text: impl Into<String>) {
        self.transcript.add(now, What::Note(text.into()));
    }

    fn expect(&mut self, now: Duration, what: Expected) {
        self.expect_line(now, what, b"");
    }

    fn expect_line(&mut self, now: Duration, what: Expected, line: &[u8]) {
        if self.stage == Stage::Closed {
            // No reply will ever come.
            return;
        }
        self.unasked = 0;
        self.awaited.push_back(Awaited { what, since: now, line: redact::command(line).into_owned() });
    }

    /// AUTH begins a login, whose first answer may stand in the same line.
    fn begin_login(&mut self, command: &Command, line: &[u8]) {
        let Command::Auth { mechanism, .. } = command else { return };
        let response = command::initial_response(line);
        let (dialogue, sent) = Dialogue::begin(mechanism, response);
        if let Some(response) = response {
            self.redactor.add_sent(&sent, response);
        }
        self.claimed_user.clone_from(&dialogue.user);
        self.dialogue = Some(dialogue);
    }

    // ---- what can be asked ---------------------------------------------------------------------

    /// The next thing to tell.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether there is something to tell.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// How far the conversation has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    /// What is waited for, and since when.
    pub fn awaited(&self) -> Option<(&Expected, Duration)> {
        self.awaited.front().map(|awaited| (&awaited.what, awaited.since))
    }

    /// Whether a reply is waited for.
    pub fn is_waiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    fn first_awaited(&self) -> Option<Expected> {
        self.awaited.front().map(|awaited| awaited.what.clone())
    }

    /// The greeting, once it came.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// What the last accepted EHLO offered; `None` before it and after HELO.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// The command line, without secrets, that the reply taken last answers; empty where that was no command.
    pub fn answered_line(&self) -> &[u8] {
        &self.answered
    }

    /// The name in the EHLO, HELO or LHLO that was sent last.
    pub fn hello_name(&self) -> Option<&str> {
        self.hello_name.as_deref()
    }

    /// Whether STARTTLS has begun TLS on a connection on which EHLO or HELO had been accepted: the server has to start
    /// over then (RFC 3207 §4.2).
    pub fn greeted_before_tls(&self) -> bool {
        self.greeted_before_tls
    }

    /// The mail transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The login that was refused, for a last look; its secrets go with it.
    pub fn take_refused_login(&mut self) -> Option<Dialogue> {
        if self.stage == Stage::Auth || self.is_waiting() { None } else { self.dialogue.take() }
    }

    /// The open AUTH dialogue.
    pub fn dialogue(&self) -> Option<&Dialogue> {
        self.dialogue.as_ref().filter(|_| self.stage == Stage::Auth)
    }

    /// Whether the server goes on asking beyond any sense.
    pub fn dialogue_is_endless(&self) -> bool {
        self.dialogue.as_ref().is_some_and(|dialogue| dialogue.steps > MAX_STEPS)
    }

    /// How many logins the server has accepted.
    pub fn logins(&self) -> u32 {
        self.logins
    }

    /// Who is logged in.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The user name of the last login that was tried.
    pub fn claimed_user(&self) -> Option<&str> {
        self.claimed_user.as_deref()
    }

    /// How many messages the server took.
    pub fn messages_accepted(&self) -> u32 {
        self.messages_accepted
    }

    /// Whether something came of a reply that is not whole.
    pub fn is_amid_reply(&self) -> bool {
        self.parser.is_amid_reply()
    }

    /// Whether the handshake is due.
    pub fn is_starting_tls(&self) -> bool {
        self.starting_tls && self.is_open()
    }

    /// How far the connection can be trusted.
    pub fn security(&self) -> Security {
        self.security
    }

    /// Whether the end was agreed: QUIT was answered or the server said 421.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// What was said.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// An answer to a challenge.
#[derive(Debug)]
pub enum Answer {
    /// A message that is still to be encoded.
    Message(Secret<Vec<u8>>),
    /// A line that goes out as it was typed.
    AsTyped(Secret<Vec<u8>>),
    /// `*`: the dialogue is given up.
    Cancel,
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.reserve(line.len() + 2);
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}
