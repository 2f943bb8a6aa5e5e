//! PLAIN (RFC 4616): one message, `[authzid] NUL authcid NUL passwd`.

use zeroize::Zeroize;

use super::{ByHand, Client, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, Typed, hash};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "PLAIN",
    source: "RFC 4616",
    summary: "user name and password in one message",
    by_hand: ByHand::PlainText,
    needs: Needs::Password,
    client_first: true,
    exposes: Exposure::Secret,
    typed: &[&[Typed::UserName, Typed::Password]],
    acknowledge: None,
    rank: 20,
    client: || Box::new(Speaking::default()),
    server: Some(|| Box::new(Plain)),
    describe,
};

/// The client's side.
#[derive(Debug, Default)]
struct Speaking {
    /// The message stood in the line of AUTH.
    initial: bool,
    /// It answered a challenge.
    answered: bool,
}

impl Speaking {
    /// Takes note of the message. A server that did not see it in the line of AUTH gets it once more, and no other does.
    fn say(&mut self, is_initial: bool) -> Result<(), Trouble> {
        match (is_initial, self.answered) {
            (_, true) => return Err(Trouble::BadChallenge("all has been said")),
            (true, false) => self.initial = true,
            (false, false) => self.answered = true,
        }
        Ok(())
    }
}

impl Client for Speaking {
    fn step(&mut self, challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let (user, password) = login.known()?;
        self.say(challenge.is_none())?;
        Ok(message(&login.authzid, user, password.as_bytes()))
    }

    fn adopt(&mut self, _sent: &[u8], answering: Option<&[u8]>) -> Result<(), Trouble> {
        self.say(answering.is_none())
    }
}

/// The server's side: there is nothing to remember between steps.
#[derive(Debug)]
struct Plain;

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

    // A server that does not look into the line of AUTH asks for the message, and gets it once.
    #[test]
    fn the_password_goes_out_once_and_once_more_only_where_the_line_of_auth_was_not_read() {
        let login = crate::sasl::tests::login("logon", "secret");
        let mut client = Speaking::default();
        for challenge in [None, Some(&b""[..])] {
            assert_eq!(client.step(challenge, &login).unwrap().expose(), b"\0logon\0secret");
        }
        assert!(matches!(client.step(Some(b""), &login), Err(Trouble::BadChallenge(_))));
        let mut client = Speaking::default();
        assert!(client.step(Some(b""), &login).is_ok());
        assert!(matches!(client.step(Some(b""), &login), Err(Trouble::BadChallenge(_))));
        let mut client = Speaking::default();
        client.adopt(b"\0logon\0secret", Some(b"")).unwrap();
        assert!(matches!(client.step(Some(b""), &login), Err(Trouble::BadChallenge(_))));
    }
}
