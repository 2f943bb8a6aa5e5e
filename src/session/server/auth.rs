//! The server's side of AUTH (RFC 4954): any mechanism of `sasl` that has one, in base64, for the one
//! account, and what a scenario does to it.

use super::character::Character;
use super::scenario::{At, Quirk, Scenario};
use super::{Facts, Hello, LOCAL_DOMAIN, Mode, Server, TlsFacts};
use crate::sasl::{self, Host, Mechanism, Needs};
use crate::secret::Secret;
use crate::wire::base64;

/// The user names of the practice account, in any case: all mean the same user.
pub const USERS: &[&str] = &["logon", "logon@contoso.test", r"CONTOSO\logon"];
/// The password of the practice account.
pub const PASSWORD: &str = "My simple password";

/// How many challenges a login may have; no mechanism needs more.
pub(super) const MAX_CHALLENGES: usize = 20;

/// The names of the mechanisms that can be offered, in the order of the table.
pub fn playable() -> impl Iterator<Item = &'static str> {
    sasl::MECHANISMS.iter().filter(|mechanism| mechanism.server.is_some()).map(|mechanism| mechanism.name)
}

/// The mechanisms that a server of this manner and with this fault offers.
pub fn offer(character: &Character, scenario: Option<&Scenario>) -> &'static [&'static str] {
    let other = scenario.and_then(|scenario| {
        scenario.quirks.iter().find_map(|quirk| match quirk {
            Quirk::Mechanisms(names) => Some(*names),
            _ => None,
        })
    });
    other.unwrap_or(character.mechanisms)
}

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
pub(super) struct Dialogue {
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

/// The command and the answers.
impl Server {
    pub(super) fn auth(&mut self, argument: &str) {
        let words = &self.character.words;
        let refusal = match () {
            () if self.hello != Hello::Ehlo => Some(words.hello_first),
            () if self.transaction.is_some() => Some(words.auth_in_mail),
            () if self.logged_in => Some(words.auth_twice),
            () if !self.offers("AUTH") => Some(words.no_auth),
            () => self.wants_tls(),
        };
        if let Some(text) = refusal {
            return self.say(At::Other, text, &[]);
        }
        let mut fields = argument.split_ascii_whitespace();
        match (fields.next(), fields.next(), fields.next()) {
            (Some(mechanism), initial_response, None) => self.login(mechanism, initial_response),
            _ => self.syntax("AUTH mechanism"),
        }
    }

    fn login(&mut self, mechanism: &str, initial_response: Option<&str>) {
        let offered = self.mechanisms().iter().any(|name| name.eq_ignore_ascii_case(mechanism));
        let known = if offered { sasl::lookup(mechanism) } else { None };
        if let Some(text) = self.login_objection(mechanism, initial_response.is_some()) {
            return self.say(At::Other, text, &[]);
        }
        let Some(mut dialogue) = known.and_then(|known| Dialogue::new(known, self.host(), self.quirks, self.opening(known.name))) else {
            return self.say(At::Other, self.character.words.no_mechanism, &[]);
        };
        let turn = dialogue.open(initial_response);
        self.login_turn(dialogue, turn);
    }

    pub(super) fn answer(&mut self, mut dialogue: Dialogue, line: &[u8]) {
        if line == b"*" {
            return self.say(At::Other, self.character.words.auth_cancelled, &[]);
        }
        let turn = dialogue.answer(line);
        self.login_turn(dialogue, turn);
    }

    fn login_turn(&mut self, dialogue: Dialogue, turn: Turn) {
        let words = &self.character.words;
        match turn {
            Turn::Ask(prompt) => {
                self.mode = Mode::Login(Box::new(dialogue));
                self.say(At::Other, "334 {prompt}", &[("prompt", &prompt)]);
            }
            Turn::Accept => {
                self.logged_in = true;
                self.say(At::Other, words.auth_ok, &[]);
            }
            Turn::Refuse => self.say(At::Other, words.auth_failed, &[]),
            Turn::Undecodable => self.say(At::Other, words.auth_undecodable, &[]),
            Turn::Unexpected => self.syntax("AUTH mechanism"),
        }
    }
}

/// What is offered, and what a login is judged by.
impl Server {
    /// The mechanisms of the offer, in its order.
    pub(super) fn mechanisms(&self) -> Vec<&'static str> {
        let hidden = self.tls.is_none() && self.quirks.iter().any(|quirk| matches!(quirk, Quirk::AuthInTls));
        self.offer.iter().copied().filter(|name| !hidden && self.has_what_it_needs(name)).collect()
    }

    /// A mechanism with channel binding needs a channel, and EXTERNAL a certificate.
    fn has_what_it_needs(&self, name: &str) -> bool {
        let bound = self.tls.as_ref().is_some_and(|tls| tls.channel.binding().is_some());
        let named = self.tls.as_ref().is_some_and(|tls| tls.certificate_user.is_some());
        let certificate = sasl::lookup(name).is_some_and(|known| known.needs == Needs::Certificate);
        (bound || !binds(name)) && (named || !certificate)
    }

    fn opening(&self, mechanism: &str) -> &'static str {
        let openings = self.character.openings;
        openings.iter().find(|(name, _)| *name == mechanism).map_or("", |(_, text)| text)
    }

    fn wants_tls(&self) -> Option<&'static str> {
        let clear = self.tls.is_none();
        self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::AuthNeedsTls(text) if clear => Some(*text),
            _ => None,
        })
    }

    /// What the scenario has against this AUTH command.
    fn login_objection(&self, mechanism: &str, initial_response: bool) -> Option<&'static str> {
        let first = self.mechanisms().first().is_some_and(|first| first.eq_ignore_ascii_case(mechanism));
        self.quirks.iter().find_map(|quirk| match quirk {
            Quirk::FirstUnusable(text) if first => Some(*text),
            Quirk::NoInitialResponse(text) if initial_response => Some(*text),
            _ => None,
        })
    }

    pub(super) fn host(&mut self) -> Host {
        let has = |what: fn(&Quirk) -> bool| self.quirks.iter().any(what);
        // A wrong password must go wrong in the mechanism, which may tell the client so.
        let wrong = if has(|quirk| matches!(quirk, Quirk::NoLogin)) { "not " } else { "" };
        let lies = has(|quirk| matches!(quirk, Quirk::Lies));
        let Facts { mut random, now, .. } = self.facts;
        random[0] ^= self.logins;
        self.logins = self.logins.wrapping_add(1);
        let TlsFacts { channel, certificate_user } = self.tls.clone().unwrap_or_default();
        Host {
            name: self.name().to_owned(),
            domain: LOCAL_DOMAIN.to_owned(),
            users: USERS.iter().map(|&user| user.to_owned()).collect(),
            password: Secret::new(format!("{wrong}{PASSWORD}")),
            token: Secret::new(format!("{wrong}{}", self.facts.token)),
            certificate_user,
            random,
            now,
            channel,
            offers_binding: self.mechanisms().iter().any(|name| binds(name)),
            lies,
        }
    }
}

/// Whether a mechanism binds the login to the channel, by its name (RFC 5802 §4).
fn binds(mechanism: &str) -> bool {
    mechanism.ends_with("-PLUS")
}
