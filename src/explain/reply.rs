//! A refusal → meaning, likely causes, next step. The facts are rows of `facts.tsv`.
//!
//! # Shape of a row
//! `id`, `on` (the verb, `AUTH` for a whole login, `*` for any), `code` (alternatives, `4xx` for a
//! class), `status` (alternatives, `*` for any), `words` (alternatives, in lower case), then the texts;
//! ` || ` separates the items of a list. `{user}`, `{domain}` and `{host}` are filled in. A row on `TLS` is for
//! a server that asked for our certificate and got none.

use crate::text::printable_str;
use crate::wire::code::Class;
use crate::wire::reply::Reply;

/// Where the refusal came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Situation {
    /// The verb it answers, `AUTH` within a login, `greeting` before any.
    pub verb: String,
    /// The server as the operator named it.
    pub host: String,
    /// The user name that was tried.
    pub user: Option<String>,
    /// The domain of the address in the command.
    pub domain: Option<String>,
    /// In the TLS handshake the server asked for our certificate and got none.
    pub lacks_certificate: bool,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub struct Fact {
    /// A stable name.
    pub id: &'static str,
    on: &'static str,
    code: &'static str,
    status: &'static str,
    words: &'static str,
    hint: &'static str,
    /// What the refusal means.
    pub meaning: &'static str,
    likely: &'static str,
    next: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

impl Fact {
    /// One or two sentences for the line below the reply.
    pub fn hint(&self, situation: &Situation) -> String {
        fill(self.hint, situation)
    }

    /// Whether the server itself names our certificate, or the lack of one, as its reason.
    pub fn is_about_our_certificate(&self) -> bool {
        matches!(self.id, "certificate-wanted" | "certificate-refused")
    }

    /// Whether the server says that something came before it was the client's turn.
    pub fn is_about_talking_early(&self) -> bool {
        self.id == "pipelining"
    }

    /// Whether the server's own words say that it is this.
    pub fn goes_by_words(&self) -> bool {
        self.words != "*"
    }

    /// Whether the server wants a header of the PROXY protocol.
    pub fn is_about_a_header(&self) -> bool {
        self.id == "proxy-header-wanted"
    }

    /// Likely causes.
    pub fn likely(&self) -> impl Iterator<Item = &'static str> {
        self.likely.split(" || ")
    }

    /// What to do next.
    pub fn next(&self) -> impl Iterator<Item = &'static str> {
        self.next.split(" || ")
    }

    /// How well the row fits; `None` when it does not.
    fn fit(&self, situation: &Situation, reply: &Reply, text: &str) -> Option<u32> {
        let mut points = 0;
        if self.on == "TLS" {
            situation.lacks_certificate.then_some(())?;
            points += 4;
        // A reply that was pasted comes without its command.
        } else if self.on != "*" && !situation.verb.is_empty() {
            (self.on == situation.verb).then_some(())?;
            points += 4;
        }
        let code = reply.code.to_string();
        let exact = self.code.split('|').any(|one| one == code);
        let class = matches!((self.code, reply.class()), ("4xx", Some(Class::Transient)) | ("5xx", Some(Class::Permanent)));
        (exact || class).then_some(())?;
        points += if exact { 2 } else { 0 };
        if self.words != "*" {
            self.words.split('|').any(|word| text.contains(word)).then_some(())?;
            points += 16;
        }
        let status = reply.status().map(|status| status.to_string()).unwrap_or_default();
        if self.status.split('|').any(|one| one == status) {
            points += 8;
        } else if !self.status.split('|').any(|one| one == "*") {
            return None;
        }
        Some(points)
    }
}

/// All facts.
pub fn facts() -> impl Iterator<Item = Fact> {
    include_str!("facts.tsv").lines().skip(1).filter_map(|row| {
        let mut cells = row.split('\t');
        let mut cell = || cells.next();
        Some(Fact {
            id: cell()?,
            on: cell()?,
            code: cell()?,
            status: cell()?,
            words: cell()?,
            hint: cell()?,
            meaning: cell()?,
            likely: cell()?,
            next: cell()?,
            source: cell()?,
        })
    })
}

/// The row that fits a refusal best.
pub fn explain(situation: &Situation, reply: &Reply) -> Option<Fact> {
    if !reply.is_refusal() {
        return None;
    }
    let text = reply.texts().map(|text| String::from_utf8_lossy(text).to_lowercase()).collect::<Vec<_>>().join(" ");
    let fitting = facts().filter_map(|fact| fact.fit(situation, reply, &text).map(|points| (points, fact)));
    // Of equals the first row wins: the table goes from the particular to the general.
    fitting.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, fact)| fact)
}

