//! What a typed line means to the protocol. The line itself goes out as typed.

use super::address;
use crate::text::lossy;

/// More of an unknown verb is not kept.
const LONGEST_VERB: usize = 24;

/// The verbs that the session has to understand.
const VERBS: [&str; 12] = ["EHLO", "LHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "AUTH", "X-EXPS", "STARTTLS", "RSET", "QUIT"];

/// A client's command, as far as the session has to understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// EHLO or LHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// MAIL with the sender, `None` when the argument could not be read.
    Mail(Option<String>),
    /// RCPT with the recipient, `None` when the argument could not be read.
    Rcpt(Option<String>),
    /// DATA.
    Data,
    /// BDAT.
    Bdat {
        /// Bytes that must follow at once (RFC 3030 section 2).
        size: u64,
        /// The message is complete with them.
        last: bool,
    },
    /// AUTH, or X-EXPS, which is the same between servers of Exchange.
    Auth {
        /// In capitals; empty when none was given.
        mechanism: String,
        /// Whether an initial response was given with it.
        initial_response: bool,
    },
    /// STARTTLS.
    StartTls,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
    /// Any other verb, in capitals.
    Other(String),
}

impl Command {
    /// Reads a line as typed, without its end.
    pub fn parse(line: &[u8]) -> Self {
        let text = lossy(line);
        let text = text.trim();
        let (verb, argument) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let argument = argument.trim_start();
        let known = VERBS.iter().find(|known| known.eq_ignore_ascii_case(verb));
        match known.copied().unwrap_or_default() {
            "EHLO" | "LHLO" => Self::Ehlo,
            "HELO" => Self::Helo,
            "MAIL" => Self::Mail(address::path(argument, "FROM").map(|path| path.address.to_owned())),
            "RCPT" => Self::Rcpt(address::path(argument, "TO").map(|path| path.address.to_owned())),
            "DATA" => Self::Data,
            "BDAT" => {
                let mut words = argument.split_ascii_whitespace();
                let size = words.next().and_then(|size| size.parse().ok()).unwrap_or_default();
                Self::Bdat { size, last: words.next().is_some_and(|word| word.eq_ignore_ascii_case("LAST")) }
            }
            "AUTH" | "X-EXPS" => {
                let mut words = argument.split_ascii_whitespace();
                let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
                Self::Auth { mechanism, initial_response: words.next().is_some() }
            }
            "STARTTLS" => Self::StartTls,
            "RSET" => Self::Rset,
            "QUIT" => Self::Quit,
            // What is no verb may be of any length; it is only kept to be named.
            _ => Self::Other(verb.chars().take(LONGEST_VERB).map(|c| c.to_ascii_uppercase()).collect()),
        }
    }

    /// The verb, to name what is waited for.
    pub fn verb(&self) -> &str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Mail(_) => "MAIL FROM",
            Self::Rcpt(_) => "RCPT TO",
            Self::Data => "DATA",
            Self::Bdat { .. } => "BDAT",
            Self::Auth { .. } => "AUTH",
            Self::StartTls => "STARTTLS",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
            Self::Other(verb) => verb,
        }
    }
}

/// Whether this is BDAT with an argument that is none of its own: it says neither how many octets follow nor where the
/// message ends.
///
/// # Source
/// RFC 3030 §2: `BDAT chunk-size [LAST]`, the size in digits.
pub fn is_malformed_bdat(line: &[u8]) -> bool {
    let text = lossy(line);
    let mut words = text.split_ascii_whitespace();
    if !words.next().is_some_and(|verb| verb.eq_ignore_ascii_case("BDAT")) {
        return false;
    }
    let is_size = |word: &str| word.bytes().all(|b| b.is_ascii_digit()) && word.parse::<u64>().is_ok();
    let is_well_formed = words.next().is_some_and(is_size) && words.next().is_none_or(|word| word.eq_ignore_ascii_case("LAST"));
    !is_well_formed || words.next().is_some()
}

fn begins_login(verb: &[u8]) -> bool {
    [&b"AUTH"[..], b"X-EXPS"].iter().any(|known| known.eq_ignore_ascii_case(verb))
}

/// The initial response of AUTH: the third word, with whatever follows it.
pub fn initial_response(line: &[u8]) -> Option<&[u8]> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let mut rest = line.trim_ascii();
    for number in 0..2 {
        let end = rest.iter().position(is_space)?;
        if number == 0 && !begins_login(&rest[..end]) {
            return None;
        }
        rest = rest[end..].trim_ascii_start();
    }
    (!rest.is_empty()).then_some(rest)
}

