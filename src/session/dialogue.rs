//! The AUTH dialogue (RFC 4954 §4): challenges decoded, and what each asks of the operator.

use crate::sasl::login::{self, Asks};
use crate::sasl::{self, ByHand};
use crate::wire::base64::{self, Decoded, NotBase64};

/// More challenges than this and the dialogue is cancelled (P27).
pub const MAX_STEPS: u32 = 20;

/// An open AUTH dialogue: the server waits for an answer.
#[derive(Debug, Clone)]
pub struct Dialogue {
    /// The mechanism, in capitals.
    pub mechanism: String,
    /// How many challenges came.
    pub steps: u32,
    /// The user name that was sent, where it can be known.
    pub user: Option<String>,
    /// The last challenge.
    pub challenge: Challenge,
}

/// One 334.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// The text behind the code, as received.
    pub raw: Vec<u8>,
    /// What it says, when it is base64.
    pub decoded: Result<Decoded, NotBase64>,
    /// What it asks for.
    pub asks: Question,
}

/// What the next typed line is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// A user name, encoded for the operator.
    UserName,
    /// A password, read hidden and encoded.
    Password,
    /// User name and password together (PLAIN).
    UserNameAndPassword,
    /// Base64, sent as typed.
    Base64 {
        /// Nobody can make it up by hand.
        binary: bool,
    },
}

impl Dialogue {
    /// Opens a dialogue at its first 334.
    pub(super) fn open(mechanism: &str, user: Option<String>, text: &[u8]) -> Self {
        let mut dialogue = Self {
            mechanism: mechanism.to_owned(),
            steps: 0,
            user,
            challenge: Challenge { raw: Vec::new(), decoded: base64::decode(b""), asks: Question::UserName },
        };
        dialogue.challenged(text);
        dialogue
    }

    /// Takes the next 334.
    pub(super) fn challenged(&mut self, text: &[u8]) {
        self.steps += 1;
        let decoded = base64::decode(text);
        let words = decoded.as_ref().map_or(text, |decoded| &decoded.bytes);
        let asks = match self.mechanism.as_str() {
            "LOGIN" => match login::asks(words, self.user.is_some()) {
                Asks::UserName => Question::UserName,
                Asks::Password => Question::Password,
            },
            "PLAIN" => Question::UserNameAndPassword,
            name => Question::Base64 { binary: sasl::lookup(name).is_some_and(|known| known.by_hand == ByHand::Binary) },
        };
        self.challenge = Challenge { raw: text.to_vec(), decoded, asks };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_many_servers_ask_for_the_right_thing() {
        use Question::{Base64, Password, UserName, UserNameAndPassword};
        let given = Some("logon".to_owned());
        let table = [
            ("LOGIN", None, "VXNlcm5hbWU6", UserName),
            ("LOGIN", given.clone(), "UGFzc3dvcmQ6", Password),
            ("LOGIN", None, "UGFzc3dvcmQA", Password),
            ("LOGIN", None, "", UserName),
            ("LOGIN", given.clone(), "", Password),
            ("LOGIN", given, "not base64!", Password),
            ("PLAIN", None, "", UserNameAndPassword),
            ("NTLM", None, "NTLM supported", Base64 { binary: true }),
            ("CRAM-MD5", None, "PDE+", Base64 { binary: false }),
            ("X-NEW", None, "", Base64 { binary: false }),
        ];
        for (mechanism, user, text, want) in table {
            assert_eq!(Dialogue::open(mechanism, user, text.as_bytes()).challenge.asks, want, "{mechanism} {text}");
        }
    }
}
