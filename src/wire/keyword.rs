//! What a server offers in its EHLO reply (RFC 5321 §4.1.1.1), and what the known keywords mean.

use std::borrow::Cow;
use std::ops::Range;

use super::reply::Reply;
use crate::text::lossy;

/// A keyword that is known, for help and notes. Unknown ones are kept and shown all the same.
#[derive(Debug)]
pub struct KnownKeyword {
    /// As registered, in capitals.
    pub name: &'static str,
    /// Where it is defined.
    pub source: &'static str,
    /// What it means, 60 columns at most.
    pub summary: &'static str,
}

const fn known(name: &'static str, source: &'static str, summary: &'static str) -> KnownKeyword {
    KnownKeyword { name, source, summary }
}

/// The known keywords (the IANA registry of SMTP service extensions, and vendors').
pub const KNOWN: &[KnownKeyword] = &[
    known("8BITMIME", "RFC 6152", "takes bodies with 8-bit characters"),
    known("ATRN", "RFC 2645", "turns the connection round for dial-up clients"),
    known("AUTH", "RFC 4954", "login, by the mechanisms listed"),
    known("BINARYMIME", "RFC 3030", "takes binary bodies (with BDAT)"),
    known("BURL", "RFC 4468", "fetches the message from an IMAP server"),
    known("CHUNKING", "RFC 3030", "takes the message in pieces (BDAT)"),
    known("CONPERM", "RFC 4141", "content conversion permission"),
    known("DELIVERBY", "RFC 2852", "takes a time limit for delivery"),
    known("DSN", "RFC 3461", "delivery status notifications on request"),
    known("ENHANCEDSTATUSCODES", "RFC 2034", "replies carry codes like 5.7.1"),
    known("ETRN", "RFC 1985", "starts the queue for a domain"),
    known("EXPN", "RFC 5321", "shows the members of a list"),
    known("FUTURERELEASE", "RFC 4865", "holds a message until later"),
    known("HELP", "RFC 5321", "answers HELP"),
    known("LIMITS", "RFC 9422", "tells how many mails and recipients it takes"),
    known("MT-PRIORITY", "RFC 6710", "takes a priority for the message"),
    known("MTRK", "RFC 3885", "message tracking"),
    known("NO-SOLICITING", "RFC 3865", "says which advertising it refuses"),
    known("PIPECONNECT", "Exim", "takes commands before its greeting"),
    known("PIPELINING", "RFC 2920", "takes several commands at once"),
    known("PRDR", "Exim draft", "one answer for each recipient after DATA"),
    known("REQUIRETLS", "RFC 8689", "can demand TLS on the whole way"),
    known("RRVS", "RFC 7293", "checks how old a mailbox is"),
    known("SIZE", "RFC 1870", "tells the largest message it takes, in bytes"),
    known("SMTPUTF8", "RFC 6531", "takes addresses and headers in UTF-8"),
    known("STARTTLS", "RFC 3207", "can switch to encryption"),
    known("SUBMITTER", "RFC 4405", "responsible submitter of a message"),
    known("UTF8SMTP", "RFC 5336", "old form of SMTPUTF8"),
    known("VRFY", "RFC 5321", "says whether an address exists"),
    known("X-ANONYMOUSTLS", "Exchange", "Exchange's own TLS between its servers"),
    known("X-EXPS", "Exchange", "Exchange's own login between its servers"),
    known("X-LINK2STATE", "Exchange", "Exchange 2003 link state"),
    known("XCLIENT", "Postfix", "lets a trusted client pretend another address"),
    known("XEXCH50", "Exchange", "Exchange's own message properties"),
    known("XFORWARD", "Postfix", "lets a trusted filter pass on client data"),
    known("XRDST", "Exchange", "Exchange's own routing data"),
];

/// Finds a known keyword, in any case.
pub fn lookup(name: &str) -> Option<&'static KnownKeyword> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// One line of the EHLO reply behind the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword<'a> {
    line: Cow<'a, str>,
    name: Range<usize>,
    /// Where the words behind it begin.
    rest: usize,
}

/// What the EHLO reply said: order kept, unknown and doubled keywords kept. Bytes that are not UTF-8 are replaced;
/// the reply itself keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities(Reply);

impl Capabilities {
    /// Of an EHLO reply.
    pub fn from_reply(reply: &Reply) -> Self {
        Self(reply.clone())
    }

    /// The text of the first line: the server's name and its greeting.
    pub fn greeting(&self) -> &[u8] {
        self.0.first_text()
    }

