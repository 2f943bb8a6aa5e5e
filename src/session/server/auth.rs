//! The server's side of AUTH: for each mechanism the questions it asks, and the one account.

use std::collections::VecDeque;

use super::scenario::Quirk;
use crate::sasl::plain;
use crate::secret::Secret;
use crate::wire::base64;

/// The user names of the practice account, in any case: all mean the same user.
pub const USERS: &[&str] = &["logon", "logon@contoso.test", r"CONTOSO\logon"];
/// The password of the practice account.
pub const PASSWORD: &str = "My simple password";

/// A 334 of the server: the text behind the code as sent, and what is taken from the answer.
#[derive(Debug, Clone, Copy)]
pub struct Question(pub &'static str, pub Asks);

/// What is taken from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// The user name.
    UserName,
    /// The password.
    Password,
    /// A PLAIN message: both.
    Both,
    /// Nothing: whatever it is, the login fails.
    Nothing,
}

/// A mechanism as the practice server plays it.
struct Mechanism {
    name: &'static str,
    questions: &'static [Question],
}

const MECHANISMS: &[Mechanism] = &[
    Mechanism { name: "LOGIN", questions: &[Question("VXNlcm5hbWU6", Asks::UserName), Question("UGFzc3dvcmQ6", Asks::Password)] },
    Mechanism { name: "PLAIN", questions: &[Question("", Asks::Both)] },
    Mechanism { name: "NTLM", questions: &[Question("NTLM supported", Asks::Nothing)] },
];

/// What the server does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Asks, with this behind the 334.
    Ask(&'static str),
    /// Lets the user in.
    Accept,
    /// Refuses.
    Refuse,
    /// Refuses what is not base64.
    Undecodable,
}

/// An AUTH dialogue under way.
#[derive(Debug)]
pub(super) struct Dialogue {
    all: &'static [Question],
    left: VecDeque<Question>,
    user: String,
    password: Option<Secret<Vec<u8>>>,
    forever: bool,
    never: bool,
}

impl Dialogue {
    /// Begins a dialogue; `None` for a mechanism that is not played here.
    pub(super) fn new(mechanism: &str, quirks: &'static [Quirk]) -> Option<Self> {
        let usual = MECHANISMS.iter().find(|known| known.name.eq_ignore_ascii_case(mechanism))?;
        let other = quirks.iter().find_map(|quirk| match quirk {
            Quirk::Prompts(questions) if usual.name == "LOGIN" => Some(*questions),
            _ => None,
        });
        let all = other.unwrap_or(usual.questions);
        Some(Self {
            all,
            left: all.iter().copied().collect(),
            user: String::new(),
            password: None,
            forever: quirks.iter().any(|quirk| matches!(quirk, Quirk::PromptsForever)),
            never: quirks.iter().any(|quirk| matches!(quirk, Quirk::NoLogin)),
        })
    }

    /// The first turn. An initial response answers what does not ask for the password alone; `=` is
    /// an empty one (RFC 4954 §4).
    pub(super) fn open(&mut self, initial_response: Option<&str>) -> Turn {
        let Some(response) = initial_response else { return self.turn() };
        let answered = self.left.iter().position(|question| question.1 != Asks::Password);
        let Some(question) = answered.and_then(|at| self.left.remove(at)) else { return Turn::Refuse };
        self.take(question.1, if response == "=" { b"" } else { response.as_bytes() })
    }

    /// The turn after an answer.
    pub(super) fn answer(&mut self, line: &[u8]) -> Turn {
        match self.left.pop_front() {
            Some(question) => self.take(question.1, line),
            None => Turn::Refuse,
        }
    }

    fn take(&mut self, asks: Asks, answer: &[u8]) -> Turn {
        let bytes = match base64::decode(answer) {
            Ok(decoded) if decoded.oddities.is_empty() => Secret::new(decoded.bytes),
            _ if asks == Asks::Nothing => Secret::new(Vec::new()),
            _ => return Turn::Undecodable,
        };
        match asks {
            Asks::UserName => self.user = String::from_utf8_lossy(bytes.expose()).into_owned(),
            Asks::Password => self.password = Some(bytes),
            Asks::Both => {
                if let Some(parts) = plain::parse(bytes.expose()) {
                    self.user = parts.authcid;
                    self.password = Some(parts.password);
                }
            }
            Asks::Nothing => {}
        }
        self.turn()
    }

    fn turn(&mut self) -> Turn {
        if self.left.is_empty() && self.forever {
            self.left.extend(self.all);
        }
        match self.left.front() {
            Some(question) => Turn::Ask(question.0),
            None if !self.never && self.is_right() => Turn::Accept,
            None => Turn::Refuse,
        }
    }

    fn is_right(&self) -> bool {
        let known = USERS.iter().any(|user| user.eq_ignore_ascii_case(&self.user));
        known && self.password.as_ref().is_some_and(|password| password.expose() == PASSWORD.as_bytes())
    }
}
