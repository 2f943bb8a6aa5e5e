//! PLAIN (RFC 4616): one message, `[authzid] NUL authcid NUL passwd`.

use zeroize::Zeroize;

use super::{ByHand, Client, Description, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, hash};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "PLAIN",
    source: "RFC 4616",
    summary: "user name and password in one message",
    by_hand: ByHand::PlainText,
    needs: Needs::Password,
    client_first: true,
    readable: true,
    rank: 20,
    client: || Box::new(Plain),
    server: Some(|| Box::new(Plain)),
    describe,
};

/// Both sides: there is nothing to remember between steps.
#[derive(Debug)]
struct Plain;

impl Client for Plain {
    fn step(&mut self, _challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let (user, password) = login.known()?;
        Ok(message(&login.authzid, user, password.as_bytes()))
    }
}

impl Server for Plain {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Vec::new()) };
        match parse(message) {
            Some(parts) => host.judge(&parts.authcid, hash::same(parts.password.expose(), host.password.expose().as_bytes())),
            None => Turn::Malformed,
        }
    }
}

fn describe(said: &Said<'_>) -> Option<Description> {
    if said.from == Party::Server {
        return said.bytes.is_empty().then(|| Description::new("go ahead"));
    }
    let parts = parse(said.bytes)?;
    let title = Description::new("user name and password").open_if_any("authorize as", &parts.authzid).open("user", parts.authcid);
    Some(title.hidden("password", parts.password.expose()))
}

/// The client's only message.
pub fn message(authzid: &str, authcid: &str, password: &[u8]) -> Secret<Vec<u8>> {
    let mut out = Vec::with_capacity(authzid.len() + authcid.len() + password.len() + 2);
    out.extend_from_slice(authzid.as_bytes());
    out.push(0);
    out.extend_from_slice(authcid.as_bytes());
    out.push(0);
    out.extend_from_slice(password);
    Secret::new(out)
}

/// The parts of a message, as the server reads them.
#[derive(Debug)]
pub struct Parts {
    /// Whose rights are asked for; empty for the user's own.
    pub authzid: String,
    /// Who logs in.
    pub authcid: String,
    /// The password.
    pub password: Secret<Vec<u8>>,
}

/// Takes a message apart; `None` unless it has exactly two NULs.
pub fn parse(message: &[u8]) -> Option<Parts> {
    let mut fields: Vec<Vec<u8>> = message.split(|&b| b == 0).map(<[u8]>::to_vec).collect();
    let parts = match fields.as_mut_slice() {
        [authzid, authcid, password] if !authcid.is_empty() => Some(Parts {
            authzid: String::from_utf8_lossy(authzid).into_owned(),
            authcid: String::from_utf8_lossy(authcid).into_owned(),
            password: Secret::new(std::mem::take(password)),
        }),
        _ => None,
    };
    fields.iter_mut().for_each(Zeroize::zeroize);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4616 §4, the second example.
    #[test]
    fn the_rfcs_example_is_made_and_read() {
        let made = message("Ursel", "Kurt", b"xipj3plmq");
        assert_eq!(made.expose(), b"Ursel\0Kurt\0xipj3plmq");
        let parts = parse(made.expose()).unwrap();
        assert_eq!(
            (parts.authzid.as_str(), parts.authcid.as_str(), parts.password.expose().as_slice()),
            ("Ursel", "Kurt", b"xipj3plmq".as_slice())
        );
    }

    #[test]
    fn a_message_without_two_nuls_is_refused() {
        for message in [&b""[..], b"a\0b", b"a\0b\0c\0d", b"user pass", b"\0\0password"] {
            assert!(parse(message).is_none());
        }
    }
}
