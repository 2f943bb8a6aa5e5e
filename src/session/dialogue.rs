//! The AUTH dialogue (RFC 4954 §4): what both sides said, what of it is secret, and what is asked now.

use crate::sasl::login::{self, Asks};
use crate::sasl::{self, ByHand, Client, Description, Mechanism, Party, Said};
use crate::secret::Secret;
use crate::wire::base64::{self, Decoded, NotBase64};
use crate::wire::reply::Reply;

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
    /// It gives back a secret that was sent: nothing of it may be shown.
    pub holds_secret: bool,
}

impl Challenge {
    /// Words in the place of base64 that servers are known to say where the client has to begin: `NTLM supported`.
    ///
    /// # Source
    /// MS-SMTPNTLM §2.2 (`NTLM supported`); others say the same of their mechanisms, or `go ahead`.
    pub fn is_usual_text(&self, mechanism: &str) -> bool {
        let text = self.raw.trim_ascii().to_ascii_lowercase();
        let text = text.strip_suffix(b".").unwrap_or(&text);
        let rest = text.strip_prefix(mechanism.to_ascii_lowercase().as_bytes()).map(<[u8]>::trim_ascii);
        rest.is_some_and(|rest| matches!(rest, b"supported" | b"authentication supported"))
            || matches!(text, b"go ahead" | b"go on" | b"ok, go on" | b"ok. go on" | b"continue" | b"proceed")
    }
}

