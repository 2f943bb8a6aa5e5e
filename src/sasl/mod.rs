//! SASL mechanisms, one file each: descriptor, client steps, server steps.
//!
//! A mechanism without a file of its own can still be typed by hand: its challenges are decoded and
//! shown, and base64 goes out as typed.

pub mod login;
pub mod plain;

/// What is known of a mechanism.
#[derive(Debug)]
pub struct Mechanism {
    /// As registered with IANA.
    pub name: &'static str,
    /// Where it is defined.
    pub source: &'static str,
    /// What it is, 60 columns at most.
    pub summary: &'static str,
    /// How it can be typed.
    pub by_hand: ByHand,
}

/// What the operator can do at a challenge of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// Type plain text; it is encoded.
    PlainText,
    /// Type base64 made elsewhere.
    Base64,
    /// An exchange of binary messages that a person cannot make up.
    Binary,
}

/// The known mechanisms, in the order in which help lists them.
pub const MECHANISMS: &[Mechanism] = &[
    plain::MECHANISM,
    login::MECHANISM,
    other("CRAM-MD5", "RFC 2195", "answers a challenge with a keyed MD5", ByHand::Base64),
    other("DIGEST-MD5", "RFC 2831", "HTTP Digest for mail (historic)", ByHand::Base64),
    other("SCRAM-SHA-1", "RFC 5802", "salted challenge and response", ByHand::Base64),
    other("SCRAM-SHA-256", "RFC 7677", "salted challenge and response", ByHand::Base64),
    other("XOAUTH2", "Google, Microsoft", "an OAuth 2.0 access token", ByHand::Base64),
    other("OAUTHBEARER", "RFC 7628", "an OAuth 2.0 access token", ByHand::Base64),
    other("NTLM", "MS-SMTPNTLM", "Windows login, three binary messages", ByHand::Binary),
    other("GSSAPI", "RFC 4752", "Kerberos", ByHand::Binary),
    other("EXTERNAL", "RFC 4422", "the TLS client certificate says who it is", ByHand::Base64),
    other("ANONYMOUS", "RFC 4505", "no login, a trace of who it was", ByHand::Base64),
];

const fn other(name: &'static str, source: &'static str, summary: &'static str, by_hand: ByHand) -> Mechanism {
    Mechanism { name, source, summary, by_hand }
}

/// Finds a mechanism, in any case.
pub fn lookup(name: &str) -> Option<&'static Mechanism> {
    MECHANISMS.iter().find(|mechanism| mechanism.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_complete() {
        for (at, mechanism) in MECHANISMS.iter().enumerate() {
            assert!(mechanism.summary.len() <= 60 && !mechanism.source.is_empty());
            assert!(MECHANISMS[..at].iter().all(|other| other.name != mechanism.name), "{} twice", mechanism.name);
        }
    }
}
