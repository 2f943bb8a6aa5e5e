//! The practice server: bytes in, steps out. It has no clock, no socket and delivers nothing.
//!
//! It can be given any bytes, cut anywhere. A [`Character`] says how it speaks, a [`Scenario`] what it
//! does wrong. Mail for [`LOCAL_DOMAINS`] is taken; mail for elsewhere only after a login.

pub mod auth;
pub mod character;
mod content;
mod input;
mod parameters;
mod reply;
pub mod scenario;

use std::collections::BTreeSet;
use std::time::Duration;

use zeroize::Zeroize;

use crate::sasl::Channel;
use crate::wire::{address, dot};
use auth::Dialogue;
use character::Character;
use content::Content;
use input::{Line, PartialLine};
use parameters::{Declared, ParameterError};
use scenario::{At, Quirk, Scenario};

/// The name of the practice server.
pub const NAME: &str = "mail.contoso.test";
/// The domains whose mail it takes, with all below them; its accounts are in the first.
pub const LOCAL_DOMAINS: &[&str] = &["contoso.test", "contoso.com", "contoso.local"];

/// The most recipients of one message, and the most addresses remembered.
const MAX_RECIPIENTS: usize = 1000;
/// The longest address (RFC 5321 §4.5.3.1.3).
const MAX_ADDRESS: usize = 256;
/// How much of an endless reply is made at a time.
const ENDLESS_LINES: usize = 64;

/// What whoever drives the server has to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Wait, reading nothing.
    Pause(Duration),
    /// Begin TLS, then call [`Server::tls_started`]. What else came in plain text is thrown away.
    StartTls,
    /// Close the connection; nothing follows.
    Close,
    /// The same, without TLS' farewell.
    Cut,
}

/// What the server is told of the world.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its own name, [`NAME`] as a rule.
    pub name: String,
    /// The client as an address literal: `[127.0.0.1]`.
    pub client: String,
    /// The moment of the connection (RFC 5322 §3.3): `Mon, 23 Nov 2026 08:19:44 -0700`.
    pub date: String,
    /// The number of the connection, from 0; the names of messages are made from it.
    pub serial: u64,
    /// The moment of the connection again, in milliseconds since 1970; later ones come with
    /// [`Server::set_time`].
    pub now: u64,
    /// Random bytes, fresh for each connection.
    pub random: [u8; 32],
    /// The access token of the practice account.
    pub token: String,
}

/// What the server is told of TLS once it stands.
#[derive(Debug, Clone, Default)]
pub struct TlsFacts {
    /// What a login can be bound to.
    pub channel: Channel,
    /// The user that the client's certificate names.
    pub certificate_user: Option<String>,
}

/// One connection, seen from the server.
#[derive(Debug)]
pub struct Server {
    character: &'static Character,
    quirks: &'static [Quirk],
    facts: Facts,
    mode: Mode,
    line: PartialLine,
    hello: Hello,
    /// What TLS brought; `None` in plain text.
    tls: Option<TlsFacts>,
    /// The mechanisms of AUTH, as far as the connection has what they need.
    offer: Vec<&'static str>,
    /// How many logins were begun.
    logins: u8,
    logged_in: bool,
    transaction: Option<Transaction>,
    /// Addresses that [`Quirk::SayFirst`] has put off.
    put_off: BTreeSet<String>,
    messages: u64,
    steps: Vec<Step>,
}

/// What the next bytes are.
#[derive(Debug)]
enum Mode {
    Command,
    Login(Box<Dialogue>),
    Data {
        /// The line before ended with CRLF, so that a dot can end the message.
        after_crlf: bool,
    },
    Chunk {
        octets: u64,
        left: u64,
        last: bool,
    },
    Endless,
    /// TLS begins.
    Handshake,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hello {
    None,
    Helo,
    Ehlo,
}

/// A message begun by MAIL.
#[derive(Debug, Default)]
struct Transaction {
    /// MAIL said SMTPUTF8.
    utf8: bool,
    recipients: usize,
    content: Content,
    chunked: bool,
}

impl Server {
    /// A server for one new connection.
    pub fn new(character: &'static Character, scenario: Option<&'static Scenario>, facts: Facts) -> Self {
        Self {
            character,
            quirks: scenario.map_or(&[], |scenario| scenario.quirks),
            facts,
            mode: Mode::Command,
            line: PartialLine::default(),
            hello: Hello::None,
            tls: None,
            offer: auth::offer(character, scenario).to_vec(),
            logins: 0,
            logged_in: false,
            transaction: None,
            put_off: BTreeSet::new(),
            messages: 0,
            steps: Vec::new(),
        }
    }

