//! What completion, hints and prompts need to know of the session, copied out for the editor's thread.

use crate::session::dialogue::Question;
use crate::session::{Session, Stage};

/// What the next typed line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// A command or a local command.
    #[default]
    Command,
    /// An answer within AUTH.
    Answer(Question),
    /// A line of the message.
    Message,
    /// A line of the octets that BDAT announced.
    Chunk,
    /// An answer to a question of ours.
    Question,
}

/// The copy.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What the next line is.
    pub mode: Mode,
    /// The server has greeted us.
    pub greeted: bool,
    /// EHLO or HELO was accepted.
    pub hello: bool,
    /// The server speaks LMTP: LHLO in the place of EHLO and HELO.
    pub lmtp: bool,
    /// A sender was accepted.
    pub mail: bool,
    /// A recipient was accepted.
    pub recipient: bool,
    /// The keywords that EHLO offered, in capitals.
    pub offered: Vec<String>,
    /// The login mechanisms that EHLO offered.
    pub mechanisms: Vec<String>,
    /// The name that we say in EHLO.
    pub own_name: String,
    /// Addresses used in this session, the newest first.
    pub addresses: Vec<String>,
    /// Ghost hints are on.
    pub hints: bool,
    /// Columns that the prompt takes.
    pub prompt_width: usize,
}

impl Snapshot {
    /// Takes over the state of a session; `None` when nothing is open.
    pub fn update(&mut self, session: Option<&Session>) {
        let open = session.filter(|session| session.is_open());
        self.mode = match open {
            Some(session) if session.stage() == Stage::Message => Mode::Message,
            Some(session) if session.stage() == Stage::Chunk => Mode::Chunk,
            Some(session) => session.dialogue().map_or(Mode::Command, |dialogue| Mode::Answer(dialogue.challenge.asks)),
            None => Mode::Command,
        };
        self.greeted = open.is_some_and(|session| session.stage() != Stage::Greeting);
        self.hello = open.is_some_and(|session| session.stage() == Stage::Ready);
        self.mail = open.is_some_and(|session| session.transaction().sender.is_some());
        self.recipient = open.is_some_and(|session| !session.transaction().accepted.is_empty());
        let offer = open.and_then(Session::capabilities);
        self.offered = offer.map(|offer| offer.keywords().map(|keyword| keyword.name().to_ascii_uppercase()).collect()).unwrap_or_default();
        self.mechanisms = offer.map(crate::wire::keyword::Capabilities::mechanisms).unwrap_or_default();
    }

    /// Whether EHLO offered the keyword.
    pub fn offers(&self, keyword: &str) -> bool {
        self.offered.iter().any(|offered| offered == keyword)
    }
}
