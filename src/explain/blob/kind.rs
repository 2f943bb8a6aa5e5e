//! What bytes are, when nobody says so: each mechanism is asked whether they are a message of its own.
//!
//! The order of certainty: a form that a mechanism demands (signature, separators, attributes, JSON), then the
//! challenge of CRAM-MD5, which has the look of a message id; whatever else is text or nothing that is known. A
//! mechanism that takes anything in some place of its dialogue says nothing about bytes there, and is not asked.

use crate::sasl::{self, Description, MECHANISMS, Mechanism, Party, Said};

/// A message that was recognised.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) mechanism: &'static Mechanism,
    pub(super) from: Party,
    pub(super) description: Description,
}

/// The places that a message is tried in.
const PLACES: [(Party, usize); 4] = [(Party::Client, 0), (Party::Server, 0), (Party::Client, 1), (Party::Server, 1)];
/// What no mechanism can mean: one that describes it takes anything.
const PROBES: [&[u8]; 2] = [b"?", b"\xff\x02?"];

/// The mechanism that bytes belong to, and what they say. `now`: milliseconds since 1970.
pub(super) fn recognise(bytes: &[u8], now: u64) -> Option<Known> {
    if bytes.is_empty() {
        return None;
    }
    MECHANISMS.iter().find_map(|mechanism| strictly(mechanism, bytes, now)).or_else(|| cram_challenge(bytes, now))
}

/// What bytes say as a message of this mechanism, wherever in its dialogue; `from` where the speaker is known. What has
/// the form of another mechanism's message is none.
pub(super) fn as_message_of(mechanism: &'static Mechanism, bytes: &[u8], from: Option<Party>, now: u64) -> Option<Known> {
    let fits = |party: Party| from.is_none_or(|from| from == party);
    let loosely = || PLACES.into_iter().filter(|(party, _)| fits(*party)).find_map(|place| described(mechanism, place, bytes, now));
    let strictly = strictly(mechanism, bytes, now).filter(|known| fits(known.from));
    strictly.or_else(|| loosely().filter(|_| recognise(bytes, now).is_none_or(|known| known.mechanism.name == mechanism.name)))
}

fn strictly(mechanism: &'static Mechanism, bytes: &[u8], now: u64) -> Option<Known> {
    let takes_anything = |place| PROBES.iter().any(|probe| described(mechanism, place, probe, now).is_some());
    // What is of no form is the rule: the probes are worth asking only for what seems to have one.
    PLACES.into_iter().find_map(|place| described(mechanism, place, bytes, now).filter(|_| !takes_anything(place)))
}

fn described(mechanism: &'static Mechanism, (from, number): (Party, usize), bytes: &[u8], now: u64) -> Option<Known> {
    let said = Said { from, number, bytes, answering: None, now };
    (mechanism.describe)(&said).map(|description| Known { mechanism, from, description })
}

/// RFC 2195 §2: the challenge has the form of a message id, though some servers send anything.
fn cram_challenge(bytes: &[u8], now: u64) -> Option<Known> {
    let inner = bytes.strip_prefix(b"<")?.strip_suffix(b">")?;
    let fits = inner.iter().all(u8::is_ascii_graphic) && inner.iter().filter(|&&byte| byte == b'@').count() == 1;
    let mechanism = sasl::lookup("CRAM-MD5").filter(|_| fits)?;
    described(mechanism, (Party::Server, 0), bytes, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::{Host, Login, Turn};
    use crate::secret::Secret;

    // Whoever adds a mechanism needs to change nothing here.
    #[test]
    fn the_first_message_of_each_mechanism_is_recognised_where_it_has_a_form() {
        let login = Login { user: "logon".to_owned(), secret: Some(Secret::new("secret".to_owned())), ..Login::default() };
        let (mut seen, mut formless) = (Vec::new(), Vec::new());
        for mechanism in MECHANISMS.iter().filter(|known| known.client_first) {
            let Ok(message) = (mechanism.client)().step(None, &login) else { continue };
            match recognise(message.expose(), 0) {
                Some(known) => seen.push((mechanism.name, known.mechanism.name)),
                None => formless.push(mechanism.name),
            }
        }
        for (sent, found) in &seen {
            assert!(sent == found || sent.starts_with("SCRAM") && found.starts_with("SCRAM"), "{sent} is taken for {found}");
        }
        assert!(seen.len() >= 6 && formless == ["EXTERNAL", "ANONYMOUS"], "{seen:?} {formless:?}");
    }

    #[test]
    fn the_challenge_of_each_mechanism_is_recognised_where_it_has_a_form() {
        let host = Host { name: "mail.contoso.test".to_owned(), ..Host::default() };
        let mut seen = Vec::new();
        for mechanism in MECHANISMS.iter().filter(|known| known.name != "NTLM") {
            let Some(mut server) = mechanism.server.map(|server| server()) else { continue };
            if let Turn::Challenge(challenge) = server.step(None, &host)
                && let Some(known) = recognise(&challenge, 0)
            {
                assert_eq!((known.mechanism.name, known.from), (mechanism.name, Party::Server));
                seen.push(mechanism.name);
            }
        }
        assert_eq!(seen, ["CRAM-MD5", "DIGEST-MD5"]);
    }

    #[test]
    fn what_has_no_form_is_not_recognised() {
        let texts: [&[u8]; 12] = [
            b"",
            b"?",
            b"Username:",
            b"logon",
            b"My simple password",
            b"\xff\xfe\0\x01",
            b"{}",
            b"{\"a\":1}",
            b"<a b@c>",
            b"NTLM supported",
            b"logon 0123",
            b"\0\0\0\0",
        ];
        for bytes in texts {
            assert!(recognise(bytes, 0).is_none(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
