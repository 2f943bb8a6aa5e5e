//! What speaks there, if it is not SMTP: a guess from the first bytes.

/// A protocol that is not SMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A TLS record.
    Tls,
    /// A web server.
    Http,
    /// An SSH server.
    Ssh,
    /// A POP3 server.
    Pop3,
    /// An IMAP server.
    Imap,
    /// It sends back what it was sent; told by whoever sent it.
    Echo,
    /// Bytes that are no text.
    Binary,
}

impl Foreign {
    /// A name for it, to stand behind "this is" or "this looks like".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Tls => "TLS (this port expects encryption from the first byte)",
            Self::Http => "a web server (HTTP)",
            Self::Ssh => "an SSH server",
            Self::Pop3 => "a POP3 server",
            Self::Imap => "an IMAP server",
            Self::Echo => "an echo (our own bytes come back)",
            Self::Binary => "a binary protocol",
        }
    }
}

/// Guesses from the beginning of what was received.
pub fn guess(bytes: &[u8]) -> Option<Foreign> {
    let starts = |prefix: &[u8]| bytes.len() >= prefix.len() && bytes[..prefix.len()].eq_ignore_ascii_case(prefix);
    if matches!(bytes, [0x14..=0x17, 0x03, 0..=4, ..]) {
        Some(Foreign::Tls)
    } else if starts(b"HTTP/") || starts(b"<!DOCTYPE") || starts(b"<html") {
        Some(Foreign::Http)
    } else if starts(b"SSH-") {
        Some(Foreign::Ssh)
    } else if starts(b"+OK") || starts(b"-ERR") {
        Some(Foreign::Pop3)
    } else if starts(b"* OK") || starts(b"* PREAUTH") || starts(b"* BYE") {
        Some(Foreign::Imap)
    } else if std::str::from_utf8(bytes).is_err()
        || bytes.iter().any(|b| b.is_ascii_control() && !matches!(b, b'\t' | b'\r' | b'\n' | 0x1b))
    {
        Some(Foreign::Binary)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_recognised() {
        let table: &[(&[u8], Option<Foreign>)] = &[
            (b"\x15\x03\x01\x00\x02\x02\x46", Some(Foreign::Tls)),
            (b"HTTP/1.1 400 Bad Request", Some(Foreign::Http)),
            (b"SSH-2.0-OpenSSH_9.2", Some(Foreign::Ssh)),
            (b"+OK ready", Some(Foreign::Pop3)),
            (b"* OK IMAP4rev1", Some(Foreign::Imap)),
            (b"\x00\x01\x02", Some(Foreign::Binary)),
            (b"hello", None),
        ];
        for (bytes, want) in table {
            assert_eq!(guess(bytes), *want, "{bytes:?}");
        }
    }
}
