//! Paths of MAIL FROM and RCPT TO: those of a typed line are read as leniently as servers do, those that this program
//! is to put into a line itself are checked by the grammar (RFC 5321 §4.1.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::text::printable_str;

/// The address and what follows it in the argument of MAIL or RCPT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// Without angle brackets; empty for `<>`.
    pub address: &'a str,
    /// The parameters behind the address, as typed.
    pub parameters: &'a str,
    /// Whether it stood in angle brackets, as RFC 5321 §4.1.2 demands.
    pub bracketed: bool,
}

/// Reads `FROM:<address> PARAMETERS`, the colon and what stands before it included.
pub fn path<'a>(argument: &'a str, keyword: &str) -> Option<Path<'a>> {
    let (head, rest) = argument.split_once(':')?;
    if !head.trim().eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start();
    if let Some(inner) = rest.strip_prefix('<') {
        let end = closing_bracket(inner)?;
        return Some(Path { address: &inner[..end], parameters: inner[end + 1..].trim(), bracketed: true });
    }
    let end = end_of_word(rest);
    Some(Path { address: &rest[..end], parameters: rest[end..].trim(), bracketed: false })
}

/// The `>` that ends the path; one inside a quoted local part does not. Where the quotes are never closed it is the
/// first one.
pub fn closing_bracket(text: &str) -> Option<usize> {
    outside_quotes(text).find_map(|(at, c)| (c == '>').then_some(at)).or_else(|| text.find('>'))
}

/// Where an address without brackets ends: at a space outside its quoted local part.
fn end_of_word(text: &str) -> usize {
    let quoted = outside_quotes(text).find_map(|(at, c)| (c == ' ').then_some(at));
    let is_closed = || outside_quotes(text).filter(|(_, c)| *c == '"').count().is_multiple_of(2);
    quoted.or_else(|| if is_closed() { None } else { text.find(' ') }).unwrap_or(text.len())
}

/// The characters that stand outside quoted strings, the quotation marks among them (RFC 5321 §4.1.2, Quoted-string).
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, c)| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        escaped = quoted && *c == '\\';
        if *c == '"' {
            quoted = !quoted;
            return true;
        }
        !quoted
    })
}

/// The local part and the domain of an address, read leniently. A source route before it (`@a,@b:`) is passed over.
fn split(address: &str) -> (&str, Option<&str>) {
    let mailbox = without_route(address);
    // An `@` within quotation marks belongs to the local part.
    let quoted = outside_quotes(mailbox).filter(|(_, c)| *c == '@').last().map(|(at, _)| at);
    let at = quoted.or_else(|| if mailbox.starts_with('"') { None } else { mailbox.rfind('@') });
    at.map_or((mailbox, None), |at| (&mailbox[..at], Some(&mailbox[at + 1..])))
}

/// Without the source route, which is obsolete and understood all the same (RFC 5321 §4.1.2, A-d-l).
fn without_route(address: &str) -> &str {
    if address.starts_with('@') { address.split_once(':').map_or(address, |(_, mailbox)| mailbox) } else { address }
}

/// The domain of an address.
pub fn domain(address: &str) -> Option<&str> {
    split(address).1.filter(|domain| !domain.is_empty())
}

/// The local part of an address, in quotation marks where it was written so.
pub fn local_part(address: &str) -> &str {
    split(address).0
}

/// The address with its domain in ASCII, made by `to_ascii`; `None` where the local part is beyond ASCII, which has no
/// other form, or the domain cannot be made so.
pub fn in_ascii(address: &str, to_ascii: impl Fn(&str) -> Option<String>) -> Option<String> {
    if address.is_ascii() {
        return Some(address.to_owned());
    }
    let domain = domain(address)?;
    let before = address.strip_suffix(domain).filter(|before| before.is_ascii())?;
    to_ascii(domain).map(|domain| format!("{before}{domain}"))
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// There is nothing.
    Empty,
    /// Nothing stands before the `@`.
    NoLocalPart,
    /// Nothing stands behind the `@`.
    NoDomain,
    /// A character that can stand in quotation marks only.
    Unquoted(char),
    /// A character that can stand nowhere in an address: one of control.
    Control,
    /// The quoted local part has no end, or more than `@` and a domain follows it.
    BadQuotes,
    /// No domain and no address in brackets: the domain as written.
    BadDomain(String),
    /// Longer than [`LONGEST`].
    TooLong,
}

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::NoLocalPart => f.write_str("nothing stands before the @"),
            Self::NoDomain => f.write_str("no domain stands behind the @"),
            Self::Unquoted(' ') => f.write_str("a space can stand in quotation marks only: \"odd user\"@example.com"),
            Self::Unquoted(c) => write!(f, "'{}' can stand in quotation marks only: \"a{0}b\"@example.com", c.escape_debug()),
            Self::Control => f.write_str("it holds a control character"),
            Self::BadQuotes => f.write_str("the quotation marks are written \"local part\"@domain"),
            Self::BadDomain(domain) => {
                write!(f, "'{}' is no domain, and no address such as [192.0.2.1] or [IPv6:2001:db8::1]", printable_str(domain))
            }
            Self::TooLong => write!(f, "it is longer than {LONGEST} octets"),
        }
    }
}

