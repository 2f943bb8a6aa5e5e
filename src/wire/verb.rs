//! The verbs of SMTP: what help, completion and hints know of each. One row each.

/// When a verb makes sense; completion offers it then. Typed, it goes out at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before EHLO or HELO was accepted.
    Greeting,
    /// At any time.
    Always,
    /// Outside a mail transaction, after EHLO.
    Idle,
    /// After MAIL FROM was accepted.
    Mail,
    /// After a recipient was accepted.
    Recipient,
    /// Outside a transaction, when EHLO offered this keyword.
    Offered(&'static str),
}

/// What is known of a verb.
#[derive(Debug)]
pub struct Verb {
    /// In capitals.
    pub name: &'static str,
    /// What completion inserts.
    pub template: &'static str,
    /// The syntax, as a ghost hint behind what is typed.
    pub syntax: &'static str,
    /// One line to copy.
    pub example: &'static str,
    /// Where it is defined.
    pub source: &'static str,
    /// What it does, 60 columns at most.
    pub summary: &'static str,
    /// What else one should know.
    pub details: &'static str,
    /// When completion offers it.
    pub when: When,
}

/// All verbs, in the order of a session.
pub const VERBS: &[Verb] = &[
    Verb {
        name: "EHLO",
        template: "EHLO ",
        syntax: "EHLO <your-name>",
        example: "EHLO client.alt.test",
        source: "RFC 5321 sec. 4.1.1.1",
        summary: "says who you are and asks what the server offers",
        details: "The name should be this machine's full name, or its address in brackets; some servers check it. The answer lists the extensions.",
        when: When::Greeting,
    },
    Verb {
        name: "HELO",
        template: "HELO ",
        syntax: "HELO <your-name>",
        example: "HELO client.alt.test",
        source: "RFC 5321 sec. 4.1.1.1",
        summary: "the old EHLO: no extensions",
        details: "After HELO there is no AUTH, no STARTTLS, no SIZE.",
        when: When::Greeting,
    },
    Verb {
        name: "LHLO",
        template: "LHLO ",
        syntax: "LHLO <your-name>",
        example: "LHLO client.alt.test",
        source: "RFC 2033 sec. 4.1",
        summary: "EHLO for LMTP servers",
        details: "LMTP answers the final dot once for each recipient.",
        when: When::Offered("LMTP"),
    },
    Verb {
        name: "STARTTLS",
        template: "STARTTLS",
        syntax: "STARTTLS",
        example: "STARTTLS",
        source: "RFC 3207",
        summary: "asks the server to switch to encryption",
        details: "After 220 both sides start TLS, and EHLO has to be said again.",
        when: When::Offered("STARTTLS"),
    },
    Verb {
        name: "AUTH",
        template: "AUTH ",
        syntax: "AUTH <mechanism> [initial-response]",
        example: "AUTH LOGIN",
        source: "RFC 4954",
        summary: "logs in by a mechanism that EHLO offered",
        details: "LOGIN and PLAIN can be typed here as plain text: it is encoded for you. A lone * cancels.",
        when: When::Offered("AUTH"),
    },
    Verb {
        name: "MAIL",
        template: "MAIL FROM:<",
        syntax: "MAIL FROM:<address> [parameters]",
        example: "MAIL FROM:<someone@alt.test>",
        source: "RFC 5321 sec. 4.1.1.2",
        summary: "begins a message: who sends it",
        details: "Brackets, and no space behind the colon. MAIL FROM:<> is the empty sender of bounces.",
        when: When::Idle,
    },
    Verb {
        name: "RCPT",
        template: "RCPT TO:<",
        syntax: "RCPT TO:<address> [parameters]",
        example: "RCPT TO:<postmaster@contoso.test>",
        source: "RFC 5321 sec. 4.1.1.3",
        summary: "names one recipient; say it once for each",
        details: "The server's answer here is its decision to take mail for this address, or to relay it.",
        when: When::Mail,
    },
    Verb {
        name: "DATA",
        template: "DATA",
        syntax: "DATA",
        example: "DATA",
        source: "RFC 5321 sec. 4.1.1.4",
        summary: "sends the message; a lone dot ends it",
        details: "Headers, an empty line, the text. Dots at the beginning of a line are doubled for you.",
        when: When::Recipient,
    },
    Verb {
        name: "BDAT",
        template: "BDAT ",
        syntax: "BDAT <size> [LAST]",
        example: "BDAT 0 LAST",
        source: "RFC 3030 sec. 2",
        summary: "sends a piece of the message by its size",
        details: "Only when CHUNKING is offered. The octets follow at once, CRLF counted; :bdat FILE sends a file so.",
        when: When::Offered("CHUNKING"),
    },
    Verb {
        name: "RSET",
        template: "RSET",
        syntax: "RSET",
        example: "RSET",
        source: "RFC 5321 sec. 4.1.1.5",
        summary: "forgets the message begun; the connection stays",
        details: "After a relay test this leaves no trace of a message.",
        when: When::Mail,
    },
    Verb {
        name: "VRFY",
        template: "VRFY ",
        syntax: "VRFY <address>",
        example: "VRFY postmaster",
        source: "RFC 5321 sec. 4.1.1.6",
        summary: "asks whether an address exists",
        details: "Most servers answer 252 and tell nothing.",
        when: When::Offered("VRFY"),
    },
    Verb {
        name: "EXPN",
        template: "EXPN ",
        syntax: "EXPN <list>",
        example: "EXPN staff",
        source: "RFC 5321 sec. 4.1.1.7",
        summary: "asks for the members of a mailing list",
        details: "A server that answers it to strangers gives its addresses away.",
        when: When::Offered("EXPN"),
    },
    Verb {
        name: "ETRN",
        template: "ETRN ",
        syntax: "ETRN <domain>",
        example: "ETRN contoso.test",
        source: "RFC 1985",
        summary: "asks the server to deliver its queue for a domain",
        details: "The mail comes over a new connection, not over this one.",
        when: When::Offered("ETRN"),
    },
    Verb {
        name: "NOOP",
        template: "NOOP",
        syntax: "NOOP",
        example: "NOOP",
        source: "RFC 5321 sec. 4.1.1.9",
        summary: "does nothing; the server answers 250",
        details: "Keeps the connection alive while you think.",
        when: When::Always,
    },
    Verb {
        name: "HELP",
        template: "HELP",
        syntax: "HELP [topic]",
        example: "HELP",
        source: "RFC 5321 sec. 4.1.1.8",
        summary: "asks the server for its help text",
        details: "For the help of this program: :help.",
        when: When::Always,
    },
    Verb {
        name: "QUIT",
        template: "QUIT",
        syntax: "QUIT",
        example: "QUIT",
        source: "RFC 5321 sec. 4.1.1.10",
        summary: "ends the session politely",
        details: "The server answers 221 and closes.",
        when: When::Always,
    },
];

