//! One AUTH dialogue: base64 around the server's side of a mechanism, and what a scenario does to it.

use super::super::scenario::Quirk;
use crate::sasl::{self, Host, Mechanism};
use crate::secret::Secret;
use crate::wire::base64;

/// How many challenges a login may have; no mechanism needs more.
pub(super) const MAX_CHALLENGES: usize = 20;

/// What the server does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asks, with this behind the 334.
    Ask(String),
    /// Lets the user in.
    Accept,
    /// Refuses.
    Refuse,
    /// Refuses what is not base64.
    Undecodable,
    /// Refuses an initial response: there is nothing yet to respond to.
    Unexpected,
}

/// An AUTH dialogue under way.
#[derive(Debug)]
pub(in crate::session::server) struct Dialogue {
    mechanism: &'static Mechanism,
    make: fn() -> Box<dyn sasl::Server>,
    server: Box<dyn sasl::Server>,
    host: Host,
    quirks: &'static [Quirk],
    /// What stands behind the 334 that only tells the client to begin.
    opening: &'static str,
    /// How many challenges came before the next one.
    challenges: usize,
    /// The password is asked for before the user, and kept until the user is known.
    password_first: bool,
    password: Option<Secret<Vec<u8>>>,
}

impl Dialogue {
    /// Begins a dialogue; `None` for a mechanism that cannot be played.
    pub(super) fn new(mechanism: &'static Mechanism, host: Host, quirks: &'static [Quirk], opening: &'static str) -> Option<Self> {
        let make = mechanism.server?;
        let password_first = mechanism.name == "LOGIN" && quirks.iter().any(|quirk| matches!(quirk, Quirk::PasswordFirst));
        Some(Self { mechanism, make, server: make(), host, quirks, opening, challenges: 0, password_first, password: None })
    }

    /// The first turn; `=` is an empty initial response (RFC 4954 §4).
    pub(super) fn open(&mut self, initial_response: Option<&str>) -> Turn {
        let Some(response) = initial_response else {
            let turn = self.begin();
            return self.turn(turn);
        };
        let Some(message) = decode(if response == "=" { b"" } else { response.as_bytes() }) else { return Turn::Undecodable };
        // It answers the challenge that is not sent.
        self.challenges = 1;
        self.password_first = false;
        let begun = self.begin();
        if !self.takes_initial_response(&begun) {
            return Turn::Unexpected;
        }
        let turn = self.feed(message);
        self.turn(turn)
    }

    /// The turn after an answer.
    pub(super) fn answer(&mut self, line: &[u8]) -> Turn {
        let Some(message) = decode(line) else { return Turn::Undecodable };
        let turn = self.feed(message);
        self.turn(turn)
    }

    /// Where the server has something to say first there is nothing to respond to (RFC 4954 §4); but many
    /// servers take the user name of LOGIN.
    fn takes_initial_response(&self, begun: &sasl::Turn) -> bool {
        self.mechanism.name == "LOGIN" || matches!(begun, sasl::Turn::Challenge(challenge) if challenge.is_empty())
    }

    fn begin(&mut self) -> sasl::Turn {
        self.server = (self.make)();
        if self.mechanism.client_first {
            return sasl::Turn::Challenge(Vec::new());
        }
        let first = self.server.step(None, &self.host);
        if self.password_first { sasl::Turn::Challenge(b"Password:".to_vec()) } else { first }
    }

    fn feed(&mut self, message: Secret<Vec<u8>>) -> sasl::Turn {
        if self.password_first && self.password.is_none() {
            self.password = Some(message);
            return sasl::Turn::Challenge(b"Username:".to_vec());
        }
        let turn = self.server.step(Some(message.expose()), &self.host);
        match self.password.take() {
            Some(password) => self.server.step(Some(password.expose()), &self.host),
            None => turn,
        }
    }

    fn turn(&mut self, turn: sasl::Turn) -> Turn {
        let forever = self.has(|quirk| matches!(quirk, Quirk::PromptsForever));
        match turn {
            sasl::Turn::Challenge(challenge) if forever || self.challenges < MAX_CHALLENGES => self.ask(&challenge),
            sasl::Turn::Challenge(_) => Turn::Refuse,
            _ if forever => match self.begin() {
                sasl::Turn::Challenge(challenge) => self.ask(&challenge),
                _ => Turn::Refuse,
            },
            sasl::Turn::Accept(_) if !self.has(|quirk| matches!(quirk, Quirk::NoLogin)) => Turn::Accept,
            _ => Turn::Refuse,
        }
    }

    fn ask(&mut self, challenge: &[u8]) -> Turn {
        let at = self.challenges;
        self.challenges += 1;
        let other = self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Challenge { of, number, text } if of.is_none_or(|name| name == self.mechanism.name) => {
                number.is_none_or(|number| number == at).then_some(*text)
            }
            _ => None,
        });
        let opening = challenge.is_empty().then_some(self.opening);
        Turn::Ask(other.or(opening).map_or_else(|| base64::encode(challenge), str::to_owned))
    }

    fn has(&self, what: impl Fn(&Quirk) -> bool) -> bool {
        self.quirks.iter().any(what)
    }
}

fn decode(text: &[u8]) -> Option<Secret<Vec<u8>>> {
    let decoded = base64::decode(text).ok()?;
    let message = Secret::new(decoded.bytes);
    decoded.oddities.is_empty().then_some(message)
}
