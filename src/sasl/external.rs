//! EXTERNAL (RFC 4422 appendix A): the TLS client certificate says who it is, the one message whose rights are wanted.

use super::{ByHand, Client, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Server, Trouble, Turn, Typed};
use crate::secret::Secret;

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "EXTERNAL",
    source: "RFC 4422",
    summary: "the TLS client certificate says who it is",
    by_hand: ByHand::PlainText,
    needs: Needs::Certificate,
    client_first: true,
    exposes: Exposure::Nothing,
    typed: &[&[Typed::Message]],
    acknowledge: None,
    rank: 90,
    client: || Box::new(External),
    server: Some(|| Box::new(External)),
    describe,
};

/// Both sides: there is nothing to remember between steps.
#[derive(Debug)]
struct External;

impl Client for External {
    fn step(&mut self, _challenge: Option<&[u8]>, login: &Login) -> Result<Secret<Vec<u8>>, Trouble> {
        let name = if login.authzid.is_empty() { &login.user } else { &login.authzid };
        if name.contains('\0') {
            return Err(Trouble::Impossible("the user name holds a NUL".to_owned()));
        }
        Ok(Secret::new(name.as_bytes().to_vec()))
    }
}

impl Server for External {
    fn step(&mut self, message: Option<&[u8]>, host: &Host) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Vec::new()) };
        let Some(user) = &host.certificate_user else { return Turn::Refuse };
        match std::str::from_utf8(message) {
            Ok(name) if name.contains('\0') => Turn::Malformed,
            Ok(name) if name.is_empty() || name.to_lowercase() == user.to_lowercase() => Turn::Accept(user.clone()),
            Ok(_) => Turn::Refuse,
            Err(_) => Turn::Malformed,
        }
    }
}

fn describe(said: &Said<'_>) -> Option<Description> {
    match (said.from, said.bytes) {
        (Party::Server, b"") => Some(Description::new("go ahead")),
        (Party::Server, _) => None,
        (Party::Client, b"") => Some(Description::new("AUTH EXTERNAL: the user that the certificate names")),
        (Party::Client, name) => Some(Description::new("AUTH EXTERNAL").open_bytes("authorize as", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::{host, login, play};

    #[test]
    fn the_certificate_decides_and_the_name_only_chooses() {
        let table = [
            (Some("logon"), "", "", Turn::Accept("logon".to_owned())),
            (Some("logon"), "Logon", "", Turn::Accept("logon".to_owned())),
            (Some("logon"), "logon", "boss", Turn::Refuse),
            (Some("logon"), "boss", "", Turn::Refuse),
            (None, "logon", "", Turn::Refuse),
        ];
        for (certificate, user, authzid, want) in table {
            let host = Host { certificate_user: certificate.map(str::to_owned), ..host("logon", "x") };
            let login = Login { authzid: authzid.to_owned(), secret: None, ..login(user, "") };
            assert_eq!(play(&MECHANISM, &login, &host).0, want, "{certificate:?} {user} {authzid}");
        }
    }

    #[test]
    fn a_nul_ends_no_name() {
        assert!(matches!(Client::step(&mut External, None, &login("a\0b", "x")), Err(Trouble::Impossible(_))));
        let host = Host { certificate_user: Some("a".to_owned()), ..host("a", "x") };
        for message in [&b"a\0b"[..], b"\xff"] {
            assert_eq!(Server::step(&mut External, Some(message), &host), Turn::Malformed);
        }
    }

    // RFC 4422 appendix A.3.
    #[test]
    fn the_message_is_shown_as_it_is() {
        let said = |bytes| Said { from: Party::Client, number: 0, bytes, answering: None, now: 0 };
        assert_eq!(describe(&said(b"fred@example.com")).unwrap().text("authorize as"), Some("fred@example.com"));
        assert!(describe(&said(b"")).unwrap().fields.is_empty());
    }
}
