//! Secrets that were sent, to be taken out of what the server echoes (P24).

use memchr::memmem;

use std::borrow::Cow;

use super::dialogue::{Dialogue, Sent};
use crate::sasl::Description;
use crate::secret::Secret;
use crate::wire::base64;
use crate::wire::command::{self, Command};
use crate::wire::reply::{Reply, text_of};

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &[u8] = b"(hidden)";
/// Shorter secrets than this are not looked for: they would be found everywhere.
const SHORTEST: usize = 3;

/// The secrets of a session.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret<Vec<u8>>>,
}

impl Redactor {
    /// Remembers a secret in the forms in which a server may give it back.
    pub(crate) fn add(&mut self, plain: &[u8]) {
        self.add_form(plain.to_vec());
        self.add_form(base64::encode(plain).into_bytes());
    }

    /// Remembers base64 that was sent as it is, and what it says.
    pub(crate) fn add_encoded(&mut self, encoded: &[u8]) {
        if let Ok(decoded) = base64::decode(encoded) {
            // PLAIN carries the password behind its last NUL.
            if let Some(at) = memchr::memrchr(0, &decoded.bytes) {
                self.add(&decoded.bytes[at + 1..]);
            }
            self.add_form(decoded.bytes);
        }
        self.add_form(encoded.to_vec());
    }

    /// Remembers what is secret in an answer, and the answer itself if anything is.
    pub(crate) fn add_sent(&mut self, sent: &Sent, line: &[u8]) {
        if sent.hidden.is_none() {
            return;
        }
        for secret in sent.description.iter().flat_map(Description::secrets) {
            self.add(secret.expose());
        }
        self.add_encoded(line);
    }

    fn add_form(&mut self, form: Vec<u8>) {
        let form = Secret::new(form);
        if form.expose().len() >= SHORTEST && !self.secrets.iter().any(|known| known.expose() == form.expose()) {
            self.secrets.push(form);
            // The longest first, so that no remainder of a longer one stays.
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    /// The reply with every secret replaced; codes are what they are, whatever the password.
    pub(crate) fn clean_reply(&self, reply: &mut Reply) {
        if self.secrets.is_empty() {
            return;
        }
        let clean = |line: &[u8]| {
            let (code, text) = line.split_at(line.len() - text_of(line).len());
            let mut text = text.to_vec();
            self.clean(&mut text);
            [code, &text].concat()
        };
        reply.lines = reply.lines.iter().map(clean).collect();
    }

    /// The line with every secret replaced.
    pub(crate) fn clean(&self, line: &mut Vec<u8>) {
        for secret in &self.secrets {
            let finder = memmem::Finder::new(secret.expose());
            let mut from = 0;
            while let Some(at) = line.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + at;
                line.splice(start..start + secret.expose().len(), HIDDEN.iter().copied());
                from = start + HIDDEN.len();
            }
        }
    }
}

/// A command line as it may be seen: an initial response with something secret in it is hidden.
pub fn command(line: &[u8]) -> Cow<'_, [u8]> {
    if hides(line) { command::without_secret(line).map_or(Cow::Borrowed(line), Cow::Owned) } else { Cow::Borrowed(line) }
}

/// Whether there is something secret in a command line.
pub fn hides(line: &[u8]) -> bool {
    command::without_secret(line).is_some() && initial_response(line).is_some_and(|(_, sent)| sent.hidden.is_some())
}

/// The mechanism of an AUTH with an initial response, and what may be seen of that.
pub fn initial_response(line: &[u8]) -> Option<(String, Sent)> {
    let response = command::initial_response(line)?;
    let Command::Auth { mechanism, .. } = Command::parse(line) else { return None };
    let sent = Dialogue::begin(&mechanism, Some(response)).1;
    Some((mechanism, sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    // P24
    #[test]
    fn only_what_is_secret_in_a_command_is_hidden() {
        let table = [
            ("AUTH LOGIN bG9nb24=", "AUTH LOGIN bG9nb24="),
            ("AUTH PLAIN AGxvZ29uAHNlY3JldA==", "AUTH PLAIN (hidden)"),
            ("auth plain secret", "AUTH plain (hidden)"),
            ("AUTH X-NEW c2VjcmV0", "AUTH X-NEW (hidden)"),
            ("AUTH LOGIN bG9nb24= c2VjcmV0", "AUTH LOGIN (hidden)"),
            ("AUTH LOGIN not-base64!", "AUTH LOGIN (hidden)"),
            ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
            ("NOOP secret", "NOOP secret"),
        ];
        for (line, want) in table {
            assert_eq!(String::from_utf8_lossy(&command(line.as_bytes())), want);
        }
    }

    #[test]
    fn a_code_is_no_secret_whatever_the_password() {
        let mut redactor = Redactor::default();
        redactor.add(b"250");
        let mut parser = crate::wire::reply::ReplyParser::default();
        parser.push(b"250-2.1.0 250 ok\r\n250\r\n");
        let Ok(Some(crate::wire::reply::Received::Reply(mut reply))) = parser.next_received() else { panic!() };
        redactor.clean_reply(&mut reply);
        assert_eq!(reply.lines.iter().collect::<Vec<_>>(), [&b"250-2.1.0 (hidden) ok"[..], b"250"]);
    }

    #[test]
    fn echoed_secrets_are_taken_out_in_every_form() {
        let mut redactor = Redactor::default();
        redactor.add(b"My simple password");
        redactor.add_encoded(b"AGxvZ29uAGh1bnRlcjI=");
        for line in
            ["500 My simple password?", "535 TXkgc2ltcGxlIHBhc3N3b3Jk", "501 AGxvZ29uAGh1bnRlcjI= bad", "501 hunter2", "501 aHVudGVyMg=="]
        {
            let mut bytes = line.as_bytes().to_vec();
            redactor.clean(&mut bytes);
            let shown = String::from_utf8(bytes).unwrap();
            assert!(shown.contains("(hidden)"), "{shown}");
            assert!(!["simple", "hunter2", "TXkg", "AGxv", "aHVu"].iter().any(|part| shown.contains(part)), "{shown}");
        }
    }
}