impl std::error::Error for AddressError {}

/// The longest address that is taken: local part, `@` and domain at their limits (RFC 5321 §4.5.3.1), so that what
/// servers say of too long a path can be tried too.
pub const LONGEST: usize = 64 + 1 + 255;

/// Whether the text, which stands without angle brackets, is an address as a path holds it: a mailbox, with a source
/// route or without, or a local part alone (`postmaster`, and the users of an LMTP server). A local part may have dots
/// anywhere: such addresses exist, whatever the grammar says.
///
/// ```text
/// Mailbox        = Local-part "@" ( Domain / address-literal )
/// Local-part     = Dot-string / Quoted-string
/// ```
///
/// # Errors
/// What is wrong with it, see RFC 5321 §4.1.2 and, for letters beyond ASCII, RFC 6531 §3.3.
pub fn check(address: &str) -> Result<(), AddressError> {
    if address.chars().any(char::is_control) {
        return Err(AddressError::Control);
    }
    if address.len() > LONGEST {
        return Err(AddressError::TooLong);
    }
    if address.is_empty() {
        return Err(AddressError::Empty);
    }
    if address.starts_with('@') {
        let (route, mailbox) = address.split_once(':').ok_or(AddressError::NoLocalPart)?;
        for hop in route.split(',') {
            check_domain(hop.strip_prefix('@').ok_or_else(|| AddressError::BadDomain(hop.to_owned()))?)?;
        }
        return check_mailbox(mailbox);
    }
    check_mailbox(address)
}

fn check_mailbox(mailbox: &str) -> Result<(), AddressError> {
    if mailbox.starts_with('"') {
        // The first mark opens it, the second outside closes it.
        let close = outside_quotes(mailbox).filter(|(_, c)| *c == '"').nth(1).map(|(at, _)| at);
        let rest = &mailbox[close.ok_or(AddressError::BadQuotes)? + 1..];
        return match rest.strip_prefix('@') {
            Some(domain) => check_domain(domain),
            None if rest.is_empty() => Ok(()),
            None => Err(AddressError::BadQuotes),
        };
    }
    let (local, domain) = split(mailbox);
    if local.is_empty() {
        return Err(AddressError::NoLocalPart);
    }
    match local.chars().find(|c| !is_atext(*c) && *c != '.') {
        Some('"') => Err(AddressError::BadQuotes),
        Some(c) => Err(AddressError::Unquoted(c)),
        None => domain.map_or(Ok(()), check_domain),
    }
}

/// atext of RFC 5322 §3.2.3, with what RFC 6531 §3.3 adds.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() && !c.is_whitespace() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Labels with dots between them, a final dot allowed; or an address literal (RFC 5321 §4.1.3).
fn check_domain(domain: &str) -> Result<(), AddressError> {
    if domain.is_empty() {
        return Err(AddressError::NoDomain);
    }
    let bad = || AddressError::BadDomain(domain.to_owned());
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or_else(bad)?;
        return if is_literal(literal) { Ok(()) } else { Err(bad()) };
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii() && !c.is_whitespace();
    let name = domain.strip_suffix('.').unwrap_or(domain);
    if name.split('.').all(|label| !label.is_empty() && label.chars().all(fits)) { Ok(()) } else { Err(bad()) }
}

