//! `SASLprep` (RFC 4013): user names and passwords that look alike become the same bytes.

use super::Trouble;

/// The prepared form of a text.
///
/// # Errors
/// [`Trouble::Impossible`] when it holds a character that RFC 4013 prohibits.
pub(super) fn prepare(what: &str, text: &str) -> Result<String, Trouble> {
    match stringprep::saslprep(text) {
        Ok(prepared) => Ok(prepared.into_owned()),
        Err(_) => Err(Trouble::Impossible(format!("the {what} holds a character that SASLprep (RFC 4013) prohibits"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4013 section 3.
    #[test]
    fn the_rfcs_examples_come_out() {
        for (text, want) in
            [("I\u{ad}X", Some("IX")), ("user", Some("user")), ("USER", Some("USER")), ("\u{aa}", Some("a")), ("\u{2168}", Some("IX"))]
        {
            assert_eq!(prepare("name", text).ok().as_deref(), want);
        }
        for text in ["\u{7}", "\u{627}1"] {
            assert!(prepare("name", text).is_err(), "{text:?}");
        }
    }
}
