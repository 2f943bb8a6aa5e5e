//! The client's side of DIGEST-MD5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SERVICE;
use super::message::{Answer, Challenge, directives, latin_1};
use crate::sasl::{Client, Login, Proof, Trouble, hash};
use crate::secret::Secret;

/// The client's side.
#[derive(Debug)]
pub(super) struct Answering {
    service: &'static str,
    /// The nonce, where it does not come of the login's random bytes.
    nonce: Option<&'static str>,
    state: State,
    remarks: Vec<String>,
}

#[derive(Debug)]
enum State {
    Begin,
    /// The answer is sent. Its proof by the server is known unless the answer was made elsewhere.
    Answered {
        answer: Answer,
        expected: Option<String>,
    },
    /// The server has shown its proof, or none.
    Over(Proof),
}

impl Default for Answering {
    fn default() -> Self {
        Self { service: SERVICE, nonce: None, state: State::Begin, remarks: Vec::new() }
    }
}

impl Answering {
    /// For another service, and with a nonce that is known beforehand.
    #[cfg(test)]
    pub(super) fn with_nonce(service: &'static str, nonce: &'static str) -> Self {
        Self { service, nonce: Some(nonce), ..Self::default() }
    }

    fn answer(&mut self, challenge: &Challenge, login: &Login) -> Result<Vec<u8>, Trouble> {
        if !challenge.offers_auth {
            return Err(Trouble::Impossible(
                "the server wants the whole session wrapped by DIGEST-MD5 (no qop=auth); TLS does that today".to_owned(),
            ));
        }
        let (user, password) = login.known()?;
        if !challenge.utf8 && [user, password].iter().any(|text| latin_1(text).is_none()) {
            return Err(Trouble::Impossible("the server takes names and passwords in Latin-1 only (no charset=utf-8)".to_owned()));
        }
        let (user, realm) = self.identity(user, &challenge.realms);
        let nonce = self.nonce.map_or_else(|| STANDARD.encode(&login.random[..24]), str::to_owned);
        let answer = Answer {
            user,
            realm,
            nonce: challenge.nonce.clone(),
            cnonce: nonce.into_bytes(),
            count: b"00000001".to_vec(),
            uri: format!("{}/{}", self.service, login.host).into_bytes(),
            authzid: (!login.authzid.is_empty()).then(|| login.authzid.clone().into_bytes()),
            utf8: challenge.utf8,
        };
        let message = answer.compose(&answer.response(password));
        self.state = State::Answered { expected: Some(answer.rspauth(password)), answer };
        Ok(message)
    }

    /// User name and realm: `user@realm` names one that the server offers, else it is the server's first.
    fn identity(&mut self, user: &str, realms: &[Vec<u8>]) -> (String, Option<Vec<u8>>) {
        if let Some((name, realm)) = user.rsplit_once('@').filter(|(name, _)| !name.is_empty())
            && let Some(known) = realms.iter().find(|known| known.eq_ignore_ascii_case(realm.as_bytes()))
        {
            return (name.to_owned(), Some(known.clone()));
        }
        if let [first, _, ..] = realms {
            let first = String::from_utf8_lossy(first);
            self.remarks.push(format!("The server offers {} realms; {first} was taken. USER@REALM takes another.", realms.len()));
        }
        (user.to_owned(), realms.first().cloned())
    }

    /// Reads what follows the answer: the server's proof, or a second challenge where its nonce had expired.
    fn conclude(&mut self, challenge: &[u8], login: &Login) -> Result<Vec<u8>, Trouble> {
        let State::Answered { answer, expected } = &self.state else { return Err(Trouble::BadChallenge("it comes out of turn")) };
        if let Some(again) = Challenge::parse(challenge).ok().filter(|again| again.stale && again.nonce != answer.nonce) {
            self.remarks.push("The server's nonce had expired; the answer was made again with its new one.".to_owned());
            return self.answer(&again, login);
        }
        let shown = directives(challenge).and_then(|all| all.into_iter().find(|(key, _)| key == "rspauth"));
        let verdict = match shown {
            None => Proof::Failed("it sent no proof (rspauth), so that it need not know the password"),
            Some((_, shown)) => {
                let secret = || login.secret.as_ref().ok_or(Trouble::NeedsSecret);
                let wanted = expected.clone().map_or_else(|| Ok(answer.rspauth(secret()?.expose())), Ok)?;
                let right = hash::same(&shown, wanted.as_bytes());
                if right { Proof::Given } else { Proof::Failed("its proof (rspauth) is wrong: it does not know the password") }
            }
        };
        self.state = State::Over(verdict.clone());
        if let Proof::Failed(words) = verdict { Err(Trouble::NotTheServer(words)) } else { Ok(Vec::new()) }
    }
}

impl Client for Answering {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let challenge = challenge.unwrap_or_default();
        let message = match &self.state {
            State::Begin => self.answer(&Challenge::parse(challenge).map_err(Trouble::BadChallenge)?, login)?,
            State::Answered { .. } => self.conclude(challenge, login)?,
            State::Over(_) => return Err(Trouble::BadChallenge("all has been said")),
        };
        Ok(Secret::new(message))
    }

    fn adopt(&mut self, sent: &[u8], _answering: Option<&[u8]>) -> Result<(), Trouble> {
        if matches!(self.state, State::Begin) {
            let unreadable = || Trouble::Impossible("the answer sent by hand is not of DIGEST-MD5's form".to_owned());
            self.state = State::Answered { answer: Answer::parse(sent).ok_or_else(unreadable)?.0, expected: None };
        }
        Ok(())
    }

    fn proof(&self) -> Proof {
        match &self.state {
            State::Over(verdict) => verdict.clone(),
            _ => Proof::Failed("it accepted the login without its proof (rspauth)"),
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}