/// What stands in the brackets: an IPv4 address, `IPv6:` and one, or another tag and what it says. Angle brackets and
/// quotation marks are left out of the last, which has them in the grammar: no tag uses them, and few servers would find
/// the end of the path.
fn is_literal(text: &str) -> bool {
    match text.split_once(':') {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => {
            let is_tag = tag.ends_with(|c: char| c.is_ascii_alphanumeric()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_tag
                && !content.is_empty()
                && content.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '\\' | '<' | '>' | '"'))
        }
        None => text.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_read_as_servers_read_them() {
        let table = [
            ("FROM:<a@b.test> SIZE=1", Some(("a@b.test", "SIZE=1", true))),
            ("from: <a@b.test>", Some(("a@b.test", "", true))),
            ("FROM: someone@alt.test", Some(("someone@alt.test", "", false))),
            ("FROM:<>", Some(("", "", true))),
            ("FROM:<\"a>\\\"b\"@c.test> BODY=8BITMIME", Some(("\"a>\\\"b\"@c.test", "BODY=8BITMIME", true))),
            ("FROM:<\"a b\"@c.test> SIZE=1", Some(("\"a b\"@c.test", "SIZE=1", true))),
            ("FROM: \"a b\"@c.test SIZE=1", Some(("\"a b\"@c.test", "SIZE=1", false))),
            ("FROM: \"a b@c.test SIZE=1", Some(("\"a", "b@c.test SIZE=1", false))),
            ("FROM:<a\"b@c.test> SIZE=1", Some(("a\"b@c.test", "SIZE=1", true))),
            ("FROM:<\"a\\\\\"@c.test> SIZE=1", Some(("\"a\\\\\"@c.test", "SIZE=1", true))),
            ("FROM:<@a.test,@b.test:c@d.test>", Some(("@a.test,@b.test:c@d.test", "", true))),
            ("FROM:<a@b", None),
            ("TO:<a@b>", None),
            ("a@b", None),
        ];
        for (text, want) in table {
            let got = path(text, "FROM").map(|p| (p.address, p.parameters, p.bracketed));
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn the_domain_stands_behind_the_local_part_whatever_that_holds() {
        let table = [
            ("a@contoso.test", "a", Some("contoso.test")),
            ("\"a@external.test\"@contoso.test", "\"a@external.test\"", Some("contoso.test")),
            ("\"a\\\"@external.test\"@contoso.test", "\"a\\\"@external.test\"", Some("contoso.test")),
            ("\"a@external.test\"", "\"a@external.test\"", None),
            ("@a.test,@b.test:c@contoso.test", "c", Some("contoso.test")),
            ("x@[IPv6:::1]", "x", Some("[IPv6:::1]")),
            ("postmaster", "postmaster", None),
            ("a@", "a", None),
            ("", "", None),
        ];
        for (address, local, want) in table {
            assert_eq!((local_part(address), domain(address)), (local, want), "{address}");
        }
    }

    #[test]
    fn what_the_grammar_allows_is_an_address() {
        for address in [
            "a@b.test",
            "o'neil@a.test",
            "\"odd user\"@a.test",
            "\"a@b\"@a.test",
            "\"a\\\"b\"@a.test",
            "\"a>b\"@a.test",
            "\"\"@a.test",
            "x@[192.0.2.1]",
            "x@[IPv6:::1]",
            "x@[IPv6:2001:db8::1]",
            "x@[X-Tag:anything]",
            "postmaster",
            "a+b/c=d@a.test",
            "a..b.@a.test",
            "a@b.test.",
            "@a.test,@b.test:c@d.test",
            "gr\u{e5}@b\u{fc}cher.test",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        // P33
        let table = [
            ("", AddressError::Empty),
            ("@a.test", AddressError::NoLocalPart),
            ("@a.test:@b.test", AddressError::NoLocalPart),
            ("a@", AddressError::NoDomain),
            ("a b@a.test", AddressError::Unquoted(' ')),
            ("c@a.test> X=1", AddressError::BadDomain("a.test> X=1".to_owned())),
            ("c@a.test SIZE=1", AddressError::BadDomain("a.test SIZE=1".to_owned())),
            ("c>x@a.test", AddressError::Unquoted('>')),
            ("a@b@c.test", AddressError::Unquoted('@')),
            ("a,b@c.test", AddressError::Unquoted(',')),
            ("c@a.test\r\nDATA", AddressError::Control),
            ("\"a\r\nb\"@a.test", AddressError::Control),
            ("a\0@a.test", AddressError::Control),
            ("a@b.test\u{85}", AddressError::Control),
            ("\"a@a.test", AddressError::BadQuotes),
            ("\"a\"b@a.test", AddressError::BadQuotes),
            ("\"a\"> X=1@a.test", AddressError::BadQuotes),
            ("\"a\\\"@a.test", AddressError::BadQuotes),
            ("a\"b@a.test", AddressError::BadQuotes),
            ("a@b..test", AddressError::BadDomain("b..test".to_owned())),
            ("a@[300.1.1.1]", AddressError::BadDomain("[300.1.1.1]".to_owned())),
            ("a@[x:>]", AddressError::BadDomain("[x:>]".to_owned())),
            ("a@[IPv6:x]", AddressError::BadDomain("[IPv6:x]".to_owned())),
            ("a@[192.0.2.1", AddressError::BadDomain("[192.0.2.1".to_owned())),
            ("a@[192.0.2.1]> X", AddressError::BadDomain("[192.0.2.1]> X".to_owned())),
        ];
        for (address, want) in table {
            let error = check(address).unwrap_err();
            assert_eq!(error, want, "{address:?}");
            assert!(!error.to_string().contains(char::is_control));
        }
        assert_eq!(check(&format!("{}@a.test", "x".repeat(LONGEST))), Err(AddressError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_taken_for_an_address_stays_within_its_brackets(
            address in prop_oneof![
                "[ -~\u{e5}\r\n\u{0}]{0,24}",
                "[a-c\"\\\\@<> .:,\\[\\]]{0,12}@[a-c.\\[\\]>:]{1,8}",
                "\"[ -~]{0,12}\"@a\\.test",
            ],
        ) {
            // P33
            if check(&address).is_ok() {
                prop_assert!(!address.contains(char::is_control));
                let line = format!("FROM:<{address}> SIZE=1");
                let read = path(&line, "FROM").map(|path| (path.address.to_owned(), path.parameters.to_owned()));
                prop_assert_eq!(read, Some((address.clone(), "SIZE=1".to_owned())));
                let (local, domain) = split(&address);
                let joined = domain.map_or_else(|| local.to_owned(), |domain| format!("{local}@{domain}"));
                prop_assert!(address.ends_with(&joined));
            }
        }
    }
}
