//! Questions that the system's resolver cannot be asked: MX, PTR, TLSA, and addresses at a name server of
//! the operator's choice.
//!
//! Each question has one deadline, whatever the name servers do. Names in the answers are as their zone
//! has them, without the final dot: whoever prints them makes them printable. A build without the feature
//! `dns` has the types and answers [`DnsError::NotBuilt`].

#[cfg(feature = "dns")]
mod client;
#[cfg(not(feature = "dns"))]
#[path = "without.rs"]
mod client;
#[cfg(feature = "dns")]
mod exchange;
pub mod mx;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;

pub use client::Resolver;

use super::zone::parse_socket_address;

/// The answer to a question; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The records, in the order of the answer.
    pub records: Vec<T>,
    /// The names that the question was led to by CNAME records, in their order.
    pub aliases: Vec<String>,
    /// The name server says that it has verified the answer with DNSSEC (the AD bit); worth as much as the
    /// way to that name server.
    pub authentic: bool,
}

/// An MX record (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// The lower, the earlier it is tried.
    pub preference: u16,
    /// The host; `.` says that the domain takes no mail (RFC 7505).
    pub host: String,
}

/// A TLSA record (RFC 6698 §2.1), its numbers as they stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// 0 to 3.
    pub usage: u8,
    /// 0: the certificate, 1: its key.
    pub selector: u8,
    /// 0: all of it, 1: SHA-256, 2: SHA-512.
    pub matching: u8,
    /// The certificate, the key or the hash.
    pub data: Vec<u8>,
}

/// Why a question was not answered with records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists and has no such record.
    NoData {
        /// The names that it was led to.
        aliases: Vec<String>,
    },
    /// The name server answered with an error, by its name: `SERVFAIL`, `REFUSED`.
    Refused(&'static str),
    /// No name server answered in time.
    TimedOut,
    /// The name server cannot be reached, in the system's words.
    Unreachable(String),
    /// The name cannot be asked for.
    BadName,
    /// The answer cannot be used, or there is no name server, in words.
    Other(String),
    /// This build has no feature `dns`.
    NotBuilt,
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => f.write_str("the name does not exist (NXDOMAIN)"),
            Self::NoData { .. } => f.write_str("the name has no such record"),
            Self::Refused(code) => write!(f, "the name server answered {code}"),
            Self::TimedOut => f.write_str("no name server answered in time"),
            Self::Unreachable(words) => write!(f, "the name server cannot be reached: {words}"),
            Self::BadName => f.write_str("the name cannot be looked up"),
            Self::Other(words) => f.write_str(words),
            Self::NotBuilt => f.write_str("this build cannot look names up by itself; one that can: cargo install --features dns"),
        }
    }
}

impl std::error::Error for DnsError {}

/// Reads the address of a name server: `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:53`, `fe80::53%eth0`.
///
/// # Errors
/// In words: what was given is no address.
pub fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let usage = || Err("give the address of a name server, such as 192.0.2.53 or 192.0.2.53:5353".to_owned());
    parse_socket_address(text, 53).unwrap_or_else(usage)
}
