//! The server's side of AUTH (RFC 4954): what is offered, the command and its answers, for the one account.

mod dialogue;

use super::character::Character;
use super::scenario::{At, Quirk, Scenario};
use super::{Facts, Hello, LOCAL_DOMAINS, Mode, Server, TlsFacts};
use crate::sasl::{self, Host, Needs};
use crate::secret::Secret;
use dialogue::Turn;

pub(super) use dialogue::Dialogue;

/// The user names of the practice account, in any case: all mean the same user.
pub const USERS: &[&str] = &["logon", "logon@contoso.test", r"CONTOSO\logon"];
/// The password of the practice account.
pub const PASSWORD: &str = "My simple password";

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
            domain: LOCAL_DOMAINS[0].to_owned(),
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

#[cfg(test)]
mod tests;
