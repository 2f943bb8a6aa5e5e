//! The encodings of text besides base64: encoded words in headers (RFC 2047), quoted-printable (RFC 2045 §6.7)
//! and xtext, in parameters of MAIL and RCPT (RFC 3461 §4).

use std::fmt::Write as _;

use encodify::rfc2047::{self, WordEncoder};
use encodify::{Fold, hex, qp};

use crate::text::printable;

/// The encoded text stops being one at this character, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub usize);

/// RFC 2047 §2: lines of encoded words; a word of 75 characters fits into one.
const FOLD: Fold<'static> = Fold::new(76, b"\n ", 1);

/// A header's text with its encoded words decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// The text; what cannot be converted stands there as `\xNN`.
    pub text: String,
    /// How many runs of encoded words there were.
    pub count: usize,
    /// The character sets that are not known here.
    pub unknown: Vec<String>,
}

/// Encodes as encoded words in UTF-8, in the shorter of B and Q; further lines begin with a space.
pub fn to_words(text: &str) -> String {
    let length = |encoder: WordEncoder| encoder.payload_len(text);
    let encoder = if length(rfc2047::Q_TEXT) <= length(rfc2047::B) { rfc2047::Q_TEXT } else { rfc2047::B };
    let (mut out, mut column) = (String::new(), 0);
    encoder.encode_words("utf-8", text, &mut column, FOLD, &mut out);
    out
}

/// Decodes the encoded words in a header's text, joins its lines and leaves the rest as it is.
pub fn from_words(text: &[u8]) -> Words {
    let (mut count, mut unknown) = (0, Vec::new());
    let convert = |charset: &[u8], bytes: &[u8], out: &mut String| {
        count += 1;
        let name = String::from_utf8_lossy(charset).to_ascii_lowercase();
        if !convert(&name, bytes, out) && !unknown.contains(&name) {
            unknown.push(name);
        }
    };
    let text = rfc2047::decode_text(text, convert).into_owned();
    Words { text, count, unknown }
}

/// Converts to UTF-8; `false` when the character set is not known here.
fn convert(charset: &str, bytes: &[u8], out: &mut String) -> bool {
    match charset {
        "utf-8" | "utf8" | "us-ascii" => out.push_str(&printable(bytes)),
        // Browsers and mail programs read Latin-1 as Windows-1252 too.
        "iso-8859-1" | "latin1" | "windows-1252" | "cp1252" => out.extend(bytes.iter().map(|&byte| windows_1252(byte))),
        "iso-8859-15" | "latin9" => out.extend(bytes.iter().map(|&byte| latin_9(byte))),
        _ => {
            for &byte in bytes {
                // Writing to a String cannot fail.
                let _ = if byte.is_ascii_graphic() || byte == b' ' {
                    write!(out, "{}", char::from(byte))
                } else {
                    write!(out, "\\x{byte:02x}")
                };
            }
            return false;
        }
    }
    true
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•',
        '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn latin_9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        _ => char::from(byte),
    }
}

/// Encodes text as quoted-printable; its lines end with LF, as in a file.
pub fn to_quoted_printable(text: &[u8]) -> String {
    qp::BODY.encode(text).replace("\r\n", "\n")
}

/// Decodes quoted-printable.
///
/// # Errors
/// [`Malformed`] where a `=` begins neither a byte nor a soft line break.
pub fn from_quoted_printable(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    qp::BODY.strict().decode(text).map(std::borrow::Cow::into_owned).map_err(|error| place(error, text))
}

/// Encodes as xtext.
pub fn to_xtext(bytes: &[u8]) -> String {
    hex::XTEXT.encode(bytes)
}

/// Decodes xtext.
///
/// # Errors
/// [`Malformed`] at a character that xtext does not have, or a `+` without two digits.
pub fn from_xtext(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    if let Some(at) = text.iter().position(|byte| !byte.is_ascii_graphic() || *byte == b'=') {
        return Err(Malformed(characters(&text[..at]) + 1));
    }
    hex::XTEXT.decode(text).map(std::borrow::Cow::into_owned).map_err(|error| place(error, text))
}

