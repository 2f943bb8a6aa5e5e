//! NTLM (MS-SMTPNTLM, MS-NLMP): negotiate, challenge, authenticate.
//!
//! The client answers the first challenge, whatever it says, with the negotiate message; it needs the
//! user and the password only for the third. Neither side signs or seals: SMTP asks for the login alone.

mod description;
mod message;
mod response;
mod server;

use super::{ByHand, Client, Exposure, Login, Mechanism, Needs, Trouble, Typed, hash};
use crate::secret::Secret;
use message::{Authenticate, Challenge, MIC, Negotiate, flag, pair};

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "NTLM",
    source: "MS-SMTPNTLM, MS-NLMP",
    summary: "answers a Windows challenge with the password's hash",
    by_hand: ByHand::Binary,
    needs: Needs::Password,
    client_first: false,
    exposes: Exposure::GuessesAndRelay,
    typed: &[&[Typed::Message], &[Typed::Message]],
    acknowledge: None,
    rank: 25,
    client: || Box::new(Answering::default()),
    server: Some(|| Box::new(server::Asking::default())),
    describe: description::describe,
};

/// What the client offers.
const OFFERED: u32 = flag::UNICODE | flag::OEM | flag::REQUEST_TARGET | flag::NTLM | flag::ALWAYS_SIGN | flag::SESSION_SECURITY;

const TOO_LONG: &str = "a name or the target information is too long for an NTLM message";
const NO_TARGET: &str = "The server's challenge has no target information, so the answer is NTLMv1";
/// What a challenge lacks that asks for the first version.
const WANTS_V1: &str = "its challenge has no target information";
const WANTS_OLDEST: &str = "its challenge has neither target information nor extended session security";

/// The client's side.
#[derive(Debug, Default)]
struct Answering {
    /// The first message as it went out: the MIC covers it.
    negotiate: Option<Vec<u8>>,
    authenticated: bool,
    remarks: Vec<String>,
}

impl Client for Answering {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let Some(negotiate) = self.negotiate.clone() else {
            let first = message::negotiate(OFFERED);
            self.negotiate = Some(first.clone());
            return Ok(Secret::new(first));
        };
        if self.authenticated {
            return Err(Trouble::BadChallenge("the login was complete"));
        }
        let raw = challenge.ok_or(Trouble::BadChallenge("it is missing"))?;
        let challenge = Challenge::read(raw).map_err(Trouble::BadChallenge)?;
        let answer = self.answer(&negotiate, &challenge, raw, login)?;
        self.authenticated = true;
        Ok(answer)
    }

    fn reads_challenge(&self) -> bool {
        self.negotiate.is_some()
    }

    fn adopt(&mut self, sent: &[u8], _answering: Option<&[u8]>) -> Result<(), Trouble> {
        if sent.is_empty() && self.negotiate.is_none() {
            return Ok(());
        }
        if self.negotiate.is_some() && Authenticate::read(sent).is_ok() {
            self.authenticated = true;
            return Ok(());
        }
        Negotiate::read(sent).map_err(|why| Trouble::Impossible(format!("what was sent is no NTLM message: {why}")))?;
        self.negotiate = Some(sent.to_vec());
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }
}

impl Answering {
    /// The third message.
    fn answer(&mut self, negotiate: &[u8], challenge: &Challenge<'_>, raw: &[u8], login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let flags = agreed(negotiate, challenge.flags);
        // Before anybody is asked for a password that would not be sent (P47).
        if challenge.pairs.is_empty() && !login.ntlm_v1 {
            let oldest = flags & flag::SESSION_SECURITY == 0;
            return Err(Trouble::NtlmV1(if oldest { WANTS_OLDEST } else { WANTS_V1 }));
        }
        let (name, password) = login.known()?;
        let hash = response::nt_hash(password);
        let (domain, user) = name_parts(name, &challenge.target);
        let bare = Authenticate { flags, domain, user, workstation: login.workstation.clone(), ..Authenticate::default() };
        self.note_code_page(&bare);
        if challenge.pairs.is_empty() {
            let answered = self.version_one(bare, &hash, challenge.nonce, &login.random);
            return answered.encode().map(Secret::new).ok_or_else(too_long);
        }
        let (answered, session_key) = version_two(bare, &hash, challenge, login).ok_or_else(too_long)?;
        let mut message = answered.encode().ok_or_else(too_long)?;
        let mic = response::mic(session_key.expose(), &[negotiate, raw, &message]);
        message[MIC].copy_from_slice(&mic);
        Ok(Secret::new(message))
    }