    /// The same server, with these mechanisms of AUTH in its offer and no others.
    #[must_use]
    pub fn offering(mut self, mechanisms: Vec<&'static str>) -> Self {
        self.offer = mechanisms;
        self
    }

    /// The time of what comes next, in milliseconds since 1970.
    pub fn set_time(&mut self, now: u64) {
        self.facts.now = now;
    }

    /// What happens when the connection is made.
    pub fn greet(&mut self) -> Vec<Step> {
        let text = self.objection(At::Greeting, "").unwrap_or(self.character.words.greeting);
        self.say(At::Greeting, text, &[]);
        self.take_steps()
    }

    /// What happens when these bytes come in.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Vec<Step> {
        while !bytes.is_empty() {
            bytes = match self.mode {
                Mode::Closed | Mode::Endless | Mode::Handshake => &[],
                Mode::Chunk { .. } => self.chunk(bytes),
                Mode::Command | Mode::Login(_) | Mode::Data { .. } => self.piece_of_line(bytes),
            };
        }
        self.take_steps()
    }

    /// TLS stands, be it from the first byte or after [`Step::StartTls`]: what the client said in plain
    /// text is forgotten (RFC 3207 §4.2).
    pub fn tls_started(&mut self, tls: TlsFacts) {
        self.mode = Mode::Command;
        self.line = PartialLine::default();
        self.hello = Hello::None;
        self.logged_in = false;
        self.transaction = None;
        self.tls = Some(tls);
    }

    /// What follows once all steps so far are done, without the client saying anything; empty when the
    /// server waits for the client. To be asked until it is empty: an endless reply comes out here.
    pub fn more(&mut self) -> Vec<Step> {
        if matches!(self.mode, Mode::Endless) {
            self.write(b"250-X-AND-SO-ON\r\n".repeat(ENDLESS_LINES));
        }
        self.take_steps()
    }

    /// How long the server waits for the client before [`Server::idle`] is due.
    pub fn idle_limit(&self) -> Option<Duration> {
        let own = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Idle(limit) => Some(*limit),
            _ => None,
        });
        Some(own.unwrap_or(self.character.idle))
    }

    /// What happens when the client has been silent for too long.
    pub fn idle(&mut self) -> Vec<Step> {
        if !matches!(self.mode, Mode::Closed) {
            self.say(At::Other, self.character.words.idle, &[]);
            self.close();
        }
        self.take_steps()
    }

    fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }
}

