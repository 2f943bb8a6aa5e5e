//! Reply codes (RFC 5321 §4.2): three digits of which the first tells success, the second the subject.

use std::fmt;

/// The three digits at the beginning of a reply line, as received; also values that no RFC knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(u16);

/// What the first digit says (RFC 5321 §4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 2yz: done.
    Success,
    /// 3yz: go on, the server waits for more.
    Intermediate,
    /// 4yz: not now; the same may work later.
    Transient,
    /// 5yz: no.
    Permanent,
}

impl ReplyCode {
    /// Any number of three digits.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Three ASCII digits.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let [a, b, c] = *digits else { return None };
        let all = [a, b, c].iter().all(u8::is_ascii_digit);
        all.then(|| Self(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')))
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The class, for 200 to 599. RFC 5321 §4.2 ends the second digit at 5, but servers refuse with 571, 585 and 591,
    /// and the first digit is enough to act on (§4.2.1).
    pub const fn class(self) -> Option<Class> {
        match self.0 / 100 {
            2 => Some(Class::Success),
            3 => Some(Class::Intermediate),
            4 => Some(Class::Transient),
            5 => Some(Class::Permanent),
            _ => None,
        }
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_first_digit() {
        use Class::{Intermediate, Permanent, Success, Transient};
        let table = [
            ("220", Some(Success)),
            ("354", Some(Intermediate)),
            ("421", Some(Transient)),
            ("559", Some(Permanent)),
            // P2
            ("571", Some(Permanent)),
            ("585", Some(Permanent)),
            ("591", Some(Permanent)),
            ("471", Some(Transient)),
            ("599", Some(Permanent)),
            ("260", Some(Success)),
            ("150", None),
            ("650", None),
            ("000", None),
        ];
        for (text, class) in table {
            let code = ReplyCode::parse(text.as_bytes()).unwrap();
            assert_eq!(code.class(), class, "{text}");
            assert_eq!(code.to_string(), text);
        }
        for text in ["25", "2500", "2a0", ""] {
            assert_eq!(ReplyCode::parse(text.as_bytes()), None);
        }
    }
}
