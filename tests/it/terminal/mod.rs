//! The program at a terminal.

mod check;
mod composing;
mod editing;
mod leaving;
mod local;
mod login;
mod looks;
mod pasting;
mod tls;

/// The prompt when nothing is begun.
fn prompt(port: u16) -> String {
    format!("127.0.0.1:{port}>")
}
