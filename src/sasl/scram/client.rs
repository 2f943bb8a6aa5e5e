//! The client's side of SCRAM.

use std::num::NonZeroU32;

use super::message::{self, Final, First, Outcome, Salting, decode, encode};
use super::{Exchange, Form, MAX_ITERATIONS, few};
use crate::sasl::{Client, Login, Proof, Trouble, gs2, hash, prep};
use crate::secret::Secret;

/// The client's side.
#[derive(Debug)]
pub(super) struct Proving {
    form: Form,
    /// The nonce, where it does not come of the login's random bytes.
    nonce: Option<String>,
    state: State,
    remarks: Vec<String>,
}

#[derive(Debug)]
enum State {
    Begin,
    /// The first message is sent.
    Named(Exchange),
    /// The proof is sent.
    Proved(Expected),
    /// The server has shown its signature, or an error.
    Over(Proof),
}

/// What the server's signature must be.
#[derive(Debug)]
struct Expected {
    covered: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
    /// `None` when the proof was made elsewhere.
    signature: Option<Vec<u8>>,
}

/// The server's first message, checked.
struct Asked<'a> {
    text: &'a str,
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

impl Proving {
    pub(super) fn new(form: Form) -> Self {
        Self { form, nonce: None, state: State::Begin, remarks: Vec::new() }
    }

    /// With a nonce that is known beforehand.
    #[cfg(test)]
    pub(super) fn with_nonce(form: Form, nonce: &str) -> Self {
        Self { nonce: Some(nonce.to_owned()), ..Self::new(form) }
    }

    fn header(&self, login: &Login) -> Result<String, Trouble> {
        let flag = match (self.form.binds, login.channel.binding()) {
            (true, Some((kind, _))) => format!("p={}", kind.name()),
            (true, None) => return Err(Trouble::Impossible(unbound(login))),
            // RFC 5802 §6: "I could, but I see no offer", by which a server notices that the offer was taken out.
            (false, Some(_)) if !login.offers_binding => "y".to_owned(),
            (false, _) => "n".to_owned(),
        };
        Ok(gs2::header(&flag, &login.authzid))
    }

    fn first(&mut self, login: &Login) -> Result<String, Trouble> {
        let header = self.header(login)?;
        let user = prep::prepare("user name", login.known_user()?)?;
        let nonce = self.nonce.clone().unwrap_or_else(|| encode(&login.random[..24]));
        let bare = format!("n={},r={nonce}", gs2::escape(&user));
        let text = format!("{header}{bare}");
        self.state = State::Named(Exchange { header, bare, nonce });
        Ok(text)
    }

    fn prove(&mut self, challenge: &[u8], login: &Login) -> Result<String, Trouble> {
        let State::Named(exchange) = &self.state else { return Err(Trouble::BadChallenge("it comes out of turn")) };
        let asked = Asked::read(challenge, &exchange.nonce)?;
        let binding = binding(&exchange.header, login)?;
        let salted = self.salted(login, &asked.salt, asked.iterations)?;
        let unproved = exchange.unproved(binding, asked.nonce);
        let covered = exchange.covered(asked.text, &unproved);
        let proof = encode(&self.form.hash.proof(&salted, &covered));
        let signature = Some(self.form.hash.signature(&salted, &covered));
        self.remarks.extend(few(asked.iterations.get()));
        self.state = State::Proved(Expected { covered, salt: asked.salt, iterations: asked.iterations, signature });
        Ok(format!("{unproved},p={proof}"))
    }

    fn salted(&self, login: &Login, salt: &[u8], iterations: NonZeroU32) -> Result<Secret<Vec<u8>>, Trouble> {
        // Not `known()`: the user name has gone out already, perhaps typed by hand.
        let secret = login.secret.as_ref().ok_or(Trouble::NeedsSecret)?;
        let password = Secret::new(prep::prepare("password", secret.expose())?);
        Ok(self.form.hash.salted(password.expose(), salt, iterations))
    }

