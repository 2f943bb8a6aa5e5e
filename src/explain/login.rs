//! Why a login failed, from the bytes that were sent: what can be seen in them, not what may be guessed.
//! A finding never holds anything of a password.

use crate::sasl::{self, Description, Exposure, Party, Places, Said};
use crate::text::printable_str;
use crate::wire::base64::{self, NotBase64, Oddity};
use crate::wire::keyword::Capabilities;

/// What a login by this mechanism gives away. Of one that is not known, nobody can say that it is not the password.
pub fn exposure(mechanism: &str) -> Exposure {
    sasl::lookup(mechanism).map_or(Exposure::Secret, |known| known.exposes)
}

/// What a login gives away on a line that anybody can read, or to whoever answers in the server's place: whole words to
/// stand behind "which".
///
/// # Source
/// RFC 5802 §9 (SCRAM), RFC 2195 §5 (CRAM-MD5), MS-NLMP §5.1 (NTLM).
pub fn gives_away(exposes: Exposure) -> &'static str {
    match exposes {
        Exposure::Nothing => "gives nothing away",
        Exposure::SlowGuesses => "lets whoever records it guess at the password, slowly",
        Exposure::Guesses => "lets whoever records it guess the password offline",
        Exposure::GuessesAndRelay => "lets whoever records it guess the password offline, and whoever relays it log in elsewhere",
        Exposure::Secret => "shows the password",
    }
}

/// Why a mechanism's first version of NTLM is not made. `lacks`: what the server's challenge lacks.
pub fn no_ntlm_v1(lacks: &str) -> String {
    format!(
        "the server asks for NTLMv1 ({lacks}): whoever records such an answer can compute the password's hash from it, and log in with that. --ntlmv1 makes it anyway"
    )
}

/// Where logins stand in an offer that a client does not look at, and what that means.
pub fn listed_elsewhere(offer: &Capabilities) -> Option<String> {
    let listed =
        |name: &str| offer.get(name).map(|keyword| printable_str(&keyword.parameters().collect::<Vec<_>>().join(" ")).into_owned());
    if offer.mechanisms().is_empty()
        && let Some(names) = listed("X-EXPS")
    {
        let auth = if offer.has("AUTH") { "AUTH is empty" } else { "there is no AUTH" };
        return Some(format!(
            "Logins are listed under X-EXPS ({names}), which Exchange keeps for its own servers, and {auth}: this connector offers its clients no login here. Basic authentication may be off, or offered only inside TLS."
        ));
    }
    let old = "The server lists its logins in the old form AUTH= only: clients that know nothing but RFC 4954 find no login.";
    offer.lists_logins_in_old_form_only().then(|| old.to_owned())
}

/// A login that was refused.
#[derive(Debug)]
pub struct Refused<'a> {
    /// The mechanism, in capitals.
    pub mechanism: &'a str,
    /// What was said, in its order: who, and the base64 as it stood on the wire.
    pub lines: Vec<(Party, &'a [u8])>,
    /// The connection is encrypted.
    pub encrypted: bool,
    /// STARTTLS is offered.
    pub tls_offered: bool,
    /// The server's words, or the moment, tell the reason: nothing is guessed beside it.
    pub reason_is_known: bool,
    /// Milliseconds since 1970.
    pub now: u64,
}

/// What is wrong, or may be, one sentence each.
pub fn findings(refused: &Refused<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut places = Places::default();
    for (party, line) in &refused.lines {
        let decoded = base64::decode(line);
        let bytes = decoded.as_ref().map_or(*line, |decoded| &decoded.bytes);
        let said = places.next(*party, bytes, refused.now);
        if *party == Party::Client && *line != b"=" {
            match &decoded {
                Err(fault) => found.push(not_base64(*fault)),
                Ok(decoded) => message(refused.mechanism, &said, &decoded.oddities, &mut found),
            }
        }
        if *party == Party::Client
            && let Some(described) = sasl::describe(refused.mechanism, &said)
        {
            found.extend(audience(&described));
            found.extend(described.remarks.into_iter().map(|remark| printable_str(&remark).into_owned()));
        }
    }
    if !refused.reason_is_known && !refused.encrypted && refused.tls_offered && exposure(refused.mechanism).needs_consent() {
        found.push("The connection is not encrypted, and STARTTLS is offered: many servers refuse every login outside TLS.".to_owned());
    }
    found.dedup();
    found
}

