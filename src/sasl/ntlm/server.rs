//! The server's side.

use super::super::{Host, Server, Turn};
use super::message::{self, Authenticate, Challenge, MIC, Negotiate, flag, pair};
use super::{Hash, hash, response};

/// What the server agrees to if the client offers it.
const AGREES: u32 = flag::REQUEST_TARGET | flag::ALWAYS_SIGN | flag::SESSION_SECURITY;
/// Windows Server 2022.
const SYSTEM: (u8, u8, u16) = (10, 0, 20348);

/// The server's side; the first two messages once they were said.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) said: Option<(Vec<u8>, Vec<u8>)>,
}

impl Server for Asking {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        match (message, &self.said) {
            (None, _) => Turn::Challenge(Vec::new()),
            (Some(negotiate), None) => {
                let challenge = Negotiate::read(negotiate).ok().and_then(|message| ask(&message, host));
                let Some(challenge) = challenge else { return Turn::Malformed };
                self.said = Some((negotiate.to_vec(), challenge.clone()));
                Turn::Challenge(challenge)
            }
            (Some(authenticate), Some((negotiate, challenge))) => judge(negotiate, challenge, authenticate, host),
        }
    }
}

/// The second message.
fn ask(negotiate: &Negotiate, host: &Host) -> Option<Vec<u8>> {
    let encoding = if negotiate.flags & flag::UNICODE == 0 { flag::OEM } else { flag::UNICODE };
    let own = flag::NTLM | flag::TARGET_DOMAIN | flag::TARGET_INFO | flag::VERSION;
    let challenge = Challenge {
        flags: negotiate.flags & AGREES | encoding | own,
        nonce: response::first_eight(&host.random),
        target: short_name(&host.domain),
        pairs: Vec::new(),
        system: Some(SYSTEM),
    };
    challenge.encode(&message::pairs(&names(host))?)
}

fn names(host: &Host) -> Vec<(u16, Vec<u8>)> {
    let text = |id, text: &str| (id, message::utf16(text));
    vec![
        text(pair::DOMAIN, &short_name(&host.domain)),
        text(pair::COMPUTER, &short_name(&host.name)),
        text(pair::DNS_DOMAIN, &host.domain),
        text(pair::DNS_COMPUTER, &host.name),
        text(pair::FOREST, &host.domain),
        (pair::TIME, message::file_time(host.now).to_le_bytes().to_vec()),
    ]
}

/// As NetBIOS has it: the first label, 15 characters at most.
fn short_name(name: &str) -> String {
    name.split('.').next().unwrap_or_default().to_uppercase().chars().take(15).collect()
}

fn judge(negotiate: &[u8], challenge: &[u8], raw: &[u8], host: &Host) -> Turn {
    let (Ok(asked), Ok(answer)) = (Challenge::read(challenge), Authenticate::read(raw)) else { return Turn::Malformed };
    let hash = response::nt_hash(host.password.expose());
    let right = match answer.nt.len() {
        // Anonymous.
        0 => false,
        24 => version_one_right(&asked, &answer, &hash),
        48.. => version_two_right(&asked, &answer, &hash, host).is_some_and(|session_key| match answer.mic {
            Some(mic) => hash::same(&mic, &sealed(&session_key, negotiate, challenge, raw)),
            None => true,
        }),
        _ => return Turn::Malformed,
    };
    let full = format!("{}\\{}", answer.domain, answer.user);
    host.judge(if host.knows(&full) { &full } else { &answer.user }, right)
}

fn version_one_right(asked: &Challenge<'_>, answer: &Authenticate<'_>, hash: &Hash) -> bool {
    let expected = match answer.lm.first_chunk() {
        Some(own) if asked.flags & answer.flags & flag::SESSION_SECURITY != 0 => response::with_session_security(hash, asked.nonce, *own),
        _ => response::version_one(hash, asked.nonce),
    };
    hash::same(&expected, &answer.nt)
}

/// The session's key if the response is right, and made for this TLS channel where it names one.
fn version_two_right(asked: &Challenge<'_>, answer: &Authenticate<'_>, hash: &Hash, host: &Host) -> Option<Hash> {
    let key = response::version_two_key(hash, &answer.user, &answer.domain);
    let (expected, session_key) = response::version_two(&key, asked.nonce, answer.nt.get(16..)?);
    let pairs = message::response_pairs(&answer.nt).ok()?;
    let bound = message::find(&pairs, pair::BINDINGS).filter(|hash| hash.iter().any(|&byte| byte != 0));
    let channel = host.channel.server_end_point.as_deref();
    let same_channel = bound.is_none() || channel.is_none() || bound == Some(&response::bindings(channel)[..]);
    (hash::same(&expected, &answer.nt) && same_channel).then_some(session_key)
}

/// The MIC that the messages should have.
fn sealed(session_key: &Hash, negotiate: &[u8], challenge: &[u8], raw: &[u8]) -> [u8; 16] {
    let mut last = raw.to_vec();
    if let Some(mic) = last.get_mut(MIC) {
        mic.fill(0);
    }
    response::mic(session_key.expose(), &[negotiate, challenge, &last])
}
