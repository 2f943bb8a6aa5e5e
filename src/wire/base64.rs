//! Base64 (RFC 4648 §4) as it is met in AUTH dialogues: strict when encoding, lenient when decoding,
//! saying what was odd.

use ::base64::Engine as _;
use ::base64::alphabet::STANDARD as ALPHABET;
use ::base64::engine::DecodePaddingMode;
use ::base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// What was odd about base64 that could be decoded all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The `=` at the end are missing.
    NoPadding,
    /// More `=` than belong there.
    ExtraPadding,
    /// Spaces, line breaks or quotes around or inside.
    Whitespace,
    /// `-` and `_` in the place of `+` and `/` (RFC 4648 §5).
    UrlSafe,
    /// The unused bits of the last character are not zero.
    TrailingBits,
}

impl Oddity {
    /// The words for it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NoPadding => "the padding (=) at its end is missing",
            Self::ExtraPadding => "it has too much padding (=)",
            Self::Whitespace => "it holds spaces or line breaks",
            Self::UrlSafe => "it uses the URL-safe alphabet (- and _)",
            Self::TrailingBits => "its last character has stray bits",
        }
    }
}

/// Decoded bytes and what was odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What was odd, each kind once.
    pub oddities: Vec<Oddity>,
}

/// The text is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBase64 {
    /// A character that does not belong, by its position (from 1).
    Character(usize),
    /// One character is left over: no number of bytes encodes to this length.
    Length,
}

/// Encodes with padding and without line breaks.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes, tolerating what people and servers do.
///
/// # Errors
/// [`NotBase64`] says where it stops being base64.
pub fn decode(text: &[u8]) -> Result<Decoded, NotBase64> {
    let mut oddities = Vec::new();
    let mut kept = Vec::with_capacity(text.len());
    let mut padding = 0;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => note(&mut oddities, Oddity::Whitespace),
            b'=' => padding += 1,
            b'-' | b'_' if padding == 0 => {
                note(&mut oddities, Oddity::UrlSafe);
                kept.push(if byte == b'-' { b'+' } else { b'/' });
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => kept.push(byte),
            _ => return Err(NotBase64::Character(at + 1)),
        }
    }
    let wanted = (4 - kept.len() % 4) % 4;
    match wanted {
        3 => return Err(NotBase64::Length),
        _ if padding < wanted => note(&mut oddities, Oddity::NoPadding),
        _ if padding > wanted => note(&mut oddities, Oddity::ExtraPadding),
        _ => {}
    }
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let bytes = if let Ok(bytes) = GeneralPurpose::new(&ALPHABET, config).decode(&kept) {
        bytes
    } else {
        note(&mut oddities, Oddity::TrailingBits);
        let config = config.with_decode_allow_trailing_bits(true);
        GeneralPurpose::new(&ALPHABET, config).decode(&kept).map_err(|_| NotBase64::Length)?
    };
    Ok(Decoded { bytes, oddities })
}

/// Decodes what is base64 to the letter, and nothing else.
///
/// # Errors
/// [`NotBase64`], also for what [`decode`] would tolerate: [`NotBase64::Length`] where only padding is missing or too
/// much, or bits are stray.
pub fn decode_strictly(text: &[u8]) -> Result<Vec<u8>, NotBase64> {
    let odd = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/' | b'='));
    STANDARD.decode(text).map_err(|_| odd.map_or(NotBase64::Length, |at| NotBase64::Character(at + 1)))
}

fn note(oddities: &mut Vec<Oddity>, oddity: Oddity) {
    if !oddities.contains(&oddity) {
        oddities.push(oddity);
    }
}

/// The text behind `word`, when `word` is properly padded base64 for clean printable text of at least
/// four characters: what people paste who encoded a user name elsewhere.
pub fn looks_encoded(word: &[u8]) -> Option<String> {
    if word.len() < 4 || !word.len().is_multiple_of(4) {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(word).ok()?).ok()?;
    let clean = text.chars().all(|c| !c.is_control()) && text.chars().filter(char::is_ascii_alphanumeric).count() * 2 > text.len();
    (text.len() >= 3 && clean).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_tolerates_and_tells() {
        use Oddity::{ExtraPadding, NoPadding, TrailingBits, UrlSafe, Whitespace};
        type Case = (&'static str, Result<&'static [u8], NotBase64>, &'static [Oddity]);
        let table: &[Case] = &[
            ("VXNlcm5hbWU6", Ok(b"Username:"), &[]),
            ("bG9nb24=", Ok(b"logon"), &[]),
            ("bG9nb24", Ok(b"logon"), &[NoPadding]),
            ("bG9nb24==", Ok(b"logon"), &[ExtraPadding]),
            (" bG9n\r\nb24= ", Ok(b"logon"), &[Whitespace]),
            ("-_-_", Ok(b"\xfb\xff\xbf"), &[UrlSafe]),
            ("bG9nb25=", Ok(b"logon"), &[TrailingBits]),
            ("", Ok(b""), &[]),
            ("====", Ok(b""), &[ExtraPadding]),
            ("abcde", Err(NotBase64::Length), &[]),
            ("NTLM supported!", Err(NotBase64::Character(15)), &[]),
            ("a=b=", Err(NotBase64::Character(3)), &[]),
        ];
        for (text, want, odd) in table {
            match (decode(text.as_bytes()), want) {
                (Ok(decoded), Ok(bytes)) => assert_eq!((decoded.bytes.as_slice(), decoded.oddities.as_slice()), (*bytes, *odd), "{text}"),
                (got, want) => assert_eq!(got.map(|d| d.bytes), want.map(<[u8]>::to_vec), "{text}"),
            }
        }
    }

    #[test]
    fn decoding_to_the_letter_repairs_nothing() {
        let table: &[(&str, Result<&[u8], NotBase64>)] = &[
            ("VXNlcm5hbWU6", Ok(b"Username:")),
            ("", Ok(b"")),
            ("Rubbish", Err(NotBase64::Length)),
            ("PLAIN supported", Err(NotBase64::Character(6))),
            ("bG9nb24", Err(NotBase64::Length)),
            ("bG9nb24==", Err(NotBase64::Length)),
            ("bG9nb25=", Err(NotBase64::Length)),
            ("-_-_", Err(NotBase64::Character(1))),
        ];
        for (text, want) in table {
            assert_eq!(decode_strictly(text.as_bytes()).as_deref().map_err(|error| *error), want.map_err(|error| error), "{text}");
        }
    }

    #[test]
    fn text_that_is_base64_already_is_noticed() {
        assert_eq!(looks_encoded(b"bG9nb24=").as_deref(), Some("logon"));
        for word in ["logon", "password", "info", "administrator", "CONTOSO\\logon", "logon@contoso.test", ""] {
            assert_eq!(looks_encoded(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn what_was_encoded_comes_back() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\0logon\0My simple password", b"\xff\xfe"] {
            assert_eq!(decode(encode(bytes).as_bytes()).unwrap().bytes, bytes);
        }
    }
}
