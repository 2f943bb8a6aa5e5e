//! "What is this base64?": a challenge or a pasted blob in words.

use crate::text::printable;
use crate::wire::base64::{self, Decoded, NotBase64};

/// A blob, decoded and sanitised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it says, printable.
    pub text: String,
    /// What was odd about the base64.
    pub remarks: Vec<&'static str>,
    /// It is text rather than binary data.
    pub is_text: bool,
}

/// Reads a blob.
///
/// # Errors
/// [`NotBase64`] when it is none.
pub fn read(blob: &[u8]) -> Result<Reading, NotBase64> {
    base64::decode(blob).map(|decoded| describe(&decoded))
}

/// Describes decoded bytes.
pub fn describe(decoded: &Decoded) -> Reading {
    // Old servers end their prompts with a NUL: it is not part of the words.
    let bytes = match decoded.bytes.split_last() {
        Some((0, words)) if !words.contains(&0) => words,
        _ => &decoded.bytes,
    };
    let is_text = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()));
    let text = ntlm_message(bytes).or_else(|| plain_message(bytes)).unwrap_or_else(|| printable(bytes).into_owned());
    Reading { text, remarks: decoded.oddities.iter().map(|oddity| oddity.describe()).collect(), is_text }
}

/// The message of AUTH PLAIN (RFC 4616) without its password.
fn plain_message(bytes: &[u8]) -> Option<String> {
    let parts = crate::sasl::plain::parse(bytes)?;
    let authzid = printable(parts.authzid.as_bytes()).into_owned();
    (!parts.authcid.is_empty())
        .then(|| format!("AUTH PLAIN: authorize as \"{authzid}\", user \"{}\", password hidden", printable(parts.authcid.as_bytes())))
}

/// The kind of an NTLM message (MS-NLMP §2.2.1).
fn ntlm_message(bytes: &[u8]) -> Option<String> {
    let kind = bytes.strip_prefix(b"NTLMSSP\0")?.first()?;
    let name = match kind {
        1 => "negotiate",
        2 => "challenge",
        3 => "authenticate",
        _ => return None,
    };
    Some(format!("NTLM message {kind} of 3 ({name}), {} bytes", bytes.len()))
}

/// Takes the dress off what people paste: quotes, line breaks, `334 ` in front.
pub fn undress(pasted: &str) -> &str {
    let text = pasted.trim().trim_matches(['"', '\'', '`']).trim();
    let text = text.strip_prefix("334").filter(|rest| rest.starts_with([' ', '-'])).map_or(text, |rest| &rest[1..]);
    text.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_put_in_words() {
        let table = [
            ("VXNlcm5hbWU6", "Username:", true),
            ("VXNlciBOYW1lAA==", "User Name", true),
            ("", "", true),
            ("G1szMW1y", r"\x1b[31mr", false),
            ("TlRMTVNTUAACAAAA", "NTLM message 2 of 3 (challenge), 12 bytes", false),
            ("AGxvZ29uAE15IHNpbXBsZSBwYXNzd29yZA==", r#"AUTH PLAIN: authorize as "", user "logon", password hidden"#, false),
            ("/////w==", r"\xff\xff\xff\xff", false),
        ];
        for (blob, text, is_text) in table {
            let reading = read(blob.as_bytes()).unwrap();
            assert_eq!((reading.text.as_str(), reading.is_text), (text, is_text), "{blob}");
        }
    }

    #[test]
    fn pasted_dress_is_taken_off() {
        for pasted in ["334 VXNlcm5hbWU6", "\"VXNlcm5hbWU6\"", " VXNlcm5hbWU6\r\n", "'334 VXNlcm5hbWU6'"] {
            assert_eq!(undress(pasted), "VXNlcm5hbWU6");
        }
    }
}
