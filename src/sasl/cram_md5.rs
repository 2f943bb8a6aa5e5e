//! CRAM-MD5 (RFC 2195): the server sends a text, the client answers `user SP hex(HMAC-MD5(password, text))`.

use super::{ByHand, Client, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, Typed, hash};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "CRAM-MD5",
    source: "RFC 2195",
    summary: "answers a challenge with a keyed MD5",
    by_hand: ByHand::Base64,
    needs: Needs::Password,
    client_first: false,
    exposes: Exposure::Guesses,
    typed: &[&[Typed::Message]],
    acknowledge: None,
    rank: 30,
    client: || Box::new(Answering),
    server: Some(|| Box::new(Asking::default())),
    describe,
};

/// The client's side.
#[derive(Debug)]
struct Answering;

impl Client for Answering {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let challenge = challenge.filter(|text| !text.is_empty()).ok_or(Trouble::BadChallenge("it is empty"))?;
        let (user, password) = login.known()?;
        Ok(Secret::new(answer(user, password, challenge)))
    }
}

/// The server's side.
#[derive(Debug, Default)]
struct Asking {
    challenge: Vec<u8>,
}

impl Server for Asking {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        let Some(message) = message else {
            let number = hash::hex(&host.random[..8]);
            self.challenge = format!("<{number}.{}@{}>", host.now / 1000, host.name).into_bytes();
            return Turn::Challenge(self.challenge.clone());
        };
        let Some((user, _)) = parts(message) else { return Turn::Malformed };
        let user = String::from_utf8_lossy(user).into_owned();
        host.judge(&user, hash::same(message, &answer(&user, host.password.expose(), &self.challenge)))
    }
}

fn answer(user: &str, password: &str, challenge: &[u8]) -> Vec<u8> {
    format!("{user} {}", hash::hex(&hash::hmac_md5(password.as_bytes(), &[challenge]))).into_bytes()
}

/// User name, which may hold spaces, and digest.
fn parts(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = message.iter().rposition(|&byte| byte == b' ')?;
    let (user, digest) = (&message[..at], &message[at + 1..]);
    (!user.is_empty() && digest.len() == 32 && digest.iter().all(u8::is_ascii_hexdigit)).then_some((user, digest))
}

fn describe(said: &Said<'_>) -> Option<Description> {
    if said.from == Party::Server {
        return (!said.bytes.is_empty()).then(|| Description::new("CRAM-MD5 challenge").open_bytes("text", said.bytes));
    }
    let (user, digest) = parts(said.bytes)?;
    Some(Description::new("CRAM-MD5 answer").open_bytes("user", user).hidden("digest", digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::login;

    // RFC 2195 section 2.
    #[test]
    fn the_rfcs_example_is_made_and_read() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let made = Answering.step(Some(challenge), &login("tim", "tanstaaftanstaaf")).unwrap();
        assert_eq!(made.expose(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        let said = Said { from: Party::Client, number: 0, bytes: made.expose(), answering: Some(challenge), now: 0 };
        let described = describe(&said).unwrap();
        assert_eq!(described.text("user"), Some("tim"));
        assert_eq!(described.secrets().next().unwrap().expose(), b"b913a602c7eda7a495b4e6e7334d3890");
    }
}
