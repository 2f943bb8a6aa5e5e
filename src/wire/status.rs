//! Enhanced status codes (RFC 3463, carried in replies by RFC 2034): `5.7.1`.

use std::fmt;

/// `class "." subject "." detail` at the beginning of a reply's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatus {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Reads the code at the beginning of a reply's text, up to a space or the end.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let word = text.split(|&b| b == b' ').next().unwrap_or_default();
        let mut parts = word.split(|&b| b == b'.').map(number);
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        (parts.next().is_none() && matches!(class, 2 | 4 | 5)).then_some(Self { class, subject, detail })
    }
}

/// One to three digits (RFC 3463 §2).
fn number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_status_is_read_at_the_beginning_only() {
        let table = [
            ("5.7.1 Unable to relay", Some("5.7.1")),
            ("2.0.0", Some("2.0.0")),
            ("5.7.1000 x", None),
            ("3.1.1 x", None),
            ("5.7 x", None),
            ("5.7.1.2 x", None),
            ("ok 5.7.1", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(EnhancedStatus::parse(text.as_bytes()).map(|s| s.to_string()).as_deref(), want, "{text}");
        }
    }
}
