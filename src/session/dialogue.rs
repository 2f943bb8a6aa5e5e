//! The AUTH dialogue (RFC 4954 §4): what both sides said, what of it is secret, and what is asked now.

use crate::sasl::login::{self, Asks};
use crate::sasl::{self, ByHand, Client, Description, Mechanism, Party, Said};
use crate::secret::Secret;
use crate::wire::base64::{self, Decoded, NotBase64};

/// More challenges than this and the dialogue is cancelled (P27).
pub const MAX_STEPS: u32 = 20;

/// A login by AUTH, from the command to the last reply.
#[derive(Debug)]
pub struct Dialogue {
    /// The mechanism, in capitals.
    pub mechanism: String,
    /// How many challenges came.
    pub steps: u32,
    /// The user name that was sent, where it can be known.
    pub user: Option<String>,
    /// The last challenge; an empty one before the first.
    pub challenge: Challenge,
    messages: Vec<Message>,
}

/// A message within a login.
#[derive(Debug)]
pub struct Message {
    /// Who sent it.
    pub from: Party,
    /// The base64 as it stood on the wire, or what stood in its place.
    pub line: Secret<Vec<u8>>,
    /// What it says; the line itself when that is not base64.
    pub bytes: Secret<Vec<u8>>,
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

/// What may be shown of a message that was sent.
#[derive(Debug)]
pub struct Sent {
    /// What it says; `None` when its mechanism is not known or it is not of the mechanism's form.
    pub description: Option<Description>,
    /// What stands in its place where it may not be seen: `(password, hidden)`.
    pub hidden: Option<String>,
}

impl Dialogue {
    /// Begins with the AUTH command; `=` is an empty initial response.
    pub(super) fn begin(mechanism: &str, initial_response: Option<&[u8]>) -> (Self, Sent) {
        let mut dialogue = Self {
            mechanism: mechanism.to_owned(),
            steps: 0,
            user: None,
            challenge: Challenge { raw: Vec::new(), decoded: base64::decode(b""), asks: Question::UserName },
            messages: Vec::new(),
        };
        let sent = match initial_response {
            Some(response) => dialogue.answered(if response == b"=" { b"" } else { response }),
            None => Sent { description: None, hidden: None },
        };
        (dialogue, sent)
    }

    /// Takes the next 334.
    pub(super) fn challenged(&mut self, text: &[u8]) {
        self.steps += 1;
        let decoded = base64::decode(text);
        let words = decoded.as_ref().map_or(text, |decoded| &decoded.bytes).to_vec();
        let asks = match self.mechanism.as_str() {
            "LOGIN" => match login::asks(&words, self.user.is_some()) {
                Asks::UserName => Question::UserName,
                Asks::Password => Question::Password,
            },
            "PLAIN" => Question::UserNameAndPassword,
            name => Question::Base64 { binary: sasl::lookup(name).is_some_and(|known| known.by_hand == ByHand::Binary) },
        };
        self.challenge = Challenge { raw: text.to_vec(), decoded, asks };
        self.messages.push(Message { from: Party::Server, line: Secret::new(text.to_vec()), bytes: Secret::new(words) });
    }

    /// Takes the line that answers the last challenge, as it goes out.
    pub(super) fn answered(&mut self, line: &[u8]) -> Sent {
        let decoded = base64::decode(line).map(|decoded| decoded.bytes);
        let description = decoded.as_ref().ok().and_then(|bytes| {
            let answering = self.messages.last().map(|challenge| challenge.bytes.expose().as_slice());
            sasl::describe(&self.mechanism, &Said { from: Party::Client, number: self.count(Party::Client), bytes, answering, now: 0 })
        });
        if let Some(user) = description.as_ref().and_then(user_of) {
            self.user = Some(user);
        }
        let bytes = Secret::new(decoded.unwrap_or_else(|_| line.to_vec()));
        let empty = bytes.expose().is_empty();
        self.messages.push(Message { from: Party::Client, line: Secret::new(line.to_vec()), bytes });
        let hidden = match &description {
            _ if empty => None,
            Some(description) => description.has_secret().then(|| format!("({}, hidden)", description.title)),
            // Nobody knows what is in it.
            None => Some("(answer, hidden)".to_owned()),
        };
        Sent { description, hidden }
    }

    /// What the last challenge says, in the words of its mechanism. `now`: milliseconds since 1970.
    pub fn describe_challenge(&self, now: u64) -> Option<Description> {
        let challenge = self.messages.last().filter(|message| message.from == Party::Server)?;
        self.challenge.decoded.as_ref().ok()?;
        let number = self.count(Party::Server) - 1;
        let said = Said { from: Party::Server, number, bytes: challenge.bytes.expose(), answering: None, now };
        sasl::describe(&self.mechanism, &said)
    }