fn place(error: encodify::Error, text: &[u8]) -> Malformed {
    let at = error.offset().unwrap_or(0).min(text.len());
    Malformed(characters(&text[..at]) + 1)
}

fn characters(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_made_as_short_as_can_be() {
        let table = [
            ("Das Café um die Ecke", "=?utf-8?Q?Das_Caf=C3=A9_um_die_Ecke?="),
            ("Привет", "=?utf-8?B?0J/RgNC40LLQtdGC?="),
            ("What? a_b = c, and more", "=?utf-8?Q?What=3F_a=5Fb_=3D_c,_and_more?="),
        ];
        for (text, want) in table {
            assert_eq!(to_words(text), want);
        }
        for text in ["Ein Betreff, der für eine Zeile zu lang ist, und der auch für zwei Zeilen zu lang ist, in Köln", &"日本語".repeat(40)]
        {
            let made = to_words(text);
            assert!(made.lines().all(|line| line.len() <= 76) && made.lines().skip(1).all(|line| line.starts_with(" =?")), "{made}");
            assert!(made.split_ascii_whitespace().all(|word| word.len() <= 75), "{made}");
            assert_eq!(from_words(made.as_bytes()).text, text);
        }
    }

    // RFC 2047 §8.
    #[test]
    fn words_are_read_in_the_usual_character_sets() {
        let table = [
            ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>", 1),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
                2,
            ),
            ("Subject: =?utf-8?q?caf=C3?= =?utf-8?q?=A9?= =?windows-1252?Q?=80?=", "Subject: café€", 2),
            ("=?iso-8859-15?Q?=A4?=", "€", 1),
            ("=?utf-8?Q?=1B[2J=FF?=", r"\x1b[2J\xff", 1),
            ("=?koi8-r?B?8A==?=", r"\xf0", 1),
            ("=?utf-8?Q?broken=ZZ?=", "=?utf-8?Q?broken=ZZ?=", 0),
            ("nothing", "nothing", 0),
        ];
        for (text, want, count) in table {
            let words = from_words(text.as_bytes());
            assert_eq!((words.text.as_str(), words.count), (want, count), "{text}");
        }
        assert_eq!(from_words(b"=?koi8-r?B?8A==?=").unknown, ["koi8-r"]);
    }

    #[test]
    fn quoted_printable_is_made_and_read_and_its_faults_are_placed() {
        assert_eq!(to_quoted_printable("Grüße = \nb".as_bytes()), "Gr=C3=BC=C3=9Fe =3D=20\nb");
        assert!(to_quoted_printable(&[b'a'; 200]).lines().all(|line| line.len() <= 76));
        let table: [(&str, Result<&[u8], usize>); 6] = [
            ("a=3Db", Ok(b"a=b")),
            ("a=\r\nb", Ok(b"ab")),
            ("a=\nb", Ok(b"ab")),
            ("=E4", Ok(b"\xe4")),
            ("ü=3Z", Err(4)),
            ("ab=", Ok(b"ab")),
        ];
        for (text, want) in table {
            assert_eq!(from_quoted_printable(text.as_bytes()).as_deref().map_err(|fault| fault.0), want, "{text}");
        }
    }

    // RFC 3461 §4.
    #[test]
    fn xtext_is_made_and_read_and_its_faults_are_placed() {
        assert_eq!(to_xtext(b"a+b=c d"), "a+2Bb+3Dc+20d");
        let table: [(&str, Result<&[u8], usize>); 6] = [
            ("rfc822;joe+2Bx@alt.test", Ok(b"rfc822;joe+x@alt.test")),
            ("+e4", Ok(b"\xe4")),
            ("a b", Err(2)),
            ("a=b", Err(2)),
            ("ab+2", Err(5)),
            ("ab+ZZ", Err(4)),
        ];
        for (text, want) in table {
            assert_eq!(from_xtext(text.as_bytes()).as_deref().map_err(|fault| fault.0), want, "{text}");
        }
    }
}
