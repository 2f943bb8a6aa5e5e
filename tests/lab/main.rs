//! The program against real mail servers: `tests/lab/lab start`, then
//! `eval "$(tests/lab/lab env)"; cargo test --test lab`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod check;
mod dovecot;
mod exim;
mod logins;
mod postfix;
mod row;
mod support;
mod tls;