/// For whom a token is: where it is refused, that is the first thing to look at.
fn audience(described: &Description) -> Option<String> {
    let audience = described.text("token audience")?;
    let scope = described.text("token scope").map(|scope| format!(", with the scope {}", printable_str(scope)));
    Some(format!(
        "The token is made for {}{}: a server takes only tokens that are made for it.",
        printable_str(audience),
        scope.unwrap_or_default()
    ))
}

fn not_base64(fault: NotBase64) -> String {
    match fault {
        NotBase64::Character(at) => format!("What was sent is not base64: its character {at} does not belong there."),
        NotBase64::Length => "What was sent is not base64: a character is missing at its end.".to_owned(),
    }
}

/// What is odd about a message of the client.
fn message(mechanism: &str, said: &Said<'_>, oddities: &[Oddity], found: &mut Vec<String>) {
    let say = |found: &mut Vec<String>, words: &str| found.push(words.to_owned());
    for oddity in oddities {
        found.push(format!("The base64 that was sent is odd: {}. Some servers refuse that.", oddity.describe()));
    }
    let text = said.bytes;
    if text.ends_with(b"\n") || text.ends_with(b"\r") {
        say(found, "There is a line end inside the base64: echo adds one, printf '%s' and echo -n do not.");
    }
    if encoded_twice(mechanism, text) {
        say(found, "What was sent seems to have been encoded as base64 twice.");
    } else if mechanism == "PLAIN" {
        plain(text, found);
    }
    let words = matches!(mechanism, "PLAIN" | "LOGIN");
    if words && let Err(error) = std::str::from_utf8(text) {
        found.push(format!(
            "What was sent is not UTF-8 (byte {}): a terminal or file in Latin-1? Most servers want UTF-8.",
            error.valid_up_to() + 1
        ));
    }
    let Some(described) = sasl::describe(mechanism, said) else { return };
    let spaced =
        |bytes: &[u8]| bytes.first().is_some_and(u8::is_ascii_whitespace) || bytes.last().is_some_and(|last| matches!(last, b' ' | b'\t'));
    if let Some(user) = described.text("user") {
        if spaced(user.as_bytes()) {
            say(found, "The user name begins or ends with a space.");
        }
        if user.contains('\\') && mechanism != "NTLM" {
            say(found, "The user name was sent as DOMAIN\\user: Exchange takes that, most others want user or user@domain.");
        }
    }
    if words && described.secrets().any(|secret| spaced(secret.expose())) {
        say(found, "The password begins or ends with a space.");
    }
}

/// The grammar of PLAIN (RFC 4616 §2) is missed in a few usual ways.
fn plain(text: &[u8], found: &mut Vec<String>) {
    let advice = "AUTH PLAIN typed alone asks for both and makes it right.";
    match text.iter().filter(|&&byte| byte == 0).count() {
        2 => {}
        0 => found.push(format!("A PLAIN message is NUL user NUL password; the one that was sent has no NUL. {advice}")),
        1 => found.push(format!("The NUL at the beginning of the PLAIN message is missing: NUL user NUL password. {advice}")),
        count => found.push(format!("A PLAIN message has two NULs; the one that was sent has {count}. {advice}")),
    }
}