fn fill(text: &str, situation: &Situation) -> String {
    let or =
        |value: &Option<String>, other: &str| value.as_deref().map_or_else(|| other.to_owned(), |text| printable_str(text).into_owned());
    // Where no user name is known, the sentence does without.
    let text = if situation.user.is_none() { text.replace(" for user \"{user}\"", "") } else { text.to_owned() };
    text.replace("{user}", &or(&situation.user, "?"))
        .replace("{domain}", &or(&situation.domain, "that domain"))
        .replace("{host}", &printable_str(&situation.host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn best(verb: &str, line: &str) -> Option<&'static str> {
        let mut parser = ReplyParser::default();
        parser.push(format!("{line}\r\n").as_bytes());
        let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!("{line}") };
        explain(&Situation { verb: verb.to_owned(), ..Situation::default() }, &reply).map(|fact| fact.id)
    }

    #[test]
    fn replies_of_real_servers_find_their_row() {
        let table = [
            ("RCPT TO", "550 5.7.1 Unable to relay", Some("relay-denied")),
            ("RCPT TO", "554 5.7.1 <x@external.test>: Relay access denied", Some("relay-access-denied")),
            ("RCPT TO", "550 relay not permitted", Some("relay-access-denied")),
            (
                "RCPT TO",
                "550 5.1.1 <x@contoso.test>: Recipient address rejected: User unknown in virtual mailbox table",
                Some("user-unknown"),
            ),
            ("RCPT TO", "451 4.7.1 greylisted, come back in 5 minutes", Some("greylist")),
            ("RCPT TO", "503 5.5.2 Need mail command", Some("need-mail")),
            ("RCPT TO", "503 5.5.1 Error: need MAIL command", Some("need-mail")),
            ("DATA", "503 5.5.1 Error: need RCPT command", Some("need-rcpt")),
            ("DATA", "554 5.5.1 Error: no valid recipients", Some("need-rcpt")),
            ("MAIL FROM", "530 5.7.0 Must issue a STARTTLS command first", Some("starttls-first")),
            ("AUTH", "535 5.7.3 Authentication unsuccessful", Some("auth-failed-exchange")),
            ("AUTH", "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6", Some("auth-failed")),
            ("AUTH", "504 5.7.4 Unrecognized authentication type", Some("auth-mechanism")),
            ("AUTH", "503 5.5.1 Error: authentication not enabled", Some("auth-not-available")),
            ("AUTH", "501 5.5.2 Cannot decode base64", Some("auth-base64")),
            ("MAIL FROM", "501 5.1.7 Bad sender address syntax", Some("syntax-path")),
            ("MIAL", "500 5.3.3 Unrecognized command", Some("unknown-command")),
            ("NOOP", "421 4.4.2 mail.contoso.test Error: timeout exceeded", Some("timeout-421")),
            ("greeting", "554 no SMTP service here", Some("no-service")),
            ("MAIL FROM", "550 5.7.23 SPF validation failed", Some("spf")),
            ("EHLO", "421 4.7.1 mail.contoso.test Error: Client certificate not trusted", Some("certificate-refused")),
            ("", "550 5.7.1 Unable to relay", Some("relay-denied")),
            ("EHLO", "503 Command refused, required Proxy negotiation failed", Some("proxy-header-wanted")),
            ("NOOP", "450 x", Some("temporary")),
            ("NOOP", "599 x", Some("permanent")),
            ("NOOP", "559 x", Some("permanent")),
            ("NOOP", "250 ok", None),
        ];
        for (verb, line, want) in table {
            assert_eq!(best(verb, line), want, "{verb}: {line}");
        }
    }

    #[test]
    fn a_server_that_got_no_certificate_is_understood_unless_it_says_another_reason() {
        let table = [
            ("421 4.7.1 mail.contoso.test Error: No client certificate presented", Some("certificate-wanted")),
            ("421 4.3.2 closing", Some("certificate-missing")),
            ("554 5.7.1 no", Some("certificate-missing")),
            ("421 4.4.2 mail.contoso.test Error: timeout exceeded", Some("timeout-421")),
            ("550 5.1.1 no such user", Some("user-unknown")),
            ("451 4.7.1 greylisted", Some("greylist")),
        ];
        for (line, want) in table {
            let mut parser = ReplyParser::default();
            parser.push(format!("{line}\r\n").as_bytes());
            let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!("{line}") };
            let situation = Situation { verb: "RCPT TO".to_owned(), lacks_certificate: true, ..Situation::default() };
            assert_eq!(explain(&situation, &reply).map(|fact| fact.id), want, "{line}");
            let without = explain(&Situation { lacks_certificate: false, ..situation }, &reply).map(|fact| fact.id);
            assert!(without.is_some_and(|id| !matches!(id, "certificate-wanted" | "certificate-missing")), "{line}: {without:?}");
        }
    }

    #[test]
    fn rows_are_complete_and_their_names_unique() {
        let rows: Vec<Fact> = facts().collect();
        assert_eq!(rows.len(), include_str!("facts.tsv").lines().count() - 1);
        for (at, fact) in rows.iter().enumerate() {
            assert!(rows[..at].iter().all(|other| other.id != fact.id), "{} twice", fact.id);
            assert!(fact.hint.len() <= 170 && fact.meaning.len() <= 160, "{}", fact.id);
            assert!(fact.words == fact.words.to_lowercase(), "{}", fact.id);
        }
        assert!(include_str!("facts.tsv").is_ascii());
    }
}