    /// NTLMv1, of two bad forms the one that is agreed on. The LM response would give away even more.
    fn version_one<'a>(&mut self, bare: Authenticate<'a>, hash: &Hash, nonce: [u8; 8], random: &[u8; 32]) -> Authenticate<'a> {
        let risk = "it is weak, since whoever records it can compute the password's hash";
        if bare.flags & flag::SESSION_SECURITY == 0 {
            self.remarks.push(format!("{NO_TARGET}: {risk}."));
            let nt = response::version_one(hash, nonce).to_vec();
            return Authenticate { lm: nt.clone().into(), nt: nt.into(), ..bare };
        }
        self.remarks.push(format!("{NO_TARGET} with extended session security: {risk}."));
        let own = response::first_eight(random);
        let lm = [&own[..], &[0; 16]].concat();
        Authenticate { lm: lm.into(), nt: response::with_session_security(hash, nonce, own).to_vec().into(), ..bare }
    }

    fn note_code_page(&mut self, message: &Authenticate<'_>) {
        if message.flags & flag::UNICODE == 0 && !message.user.is_ascii() {
            self.remarks
                .push("The server does not take Unicode: the user name is sent as UTF-8, which its code page may not be.".to_owned());
        }
    }
}

type Hash = Secret<[u8; 16]>;

/// NTLMv2 with room for the MIC, and the key that makes the MIC.
fn version_two<'a>(bare: Authenticate<'a>, hash: &Hash, challenge: &Challenge<'_>, login: &Login) -> Option<(Authenticate<'a>, Hash)> {
    let key = response::version_two_key(hash, &bare.user, &bare.domain);
    let own = response::first_eight(&login.random);
    let server_time = challenge.time();
    let info = message::pairs(&own_pairs(challenge, login))?;
    let blob = response::blob(server_time.unwrap_or_else(|| message::file_time(login.now)), own, &info);
    let (nt, session_key) = response::version_two(&key, challenge.nonce, &blob);
    // MS-NLMP 3.1.5.1.2: with a timestamp the LM response is empty.
    let lm = if server_time.is_some() { vec![0; 24] } else { response::lm_version_two(&key, challenge.nonce, own) };
    Some((Authenticate { lm: lm.into(), nt: nt.into(), mic: Some([0; 16]), ..bare }, session_key))
}

/// The server's pairs, and what the client has to say: there is a MIC, the TLS channel, and who is meant.
fn own_pairs(challenge: &Challenge<'_>, login: &Login) -> Vec<(u16, Vec<u8>)> {
    let ours = [pair::FLAGS, pair::BINDINGS, pair::SERVICE];
    let kept = challenge.pairs.iter().filter(|(id, _)| !ours.contains(id)).map(|(id, value)| (*id, value.to_vec()));
    let flags = challenge.pair_flags() | pair::FLAG_MIC;
    let service = if login.host.is_empty() { String::new() } else { format!("SMTPSVC/{}", login.host) };
    kept.chain([
        (pair::FLAGS, flags.to_le_bytes().to_vec()),
        (pair::BINDINGS, response::bindings(login.channel.server_end_point.as_deref()).to_vec()),
        (pair::SERVICE, message::utf16(&service)),
    ])
    .collect()
}

/// Domain and user: `DOMAIN\user`, `user@domain` (which the server takes apart), or a bare name in the
/// server's own domain.
fn name_parts(name: &str, target: &str) -> (String, String) {
    match name.split_once('\\') {
        Some((domain, user)) => (domain.to_owned(), user.to_owned()),
        None if name.contains('@') => (String::new(), name.to_owned()),
        None => (target.to_owned(), name.to_owned()),
    }
}

/// The flags that both sides have.
fn agreed(negotiate: &[u8], theirs: u32) -> u32 {
    let ours = Negotiate::read(negotiate).map_or(OFFERED, |message| message.flags & OFFERED);
    let both = theirs & (ours | flag::TARGET_INFO);
    if both & flag::UNICODE == 0 { both } else { both & !flag::OEM }
}

fn too_long() -> Trouble {
    Trouble::Impossible(TOO_LONG.to_owned())
}

#[cfg(test)]
mod tests;