/// Bytes to commands, content and answers.
impl Server {
    fn piece_of_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.push(bytes);
            return &[];
        };
        self.line.push(&bytes[..end]);
        let mut line = std::mem::take(&mut self.line).finish();
        self.whole_line(&line);
        line.text.zeroize();
        &bytes[end + 1..]
    }

    fn whole_line(&mut self, line: &Line) {
        match std::mem::replace(&mut self.mode, Mode::Command) {
            Mode::Data { after_crlf } => self.data_line(line, after_crlf),
            _ if line.is_too_long() => self.say(At::Other, self.character.words.too_long, &[]),
            Mode::Login(dialogue) => self.answer(*dialogue, &line.text),
            _ => self.command(&line.text),
        }
    }

    /// Only CRLF, dot, CRLF ends a message (RFC 5321 §4.1.1.4): an end that others see elsewhere is a
    /// way to smuggle mail.
    fn data_line(&mut self, line: &Line, after_crlf: bool) {
        let Some(text) = (if after_crlf && line.crlf { dot::unstuff(&line.text) } else { Some(line.text.as_slice()) }) else {
            return self.end_of_message();
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.content.push(text);
            transaction.content.push(if line.crlf { b"\r\n" } else { b"\n" });
            transaction.content.size += (line.length - line.text.len()) as u64;
        }
        self.mode = Mode::Data { after_crlf: line.crlf };
    }

    fn chunk<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Mode::Chunk { octets, left, last } = self.mode else { return bytes };
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if let Some(transaction) = &mut self.transaction {
            transaction.content.push(&bytes[..length]);
        }
        let left = left - length as u64;
        self.mode = Mode::Chunk { octets, left, last };
        if left == 0 {
            self.mode = Mode::Command;
            self.end_of_chunk(octets, last);
        }
        &bytes[length..]
    }

    fn end_of_chunk(&mut self, octets: u64, last: bool) {
        let words = &self.character.words;
        match &self.transaction {
            None => self.say(At::Data, words.data_needs_mail, &[]),
            Some(transaction) if transaction.recipients == 0 => self.say(At::Data, words.data_needs_recipient, &[]),
            Some(_) if last => self.end_of_message(),
            Some(_) => self.say(At::Data, words.chunk_ok, &[("octets", &octets.to_string())]),
        }
    }

    fn end_of_message(&mut self) {
        let content = self.transaction.take().unwrap_or_default().content;
        if content.size > self.character.size {
            return self.say(At::Other, self.character.words.too_large, &[]);
        }
        let id = (self.character.id)(self.facts.serial.wrapping_mul(256).wrapping_add(self.messages));
        self.messages = self.messages.wrapping_add(1);
        let message_id = content.message_id().unwrap_or_else(|| format!("<{id}@{}>", self.name()));
        self.say(At::Other, self.character.words.queued, &[("id", &id), ("message_id", &message_id)]);
    }
}