    /// What a client that carries the login out has to answer: the last challenge, and nothing where it only means "go
    /// ahead", whatever it says (RFC 4422 §3).
    ///
    /// # Errors
    /// It is not base64, and the login is to be cancelled (RFC 4954 §4, P26).
    pub fn to_answer(&self, mechanism: &Mechanism, client: &dyn Client) -> Result<Option<&[u8]>, NotBase64> {
        let is_turn_to_begin = mechanism.client_first && self.count(Party::Client) == 0;
        if is_turn_to_begin || !client.reads_challenge() {
            return Ok(None);
        }
        match self.challenge.decoded {
            Err(error) => Err(error),
            Ok(_) => Ok(self.messages.last().map(|message| message.bytes.expose().as_slice())),
        }
    }

    /// All that was said, in its order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    fn count(&self, party: Party) -> usize {
        self.messages.iter().filter(|message| message.from == party).count()
    }
}

/// `DOMAIN\user` where a message names both.
fn user_of(description: &Description) -> Option<String> {
    let user = description.text("user").or_else(|| description.text("username")).filter(|user| !user.is_empty())?;
    match description.text("domain").filter(|domain| !domain.is_empty()) {
        Some(domain) => Some(format!("{domain}\\{user}")),
        None => Some(user.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_many_servers_ask_for_the_right_thing() {
        use Question::{Base64, Password, UserName, UserNameAndPassword};
        let given = Some("bG9nb24=");
        let table = [
            ("LOGIN", None, "VXNlcm5hbWU6", UserName),
            ("LOGIN", given, "UGFzc3dvcmQ6", Password),
            ("LOGIN", None, "UGFzc3dvcmQA", Password),
            ("LOGIN", None, "", UserName),
            ("LOGIN", given, "", Password),
            ("LOGIN", given, "not base64!", Password),
            ("PLAIN", None, "", UserNameAndPassword),
            ("CRAM-MD5", None, "PDE+", Base64 { binary: false }),
            ("X-NEW", None, "", Base64 { binary: false }),
        ];
        for (mechanism, initial_response, text, want) in table {
            let (mut dialogue, _) = Dialogue::begin(mechanism, initial_response.map(str::as_bytes));
            dialogue.challenged(text.as_bytes());
            assert_eq!(dialogue.challenge.asks, want, "{mechanism} {text}");
        }
    }

    // P24
    #[test]
    fn messages_are_open_or_hidden_by_their_position() {
        type Case = (&'static str, &'static [&'static str], Option<&'static str>, Option<&'static str>);
        let open = None;
        let table: &[Case] = &[
            ("LOGIN", &["bG9nb24="], Some("logon"), open),
            ("LOGIN", &["VXNlcm5hbWU6", "bG9nb24="], Some("logon"), open),
            ("LOGIN", &["VXNlcm5hbWU6", "bG9nb24=", "UGFzc3dvcmQ6", "c2VjcmV0"], Some("logon"), Some("(password, hidden)")),
            ("LOGIN", &["UGFzc3dvcmQ6", "c2VjcmV0"], None, Some("(password, hidden)")),
            ("LOGIN", &["VXNlcm5hbWU6", "AGxvZ29uAHNlY3JldA=="], None, Some("(answer, hidden)")),
            ("PLAIN", &["AGxvZ29uAHNlY3JldA=="], Some("logon"), Some("(user name and password, hidden)")),
            ("PLAIN", &["bG9nb24AcGFzcw=="], None, Some("(answer, hidden)")),
            ("CRAM-MD5", &["PDE+", "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"], Some("tim"), Some("(CRAM-MD5 answer, hidden)")),
            ("X-NEW", &["", "c2VjcmV0"], None, Some("(answer, hidden)")),
            ("X-NEW", &["", ""], None, open),
        ];
        for (mechanism, lines, user, hidden) in table {
            // An even number of lines begins with a challenge.
            let begins = lines.len() % 2 == 1;
            let initial = lines.first().filter(|_| begins);
            let (mut dialogue, mut sent) = Dialogue::begin(mechanism, initial.map(|line| line.as_bytes()));
            for (at, line) in lines.iter().enumerate().skip(usize::from(begins)) {
                if (at % 2 == 0) == begins {
                    sent = dialogue.answered(line.as_bytes());
                } else {
                    dialogue.challenged(line.as_bytes());
                }
            }
            assert_eq!((dialogue.user.as_deref(), sent.hidden.as_deref()), (*user, *hidden), "{mechanism} {lines:?}");
        }
    }
}
