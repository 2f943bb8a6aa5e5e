//! What is wrong with a command line that was refused: advice about the operator's own line is given only where that
//! very line has that fault (P54).

use crate::text::lossy;
use crate::wire::address;
use crate::wire::verb::PARAMETERS;

/// The command that was refused, and what else the client knew when it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The line as it went out, without secrets; empty where it is not known.
    pub line: Vec<u8>,
    /// The name that was given in EHLO, HELO or LHLO.
    pub hello: Option<String>,
    /// The keywords that EHLO offered; `None` where EHLO was not accepted.
    pub offered: Option<Vec<String>>,
    /// MAIL or RCPT was accepted, and the transaction is still open.
    pub in_transaction: bool,
    /// The transaction's MAIL declared SMTPUTF8.
    pub declared_utf8: bool,
    /// EHLO was accepted before STARTTLS began TLS.
    pub greeted_before_tls: bool,
    /// The greeting speaks of LMTP.
    pub greeted_as_lmtp: bool,
}

/// A fault of the line, or a fact about the moment it was sent in, by the name that it has in `facts.tsv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The address stands without angle brackets.
    NoBrackets,
    /// A space before or behind the colon.
    SpaceAtColon,
    /// `FROM:` or `TO:` is missing or misspelt, or a bracket is not closed.
    NoPath,
    /// Text stands behind the closing bracket without a space.
    NoSpaceBehindAddress,
    /// A parameter that EHLO did not offer.
    ParameterNotOffered,
    /// An address beyond ASCII; SMTPUTF8 is offered, and MAIL did not declare it (RFC 6531).
    Utf8NotDeclared,
    /// An address beyond ASCII, and SMTPUTF8 is not offered.
    Utf8NotOffered,
    /// The name in EHLO is neither a full domain name nor an address in brackets.
    NameNotFull,
    /// A transaction is open.
    InTransaction,
    /// EHLO had been accepted before TLS began.
    AfterStartTls,
    /// The greeting speaks of LMTP.
    LmtpGreeting,
}

/// Each condition and its name.
pub const CONDITIONS: &[(&str, Condition)] = &[
    ("no-brackets", Condition::NoBrackets),
    ("space-at-colon", Condition::SpaceAtColon),
    ("no-path", Condition::NoPath),
    ("no-space-behind-address", Condition::NoSpaceBehindAddress),
    ("parameter-not-offered", Condition::ParameterNotOffered),
    ("utf8-not-declared", Condition::Utf8NotDeclared),
    ("utf8-not-offered", Condition::Utf8NotOffered),
    ("name-not-full", Condition::NameNotFull),
    ("in-transaction", Condition::InTransaction),
    ("after-starttls", Condition::AfterStartTls),
    ("lmtp-greeting", Condition::LmtpGreeting),
];

impl Sent {
    /// Whether one of the conditions named, separated by `|`, is met.
    pub fn meets(&self, names: &str) -> bool {
        let mut wanted = CONDITIONS.iter().filter(|(name, _)| names.split('|').any(|one| one == *name));
        wanted.any(|(_, condition)| self.is(*condition))
    }

    fn is(&self, condition: Condition) -> bool {
        let line = lossy(&self.line);
        let argument = PathArgument::read(&line);
        match condition {
            Condition::NoBrackets => argument.is_some_and(|argument| argument.path.is_some_and(|path| !path.bracketed)),
            Condition::SpaceAtColon => argument.is_some_and(|argument| argument.path.is_some() && argument.has_space_at_colon()),
            Condition::NoPath => argument.is_some_and(|argument| argument.path.is_none()),
            Condition::NoSpaceBehindAddress => argument.is_some_and(|argument| argument.lacks_space_behind_address()),
            Condition::ParameterNotOffered => self.parameter_not_offered().is_some(),
            Condition::Utf8NotDeclared => self.offers("SMTPUTF8") && self.needs_utf8(argument),
            Condition::Utf8NotOffered => !self.offers("SMTPUTF8") && self.needs_utf8(argument),
            Condition::NameNotFull => self.hello.as_deref().is_some_and(|name| !is_full_name(name)),
            Condition::InTransaction => self.in_transaction,
            Condition::AfterStartTls => self.greeted_before_tls,
            Condition::LmtpGreeting => self.greeted_as_lmtp,
        }
    }

    /// The first parameter of the line that EHLO did not offer.
    pub fn parameter_not_offered(&self) -> Option<String> {
        let line = lossy(&self.line);
        let argument = PathArgument::read(&line)?;
        let mut parameters = argument.path?.parameters.split_ascii_whitespace();
        parameters.find(|parameter| !self.allows(argument.verb, parameter)).map(str::to_owned)
    }

    fn allows(&self, verb: &str, parameter: &str) -> bool {
        let name = |text: &str| text.split('=').next().unwrap_or_default().to_ascii_uppercase();
        let starts = |known: &str| parameter.to_ascii_uppercase().starts_with(known);
        let of_verb = || PARAMETERS.iter().filter(|known| known.verb == verb);
        // BODY=8BITMIME and BODY=BINARYMIME have keywords of their own.
        let exact = of_verb().find(|known| known.text.starts_with("BODY=") && starts(known.text));
        match exact.or_else(|| of_verb().find(|known| name(known.text) == name(parameter))) {
            Some(known) => self.offers(known.keyword),
            None => self.offers(&name(parameter)),
        }
    }