/// Whether a refusal of AUTH is one of the initial response in its line, so that AUTH may be said once more without it.
///
/// # Source
/// RFC 4954 §4 and §6: 504 is an unrecognized parameter, 501 one that has no place or is not well formed. Only a text
/// that names the initial response tells a 501 apart from a login that is no good, which is not sent twice.
pub fn refuses_initial_response(reply: &Reply) -> bool {
    let texts: Vec<String> = reply.texts().map(|text| String::from_utf8_lossy(text).to_lowercase()).collect();
    let text = texts.join(" ").replace('-', " ");
    let names_it = ["initial response", "initial client response", "too many arguments", "syntax: auth mechanism", "no argument"]
        .iter()
        .any(|words| text.contains(words));
    match reply.code.number() {
        504 => reply.is_refusal(),
        501 => reply.is_refusal() && names_it,
        _ => false,
    }
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
            challenge: Challenge { raw: Vec::new(), decoded: base64::decode(b""), asks: Question::UserName, holds_secret: false },
            messages: Vec::new(),
        };
        let sent = match initial_response {
            Some(response) => dialogue.answered(if response == b"=" { b"" } else { response }),
            None => Sent { description: None, hidden: None },
        };
        (dialogue, sent)
    }

    /// Takes the next question: the text of a 334. `holds_secret`: it gives back what was sent.
    pub(super) fn challenged(&mut self, text: &[u8], holds_secret: bool) {
        self.steps += 1;
        let decoded = base64::decode(text);
        let words = self.words(text, decoded.as_ref().ok()).to_vec();
        let asks = match self.mechanism.as_str() {
            "LOGIN" => match login::asks(&words, self.user.is_some()) {
                Asks::UserName => Question::UserName,
                Asks::Password => Question::Password,
            },
            "PLAIN" => Question::UserNameAndPassword,
            name => Question::Base64 { binary: sasl::lookup(name).is_some_and(|known| known.by_hand == ByHand::Binary) },
        };
        self.challenge = Challenge { raw: text.to_vec(), decoded, asks, holds_secret };
        self.messages.push(Message { from: Party::Server, line: Secret::new(text.to_vec()), bytes: Secret::new(words) });
    }

    /// What a challenge says. LOGIN asks in words that no document fixes, and some servers do not encode them: `Password`
    /// is base64 too, by chance.
    fn words<'a>(&self, text: &'a [u8], decoded: Option<&'a Decoded>) -> &'a [u8] {
        match decoded {
            Some(decoded) if self.mechanism != "LOGIN" || login::names_something(&decoded.bytes) => &decoded.bytes,
            Some(decoded) if !login::names_something(text) => &decoded.bytes,
            _ => text,
        }
    }

    /// Takes the line that answers the last challenge, as it goes out.
    pub(super) fn answered(&mut self, line: &[u8]) -> Sent {
        let sent = self.would_say(line);
        if let Some(user) = sent.description.as_ref().and_then(user_of) {
            self.user = Some(user);
        }
        let bytes = Secret::new(base64::decode(line).map_or_else(|_| line.to_vec(), |decoded| decoded.bytes));
        self.messages.push(Message { from: Party::Client, line: Secret::new(line.to_vec()), bytes });
        sent
    }

    /// What a line says if it answers the last challenge, and what may be seen of it.
    pub fn would_say(&self, line: &[u8]) -> Sent {
        let decoded = base64::decode(line).map(|decoded| Secret::new(decoded.bytes));
        let description = decoded.as_ref().ok().and_then(|bytes| {
            let answering = self.messages.last().map(|challenge| challenge.bytes.expose().as_slice());
            let said = Said { from: Party::Client, number: self.count(Party::Client), bytes: bytes.expose(), answering, now: 0 };
            sasl::describe(&self.mechanism, &said)
        });
        let is_empty = decoded.map_or(line.is_empty(), |bytes| bytes.expose().is_empty());
        let hidden = match &description {
            _ if is_empty => None,
            Some(description) => description.has_secret().then(|| format!("({}, hidden)", description.title)),
            // Nobody knows what is in it.
            None => Some("(answer, hidden)".to_owned()),
        };
        Sent { description, hidden }
    }

    /// What the last challenge says, in the words of its mechanism. `now`: milliseconds since 1970.
    pub fn describe_challenge(&self, now: u64) -> Option<Description> {
        let challenge = self.messages.last().filter(|message| message.from == Party::Server)?;
        self.challenge.decoded.as_ref().ok().filter(|_| !self.challenge.holds_secret)?;
        let number = self.count(Party::Server) - 1;
        let said = Said { from: Party::Server, number, bytes: challenge.bytes.expose(), answering: None, now };
        sasl::describe(&self.mechanism, &said)
    }

    /// What a client that carries the login out has to answer: the last challenge, and an empty one or none where it only
    /// means "go ahead", whatever it says (RFC 4422 §3).
    ///
    /// # Errors
    /// It is not base64, and the login is to be cancelled (RFC 4954 §4, P26). Where the answer is computed from it, it must
    /// be base64 to the letter: a challenge that was repaired would be answered with a digest of the password.
    pub fn to_answer(&self, mechanism: &Mechanism, client: &dyn Client) -> Result<Option<&[u8]>, NotBase64> {
        let is_turn_to_begin = mechanism.client_first && self.count(Party::Client) == 0;
        if is_turn_to_begin {
            return Ok(Some(b""));
        }
        if !client.reads_challenge() {
            return Ok(None);
        }
        let words = self.messages.last().map(|message| message.bytes.expose().as_slice());
        if client.only_asks() {
            return self.challenge.decoded.as_ref().map(|_| words).map_err(|error| *error);
        }
        base64::decode_strictly(self.challenge.raw.trim_ascii()).map(|_| words)
    }

    /// All that was said, in its order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How many messages one side has sent.
    pub fn count(&self, party: Party) -> usize {
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
            dialogue.challenged(text.as_bytes(), false);
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
                    dialogue.challenged(line.as_bytes(), false);
                }
            }
            assert_eq!((dialogue.user.as_deref(), sent.hidden.as_deref()), (*user, *hidden), "{mechanism} {lines:?}");
        }
    }

    // P26
    #[test]
    fn a_challenge_is_answered_as_it_came_or_not_at_all() {
        type Case = (&'static str, &'static [&'static str], Result<Option<&'static [u8]>, ()>);
        let table: &[Case] = &[
            ("CRAM-MD5", &["PDE+"], Ok(Some(b"<1>"))),
            ("CRAM-MD5", &["PDE+ "], Ok(Some(b"<1>"))),
            ("CRAM-MD5", &["Rubbish"], Err(())),
            ("CRAM-MD5", &["PDE"], Err(())),
            ("CRAM-MD5", &["PDE+="], Err(())),
            ("CRAM-MD5", &["<1>"], Err(())),
            // Nothing is read: the turn is the client's.
            ("PLAIN", &["PLAIN supported"], Ok(Some(b""))),
            ("XOAUTH2", &["go ahead"], Ok(Some(b""))),
            ("NTLM", &["NTLM supported"], Ok(None)),
            // Words: odd base64 is good enough for them, and two are base64 by chance.
            ("LOGIN", &["VXNlcm5hbWU6"], Ok(Some(b"Username:"))),
            ("LOGIN", &["UGFzc3dvcmQ6===="], Ok(Some(b"Password:"))),
            ("LOGIN", &["User?"], Err(())),
            ("LOGIN", &["Username"], Ok(Some(b"Username"))),
            ("LOGIN", &["Password"], Ok(Some(b"Password"))),
        ];
        for (mechanism, challenges, want) in table {
            let (mut dialogue, _) = Dialogue::begin(mechanism, None);
            challenges.iter().for_each(|text| dialogue.challenged(text.as_bytes(), false));
            let known = sasl::lookup(mechanism).unwrap();
            let got = dialogue.to_answer(known, &*(known.client)()).map_err(|_| ());
            assert_eq!(got, *want, "{mechanism} {challenges:?}");
        }
    }

    #[test]
    fn usual_words_in_the_place_of_base64_are_known() {
        let table = [
            ("NTLM", "NTLM supported", true),
            ("PLAIN", "plain supported.", true),
            ("XOAUTH2", "go ahead", true),
            ("CRAM-MD5", "Rubbish", false),
            ("PLAIN", "NTLM supported", false),
            ("PLAIN", "", false),
        ];
        for (mechanism, text, want) in table {
            let (mut dialogue, _) = Dialogue::begin(mechanism, None);
            dialogue.challenged(text.as_bytes(), false);
            assert_eq!(dialogue.challenge.is_usual_text(mechanism), want, "{mechanism} {text}");
        }
    }

    #[test]
    fn only_a_refusal_of_the_initial_response_asks_for_the_other_form() {
        let table = [
            ("504 5.5.4 Unrecognized parameter", true),
            ("501 5.5.4 Initial response not allowed", true),
            ("501 initial-response is not supported", true),
            ("501 Syntax: AUTH mechanism", true),
            ("501 5.5.2 Cannot decode", false),
            ("500 5.5.1 Unrecognized command", false),
            ("535 5.7.8 initial response was wrong", false),
            ("454 initial response", false),
            ("334 ", false),
        ];
        for (line, want) in table {
            let reply = crate::wire::reply::first_reply(format!("{line}\r\n").as_bytes()).unwrap();
            assert_eq!(refuses_initial_response(&reply), want, "{line}");
        }
    }
}
