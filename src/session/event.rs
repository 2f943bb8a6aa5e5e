//! What the session tells.

use std::time::Duration;

use super::judgement::Judgement;
use crate::wire::command::Command;
use crate::wire::foreign::Foreign;
use crate::wire::reply::{Reply, TooLong};

/// What the next reply of the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The greeting after connecting.
    Greeting,
    /// A command.
    Command(Command),
    /// An answer within an AUTH dialogue of this mechanism.
    Answer(String),
    /// The lone dot: the fate of the message.
    FinalDot,
    /// The end of a message with PRDR: 353 announces a [`Expected::Verdict`] for each recipient and a reply for all,
    /// any other code decides at once.
    PrdrDot,
    /// The fate of the message for this recipient (LMTP, RFC 2033 §4.2; PRDR).
    Verdict(String),
    /// Bytes that were sent as they are.
    Raw,
}

impl Expected {
    /// What was sent: a verb, or `the message`.
    pub fn subject(&self) -> &str {
        match self {
            Self::Greeting => "the connection",
            Self::Command(command) => command.verb(),
            Self::Answer(_) => "AUTH",
            Self::FinalDot | Self::PrdrDot | Self::Verdict(_) => "the message",
            Self::Raw => "these bytes",
        }
    }

    /// Whether the reply decides about a complete message.
    pub fn is_fate(&self) -> bool {
        matches!(self, Self::FinalDot | Self::PrdrDot | Self::Verdict(_) | Self::Command(Command::Bdat { last: true, .. }))
    }

    /// To stand behind "waiting for".
    pub fn describe(&self) -> String {
        match self {
            Self::Greeting => "the greeting".to_owned(),
            Self::Command(command) => format!("the reply to {}", command.verb()),
            Self::Answer(mechanism) => format!("the reply to AUTH {mechanism}"),
            Self::FinalDot | Self::PrdrDot => "the reply to the message".to_owned(),
            Self::Verdict(recipient) => format!("the reply to the message for {recipient}"),
            Self::Raw => "a reply".to_owned(),
        }
    }
}

/// Something happened in the session.
#[derive(Debug)]
pub enum Event {
    /// The reply to what was expected.
    Reply {
        /// The reply, with secrets that the server echoed taken out.
        reply: Reply,
        /// What it answers.
        to: Expected,
        /// What it means for that.
        judgement: Judgement,
        /// How long it took.
        took: Duration,
    },
    /// A reply that nobody asked for (P9).
    Unsolicited(Reply),
    /// A line that is no SMTP reply (P2).
    Stray {
        /// The line.
        line: Vec<u8>,
        /// What may speak there instead.
        foreign: Option<Foreign>,
        /// What it took the place of, if anything was expected.
        to: Option<Expected>,
    },
    /// The connection is over.
    Ended(Ending),
}

/// Why the connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The server closed it.
    Closed {
        /// What had come of an unfinished reply.
        partial: Vec<Vec<u8>>,
        /// What was waited for.
        awaited: Option<Expected>,
        /// It was asked to, by QUIT, or had said so, by 421.
        announced: bool,
    },
    /// The operating system reports a failure.
    Lost {
        /// In its words.
        reason: String,
        /// The other side ended TLS with an alert, or TLS broke.
        by_tls: bool,
        /// What had come of an unfinished reply.
        partial: Vec<Vec<u8>>,
        /// What was waited for.
        awaited: Option<Expected>,
    },
    /// No complete reply came within the limit (P7).
    TimedOut {
        /// What was waited for; `None` when the server stopped reading.
        awaited: Option<Expected>,
        /// The limit.
        after: Duration,
        /// What had come of an unfinished reply.
        partial: Vec<Vec<u8>>,
    },
    /// The server sent more than a reply may have (P6).
    TooLong {
        /// Which limit was passed.
        kind: TooLong,
        /// The beginning of what came.
        partial: Vec<Vec<u8>>,
    },
    /// The server sends line after line that nobody asked for (P6).
    Flood,
    /// We closed it.
    ClosedByUs,
}

impl Ending {
    /// What was waited for, where that is known.
    pub fn awaited(&self) -> Option<&Expected> {
        match self {
            Self::Closed { awaited, .. } | Self::Lost { awaited, .. } | Self::TimedOut { awaited, .. } => awaited.as_ref(),
            Self::TooLong { .. } | Self::Flood | Self::ClosedByUs => None,
        }
    }

    /// What had come of an unfinished reply.
    pub fn into_partial(self) -> Vec<Vec<u8>> {
        match self {
            Self::Closed { partial, .. } | Self::Lost { partial, .. } | Self::TimedOut { partial, .. } | Self::TooLong { partial, .. } => {
                partial
            }
            Self::Flood | Self::ClosedByUs => Vec::new(),
        }
    }
}