/// The commands.
impl Server {
    fn command(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        let (verb, argument) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let (verb, argument) = (verb.to_ascii_uppercase(), argument.trim());
        let words = &self.character.words;
        let only_quit = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::OnlyQuit(text) => Some(*text),
            _ => None,
        });
        match (verb.as_str(), only_quit) {
            ("QUIT", _) => self.quit(),
            (_, Some(text)) => self.say(At::Other, text, &[]),
            ("EHLO" | "HELO", _) => self.hello(&verb, argument),
            ("MAIL", _) => self.mail(argument),
            ("RCPT", _) => self.rcpt(argument),
            ("DATA", _) => self.data(argument),
            ("BDAT", _) if self.offers("CHUNKING") => self.bdat(argument),
            ("RSET", _) => self.reset(argument),
            ("NOOP", _) => self.say(At::Noop, words.noop, &[]),
            ("VRFY", _) if argument.is_empty() => self.syntax("VRFY address"),
            ("VRFY", _) => self.say(At::Other, words.verify, &[("address", argument)]),
            ("HELP", _) => self.say(At::Other, words.help, &[]),
            ("AUTH", _) => self.auth(argument),
            ("STARTTLS", _) => self.start_tls(argument),
            ("", _) => self.say(At::Other, words.empty, &[]),
            _ => self.say(At::Other, words.unknown, &[]),
        }
    }

    fn hello(&mut self, verb: &str, name: &str) {
        let words = &self.character.words;
        if name.is_empty() {
            return self.say(At::Hello, words.no_hello_name, &[("verb", verb)]);
        }
        if let Some(text) = self.objection(At::Hello, "") {
            return self.say(At::Hello, text, &[]);
        }
        self.transaction = None;
        if verb == "HELO" {
            self.hello = Hello::Helo;
            return self.say(At::Hello, &format!("250 {}", words.hello), &[]);
        }
        self.hello = Hello::Ehlo;
        if self.quirks.iter().any(|quirk| matches!(quirk, Quirk::EndlessHello)) {
            self.mode = Mode::Endless;
            return self.say(At::Hello, &format!("250-{}", words.hello), &[]);
        }
        self.say(At::Hello, &self.hello_reply(), &[]);
    }

    fn hello_reply(&self) -> String {
        let keywords = self.character.keywords.iter().copied().filter(|line| !(self.tls.is_some() && *line == "STARTTLS"));
        let shown = keywords.filter_map(|line| self.arrives(line));
        let lines: Vec<&str> = std::iter::once(self.character.words.hello).chain(shown).collect();
        let last = lines.len() - 1;
        let coded = lines.iter().enumerate().map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }));
        coded.collect::<Vec<_>>().join("\r\n")
    }

    fn start_tls(&mut self, argument: &str) {
        let words = &self.character.words;
        let refusal = match () {
            () if self.tls.is_some() => Some(words.tls_twice),
            () if !self.offers("STARTTLS") => Some(words.no_tls),
            () if !argument.is_empty() => return self.syntax("STARTTLS"),
            () if self.character.needs_hello && self.hello == Hello::None => Some(words.hello_first),
            () => self.objection(At::StartTls, ""),
        };
        if let Some(text) = refusal {
            return self.say(At::Other, text, &[]);
        }
        self.say(At::StartTls, words.start_tls, &[]);
        if !self.is_silent() && !matches!(self.mode, Mode::Closed) {
            self.mode = Mode::Handshake;
            self.steps.push(Step::StartTls);
        }
    }

    fn mail(&mut self, argument: &str) {
        let words = &self.character.words;
        if self.character.needs_hello && self.hello == Hello::None {
            return self.say(At::Other, words.hello_first, &[]);
        }
        if self.transaction.is_some() {
            return self.say(At::Other, words.nested_mail, &[]);
        }
        let Some(path) = address::path(argument, "FROM") else { return self.syntax("MAIL FROM:<address>") };
        if !path.address.is_empty() && !self.is_address(path.address) {
            return self.say(At::Other, words.bad_sender, &[]);
        }
        let Some(declared) = self.parameters(At::Other, "MAIL", path.parameters) else { return };
        if !path.address.is_ascii() && !declared.utf8 {
            return self.say(At::Other, words.utf8_sender, &[]);
        }
        if declared.size > self.character.size {
            return self.say(At::Other, words.too_large, &[]);
        }
        self.transaction = Some(Transaction { utf8: declared.utf8, ..Transaction::default() });
        self.say(At::Other, words.sender_ok, &[]);
    }

    fn rcpt(&mut self, argument: &str) {
        let words = &self.character.words;
        let Some(transaction) = &self.transaction else { return self.say(At::Rcpt, words.need_mail, &[]) };
        if transaction.chunked {
            return self.say(At::Rcpt, words.after_chunk, &[("verb", "RCPT")]);
        }
        let (full, utf8) = (transaction.recipients >= MAX_RECIPIENTS, transaction.utf8);
        let Some(path) = address::path(argument, "TO") else { return self.syntax("RCPT TO:<address>") };
        let recipient = path.address;
        if !self.is_address(recipient) && !recipient.eq_ignore_ascii_case("postmaster") {
            return self.say(At::Rcpt, words.bad_recipient, &[]);
        }
        if self.parameters(At::Rcpt, "RCPT", path.parameters).is_none() {
            return;
        }
        if !recipient.is_ascii() && !utf8 {
            return self.say(At::Rcpt, words.utf8_recipient, &[]);
        }
        if !self.logged_in && !is_local(recipient) {
            return self.say(At::Rcpt, words.no_relay, &[("address", recipient)]);
        }
        if full {
            return self.say(At::Rcpt, words.too_many, &[]);
        }
        let objection = self.objection(At::Rcpt, recipient);
        if let (None, Some(transaction)) = (objection, &mut self.transaction) {
            transaction.recipients += 1;
        }
        self.say(At::Rcpt, objection.unwrap_or(words.recipient_ok), &[("address", recipient)]);
    }

    /// Reads the parameters of MAIL or RCPT; `None` when they were refused.
    fn parameters(&mut self, at: At, verb: &str, parameters: &str) -> Option<Declared> {
        let words = &self.character.words;
        match parameters::read(verb, parameters, |keyword| self.offers(keyword)) {
            Ok(declared) => return Some(declared),
            Err(ParameterError::NotOffered(parameter)) => self.say(at, words.bad_parameter, &[("parameter", parameter)]),
            Err(ParameterError::BadValue("SIZE")) => self.say(at, words.bad_size, &[]),
            Err(ParameterError::BadValue(name)) if verb == "RCPT" => self.say(at, words.bad_recipient_value, &[("parameter", name)]),
            Err(ParameterError::BadValue(name)) => self.say(at, words.bad_sender_value, &[("parameter", name)]),
        }
        None
    }

    fn data(&mut self, argument: &str) {
        let words = &self.character.words;
        match &self.transaction {
            None => self.say(At::Data, words.data_needs_mail, &[]),
            Some(transaction) if transaction.recipients == 0 => self.say(At::Data, words.data_needs_recipient, &[]),
            Some(transaction) if transaction.chunked => self.say(At::Data, words.after_chunk, &[("verb", "DATA")]),
            Some(_) if !argument.is_empty() => self.syntax("DATA"),
            Some(_) => {
                let objection = self.objection(At::Data, "");
                if objection.is_none() {
                    self.mode = Mode::Data { after_crlf: true };
                }
                self.say(At::Data, objection.unwrap_or(words.go_ahead), &[]);
            }
        }
    }

    /// The bytes that follow a BDAT are read even when there is nothing to take them for.
    fn bdat(&mut self, argument: &str) {
        let mut fields = argument.split_ascii_whitespace();
        let octets = fields.next().and_then(|field| field.parse().ok());
        let last = fields.next();
        let sound = last.is_none_or(|word| word.eq_ignore_ascii_case("LAST")) && fields.next().is_none();
        let (Some(octets), true) = (octets, sound) else { return self.syntax("BDAT count [LAST]") };
        if let Some(transaction) = &mut self.transaction {
            transaction.chunked |= transaction.recipients > 0;
        }
        self.mode = Mode::Chunk { octets, left: octets, last: last.is_some() };
        if octets == 0 {
            self.chunk(&[]);
        }
    }

    fn reset(&mut self, argument: &str) {
        if !argument.is_empty() {
            return self.syntax("RSET");
        }
        self.transaction = None;
        self.say(At::Other, self.character.words.reset, &[]);
    }

    fn quit(&mut self) {
        self.say(At::Other, self.character.words.bye, &[]);
        self.close();
    }
}

