//! The server's side of DIGEST-MD5.

use super::SERVICE;
use super::message::Answer;
use crate::sasl::{Host, Server, Turn, hash};

/// The server's side.
#[derive(Debug)]
pub(super) struct Asking {
    service: &'static str,
    /// The nonce, where it does not come of the host's random bytes.
    fixed: Option<&'static str>,
    state: State,
}

#[derive(Debug)]
enum State {
    Begin,
    /// The challenge with this nonce is sent.
    Asked(String),
    /// The proof is sent; the user may come in.
    Proved(String),
    Over,
}

impl Default for Asking {
    fn default() -> Self {
        Self { service: SERVICE, fixed: None, state: State::Begin }
    }
}

impl Asking {
    /// For another service, and with a nonce that is known beforehand.
    #[cfg(test)]
    pub(super) fn with_nonce(service: &'static str, nonce: &'static str) -> Self {
        Self { service, fixed: Some(nonce), ..Self::default() }
    }

    fn ask(&mut self, host: &Host) -> Turn {
        let nonce = self.fixed.map_or_else(|| hash::hex(&host.random[..16]), str::to_owned);
        let challenge = format!("realm=\"{}\",nonce=\"{nonce}\",qop=\"auth\",algorithm=md5-sess,charset=utf-8", host.domain);
        self.state = State::Asked(nonce);
        Turn::Challenge(challenge.into_bytes())
    }

    fn check(&mut self, nonce: &str, message: &[u8], host: &Host) -> Turn {
        let Some((answer, response)) = Answer::parse(message) else { return Turn::Malformed };
        let realm = answer.realm.as_ref().is_none_or(|realm| realm.is_empty() || realm == host.domain.as_bytes());
        let uri = answer.uri.strip_prefix(self.service.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        let fresh = answer.nonce == nonce.as_bytes() && answer.count == b"00000001" && !answer.cnonce.is_empty();
        let own = answer.authzid.as_ref().is_none_or(|name| host.knows(&String::from_utf8_lossy(name)));
        let password = host.password.expose();
        let right = realm && uri && fresh && own && hash::same(&response, answer.response(password).as_bytes());
        match host.judge(&answer.user, right) {
            Turn::Accept(user) => {
                let mut proof = answer.rspauth(password);
                if host.lies {
                    proof = proof.chars().rev().collect();
                }
                self.state = State::Proved(user);
                Turn::Challenge(format!("rspauth={proof}").into_bytes())
            }
            turn => turn,
        }
    }
}

impl Server for Asking {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        match (std::mem::replace(&mut self.state, State::Over), message) {
            (State::Begin, None) => self.ask(host),
            (State::Asked(nonce), Some(message)) => self.check(&nonce, message, host),
            (State::Proved(user), Some(b"")) => Turn::Accept(user),
            _ => Turn::Malformed,
        }
    }
}