    /// Reads the server's last message; what it is worth is remembered for [`Client::proof`].
    fn conclude(&mut self, challenge: &[u8], login: &Login) -> Result<(), Trouble> {
        let State::Proved(expected) = &self.state else { return Err(Trouble::BadChallenge("it comes out of turn")) };
        let (verdict, sentence) = match std::str::from_utf8(challenge).ok().and_then(Outcome::parse) {
            Some(Outcome::Signature(shown)) => {
                let wanted = match &expected.signature {
                    Some(signature) => signature.clone(),
                    None => self.form.hash.signature(&self.salted(login, &expected.salt, expected.iterations)?, &expected.covered),
                };
                let right = decode(shown).is_some_and(|shown| hash::same(&shown, &wanted));
                (if right { Proof::Given } else { Proof::Failed("its signature is wrong: it does not know the password") }, None)
            }
            Some(Outcome::Error(name)) => (Proof::Failed("it sent an error where its signature belongs"), Some(message::error(name))),
            None => (Proof::Failed("it sent no signature, so that it need not know the password"), None),
        };
        self.state = State::Over(verdict.clone());
        self.remarks.extend(sentence.map(str::to_owned));
        match verdict {
            Proof::Failed(words) if sentence.is_none() => Err(Trouble::NotTheServer(words)),
            _ => Ok(()),
        }
    }
}

impl Client for Proving {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let challenge = challenge.unwrap_or_default();
        let text = match &self.state {
            State::Begin if challenge.is_empty() => self.first(login)?,
            State::Begin => return Err(Trouble::BadChallenge("the client speaks first, so it should be empty")),
            State::Named(_) => self.prove(challenge, login)?,
            State::Proved(_) => self.conclude(challenge, login).map(|()| String::new())?,
            State::Over(_) => return Err(Trouble::BadChallenge("all has been said")),
        };
        Ok(Secret::new(text.into_bytes()))
    }

    fn adopt(&mut self, sent: &[u8], answering: Option<&[u8]>) -> Result<(), Trouble> {
        let unreadable = || Trouble::Impossible("the message sent by hand is not of SCRAM's form".to_owned());
        let text = std::str::from_utf8(sent).map_err(|_| unreadable())?;
        self.state = match &self.state {
            State::Begin => State::Named(Exchange::new(&First::parse(text).ok_or_else(unreadable)?)),
            State::Named(exchange) => {
                let asked = Asked::read(answering.unwrap_or_default(), &exchange.nonce)?;
                let covered = exchange.covered(asked.text, Final::parse(text).ok_or_else(unreadable)?.unproved);
                State::Proved(Expected { covered, salt: asked.salt, iterations: asked.iterations, signature: None })
            }
            State::Proved(_) | State::Over(_) => return Ok(()),
        };
        Ok(())
    }

    fn proof(&self) -> Proof {
        match &self.state {
            State::Over(verdict) => verdict.clone(),
            _ => Proof::Failed("it accepted the login without showing its signature"),
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

impl<'a> Asked<'a> {
    fn read(challenge: &'a [u8], ours: &str) -> Result<Self, Trouble> {
        let text = std::str::from_utf8(challenge).map_err(|_| Trouble::BadChallenge("it is not UTF-8"))?;
        if let Some(Outcome::Error(name)) = Outcome::parse(text) {
            return Err(Trouble::Impossible(format!("the server answers with an error: {}", message::error(name))));
        }
        let asked = Salting::parse(text).ok_or(Trouble::BadChallenge("nonce (r=), salt (s=) and iterations (i=) belong there"))?;
        if !asked.nonce.starts_with(ours) {
            return Err(Trouble::NotTheServer("its nonce does not begin with the client's: it answers somebody else's login"));
        }
        if asked.iterations > MAX_ITERATIONS {
            let sentence =
                format!("the server wants the password hashed more than {MAX_ITERATIONS} times, which would keep this machine busy");
            return Err(Trouble::Impossible(sentence));
        }
        let iterations = NonZeroU32::new(asked.iterations).ok_or(Trouble::BadChallenge("0 iterations are none"))?;
        let salt = decode(asked.salt).filter(|salt| !salt.is_empty()).ok_or(Trouble::BadChallenge("its salt is not base64"))?;
        Ok(Self { text, nonce: asked.nonce, salt, iterations })
    }
}

/// The channel's data for the binding that the gs2 header names.
fn binding<'a>(header: &str, login: &'a Login) -> Result<&'a [u8], Trouble> {
    let flag = header.split(',').next().unwrap_or_default();
    match flag.strip_prefix("p=") {
        Some(name) => {
            login.channel.data(name).ok_or_else(|| Trouble::Impossible(format!("this connection has no {name} to bind the login to")))
        }
        None => Ok(&[]),
    }
}

fn unbound(login: &Login) -> String {
    match login.channel.wanted {
        Some(kind) => format!("the -PLUS form binds the login to the TLS channel, and this connection has no {} for that", kind.name()),
        None => {
            "the -PLUS form binds the login to the TLS channel, and this connection has nothing for that; inside TLS it would".to_owned()
        }
    }
}
