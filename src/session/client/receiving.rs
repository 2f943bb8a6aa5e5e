//! What the server's bytes do to the session.

use std::time::Duration;

use super::{Awaited, MAX_UNASKED, Security, Session, Stage, Transaction};
use crate::session::dialogue::Dialogue;
use crate::session::event::{Ending, Event, Expected};
use crate::session::judgement::Judgement;
use crate::session::transcript::What;
use crate::wire::command::{self, Command};
use crate::wire::dot::Stuffer;
use crate::wire::foreign;
use crate::wire::keyword::Capabilities;
use crate::wire::line_length::LineLengths;
use crate::wire::reply::{Received, Reply, ReplyParser};

impl Session {
    /// Takes what was received, at any cut.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        self.parser.push(bytes);
        while self.stage != Stage::Closed && !self.starting_tls {
            match self.parser.next_received() {
                Ok(Some(received)) => {
                    self.take(now, received);
                    if self.unasked > MAX_UNASKED {
                        self.end(now, Ending::Flood);
                    }
                }
                Ok(None) => break,
                Err(kind) => {
                    let partial = self.partial().into_iter().take(5).map(|line| line[..line.len().min(200)].to_vec()).collect();
                    self.end(now, Ending::TooLong { kind, partial });
                }
            }
        }
    }

    /// STARTTLS was accepted, and the handshake is due. Returns what came in plain text behind the 220:
    /// anything but nothing is an attack or a broken server (RFC 3207 §6, P17).
    pub fn take_injected(&mut self) -> Vec<u8> {
        let injected = self.parser.partial();
        let lines: Vec<&[u8]> = injected.iter().map(Vec::as_slice).collect();
        self.redactor.clean(&lines, true).unwrap_or(injected).concat()
    }

    /// The connection is encrypted from now on: what was learnt before is forgotten (RFC 3207 §4.2).
    /// `trusted`: the server has proved to be the one that was meant.
    pub fn tls_started(&mut self, now: Duration, trusted: bool) {
        self.note(now, if trusted { "encrypted, server verified" } else { "encrypted, server not verified" });
        self.security = if trusted { Security::Verified } else { Security::Unverified };
        if std::mem::take(&mut self.starting_tls) {
            self.stage = Stage::Greeted;
        }
        self.parser = ReplyParser::default();
        self.capabilities = None;
        self.greeted_before_tls = std::mem::take(&mut self.greeted);
        self.transaction = Transaction::default();
        self.dialogue = None;
        self.user = None;
    }

    /// The server closed the connection.
    pub fn received_end(&mut self, now: Duration) {
        let announced = self.leaving && self.awaited.is_empty();
        let ending = Ending::Closed { partial: self.partial(), awaited: self.first_awaited(), announced };
        self.end(now, ending);
    }

    /// The operating system, or TLS, reports a failure of the connection.
    pub fn lost(&mut self, now: Duration, reason: String, by_tls: bool) {
        if self.leaving && self.awaited.is_empty() {
            // After the farewell it does not matter how the connection ends (P12, P22).
            self.received_end(now);
            return;
        }
        let ending = Ending::Lost { reason, by_tls, partial: self.partial(), awaited: self.first_awaited() };
        self.end(now, ending);
    }

    /// The limit for a reply, or for the server to read on, has passed.
    pub fn timed_out(&mut self, now: Duration, after: Duration) {
        let ending = Ending::TimedOut { awaited: self.first_awaited(), after, partial: self.partial() };
        self.end(now, ending);
    }

    /// We close the connection.
    pub fn close(&mut self, now: Duration) {
        self.end(now, Ending::ClosedByUs);
    }

    fn partial(&self) -> Vec<Vec<u8>> {
        let partial = self.parser.partial();
        let lines: Vec<&[u8]> = partial.iter().map(Vec::as_slice).collect();
        self.redactor.clean(&lines, true).unwrap_or(partial)
    }

    fn end(&mut self, now: Duration, ending: Ending) {
        if self.stage == Stage::Closed {
            return;
        }
        self.stage = Stage::Closed;
        self.awaited.clear();
        self.dialogue = None;
        self.stuffer = None;
        self.chunk = None;
        self.note(now, "connection closed");
        self.events.push_back(Event::Ended(ending));
    }

    fn take(&mut self, now: Duration, received: Received) {
        match received {
            Received::Blank => {
                self.unasked += 1;
                self.transcript.add(now, What::Stray(Vec::new()));
            }
            Received::Stray(line) => {
                let line = self.redactor.clean(&[&line], false).map_or(line, |lines| lines.concat());
                self.transcript.add(now, What::Stray(line.clone()));
                let to = self.awaited.pop_front().map(|awaited| awaited.what);
                self.unasked += u32::from(to.is_none());
                if to == Some(Expected::Greeting) {
                    self.stage = Stage::Greeted;
                }
                self.events.push_back(Event::Stray { foreign: foreign::guess(&line), line, to });
            }
            Received::Reply(received) => {
                let clean = self.redactor.clean_reply(&received);
                // A challenge is answered as it came: no word of it may be missing.
                let as_received = clean.is_some().then(|| received.first_text().to_vec());
                let reply = clean.unwrap_or(received);
                self.transcript.add_with(now, || What::Received(reply.clone()));
                self.leaving |= reply.has_code(421) || reply.has_code(221);
                let again = self.says_again(&reply);
                self.last_code = Some(reply.code);
                let awaited = if again { None } else { self.awaited.pop_front().or_else(|| self.early_answer(&reply)) };
                match awaited {
                    None => {
                        self.unasked += 1;
                        self.events.push_back(Event::Unsolicited(reply));
                    }
                    Some(Awaited { what, since, line }) => {
                        self.answered = line;
                        let judgement = what.judge(&reply);
                        self.apply(now, &what, &reply, judgement);
                        self.apply_auth(&what, as_received.as_deref().unwrap_or(reply.first_text()), as_received.is_some(), judgement);
                        self.events.push_back(Event::Reply { reply, to: what, judgement, took: now.saturating_sub(since) });
                    }
                }
            }
        }
    }

    /// A login is refused a second time where the reply to QUIT is due: 535 is for AUTH alone (RFC 4954 §6), so the
    /// farewell is still to come.
    fn says_again(&self, reply: &Reply) -> bool {
        let quits = self.awaited.front().is_some_and(|awaited| awaited.what == Expected::Command(Command::Quit));
        quits && reply.has_code(535) && self.last_code == Some(reply.code)
    }

    /// BDAT may be refused before its octets are out; no success can come that early.
    fn early_answer(&mut self, reply: &Reply) -> Option<Awaited> {
        if !reply.is_refusal() {
            return None;
        }
        let chunk = self.chunk.take()?;
        self.stage = self.resting_stage();
        Some(Awaited { what: Expected::Command(chunk.command), since: chunk.since, line: Vec::new() })
    }

    fn apply(&mut self, now: Duration, to: &Expected, reply: &Reply, judgement: Judgement) {
        match to {
            Expected::Greeting => {
                self.stage = Stage::Greeted;
                self.greeting = Some(reply.clone());
            }
            Expected::Command(Command::Bdat { last: true, .. }) if judgement == Judgement::Done => self.apply_fate(now, to, judgement),
            Expected::Command(command) => self.apply_command(command, reply, judgement),
            Expected::FinalDot | Expected::PrdrDot | Expected::Verdict(_) => self.apply_fate(now, to, judgement),
            Expected::Answer(_) | Expected::Raw => {}
        }
    }

    fn apply_command(&mut self, command: &Command, reply: &Reply, judgement: Judgement) {
        let success = judgement == Judgement::Done;
        match command {
            Command::Ehlo | Command::Helo if success => {
                let extended = *command == Command::Ehlo;
                self.lmtp = extended && self.says_lhlo;
                self.capabilities = extended.then(|| Capabilities::from_reply(reply));
                self.greeted = true;
                self.transaction = Transaction::default();
                self.stage = Stage::Ready;
            }
            Command::Mail(sender) if success => {
                let sender = Some(sender.clone().unwrap_or_default());
                self.line_lengths = LineLengths::default();
                let declares_utf8 = command::has_parameter(&self.answered, b"SMTPUTF8");
                self.transaction = Transaction { sender, prdr: self.asks_prdr, declares_utf8, ..Transaction::default() };
            }
            // What cannot be read as an address is no recipient, unless the server takes it for one.
            Command::Rcpt(None) if !success => {}
            Command::Rcpt(recipient) => {
                let recipient = recipient.clone().unwrap_or_default();
                if success {
                    self.transaction.accepted.push(recipient);
                } else if judgement == Judgement::Refused {
                    self.transaction.refused.push(recipient);
                }
            }
            Command::Bdat { .. } if judgement == Judgement::Refused => {
                self.transaction.chunk_refused = true;
                self.transaction.chunks_begun = false;
            }
            Command::Bdat { last: false, .. } if success => self.transaction.chunks_begun = true,
            Command::Data if judgement == Judgement::Continue => {
                self.stuffer = Some(Stuffer::default());
                self.body_bytes = 0;
                self.line_lengths = LineLengths::default();
                self.stage = Stage::Message;
            }
            Command::Rset if success => self.transaction = Transaction::default(),
            Command::Quit => self.leaving = true,
            Command::StartTls if success && self.security == Security::Clear => self.starting_tls = true,
            _ => {}
        }
    }

    /// What a reply to AUTH, or within it, does to the login.
    ///
    /// `text`: of its first line, as it came. `holds_secret`: it gives back what was sent, and cannot be shown so.
    fn apply_auth(&mut self, to: &Expected, text: &[u8], holds_secret: bool, judgement: Judgement) {
        let (Expected::Answer(mechanism) | Expected::Command(Command::Auth { mechanism, .. })) = to else { return };
        if judgement == Judgement::Continue {
            let dialogue = self.dialogue.get_or_insert_with(|| Dialogue::begin(mechanism, None).0);
            dialogue.challenged(text, holds_secret);
            self.stage = Stage::Auth;
        } else if judgement == Judgement::Done {
            self.logins += 1;
            self.user = Some(self.claimed_user.clone().unwrap_or_else(|| mechanism.to_ascii_lowercase()));
            self.dialogue = None;
        }
    }
}
