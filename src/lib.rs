//! `ehlo`: talk SMTP to a mail server, and find out why mail does not flow.
//!
//! The modules form floors; each imports only from those above it in this list. The first groups are
//! sans-IO: fed bytes and moments, asked what to do next.

pub mod host;
pub mod secret;
pub mod target;
pub mod text;

pub mod sasl;
pub mod wire;

pub mod explain;
pub mod session;

pub mod net;

pub mod jobs;

pub mod render;

pub mod repl;

pub mod cli;
