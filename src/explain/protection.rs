//! Why a password is not safe on a connection: what is asked before it goes out, and what is said where it does not.

use super::login::gives_away;
use super::talk::capital;
use crate::sasl::Exposure;
use crate::text::printable_str;

/// What a connection lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsafe {
    /// It is not encrypted.
    Clear,
    /// The server's certificate has a fault.
    Certificate,
    /// TLS before 1.2, such as `TLS 1.0` (RFC 8996).
    OldVersion(String),
    /// The certificate is in order for a name that an MX record gave, and nobody vouches for the record.
    NameFromDns {
        /// The host that the record names.
        name: String,
        /// The mail domain.
        domain: String,
    },
}

impl Unsafe {
    /// A few words for a table, behind "login withheld".
    pub fn short(&self) -> String {
        match self {
            Self::Clear => "login would be unencrypted".to_owned(),
            Self::Certificate => "login withheld: certificate not verified".to_owned(),
            Self::OldVersion(version) => format!("login withheld: {} is not safe", printable_str(version)),
            Self::NameFromDns { .. } => "login withheld: the server's name comes from DNS alone".to_owned(),
        }
    }

    /// What the connection lacks, and what a login that gives this away could lead to: a clause.
    pub fn reason(&self, exposes: Exposure) -> String {
        let lack = self.lack();
        match (self, exposes) {
            (Self::Clear | Self::OldVersion(_), Exposure::Secret) => format!("{lack}, and the password could be read on the way"),
            (_, Exposure::Secret) => format!("{lack}, and the password could reach somebody else"),
            _ => format!("{lack}, and the login {}", gives_away(exposes)),
        }
    }

    /// Asked at a terminal before a login goes out that gives this away.
    pub fn question(&self, exposes: Exposure) -> String {
        match (self, exposes) {
            (Self::Clear, Exposure::Secret) => "Send the password unencrypted?".to_owned(),
            (Self::Clear, _) => format!("Unencrypted, this login {}. Send it?", gives_away(exposes)),
            (_, Exposure::Secret) => format!("{}: send the password anyway?", capital(&self.short_lack())),
            _ => format!("{}, and this login {}. Send it anyway?", capital(&self.short_lack()), gives_away(exposes)),
        }
    }

    fn lack(&self) -> String {
        match self {
            Self::Clear => "this connection is not encrypted".to_owned(),
            Self::Certificate => "the certificate is not in order".to_owned(),
            Self::OldVersion(version) => format!("{} can be broken on the way (RFC 8996)", printable_str(version)),
            Self::NameFromDns { name, domain } => {
                format!("the name {} comes from an MX record of {}, which is not verified", printable_str(name), printable_str(domain))
            }
        }
    }

    fn short_lack(&self) -> String {
        match self {
            Self::Clear | Self::Certificate => self.lack(),
            Self::OldVersion(version) => format!("{} is not safe", printable_str(version)),
            Self::NameFromDns { name, .. } => format!("the name {} comes from DNS alone", printable_str(name)),
        }
    }

    /// What there is to do about it, besides sending the password anyway.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NameFromDns { name, .. } => Some(format!("--servername {} says that this is the server you mean.", printable_str(name))),
            Self::Clear | Self::Certificate | Self::OldVersion(_) => None,
        }
    }

    /// Told after the handshake, where the certificate itself is in order.
    pub fn remark(&self) -> Option<String> {
        let what = match self {
            Self::Clear | Self::Certificate => return None,
            Self::OldVersion(_) => format!("{}.", capital(&self.lack())),
            Self::NameFromDns { .. } => format!("{}: a forged record names another server.", capital(&self.lack())),
        };
        let remedy = self.remedy().map(|remedy| format!(" {remedy}")).unwrap_or_default();
        Some(format!("{what} A password counts as unprotected here.{remedy}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_printable() {
        // P14
        let odd = || "a\x1b[2J\u{202e}".to_owned();
        for what in [Unsafe::OldVersion(odd()), Unsafe::NameFromDns { name: odd(), domain: odd() }] {
            let words =
                [what.short(), what.reason(Exposure::Secret), what.question(Exposure::Guesses), what.remark().unwrap_or_default()].concat();
            assert!(!words.chars().any(|c| c.is_control() || c == '\u{202e}'), "{words:?}");
        }
    }
}
