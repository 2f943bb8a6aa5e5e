//! A refusal → meaning, likely causes, next step. The facts are rows of `facts.tsv`.
//!
//! # Shape of a row
//! `id`, `on` (the verb, `AUTH` for a whole login, `*` for any; alternatives; `!` at the end: never for a reply whose
//! command is not known), `code` (alternatives, `4xx` for a
//! class), `status` (alternatives, `*` for any), `words` (phrases as [`Words::hold`] reads them), `if` (alternatives
//! of [`line::CONDITIONS`](super::line::CONDITIONS), `*` for none), then the texts; ` || ` separates the items of a
//! list. `{user}`, `{domain}`, `{host}`, `{name}` (the one given in EHLO) and `{parameter}` (one that was not offered)
//! are filled in. A row on `TLS` is for a server that asked for our certificate and got none.
//!
//! A row that says what is wrong with the operator's own line has an `if` (P54). A row that goes by a code alone says
//! what the RFCs say of the code, or what is probable, and calls it so.

use super::line::Sent;
use super::words::Words;
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
    /// What was sent, and what was known then.
    pub sent: Sent,
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
    condition: &'static str,
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
    pub fn hint(&self, situation: &Situation, reply: &Reply) -> String {
        let status = reply.status().map(|status| status.to_string()).unwrap_or_default();
        fill(self.hint, situation).replace("{status}", &status)
    }

    /// Whether the server itself names our certificate, or the lack of one, as its reason.
    pub fn is_about_our_certificate(&self) -> bool {
        matches!(self.id, "certificate-wanted" | "certificate-refused")
    }

    /// Whether the server says that it does not relay.
    pub fn is_about_relaying(&self) -> bool {
        matches!(self.id, "relay-denied" | "relay-access-denied")
    }

    /// Whether the server says that something came before it was the client's turn.
    pub fn is_about_talking_early(&self) -> bool {
        self.id == "pipelining"
    }

    /// Whether the server's own words say that it is this.
    pub fn goes_by_words(&self) -> bool {
        self.words != "*"
    }

    /// Whether the words or the operator's line, and not the code alone, say that it is this.
    pub fn goes_by_more_than_the_code(&self) -> bool {
        self.goes_by_words() || self.condition != "*"
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
    fn fit(&self, situation: &Situation, reply: &Reply, words: &Words) -> Option<u32> {
        let mut points = 0;
        if self.on == "TLS" {
            situation.lacks_certificate.then_some(())?;
            points += 4;
        } else if self.on != "*" && !situation.verb.is_empty() {
            self.on.split('|').any(|verb| verb.trim_end_matches('!') == situation.verb).then_some(())?;
            points += 4;
        } else if self.on.ends_with('!') || (self.on != "*" && self.condition != "*") {
            // The words mean this only behind that verb, and a fault of one verb's line is none of an unknown line.
            return None;
        }
        let code = reply.code.to_string();
        let exact = self.code.split('|').any(|one| one == code);
        let of_class = |one| matches!((one, reply.class()), ("4xx", Some(Class::Transient)) | ("5xx", Some(Class::Permanent)));
        let class = self.code.split('|').any(of_class);
        (exact || class).then_some(())?;
        // Among rows that go by words the order of the table decides.
        points += if exact && self.words == "*" { 2 } else { 0 };
        if self.words != "*" {
            words.hold(self.words).then_some(())?;
            points += 16;
        }
        if self.condition != "*" {
            situation.sent.meets(self.condition).then_some(())?;
            points += 12;
        }
        let status = reply.status().map(|status| status.to_string()).unwrap_or_default();
        let has_status = self.status.split('|').any(|one| one == status);
        if has_status {
            points += 8;
        } else if !self.status.split('|').any(|one| one == "*") {
            return None;
        }
        // A reply that was pasted comes without its command: what one verb's refusal usually means is not said then.
        let is_of_any_verb = self.on == "*" || !situation.verb.is_empty();
        (is_of_any_verb || self.words != "*" || has_status).then_some(points)
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
            condition: cell()?,
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
    let words = Words::of(reply);
    let fitting = facts().filter_map(|fact| fact.fit(situation, reply, &words).map(|points| (points, fact)));
    // Of equals the first row wins: the table goes from the particular to the general.
    fitting.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, fact)| fact)
}