    /// The keywords in their order.
    pub fn keywords(&self) -> impl Iterator<Item = Keyword<'_>> {
        self.0.texts().skip(1).filter_map(Keyword::parse)
    }

    /// Those whose names begin with this, in any case. Other lines are not looked into.
    pub fn beginning<'a>(&'a self, with: &'a str) -> impl Iterator<Item = Keyword<'a>> {
        let begins = |head: Option<&[u8]>| head.is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()));
        // In the name of another line than of ASCII something may have been replaced.
        let may_begin = move |text: &&[u8]| !text.is_ascii() || begins(text.trim_ascii_start().get(..with.len()));
        let keywords = self.0.texts().skip(1).filter(may_begin).filter_map(Keyword::parse);
        keywords.filter(move |keyword| begins(keyword.name().as_bytes().get(..with.len())))
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Keyword<'a>> {
        self.beginning(name).filter(|keyword| keyword.name().len() == name.len())
    }

    /// The first keyword of this name, in any case.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<Keyword<'a>> {
        self.named(name).next()
    }

    /// Whether the keyword was offered.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The SASL mechanisms of all `AUTH` lines, the old form `AUTH=LOGIN` included, each once, in capitals.
    pub fn mechanisms(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for keyword in self.named("AUTH") {
            for mechanism in keyword.parameters() {
                let mechanism = mechanism.to_ascii_uppercase();
                if !out.contains(&mechanism) {
                    out.push(mechanism);
                }
            }
        }
        out
    }

    /// Whether logins are listed in the old form `AUTH=LOGIN` alone, which clients of RFC 4954 need not read.
    pub fn lists_logins_in_old_form_only(&self) -> bool {
        let mut lists = self.named("AUTH").filter(|keyword| keyword.parameters().next().is_some()).peekable();
        lists.peek().is_some() && lists.all(|keyword| keyword.is_old_form())
    }

    /// The `SIZE` limit: `None` when not offered or not a number, `Some(0)` for "no limit".
    pub fn size(&self) -> Option<u64> {
        self.get("SIZE")?.parameters().next()?.parse().ok()
    }
}

impl<'a> Keyword<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let line = lossy(text);
        let start = line.len() - line.trim_ascii_start().len();
        let first = line[start..].split_ascii_whitespace().next()?;
        // `AUTH=LOGIN PLAIN`: servers of before RFC 4954, and those that please old clients. Exchange does so for X-EXPS too.
        let is_login = |name: &&str| ["AUTH", "X-EXPS"].iter().any(|login| name.eq_ignore_ascii_case(login));
        let name = first.split_once('=').map(|(name, _)| name).filter(is_login);
        let (length, separator) = name.map_or((first.len(), 0), |name| (name.len(), 1));
        let name = start..start + length;
        Some(Self { rest: name.end + separator, name, line })
    }

    /// As sent, in the server's case.
    pub fn name(&self) -> &str {
        &self.line[self.name.clone()]
    }

    /// `NAME=VALUE`, where `NAME VALUE` is right.
    fn is_old_form(&self) -> bool {
        self.line[self.name.end..].starts_with('=')
    }

    /// The words behind it, as sent.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.line[self.rest..].split_ascii_whitespace()
    }

    /// The name and the words behind it, with one space between each.
    pub fn words(&self) -> String {
        std::iter::once(self.name()).chain(self.parameters()).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn capabilities(bytes: &[u8]) -> Capabilities {
        let mut parser = ReplyParser::default();
        parser.push(bytes);
        match parser.next_received() {
            Ok(Some(Received::Reply(reply))) => Capabilities::from_reply(&reply),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn order_and_unknown_keywords_are_kept() {
        let caps = capabilities(b"250-mx Hello\r\n250-X-NEW a b\r\n250-size 10\r\n250-starttls\r\n250 size 20\r\n");
        assert_eq!(caps.greeting(), b"mx Hello");
        let names: Vec<String> = caps.keywords().map(|keyword| keyword.name().to_owned()).collect();
        assert_eq!(names, ["X-NEW", "size", "starttls", "size"]);
        assert_eq!((caps.size(), caps.has("STARTTLS"), caps.has("AUTH")), (Some(10), true, false));
    }

    #[test]
    fn a_keyword_is_found_by_the_name_that_is_shown() {
        let caps = capabilities(b"250-mx\r\n250-\xffX\r\n250-\xc3\xa4\r\n250  AUTH\xff= a\r\n");
        for keyword in caps.keywords() {
            assert_eq!(caps.get(keyword.name()).as_ref(), Some(&keyword));
        }
        assert!(!caps.has("AUTH") && caps.beginning("auth").count() == 1);
    }

    #[test]
    fn mechanisms_come_from_both_forms_once() {
        let caps = capabilities(b"250-mx\r\n250-AUTH NTLM LOGIN\r\n250 AUTH=login  PLAIN\r\n");
        assert_eq!(caps.mechanisms(), ["NTLM", "LOGIN", "PLAIN"]);
        for (lines, want) in
            [("250-AUTH NTLM\r\n250 AUTH=LOGIN", false), ("250-AUTH\r\n250 AUTH=LOGIN", true), ("250 AUTH", false), ("250 DSN", false)]
        {
            assert_eq!(capabilities(format!("250-mx\r\n{lines}\r\n").as_bytes()).lists_logins_in_old_form_only(), want, "{lines}");
        }
    }

    #[test]
    fn odd_values_do_no_harm() {
        // P13
        for size in ["SIZE -1", "SIZE 10000000000000000000000", "SIZE", "SIZE x"] {
            assert_eq!(capabilities(format!("250-mx\r\n250 {size}\r\n").as_bytes()).size(), None, "{size}");
        }
        assert_eq!(capabilities(b"250-mx\r\n250-\r\n250 \r\n").keywords().count(), 0);
        let many = format!("250-mx\r\n250 AUTH{}\r\n", " X".repeat(1000));
        assert_eq!(capabilities(many.as_bytes()).mechanisms(), ["X"]);
    }

    #[test]
    fn the_table_is_sorted_unique_and_short() {
        for pair in KNOWN.windows(2) {
            assert!(pair[0].name < pair[1].name, "{}", pair[1].name);
        }
        for known in KNOWN {
            assert!(known.summary.len() <= 60 && !known.source.is_empty(), "{}", known.name);
        }
    }
}