/// Whether MAIL or RCPT has this parameter, which has no value, behind its path.
pub fn has_parameter(line: &[u8], name: &[u8]) -> bool {
    let behind_path = line.iter().rposition(|&b| b == b'>').map_or(line, |at| &line[at + 1..]);
    behind_path.split(u8::is_ascii_whitespace).any(|word| word.eq_ignore_ascii_case(name))
}

/// The line without what may be secret in it: the initial response of AUTH. `None` when there is none.
///
/// # Source
/// RFC 4954 §4: `AUTH mechanism [initial-response]`. A lone `=` (an empty response) hides nothing.
pub fn without_secret(line: &[u8]) -> Option<Vec<u8>> {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let mut words = line.split(is_space).filter(|word| !word.is_empty());
    let verb = words.next().filter(|verb| begins_login(verb))?;
    let mechanism = words.next()?;
    let response = words.next()?;
    if response == b"=" && words.next().is_none() {
        return None;
    }
    Some([verb.to_ascii_uppercase().as_slice(), b" ", mechanism, b" (hidden)"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood_in_any_case_and_spacing() {
        let auth = |mechanism: &str, initial_response| Command::Auth { mechanism: mechanism.to_owned(), initial_response };
        let table = [
            ("EHLO a", Command::Ehlo),
            ("ehlo", Command::Ehlo),
            ("MAIL FROM: someone@alt.test", Command::Mail(Some("someone@alt.test".to_owned()))),
            ("mail from:<>", Command::Mail(Some(String::new()))),
            ("MAIL FROM:<\"a b\"@c.test> SIZE=1 BODY=8BITMIME", Command::Mail(Some("\"a b\"@c.test".to_owned()))),
            ("RCPT TO:<\"a>b@x\"@c.test> NOTIFY=NEVER", Command::Rcpt(Some("\"a>b@x\"@c.test".to_owned()))),
            ("MAIL", Command::Mail(None)),
            ("RCPT TO:<a@b> NOTIFY=NEVER", Command::Rcpt(Some("a@b".to_owned()))),
            ("auth login", auth("LOGIN", false)),
            ("AUTH PLAIN AGEAYg==", auth("PLAIN", true)),
            ("AUTH", auth("", false)),
            ("MIAL FROM:<a@b>", Command::Other("MIAL".to_owned())),
        ];
        for (line, want) in table {
            assert_eq!(Command::parse(line.as_bytes()), want, "{line}");
        }
    }

    #[test]
    fn the_arguments_of_bdat_are_digits_and_last() {
        // P30
        let bdat = |size, last| Command::Bdat { size, last };
        for (line, want) in [
            ("BDAT 4", bdat(4, false)),
            ("bdat 4 last", bdat(4, true)),
            ("BDAT  4\tLAST", bdat(4, true)),
            ("BDAT\t4 LAST ", bdat(4, true)),
            ("BDAT 0 LAST", bdat(0, true)),
            ("BDAT 18446744073709551615", bdat(u64::MAX, false)),
        ] {
            assert_eq!((Command::parse(line.as_bytes()), is_malformed_bdat(line.as_bytes())), (want, false), "{line}");
        }
        for line in ["BDAT", "BDAT LAST", "BDAT +4 LAST", "BDAT -4", "BDAT 4 LATS", "BDAT 4 LAST x", "BDAT 4LAST", "BDAT 0x4"] {
            assert!(is_malformed_bdat(line.as_bytes()), "{line}");
        }
        assert!(is_malformed_bdat(b"BDAT 99999999999999999999 LAST") && !is_malformed_bdat(b"NOOP 4 LATS"));
    }

    #[test]
    fn initial_responses_are_hidden() {
        // P24
        let table = [
            ("AUTH PLAIN AGEAYg==", Some("AUTH PLAIN (hidden)")),
            ("auth  login\tbG9nb24=", Some("AUTH login (hidden)")),
            ("AUTH LOGIN", None),
            ("AUTH EXTERNAL =", None),
            ("AUTH PLAIN a b", Some("AUTH PLAIN (hidden)")),
            ("x-exps LOGIN bG9nb24=", Some("X-EXPS LOGIN (hidden)")),
            ("MAIL FROM:<a@b>", None),
        ];
        for (line, want) in table {
            assert_eq!(without_secret(line.as_bytes()).map(|l| String::from_utf8(l).unwrap()).as_deref(), want, "{line}");
        }
    }
}
