//! What a message says: named parts, each of them open or secret by its position.

use crate::secret::Secret;

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// A message and where it stands in its dialogue.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Who sent it.
    pub from: Party,
    /// Which of the messages of that side it is, from 0. A lone initial response is the client's 0.
    pub number: usize,
    /// The message, decoded.
    pub bytes: &'a [u8],
    /// The challenge that it answers, decoded; `None` for an initial response or when it is not known.
    pub answering: Option<&'a [u8]>,
    /// Milliseconds since 1970 here, to judge other clocks by; 0 when it is not known.
    pub now: u64,
}

/// Counts the messages of a dialogue, so that each is described by its place in it.
#[derive(Debug, Default)]
pub struct Places {
    from_client: usize,
    from_server: usize,
    challenge: Option<Secret<Vec<u8>>>,
}

impl Places {
    /// The place of the next message. `now`: milliseconds since 1970, 0 when it is not known.
    pub fn next<'a>(&'a mut self, from: Party, bytes: &'a [u8], now: u64) -> Said<'a> {
        let number = match from {
            Party::Client => &mut self.from_client,
            Party::Server => &mut self.from_server,
        };
        *number += 1;
        let number = *number - 1;
        if from == Party::Server {
            self.challenge = Some(Secret::new(bytes.to_vec()));
        }
        let answering = self.challenge.as_ref().filter(|_| from == Party::Client).map(|challenge| challenge.expose().as_slice());
        Said { from, number, bytes, answering, now }
    }
}

/// A message laid open.
///
/// # Shape
/// Texts are as the message has them: whoever shows them takes them through [`crate::text`].
#[derive(Debug, Default)]
pub struct Description {
    /// What kind of message it is.
    pub title: String,
    /// Its parts, in their order.
    pub fields: Vec<Field>,
    /// What is worth noticing, as whole sentences.
    pub remarks: Vec<String>,
}

/// A part of a message.
#[derive(Debug)]
pub struct Field {
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: Value,
}

/// What a part says.
#[derive(Debug)]
pub enum Value {
    /// Anybody may see it.
    Open(String),
    /// A moment, in milliseconds since 1970.
    Moment(u64),
    /// A password, a token, or what can be turned into one by trying.
    Hidden(Secret<Vec<u8>>),
}

impl Description {
    /// A description without parts.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a part that anybody may see.
    #[must_use]
    pub fn open(mut self, name: &str, text: impl Into<String>) -> Self {
        self.fields.push(Field { name: name.to_owned(), value: Value::Open(text.into()) });
        self
    }

    /// The same for bytes that should be text.
    #[must_use]
    pub fn open_bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.open(name, String::from_utf8_lossy(bytes))
    }

    /// Adds a part unless it is empty.
    #[must_use]
    pub fn open_if_any(self, name: &str, text: &str) -> Self {
        if text.is_empty() { self } else { self.open(name, text) }
    }

    /// Adds a secret part.
    #[must_use]
    pub fn hidden(mut self, name: &str, bytes: &[u8]) -> Self {
        self.fields.push(Field { name: name.to_owned(), value: Value::Hidden(Secret::new(bytes.to_vec())) });
        self
    }

    /// Adds a moment, in milliseconds since 1970.
    #[must_use]
    pub fn moment(mut self, name: &str, at: u64) -> Self {
        self.fields.push(Field { name: name.to_owned(), value: Value::Moment(at) });
        self
    }

    /// Adds a sentence.
    #[must_use]
    pub fn remark(mut self, sentence: impl Into<String>) -> Self {
        self.remarks.push(sentence.into());
        self
    }

    /// Whether a part of it is secret.
    pub fn has_secret(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// Its secret parts.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret<Vec<u8>>> {
        self.fields.iter().filter_map(|field| match &field.value {
            Value::Hidden(secret) => Some(secret),
            Value::Open(_) | Value::Moment(_) => None,
        })
    }

    /// The text of an open part.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
            Value::Open(text) => Some(text.as_str()),
            Value::Moment(_) | Value::Hidden(_) => None,
        })
    }
}