/// A parameter of MAIL or RCPT, offered by completion when EHLO offered its keyword.
#[derive(Debug)]
pub struct Parameter {
    /// `MAIL` or `RCPT`.
    pub verb: &'static str,
    /// What completion inserts.
    pub text: &'static str,
    /// The EHLO keyword that allows it.
    pub keyword: &'static str,
}

const fn parameter(verb: &'static str, text: &'static str, keyword: &'static str) -> Parameter {
    Parameter { verb, text, keyword }
}

/// The parameters of MAIL and RCPT.
pub const PARAMETERS: &[Parameter] = &[
    parameter("MAIL", "SIZE=", "SIZE"),
    parameter("MAIL", "BODY=7BIT", "8BITMIME"),
    parameter("MAIL", "BODY=8BITMIME", "8BITMIME"),
    parameter("MAIL", "BODY=BINARYMIME", "BINARYMIME"),
    parameter("MAIL", "SMTPUTF8", "SMTPUTF8"),
    parameter("MAIL", "RET=FULL", "DSN"),
    parameter("MAIL", "RET=HDRS", "DSN"),
    parameter("MAIL", "ENVID=", "DSN"),
    parameter("MAIL", "AUTH=<>", "AUTH"),
    parameter("MAIL", "REQUIRETLS", "REQUIRETLS"),
    parameter("MAIL", "BY=", "DELIVERBY"),
    parameter("MAIL", "HOLDFOR=", "FUTURERELEASE"),
    parameter("MAIL", "HOLDUNTIL=", "FUTURERELEASE"),
    parameter("MAIL", "MT-PRIORITY=", "MT-PRIORITY"),
    parameter("RCPT", "NOTIFY=NEVER", "DSN"),
    parameter("RCPT", "NOTIFY=SUCCESS,FAILURE,DELAY", "DSN"),
    parameter("RCPT", "ORCPT=rfc822;", "DSN"),
    parameter("RCPT", "RRVS=", "RRVS"),
];

/// Finds a verb, in any case.
pub fn lookup(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name.eq_ignore_ascii_case(name))
}

/// The verb that a mistyped word most likely meant.
pub fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_uppercase();
    if lookup(&word).is_some() || word.len() < 3 {
        return None;
    }
    let names = VERBS.iter().map(|verb| verb.name);
    names
        .map(|name| (distance(&word, name), name))
        .filter(|(d, _)| *d * 2 <= word.len().min(4))
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Edit distance in which a swap of neighbours counts as one (optimal string alignment).
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_complete() {
        for (at, verb) in VERBS.iter().enumerate() {
            assert!(verb.summary.len() <= 60, "{}", verb.name);
            assert!(verb.source.starts_with("RFC"), "{}", verb.name);
            assert!(verb.template.starts_with(verb.name) && verb.syntax.starts_with(verb.name) && verb.example.starts_with(verb.name));
            assert!(!verb.details.is_empty());
            assert!(VERBS[..at].iter().all(|other| other.name != verb.name), "{} twice", verb.name);
        }
        for parameter in PARAMETERS {
            assert!(lookup(parameter.verb).is_some() && super::super::keyword::lookup(parameter.keyword).is_some(), "{}", parameter.text);
        }
    }

    #[test]
    fn typing_errors_find_the_verb() {
        for (typed, want) in [
            ("MIAL", Some("MAIL")),
            ("rctp", Some("RCPT")),
            ("ELHO", Some("EHLO")),
            ("STARTLS", Some("STARTTLS")),
            ("QIUT", Some("QUIT")),
            ("MAIL", None),
            ("GET", None),
            ("XYZZY", None),
        ] {
            assert_eq!(nearest(typed), want, "{typed}");
        }
    }
}