/// What the server knows and thinks.
impl Server {
    fn name(&self) -> &str {
        let other = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Name(name) => Some(*name),
            _ => None,
        });
        other.unwrap_or(&self.facts.name)
    }

    fn offers(&self, keyword: &str) -> bool {
        self.keyword(keyword).is_some()
    }

    /// What becomes of a line of the EHLO reply on its way.
    fn arrives(&self, line: &'static str) -> Option<&'static str> {
        if line.starts_with("AUTH ") && self.mechanisms().is_empty() {
            return None;
        }
        let lost = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Keyword(keyword, instead) if *keyword == line => Some(instead),
            _ => None,
        });
        lost.map_or(Some(line), |instead| *instead)
    }

    /// What stands behind a keyword in the EHLO reply.
    fn keyword(&self, name: &str) -> Option<&'static str> {
        let own = self.character.keywords.iter().filter(|line| self.arrives(line) == Some(**line));
        let lines = own.map(|line| line.split_once(' ').unwrap_or((line, "")));
        lines.into_iter().find(|(keyword, _)| *keyword == name).map(|(_, parameters)| parameters)
    }

    fn is_address(&self, text: &str) -> bool {
        let clean = text.len() <= MAX_ADDRESS && !text.chars().any(char::is_control);
        clean && if text.contains('@') { address::domain(text).is_some() } else { self.character.bare_addresses && !text.is_empty() }
    }
}

/// Whether mail for this address ends here. An address without a domain does.
fn is_local(recipient: &str) -> bool {
    let Some(domain) = address::domain(recipient) else { return true };
    let domain = domain.to_ascii_lowercase();
    let is_in = |hosted: &str| domain.strip_suffix(hosted).is_some_and(|below| below.is_empty() || below.ends_with('.'));
    LOCAL_DOMAINS.iter().any(|hosted| is_in(hosted))
}

#[cfg(test)]
mod tests;