fn encoded_twice(mechanism: &str, text: &[u8]) -> bool {
    let inner = base64::decode(text.trim_ascii()).ok().filter(|decoded| decoded.oddities.is_empty() && text.len() >= 8);
    match mechanism {
        "PLAIN" => inner.is_some_and(|decoded| decoded.bytes.iter().filter(|&&byte| byte == 0).count() == 2),
        "LOGIN" => base64::looks_encoded(text.trim_ascii()).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_mistakes_are_seen_in_the_bytes() {
        let table: &[(&str, &[&str], &[&str])] = &[
            // NUL logon NUL secret
            ("PLAIN", &["AGxvZ29uAHNlY3JldA=="], &[]),
            ("PLAIN", &["AGxvZ29uAHNlY3JldA"], &["padding (=) at its end is missing"]),
            ("PLAIN", &["AGxvZ29uAHNlY3JldAo="], &["line end inside the base64"]),
            ("PLAIN", &["bG9nb24Ac2VjcmV0"], &["NUL at the beginning"]),
            ("PLAIN", &["bG9nb24gc2VjcmV0"], &["has no NUL"]),
            ("PLAIN", &["AGEAYgBj"], &["has 3"]),
            ("PLAIN", &["QUd4dloyOXVBSE5sWTNKbGRBPT0="], &["twice"]),
            ("PLAIN", &["AGxvZ29uAHDkc3M="], &["not UTF-8 (byte 9)"]),
            ("PLAIN", &["AGxvZ29uIABzZWNyZXQg"], &["The user name begins or ends", "The password begins or ends"]),
            ("PLAIN", &["AENPTlRPU09cbG9nb24AeA=="], &["DOMAIN\\user"]),
            ("PLAIN", &["not base64!"], &["its character 11"]),
            ("LOGIN", &["", "bG9nb24=", "", "YzJWamNtVjA="], &["twice"]),
            ("LOGIN", &["", "bG9nb24=", "", "c2VjcmV0Cg=="], &["line end"]),
            ("LOGIN", &["", "bG9nb24=", "", "cGFzc3dvcmQ="], &[]),
            ("LOGIN", &["", "bG9nb24=", "", "c2VjcmV0MTI"], &["padding"]),
            ("X-NEW", &["", "c2VjcmV0IA=="], &[]),
        ];
        for (mechanism, lines, want) in table {
            let from = |at: usize| if (lines.len() + at) % 2 == 1 { Party::Client } else { Party::Server };
            // The last line is the client's.
            let lines = lines.iter().enumerate().map(|(at, line)| (from(at), line.as_bytes())).collect();
            let found = findings(&Refused { mechanism, lines, encrypted: true, tls_offered: false, reason_is_known: false, now: 0 });
            assert_eq!(found.len(), want.len(), "{mechanism}: {found:?}");
            assert!(found.iter().zip(*want).all(|(sentence, part)| sentence.contains(part)), "{mechanism}: {found:?}");
            // P24
            assert!(found.iter().all(|sentence| !sentence.contains("secret")), "{found:?}");
        }
    }

    #[test]
    fn a_token_says_for_whom_it_is_and_that_it_has_expired() {
        let part = |json: &str| base64::encode(json.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
        let token = format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(r#"{"aud":"https://wrong.test","scp":"SMTP.Send","exp":1000}"#));
        let message = base64::encode(format!("user=logon\x01auth=Bearer {token}\x01\x01").as_bytes());
        let lines = vec![(Party::Client, message.as_bytes())];
        let found = findings(&Refused {
            mechanism: "XOAUTH2",
            lines,
            encrypted: true,
            tls_offered: false,
            reason_is_known: false,
            now: 1_000_000_000,
        })
        .join(" ");
        for part in ["made for https://wrong.test, with the scope SMTP.Send", "The token expired"] {
            assert!(found.contains(part), "{found}");
        }
        // P24
        assert!(!found.contains(&token) && !found.contains("c2ln"), "{found}");
    }

    #[test]
    fn a_login_outside_tls_is_remarked_on() {
        let refused =
            Refused { mechanism: "PLAIN", lines: Vec::new(), encrypted: false, tls_offered: true, reason_is_known: false, now: 0 };
        assert!(findings(&refused)[0].contains("STARTTLS is offered"));
        // P54
        assert!(findings(&Refused { reason_is_known: true, ..refused }).is_empty());
    }
}
