//! The program as a whole: what a person, a script or a hostile server meets.
//!
//! Everything happens on the loopback interface, on ports that the system gives. A test waits for a
//! condition with a generous deadline and never for a time. `EHLO_UPDATE_SNAPSHOTS=1` writes the files
//! anew that outputs are compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(unix)]
mod blocked;
mod check;
mod chunks;
mod coding;
mod dialogues;
mod exit_status;
mod formats;
mod help;
mod hostile;
mod log;
mod logins;
mod message;
mod practice;
mod route;
mod script;
mod secrets;
mod support;
#[cfg(unix)]
mod terminal;
mod tls;
