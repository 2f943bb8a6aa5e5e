//! The server's side of SCRAM.

use std::num::NonZeroU32;

use super::message::{Final, First, encode};
use super::{Exchange, Form, MIN_ITERATIONS};
use crate::sasl::{Host, Server, Turn, hash, prep};
use crate::secret::Secret;

/// The server's side.
#[derive(Debug)]
pub(super) struct Checking {
    form: Form,
    /// What the server adds to the nonce, and the salt, where they do not come of the host's random bytes.
    fixed: Option<(String, Vec<u8>)>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    /// Nonce and salt are sent.
    Asked(Asked),
    /// The signature is sent; the user may come in.
    Signed(String),
    Over,
}

#[derive(Debug)]
struct Asked {
    exchange: Exchange,
    /// `p=…` of the client's header.
    flag: String,
    user: String,
    authzid: String,
    nonce: String,
    salt: Vec<u8>,
    text: String,
}

impl Checking {
    pub(super) fn new(form: Form) -> Self {
        Self { form, fixed: None, state: State::Begin }
    }

    /// With an addition to the nonce and a salt that are known beforehand.
    #[cfg(test)]
    pub(super) fn with_nonce(form: Form, addition: &str, salt: &[u8]) -> Self {
        Self { fixed: Some((addition.to_owned(), salt.to_vec())), ..Self::new(form) }
    }

    fn ask(&mut self, message: &[u8], host: &Host) -> Turn {
        let Some(first) = std::str::from_utf8(message).ok().and_then(First::parse) else { return Turn::Malformed };
        if !self.may_bind(first.header.flag, host) {
            return Turn::Refuse;
        }
        let random = || (encode(&host.random[..18]), host.random[18..].to_vec());
        let (addition, salt) = self.fixed.clone().unwrap_or_else(random);
        let nonce = format!("{}{addition}", first.nonce);
        let text = format!("r={nonce},s={},i={MIN_ITERATIONS}", encode(&salt));
        let exchange = Exchange::new(&first);
        let flag = first.header.flag.to_owned();
        self.state =
            State::Asked(Asked { exchange, flag, user: first.user, authzid: first.header.authzid, nonce, salt, text: text.clone() });
        Turn::Challenge(text.into_bytes())
    }

    /// RFC 5802 §6: a binding only in the -PLUS form, and no word of "you offer none" when it is offered.
    fn may_bind(&self, flag: &str, host: &Host) -> bool {
        match flag.strip_prefix("p=") {
            Some(name) => self.form.binds && host.channel.data(name).is_some(),
            None => !self.form.binds && (flag == "n" || !host.offers_binding),
        }
    }

    fn check(&self, asked: &Asked, message: &[u8], host: &Host) -> Result<(String, Vec<u8>), Turn> {
        let last = std::str::from_utf8(message).ok().and_then(Final::parse).ok_or(Turn::Malformed)?;
        let binding = asked.flag.strip_prefix("p=").and_then(|name| host.channel.data(name)).unwrap_or_default();
        let password = Secret::new(prep::prepare("password", host.password.expose()).map_err(|_| Turn::Refuse)?);
        let salted = self.form.hash.salted(password.expose(), &asked.salt, NonZeroU32::MIN.saturating_add(MIN_ITERATIONS - 1));
        let covered = asked.exchange.covered(&asked.text, last.unproved);
        let proof = encode(&self.form.hash.proof(&salted, &covered));
        let bound = last.nonce == asked.nonce && last.unproved.starts_with(&asked.exchange.unproved(binding, &asked.nonce));
        let own = asked.authzid.is_empty() || host.knows(&asked.authzid);
        match host.judge(&asked.user, own && bound && hash::same(last.proof.as_bytes(), proof.as_bytes())) {
            Turn::Accept(user) => Ok((user, self.form.hash.signature(&salted, &covered))),
            refused => Err(refused),
        }
    }
}

impl Server for Checking {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Vec::new()) };
        match std::mem::replace(&mut self.state, State::Over) {
            State::Begin => self.ask(message, host),
            State::Asked(asked) => match self.check(&asked, message, host) {
                Ok((user, mut signature)) => {
                    signature[0] ^= u8::from(host.lies);
                    self.state = State::Signed(user);
                    Turn::Challenge(format!("v={}", encode(&signature)).into_bytes())
                }
                Err(turn) => turn,
            },
            State::Signed(user) if message.is_empty() => Turn::Accept(user),
            State::Signed(_) | State::Over => Turn::Malformed,
        }
    }
}
