//! OAUTHBEARER (RFC 7628): `n,a=NAME, 01 host=HOST 01 port=PORT 01 auth=Bearer TOKEN 01 01`.

use serde_json::{Value, json};

use super::token::{Bearing, Judging, Parts, describe_challenge};
use super::{ByHand, Description, Exposure, Host, Login, Mechanism, Needs, Party, Said, Typed, gs2};

/// What answers an error (RFC 7628 §3.2.3).
const ACKNOWLEDGE: &str = "\u{1}";

/// The descriptor.
pub const MECHANISM: Mechanism = Mechanism {
    name: "OAUTHBEARER",
    source: "RFC 7628",
    summary: "OAuth 2.0 access token",
    by_hand: ByHand::Base64,
    needs: Needs::Token,
    client_first: true,
    exposes: Exposure::Secret,
    typed: &[&[Typed::Message]],
    acknowledge: Some(ACKNOWLEDGE),
    rank: 6,
    client: || Box::new(Bearing::new(compose, ACKNOWLEDGE)),
    server: Some(|| Box::new(Judging::new(parse, error))),
    describe,
};

fn compose(login: &Login, user: &str, token: &str) -> String {
    let user = if login.authzid.is_empty() { user } else { &login.authzid };
    let host = if login.host.is_empty() { String::new() } else { format!("host={}\u{1}", login.host) };
    let port = if login.port == 0 { String::new() } else { format!("port={}\u{1}", login.port) };
    format!("{}\u{1}{host}{port}auth=Bearer {token}\u{1}\u{1}", gs2::header("n", user))
}

fn parse(message: &[u8]) -> Option<Parts> {
    let end = message.iter().position(|&byte| byte == 1)?;
    let header = gs2::parse(std::str::from_utf8(&message[..end]).ok()?)?;
    (header.rest.is_empty() && matches!(header.flag, "n" | "y")).then(|| Parts::read(header.authzid, &message[end..]))?
}

fn error(host: &Host) -> Value {
    let configuration = format!("https://{}/.well-known/openid-configuration", host.name);
    json!({ "status": "invalid_token", "scope": "smtp", "openid-configuration": configuration })
}

fn describe(said: &Said<'_>) -> Option<Description> {
    match said.from {
        Party::Server => describe_challenge(said.bytes),
        Party::Client if said.bytes == ACKNOWLEDGE.as_bytes() => Some(Description::new("the client has read the error")),
        Party::Client => parse(said.bytes).map(|parts| parts.describe("AUTH OAUTHBEARER", said.now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::tests::{host, login, play};
    use crate::sasl::{Proof, Turn};

    // RFC 7628 §4.1.
    const EXAMPLE: &[u8] =
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";

    #[test]
    fn the_rfcs_example_is_made_and_read() {
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        let user = Login { host: "server.example.com".to_owned(), port: 143, ..login("user@example.com", token) };
        assert_eq!((MECHANISM.client)().step(None, &user).unwrap().expose(), EXAMPLE);
        let described = describe(&Said { from: Party::Client, number: 0, bytes: EXAMPLE, answering: None, now: 0 }).unwrap();
        for (name, want) in [("user", "user@example.com"), ("host", "server.example.com"), ("port", "143"), ("scheme", "Bearer")] {
            assert_eq!(described.text(name), Some(want));
        }
        assert_eq!(described.secrets().next().unwrap().expose(), token.as_bytes());
    }

    // RFC 7628 §4.3.
    #[test]
    fn an_error_is_answered_with_a_byte_01() {
        let mut client = (MECHANISM.client)();
        let user = Login { host: String::new(), ..login("a,b", "token") };
        assert_eq!(client.step(None, &user).unwrap().expose(), b"n,a=a=2Cb,\x01auth=Bearer token\x01\x01");
        assert_eq!(client.step(Some(br#"{"status":"insufficient_scope"}"#), &user).unwrap().expose(), b"\x01");
        assert!(client.remarks()[0].contains("allow"));
    }

    #[test]
    fn the_practice_server_knows_who_holds_the_token() {
        let host = host("logon", "token");
        for (message, want) in [
            (&b"n,,\x01auth=Bearer token\x01\x01"[..], Some(Turn::Accept("logon".to_owned()))),
            (b"n,a=logon,\x01auth=bearer token\x01\x01", Some(Turn::Accept("logon".to_owned()))),
            (b"n,a=boss,\x01auth=Bearer token\x01\x01", None),
            (b"p=tls-exporter,,\x01auth=Bearer token\x01\x01", Some(Turn::Malformed)),
            (b"n,,x\x01auth=Bearer token\x01\x01", Some(Turn::Malformed)),
            (b"n,,\x01host=x\x01\x01", Some(Turn::Malformed)),
        ] {
            let turn = MECHANISM.server.unwrap()().step(Some(message), &host);
            assert!(want.as_ref().map_or(matches!(turn, Turn::Challenge(_)), |want| turn == *want), "{turn:?}");
        }
        assert_eq!(play(&MECHANISM, &login("logon", "stale"), &host), (Turn::Refuse, Ok(Proof::NotPartOfIt)));
    }
}