fn fill(text: &str, situation: &Situation) -> String {
    let or =
        |value: &Option<String>, other: &str| value.as_deref().map_or_else(|| other.to_owned(), |text| printable_str(text).into_owned());
    // Where no user name is known, the sentence does without.
    let text = if situation.user.is_none() { text.replace(" for user \"{user}\"", "") } else { text.to_owned() };
    let text = if situation.sent.hello.is_none() { text.replace(" (\"{name}\")", "") } else { text };
    text.replace("{user}", &or(&situation.user, "?"))
        .replace("{domain}", &or(&situation.domain, "that domain"))
        .replace("{host}", &printable_str(&situation.host))
        .replace("{name}", &or(&situation.sent.hello, "the name in EHLO"))
        .replace("{parameter}", &or(&situation.sent.parameter_not_offered(), "a parameter"))
}

#[cfg(test)]
mod tests {
    use super::super::line::CONDITIONS;
    use super::*;
    use crate::wire::reply::{Received, ReplyParser};

    fn reply(line: &str) -> Reply {
        let mut parser = ReplyParser::default();
        parser.push(format!("{line}\r\n").as_bytes());
        let Ok(Some(Received::Reply(reply))) = parser.next_received() else { panic!("{line}") };
        reply
    }

    fn best(verb: &str, line: &str) -> Option<&'static str> {
        explain(&Situation { verb: verb.to_owned(), ..Situation::default() }, &reply(line)).map(|fact| fact.id)
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
            ("MAIL FROM", "501 5.1.7 Bad sender address syntax", Some("sender-status")),
            ("MIAL", "500 5.3.3 Unrecognized command", Some("unknown-command")),
            ("NOOP", "421 4.4.2 mail.contoso.test Error: timeout exceeded", Some("timeout-421")),
            ("greeting", "554 no SMTP service here", Some("no-service")),
            ("MAIL FROM", "550 5.7.23 SPF validation failed", Some("spf")),
            ("EHLO", "421 4.7.1 mail.contoso.test Error: Client certificate not trusted", Some("certificate-refused")),
            ("", "550 5.7.1 Unable to relay", Some("relay-denied")),
            ("EHLO", "503 Command refused, required Proxy negotiation failed", Some("proxy-header-wanted")),
            ("RCPT TO", "550 5.1.0 <a@a.test>: Sender address rejected: User unknown in local recipient table", Some("sender-unknown")),
            ("MAIL FROM", "550 5.1.1 <a@a.test>: Sender address rejected: User unknown", Some("sender-unknown")),
            ("RCPT TO", "550 5.2.1 The email account that you tried to reach is disabled.", Some("mailbox-disabled")),
            ("RCPT TO", "556 5.1.10 <a@b.test>: domain b.test does not accept mail (nullMX)", Some("null-mx-said")),
            ("RCPT TO", "452 4.2.2 sender over quota", Some("sender-quota")),
            ("RCPT TO", "552 5.2.2 sender over quota", Some("sender-quota")),
            ("RCPT TO", "554 5.7.1 Sender address [a@a.test] blocked using dbl.spamhaus.org", Some("blocklist-sender")),
            ("the end of DATA", "554 5.7.1 Message contains a URL listed in a block list", Some("blocklist-link")),
            ("the end of DATA", "554 5.7.1 Blacklisted URL in message", Some("blocklist-link")),
            ("RCPT TO", "550 5.7.1 Recipient has blocked you", Some("recipient-blocks")),
            ("RCPT TO", "550 5.7.1 You are not blocked, but", Some("not-blocked")),
            (
                "RCPT TO",
                "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
                Some("domains-unregistered"),
            ),
            ("RCPT TO", "550 mailbox unavailable (Reject due to SPF policy)", Some("spf")),
            ("RCPT TO", "550 mailbox unavailable, invalid DNS MX", Some("sender-mx-invalid")),
            ("RCPT TO", "550 sender IP not allowed, mailbox unavailable", Some("sender-ip")),
            ("AUTH", "535 5.7.8 Error: authentication failed: Invalid authentication mechanism", Some("auth-mechanism-said")),
            ("AUTH", "535 5.7.8 Error: authentication failed: Connection lost to authentication server", Some("auth-service")),
            ("AUTH", "535 5.7.11 Encryption required", Some("starttls-first")),
            ("STARTTLS", "502 no", Some("starttls-unknown")),
            ("STARTTLS", "503 no", Some("starttls-sequence")),
            ("NOOP", "450 x", Some("temporary")),
            ("NOOP", "599 x", Some("permanent")),
            ("NOOP", "559 x", Some("permanent")),
            ("NOOP", "250 ok", None),
        ];
        for (verb, line, want) in table {
            assert_eq!(best(verb, line), want, "{verb}: {line}");
        }
    }

    fn sent(line: &str, offered: &[&str]) -> Sent {
        let offered = Some(offered.iter().map(|&name| name.to_owned()).collect());
        Sent { line: line.as_bytes().to_vec(), hello: Some("client.alt.test".to_owned()), offered, ..Sent::default() }
    }

    fn id_and_words(verb: &str, sent: Sent, line: &str) -> (&'static str, String) {
        let reply = reply(line);
        let situation = Situation { verb: verb.to_owned(), sent, ..Situation::default() };
        let fact = explain(&situation, &reply).unwrap();
        let words = [fact.hint(&situation, &reply), fact.meaning.to_owned(), fact.likely.to_owned(), fact.next.to_owned()];
        (fact.id, words.join(" "))
    }

    // P54
    #[test]
    fn a_line_that_is_well_formed_is_never_called_wrong() {
        let (mail, rcpt) = ("MAIL FROM:<someone@alt.test> SIZE=10", "RCPT TO:<someone@contoso.test>");
        let table = [
            (mail, "550 5.1.8 Domain not found", "sender-domain-mail"),
            (mail, "450 4.1.8 <someone@alt.test>: Sender address rejected: Domain not found", "sender-domain"),
            (rcpt, "450 4.1.8 <someone@alt.test>: Sender address rejected: Domain not found", "sender-domain"),
            (rcpt, "450 4.1.2 <someone@x.test>: Recipient address rejected: Domain not found", "recipient-domain"),
            (mail, "553 5.1.8 <someone@alt.test>... Domain of sender address someone@alt.test does not exist", "sender-domain"),
            (mail, "553 5.1.8 no", "sender-domain-status"),
            (mail, "553 5.7.1 <someone@alt.test>: Sender address rejected: not owned by user logon", "sender-not-owned"),
            (rcpt, "553 5.7.1 <someone@alt.test>: Sender address rejected: not logged in", "sender-login"),
            (mail, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", "sender-not-owned"),
            (mail, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", "blocklist-named"),
            (mail, "501 5.5.4 Invalid arguments", "address-or-parameter"),
            (rcpt, "501 5.1.3 Bad recipient address syntax", "address-or-parameter"),
            (rcpt, "501 5.5.4 Unrecognized parameter", "address-or-parameter"),
            (rcpt, "555 5.5.4 Unsupported option: NOTIFY", "address-or-parameter"),
            (mail, "550 5.7.23 SPF validation failed", "spf"),
            (mail, "550 5.4.5 Daily user sending limit exceeded", "too-many"),
            (mail, "550 no", "permanent"),
            (mail, "553 no", "permanent"),
            (mail, "452 4.3.1 Insufficient system storage", "disk-full"),
            (mail, "503 5.5.1 Error: nested MAIL command", "nested-mail-said"),
            (rcpt, "504 5.5.2 <someone>: Recipient address rejected: need fully-qualified address", "address-not-full"),
            (rcpt, "504 5.5.2 <my_box>: Helo command rejected: need fully-qualified hostname", "helo-rejected"),
            (rcpt, "450 4.7.1 <my_box>: Helo command rejected: Host not found", "helo-rejected"),
            (rcpt, "550 rcpt not listed in our directory", "user-unknown"),
            (rcpt, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "permanent"),
            (rcpt, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "relay-access-denied"),
            (rcpt, "552 5.2.2 Mailbox full", "mailbox-full"),
            (rcpt, "550 Requested action not taken: mailbox unavailable", "mailbox-unavailable"),
            (mail, "450 greylisted", "greylist"),
            (mail, "451 4.3.0 Temporary lookup failure, try again later", "server-trouble"),
            (mail, "421 corporate policy: separate network", "closing-421"),
            (rcpt, "421 4.7.0 mx Error: too many errors", "too-many-errors"),
            (rcpt, "550 5.2.2 Submission quota exceeded", "too-many"),
            (rcpt, "550 5.7.133 Sender not authenticated for group", "group-restricted"),
            (rcpt, "550 5.2.2 no", "mailbox-full-status"),
            (rcpt, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocklist-named"),
            (rcpt, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "no-ptr"),
            (rcpt, "554 5.4.6 Too many hops", "too-many-hops"),
        ];
        let offered = ["SIZE", "PIPELINING", "8BITMIME"];
        for (line, text, want) in table {
            let verb = if line == mail { "MAIL FROM" } else { "RCPT TO" };
            let (id, words) = id_and_words(verb, sent(line, &offered), text);
            assert_eq!(id, want, "{verb}: {text}");
            for false_cause in ["bracket", "colon:", "eave the parameter out", "Leave it out", "XXXX"] {
                assert!(!words.contains(false_cause), "{text}: {words}");
            }
        }
    }

    // P54
    #[test]
    fn a_fault_of_the_line_is_named_where_the_line_has_it() {
        let table: &[(&str, &[&str], &str, &str)] = &[
            ("MAIL FROM:a@alt.test", &[], "501 5.5.2 Syntax: MAIL FROM:<address>", "no-brackets"),
            ("MAIL FROM:a@alt.test", &[], "555 5.5.2 Syntax error", "no-brackets"),
            ("MAIL FROM:a@alt.test", &[], "553 5.1.7 malformed address", "no-brackets-said"),
            ("MAIL FROM:a@alt.test", &[], "550 5.1.8 Domain not found", "sender-domain-mail"),
            ("MAIL FROM:a@alt.test", &[], "550 no", "permanent"),
            ("MAIL FROM:<a@alt.test>x", &[], "501 5.5.4 Syntax error", "no-space-behind-address"),
            ("RCPT TO: <a@alt.test>", &[], "501 5.5.4 Invalid address", "space-at-colon"),
            ("MAIL FORM:<a@alt.test>", &[], "501 5.5.4 Syntax error", "no-path"),
            ("MAIL FROM:<a@alt.test> FOO=1", &["SIZE"], "555 5.5.4 Unsupported option", "parameter-not-offered"),
            ("RCPT TO:<a@alt.test> NOTIFY=NEVER", &["DSN"], "501 5.5.4 no", "address-or-parameter"),
            ("MAIL FROM:<gr\u{e5}@alt.test>", &["SMTPUTF8"], "553 5.6.7 Must declare SMTPUTF8", "utf8-not-declared-said"),
            ("MAIL FROM:<gr\u{e5}@alt.test>", &["SMTPUTF8"], "550 5.6.7 no", "utf8-not-declared-status"),
            ("MAIL FROM:<gr\u{e5}@alt.test>", &["SMTPUTF8"], "501 5.1.7 Bad address", "utf8-not-declared-said"),
            ("MAIL FROM:<gr\u{e5}@alt.test>", &[], "555 no", "utf8-not-offered"),
            ("RCPT TO:gr\u{e5}@alt.test", &[], "553 bad address", "utf8-not-offered-said"),
            ("MAIL FROM:<gr\u{e5}@alt.test> SMTPUTF8", &["SMTPUTF8"], "550 5.6.7 no", "utf8-status"),
            ("MAIL FROM:<gr\u{e5}@alt.test>", &[], "550 5.7.1 Unable", "policy"),
        ];
        for (line, offered, text, want) in table {
            let verb = if line.starts_with("MAIL") { "MAIL FROM" } else { "RCPT TO" };
            let (id, words) = id_and_words(verb, sent(line, offered), text);
            assert_eq!(id, *want, "{line}: {text}");
            assert!(!words.contains(['{', '}']), "{words}");
        }
        let (_, words) = id_and_words("MAIL FROM", sent("MAIL FROM:<a@b.test> FOO=1", &[]), "555 no");
        assert!(words.contains("The parameter FOO=1 was not offered"), "{words}");
    }

    // P54
    #[test]
    fn a_refused_login_is_put_down_to_the_password_only_where_nothing_else_is_said() {
        let table = [
            ("535 5.7.8 Error: authentication failed:", "auth-failed"),
            (
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
                "smtp-auth-off-tenant",
            ),
            ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.", "smtp-auth-off-mailbox"),
            (
                "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
                "security-defaults",
            ),
            ("535 5.7.139 Authentication unsuccessful, conditional access policy", "conditional-access"),
            (
                "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
                "auth-criteria",
            ),
            ("550 5.7.30 Basic authentication is not supported for Client Submission.", "basic-auth-off"),
            ("535 5.7.30 Basic authentication is disabled", "basic-auth-off"),
            ("534 5.7.9 Application-specific password required.", "application-password"),
            ("534 5.7.14 Please log in via your web browser and then try again.", "web-login"),
            ("534 5.7.9 Authentication mechanism is too weak", "auth-too-weak"),
            ("535 5.7.8 Account is locked", "account-locked"),
            ("454 4.7.0 Temporary authentication failure", "auth-temporary"),
            ("432 4.7.12 A password transition is needed", "auth-transition"),
            ("454 4.7.0 Too many login attempts", "too-many-logins"),
            ("530 5.7.0 Must issue a STARTTLS command first", "starttls-first"),
            ("538 5.7.11 Encryption required for requested authentication mechanism", "starttls-first"),
            ("503 5.5.1 Error: authentication not enabled", "auth-not-available"),
        ];
        for (text, want) in table {
            let (id, words) = id_and_words("AUTH", sent("AUTH LOGIN", &["AUTH"]), text);
            assert_eq!(id, want, "{text}");
            assert_eq!(words.contains("wrong user name or password"), id == "auth-failed", "{text}: {words}");
        }
        let open = || Sent { in_transaction: true, ..sent("AUTH LOGIN", &["AUTH", "STARTTLS"]) };
        for text in
            ["503 5.5.1 Error: MAIL transaction in progress", "503 AUTH not available", "503 no", "502 5.5.1 Not now", "554 no", "530 no"]
        {
            let (_, words) = id_and_words("AUTH", open(), text);
            assert!(words.starts_with("Not within a message: RSET first") && !words.contains("STARTTLS"), "{text}: {words}");
        }
        assert_eq!(id_and_words("AUTH", open(), "535 5.7.8 no").0, "auth-failed");
    }

    // P54
    #[test]
    fn a_pasted_reply_is_explained_by_its_words_and_status_only() {
        let table = [
            ("550 5.1.1", "recipient-status"),
            ("550 5.1.1 <x@contoso.test> User unknown", "user-unknown"),
            ("550 no", "permanent"),
            ("501 5.5.4 Invalid arguments", "syntax"),
            ("501 no", "syntax"),
            ("454 4.7.0 no", "temporary"),
            ("535 5.7.3 Authentication unsuccessful", "auth-failed-exchange"),
            ("535 no", "permanent"),
            ("554 5.7.0 no", "policy"),
            ("503 5.5.1 no", "sequence"),
            ("530 5.7.0 Must issue a STARTTLS command first", "starttls-first"),
            ("504 5.7.4 no", "parameter"),
            ("554 no", "permanent"),
            ("502 5.5.1 command not implemented", "unknown-command"),
            ("500 5.5.1 Command unrecognized", "unknown-command"),
            ("503 5.5.1 TLS already active", "sequence"),
            ("503 already authenticated", "auth-twice"),
            ("501 5.5.4 Invalid domain name", "syntax"),
        ];
        for (text, want) in table {
            assert_eq!(best("", text), Some(want), "{text}");
        }
        for code in 400..600 {
            let (id, words) = id_and_words("", Sent::default(), &format!("{code} x"));
            assert!(!words.contains("bracket") && !words.contains("STARTTLS is refused"), "{code}: {id}");
        }
    }

    // P54
    #[test]
    fn a_line_of_an_unknown_verb_gets_no_advice_about_auth() {
        for in_transaction in [false, true] {
            for text in ["502 5.5.2 Error: command not recognized", "502 not implemented", "500 unrecognized command", "503 no"] {
                let (id, words) = id_and_words("", Sent { in_transaction, ..sent("FOO", &["AUTH"]) }, text);
                assert!(!words.contains("AUTH") && !id.starts_with("auth"), "{text}: {id}: {words}");
            }
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
            let is_condition = |name: &str| CONDITIONS.iter().any(|(known, _)| *known == name);
            assert!(fact.condition == "*" || fact.condition.split('|').all(is_condition), "{}", fact.id);
        }
        assert!(include_str!("facts.tsv").is_ascii());
    }
}
