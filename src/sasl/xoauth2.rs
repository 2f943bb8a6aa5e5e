//! XOAUTH2 (Google's and Microsoft's documents): `user=NAME 01 auth=Bearer TOKEN 01 01`.

use serde_json::{Value, json};

use super::token::{Bearing, Judging, Parts, describe_challenge};
use super::{ByHand, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Typed};

/// What answers an error, to fetch the refusal.
const ACKNOWLEDGE: &str = "";

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "XOAUTH2",
    source: "Google: OAuth 2.0 mechanism",
    summary: "OAuth 2.0 access token, the older form",
    by_hand: ByHand::Base64,
    needs: Needs::Token,
    client_first: true,
    exposes: Exposure::Secret,
    typed: &[&[Typed::Message]],
    acknowledge: Some(ACKNOWLEDGE),
    rank: 5,
    client: || Box::new(Bearing::new(compose, ACKNOWLEDGE)),
    server: Some(|| Box::new(Judging::new(parse, error))),
    describe,
};

/// There is no place for another identity: the mailbox to act for is the user.
fn compose(login: &Login, user: &str, token: &str) -> String {
    let user = if login.authzid.is_empty() { user } else { &login.authzid };
    format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}")
}

fn parse(message: &[u8]) -> Option<Parts> {
    let rest = message.strip_prefix(b"user=")?;
    let end = rest.iter().position(|&byte| byte == 1)?;
    Parts::read(String::from_utf8_lossy(&rest[..end]).into_owned(), &rest[end..])
}

fn error(host: &Host) -> Value {
    json!({ "status": "401", "schemes": "bearer", "scope": format!("https://{}/", host.name) })
}

fn describe(said: &Said<'_>) -> Option<Description> {
    match said.from {
        Party::Server => describe_challenge(said.bytes),
        Party::Client if said.bytes.is_empty() => Some(Description::new("the client has read the error")),
        Party::Client => parse(said.bytes).map(|parts| parts.describe("AUTH XOAUTH2", said.now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::{host, login, play};
    use crate::sasl::{Trouble, Turn};

    fn described(bytes: &[u8]) -> Option<Description> {
        describe(&Said { from: Party::Client, number: 0, bytes, answering: None, now: 0 })
    }

    // The example of Google's document.
    #[test]
    fn the_documents_example_is_made_and_read() {
        let mut client = (MECHANISM.client)();
        let made = client.step(None, &login("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")).unwrap();
        let want = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
        assert_eq!(made.expose(), want);
        let described = described(want).unwrap();
        assert_eq!((described.text("user"), described.text("scheme")), (Some("someuser@example.com"), Some("Bearer")));
        assert_eq!(described.secrets().next().unwrap().expose(), b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        assert!(described.remarks.is_empty());
    }

    #[test]
    fn the_error_is_answered_and_put_into_words() {
        let mut client = (MECHANISM.client)();
        let user = login("logon", "token");
        client.step(Some(b""), &user).unwrap();
        let answer = client.step(Some(br#"{"status":"401","schemes":"bearer"}"#), &user).unwrap();
        assert!(answer.expose().is_empty());
        assert!(client.remarks()[0].contains("expired"));
        assert!(matches!(client.step(Some(b""), &user), Err(Trouble::BadChallenge(_))));
    }

    #[test]
    fn a_server_that_does_not_read_the_line_of_auth_gets_the_token_once_more() {
        let user = login("logon", "token");
        let mut client = (MECHANISM.client)();
        for challenge in [None, Some(&b""[..])] {
            assert_eq!(client.step(challenge, &user).unwrap().expose(), b"user=logon\x01auth=Bearer token\x01\x01");
        }
        // Now an empty challenge can only be an error without words.
        assert!(client.step(Some(b""), &user).unwrap().expose().is_empty());
        assert!(matches!(client.step(Some(b""), &user), Err(Trouble::BadChallenge(_))));
    }

    #[test]
    fn a_message_typed_by_hand_is_taken_over() {
        let mut client = (MECHANISM.client)();
        client.adopt(b"user=logon\x01auth=Bearer token\x01\x01", None).unwrap();
        assert!(client.step(Some(b"not JSON"), &login("", "")).unwrap().expose().is_empty());
        assert!(client.remarks()[0].contains("cannot be read"));
    }

    #[test]
    fn what_is_wrong_with_a_message_is_told_and_hidden() {
        type Case = (&'static [u8], Option<(&'static str, usize)>);
        let table: [Case; 6] = [
            (b"user=a\x01auth=Bearer tok\x01", Some(("two bytes 01", 1))),
            (b"user=a\x01auth=tok\x01\x01", Some(("Bearer", 1))),
            (b"user=a\x01auth=Bearer tok\n\x01password=x\x01\x01", Some(("", 2))),
            (b"user=a\x01\x01", None),
            (b"user=a", None),
            (b"auth=Bearer tok\x01\x01", None),
        ];
        for (message, want) in table {
            let described = described(message);
            let text = format!("{described:?}");
            assert!(!text.contains("tok\"") && !text.contains("\"x\""), "{text}");
            assert_eq!(described.as_ref().map(|out| out.secrets().count()), want.map(|(_, secrets)| secrets), "{text}");
            assert!(want.is_none_or(|(words, _)| text.contains(words)), "{text}");
        }
    }

    #[test]
    fn a_byte_that_ends_a_part_cannot_be_sent() {
        for (user, token) in [("lo\u{1}gon", "x"), ("logon", "x\u{1}y")] {
            assert!(matches!(play(&MECHANISM, &login(user, token), &host("logon", "x")).1, Err(Trouble::Impossible(_))));
        }
    }

    #[test]
    fn the_practice_server_sends_its_error_first() {
        let host = host("logon", "token");
        for (message, want) in [
            (&b"user=logon\x01auth=Bearer token\x01\x01"[..], Turn::Accept("logon".to_owned())),
            (b"user=logon\x01auth=Bearer token\x01", Turn::Malformed),
            (b"logon token", Turn::Malformed),
        ] {
            assert_eq!(MECHANISM.server.unwrap()().step(Some(message), &host), want);
        }
        let mut server = MECHANISM.server.unwrap()();
        assert_eq!(server.step(None, &host), Turn::Challenge(Vec::new()));
        let turn = server.step(Some(b"user=logon\x01auth=Basic token\x01\x01"), &host);
        let error = br#"{"schemes":"bearer","scope":"https://mail.contoso.test/","status":"401"}"#;
        assert_eq!(turn, Turn::Challenge(error.to_vec()));
        assert_eq!(server.step(Some(b"user=logon\x01auth=Bearer token\x01\x01"), &host), Turn::Refuse);
    }
}
