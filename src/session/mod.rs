//! The session, sans-IO: fed with what the operator sends and what the server sent, it keeps the
//! state of the conversation, the events to tell and the transcript. It follows the operator and
//! never forbids.

pub mod client;
pub mod dialogue;
pub mod event;
pub mod judgement;
pub mod redact;
pub mod server;
pub mod transcript;

pub use client::{Security, Session, Stage};
pub use event::{Ending, Event, Expected};
pub use judgement::Judgement;
