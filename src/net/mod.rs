//! The network: names, connecting, and the one driver loop between a stream and a session.

pub mod command;
pub mod connection;
pub mod dial;
pub mod dns;
mod files;
pub mod header;
pub mod hello_name;
pub mod proxy;
pub mod resolve;
pub mod tls;
pub mod zone;

pub use connection::{Connection, Limits};