    fn offers(&self, keyword: &str) -> bool {
        self.offered.as_ref().is_some_and(|offered| offered.iter().any(|name| name.eq_ignore_ascii_case(keyword)))
    }

    fn needs_utf8(&self, argument: Option<PathArgument<'_>>) -> bool {
        let Some(PathArgument { verb, path: Some(path), .. }) = argument else { return false };
        let declares = |parameters: &str| parameters.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("SMTPUTF8"));
        let declared = if verb == "MAIL" { declares(path.parameters) } else { self.declared_utf8 };
        !path.address.is_ascii() && !declared
    }
}

/// The argument of MAIL or RCPT.
#[derive(Debug, Clone, Copy)]
struct PathArgument<'a> {
    verb: &'static str,
    text: &'a str,
    path: Option<address::Path<'a>>,
}

impl<'a> PathArgument<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (verb, text) = line.trim().split_once([' ', '\t'])?;
        let (verb, keyword) = [("MAIL", "FROM"), ("RCPT", "TO")].into_iter().find(|(name, _)| name.eq_ignore_ascii_case(verb))?;
        let text = text.trim_start();
        Some(Self { verb, text, path: address::path(text, keyword) })
    }

    fn lacks_space_behind_address(&self) -> bool {
        let glued = |path: address::Path<'_>| self.text.ends_with(&format!("<{}>{}", path.address, path.parameters));
        self.path.is_some_and(|path| path.bracketed && !path.parameters.is_empty() && glued(path))
    }

    fn has_space_at_colon(&self) -> bool {
        let around = self.text.split_once(':');
        around.is_some_and(|(before, behind)| before.ends_with([' ', '\t']) || behind.starts_with([' ', '\t']))
    }
}

/// Whether it is a domain name of two labels or more, or an address literal in brackets (RFC 5321 §4.1.3).
fn is_full_name(name: &str) -> bool {
    if let Some(literal) = name.strip_prefix('[') {
        return literal.strip_suffix(']').is_some_and(|inner| crate::host::ip_of(inner.trim_start_matches("IPv6:")).is_some());
    }
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let name = name.strip_suffix('.').unwrap_or(name);
    name.contains('.') && name.split('.').all(is_label) && crate::host::ip_of(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    // P54
    #[test]
    fn a_line_has_the_faults_that_it_has_and_no_other() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("MAIL FROM:<a@b.test>", &[], &[]),
            ("mail from:<>", &[], &[]),
            ("MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME", &["SIZE", "8BITMIME"], &[]),
            ("MAIL FROM:<a@b.test> BODY=BINARYMIME", &["8BITMIME"], &["parameter-not-offered"]),
            ("MAIL FROM:<a@b.test> X-NEW=1", &["X-NEW"], &[]),
            ("MAIL FROM:<a@b.test> foo", &["SIZE"], &["parameter-not-offered"]),
            ("RCPT TO:<a@b.test> notify=never", &["DSN"], &[]),
            ("RCPT TO:<a@b.test> NOTIFY=NEVER", &[], &["parameter-not-offered"]),
            ("MAIL FROM:<a@b.test>x", &[], &["no-space-behind-address", "parameter-not-offered"]),
            ("MAIL FROM:a@b.test", &[], &["no-brackets"]),
            ("MAIL FROM: <a@b.test>", &[], &["space-at-colon"]),
            ("RCPT TO :<a@b.test>", &[], &["space-at-colon"]),
            ("RCPT TO: a@b.test", &[], &["no-brackets", "space-at-colon"]),
            ("MAIL <a@b.test>", &[], &["no-path"]),
            ("MAIL FORM:<a@b.test>", &[], &["no-path"]),
            ("RCPT TO:<a@b.test", &[], &["no-path"]),
            ("MAIL FROM:<grå@b.test>", &["SMTPUTF8"], &["utf8-not-declared"]),
            ("MAIL FROM:<grå@b.test> SMTPUTF8", &["SMTPUTF8"], &[]),
            ("MAIL FROM:<grå@b.test>", &[], &["utf8-not-offered"]),
            ("RCPT TO:<grå@b.test>", &["SMTPUTF8"], &["utf8-not-declared"]),
            ("NOOP <grå@b.test>", &[], &[]),
            ("EHLO x", &[], &[]),
            ("", &[], &[]),
        ];
        for (line, offered, want) in table {
            let offered = Some(offered.iter().map(|&name| name.to_owned()).collect());
            let sent = Sent { line: line.as_bytes().to_vec(), offered, ..Sent::default() };
            let met: Vec<&str> = CONDITIONS.iter().map(|(name, _)| *name).filter(|name| sent.meets(name)).collect();
            assert_eq!(met, *want, "{line}");
        }
    }

    #[test]
    fn a_name_is_full_or_an_address_in_brackets() {
        for name in ["client.alt.test", "client.alt.test.", "[192.0.2.1]", "[IPv6:2001:db8::1]", "gr\u{fc}n.test"] {
            assert!(is_full_name(name), "{name}");
        }
        for name in ["my_box", "my_box.alt.test", "box", "localhost", "192.0.2.1", "[192.0.2.1", "[x]", "a..b", "", "."] {
            assert!(!is_full_name(name), "{name}");
        }
    }
}
