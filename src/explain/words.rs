//! The words of a reply, and the phrases of a table that are looked for in them: as whole words, wherever they stand.
//!
//! "rate" is no part of "corporate", and what stands in an address or a host's name is no word of the server's.

use crate::wire::reply::Reply;

/// The words of a text in lower case.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of all lines of a reply.
    pub fn of(reply: &Reply) -> Self {
        let texts = reply.texts().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>();
        Self::read(&texts.join(" "))
    }

    /// The words of a text: addresses are left out, a host's name is one word, of a URL the host remains.
    pub fn read(text: &str) -> Self {
        let lower = text.to_lowercase();
        let tokens = lower.split_ascii_whitespace().filter(|token| !token.contains('@'));
        let mut words = Vec::new();
        for token in tokens {
            let host_of_url = token.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
            let token = host_of_url.unwrap_or(token);
            let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
            if is_host(bare) {
                words.push(bare.to_owned());
            } else {
                words.extend(split(token));
            }
        }
        Self(words)
    }

    /// Whether one of the phrases, separated by `|`, stands there: its words one behind the other.
    ///
    /// A `-` at the end of a word stands for any ending. A word that begins with a dot is the end of a host's name.
    pub fn hold(&self, phrases: &str) -> bool {
        phrases.split('|').any(|phrase| self.holds(phrase))
    }

    fn holds(&self, phrase: &str) -> bool {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        self.0.windows(phrase.len()).any(|words| words.iter().zip(&phrase).all(|(word, pattern)| matches(word, pattern)))
    }
}

fn split(token: &str) -> impl Iterator<Item = String> {
    let without_apostrophes = token.replace(['\'', '\u{2019}'], "");
    let words: Vec<String> =
        without_apostrophes.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

/// `mx.contoso.test`: labels with dots between them, the last of letters.
fn is_host(token: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    let last = token.rsplit_once('.').map(|(_, last)| last);
    last.is_some_and(|last| last.len() >= 2 && last.chars().all(char::is_alphabetic)) && token.split('.').all(is_label)
}

fn matches(word: &str, pattern: &str) -> bool {
    match (pattern.strip_suffix('-'), pattern.strip_prefix('.')) {
        (Some(beginning), _) => word.starts_with(beginning),
        (None, Some(name)) => word.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.')),
        (None, None) => word == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P54
    #[test]
    fn phrases_are_found_as_whole_words_and_outside_names_only() {
        let table = [
            ("Sending rate exceeded", "rate", true),
            ("Not from a corporate or separate network", "rate", false),
            ("No PTR record", "ptr", true),
            ("<ptr@contoso.test>: no", "ptr", false),
            ("mail full", "full", true),
            ("full.contoso.test says no", "full", false),
            ("listed at zen.spamhaus.org.", ".spamhaus.org", true),
            ("see https://www.spamhaus.org/query/ip/192.0.2.1", ".spamhaus.org", true),
            ("see https://notspamhaus.org/", ".spamhaus.org", false),
            ("see https://help.contoso.test/full", "full", false),
            ("Greylisted, come back", "greylist-", true),
            ("Graylist", "greylist-", false),
            ("The user doesn't exist", "doesnt exist", true),
            ("user-unknown", "user unknown", true),
            ("unknown user", "user unknown", false),
            ("RESOLVER.ADR.RecipientNotFound; not found", ".recipientnotfound", true),
            ("", "x", false),
            ("x", "", false),
        ];
        for (text, phrases, want) in table {
            assert_eq!(Words::read(text).hold(phrases), want, "{phrases} in {text}");
        }
        assert!(Words::read("mailbox unavailable").hold("no such user|mailbox unavailable"));
    }
}
