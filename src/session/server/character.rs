//! How the practice server speaks: one descriptor for each manner.
//!
//! Every text is a template for a whole reply without its last line end. `{name}`, `{client}`, `{date}`,
//! `{size}` and `{mechanisms}` stand for the same thing everywhere; what else a text may hold is said at
//! its field.

use std::time::Duration;

/// A manner of speaking: what it offers and its words for everything.
#[derive(Debug)]
pub struct Character {
    /// As given on the command line.
    pub name: &'static str,
    /// What it is, 60 columns at most.
    pub summary: &'static str,
    /// The largest message, in bytes.
    pub size: u64,
    /// How long it waits for a command.
    pub idle: Duration,
    /// Whether MAIL and AUTH are refused before EHLO.
    pub needs_hello: bool,
    /// Whether addresses without a domain are local users; else only `postmaster` is.
    pub bare_addresses: bool,
    /// What EHLO offers, in its order, `STARTTLS` only outside TLS. The server takes only what stands here.
    pub keywords: &'static [&'static str],
    /// The mechanisms of AUTH that it offers, in its order.
    pub mechanisms: &'static [&'static str],
    /// What it says behind the 334 to AUTH without an initial response, for each mechanism where that is
    /// not nothing.
    pub openings: &'static [(&'static str, &'static str)],
    /// The name that it gives to the message of this number.
    pub id: fn(u64) -> String,
    /// What it says.
    pub words: Words,
}

/// The replies of a character.
#[derive(Debug)]
pub struct Words {
    /// To the connection.
    pub greeting: &'static str,
    /// To HELO and, as the first line, to EHLO; without a code.
    pub hello: &'static str,
    /// To EHLO or HELO without a name; `{verb}`.
    pub no_hello_name: &'static str,
    /// To what should come after EHLO.
    pub hello_first: &'static str,
    /// To a verb that it does not know.
    pub unknown: &'static str,
    /// To an empty line.
    pub empty: &'static str,
    /// To a line beyond the limit.
    pub too_long: &'static str,
    /// To a command with wrong arguments; `{syntax}`.
    pub syntax: &'static str,
    /// To a parameter of MAIL or RCPT that was not offered; `{parameter}`.
    pub bad_parameter: &'static str,
    /// To a SIZE that is no number.
    pub bad_size: &'static str,
    /// To a parameter of MAIL with a value that is not of its syntax; `{parameter}`.
    pub bad_sender_value: &'static str,
    /// The same of RCPT; `{parameter}`.
    pub bad_recipient_value: &'static str,
    /// To a sender beyond ASCII without SMTPUTF8.
    pub utf8_sender: &'static str,
    /// The same of a recipient.
    pub utf8_recipient: &'static str,
    /// To STARTTLS.
    pub start_tls: &'static str,
    /// To STARTTLS where it is not offered.
    pub no_tls: &'static str,
    /// To STARTTLS inside TLS.
    pub tls_twice: &'static str,
    /// To MAIL.
    pub sender_ok: &'static str,
    /// To a second MAIL.
    pub nested_mail: &'static str,
    /// To a sender that is no address.
    pub bad_sender: &'static str,
    /// To a SIZE, or a message, beyond the limit.
    pub too_large: &'static str,
    /// To RCPT; `{address}`.
    pub recipient_ok: &'static str,
    /// To RCPT without MAIL.
    pub need_mail: &'static str,
    /// To a recipient that is no address.
    pub bad_recipient: &'static str,
    /// To a recipient elsewhere, without login; `{address}`.
    pub no_relay: &'static str,
    /// To one recipient too many.
    pub too_many: &'static str,
    /// To DATA.
    pub go_ahead: &'static str,
    /// To DATA or BDAT without MAIL.
    pub data_needs_mail: &'static str,
    /// To DATA or BDAT without a recipient.
    pub data_needs_recipient: &'static str,
    /// To RCPT or DATA after the first BDAT; `{verb}`.
    pub after_chunk: &'static str,
    /// To a BDAT that is not the last; `{octets}`.
    pub chunk_ok: &'static str,
    /// To the whole message; `{id}`, and `{message_id}` with its angle brackets.
    pub queued: &'static str,
    /// To RSET.
    pub reset: &'static str,
    /// To NOOP.
    pub noop: &'static str,
    /// To VRFY; `{address}`.
    pub verify: &'static str,
    /// To HELP.
    pub help: &'static str,
    /// To QUIT.
    pub bye: &'static str,
    /// After too long a silence.
    pub idle: &'static str,
    /// To AUTH where it is not offered.
    pub no_auth: &'static str,
    /// To AUTH with a mechanism that was not offered.
    pub no_mechanism: &'static str,
    /// To AUTH within a message.
    pub auth_in_mail: &'static str,
    /// To AUTH after a login.
    pub auth_twice: &'static str,
    /// To a lone `*`.
    pub auth_cancelled: &'static str,
    /// To an answer that is not base64.
    pub auth_undecodable: &'static str,
    /// To the right password.
    pub auth_ok: &'static str,
    /// To any other.
    pub auth_failed: &'static str,
}

/// All characters; the first is the default.
pub const CHARACTERS: &[Character] = &[EXCHANGE, POSTFIX];

/// Finds a character by its name.
pub fn lookup(name: &str) -> Option<&'static Character> {
    CHARACTERS.iter().find(|character| character.name.eq_ignore_ascii_case(name))
}

const EXCHANGE: Character = Character {
    name: "exchange",
    summary: "Microsoft Exchange Server, on the premises",
    size: 37_748_736,
    idle: Duration::from_mins(10),
    needs_hello: true,
    bare_addresses: false,
    keywords: &[
        "SIZE {size}",
        "PIPELINING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
        "AUTH {mechanisms}",
        "8BITMIME",
        "BINARYMIME",
        "CHUNKING",
    ],
    mechanisms: &["NTLM", "LOGIN"],
    openings: &[("NTLM", "NTLM supported"), ("GSSAPI", "GSSAPI supported")],
    id: |number| 47_975_u64.wrapping_add(number).to_string(),
    words: Words {
        greeting: "220 {name} Microsoft ESMTP MAIL Service ready at {date}",
        hello: "{name} Hello {client}",
        no_hello_name: "501 5.5.4 Invalid domain name",
        hello_first: "503 5.5.2 Send hello first",
        unknown: "500 5.3.3 Unrecognized command",
        empty: "500 5.3.3 Unrecognized command",
        too_long: "500 5.5.2 line too long",
        syntax: "501 5.5.4 Invalid arguments",
        bad_parameter: "501 5.5.4 Invalid arguments",
        bad_size: "501 5.5.4 Invalid arguments",
        bad_sender_value: "501 5.5.4 Invalid arguments",
        bad_recipient_value: "501 5.5.4 Invalid arguments",
        utf8_sender: "501 5.1.7 Invalid address",
        utf8_recipient: "501 5.1.3 Invalid address",
        start_tls: "220 2.0.0 SMTP server ready",
        no_tls: "502 5.3.3 Command not implemented",
        tls_twice: "503 5.5.2 Only one STARTTLS command can be issued per session",
        sender_ok: "250 2.1.0 Sender OK",
        nested_mail: "503 5.5.2 Sender already specified",
        bad_sender: "501 5.1.7 Invalid address",
        too_large: "552 5.3.4 Message size exceeds fixed maximum message size",
        recipient_ok: "250 2.1.5 Recipient OK",
        need_mail: "503 5.5.2 Need mail command",
        bad_recipient: "501 5.1.3 Invalid address",
        no_relay: "550 5.7.1 Unable to relay",
        too_many: "452 4.5.3 Too many recipients",
        go_ahead: "354 Start mail input; end with <CRLF>.<CRLF>",
        data_needs_mail: "503 5.5.2 Need mail command",
        data_needs_recipient: "503 5.5.2 Need rcpt command",
        after_chunk: "503 5.5.2 Bad sequence of commands",
        chunk_ok: "250 2.6.0 CHUNK received OK, {octets} octets",
        queued: "250 2.6.0 {message_id} [InternalId={id}] Queued mail for delivery",
        reset: "250 2.0.0 Resetting",
        noop: "250 2.0.0 OK",
        verify: "252 2.1.5 Cannot VRFY user",
        help: "214-This server supports the following commands:\r\n\
               214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT",
        bye: "221 2.0.0 Service closing transmission channel",
        idle: "421 4.4.1 Connection timed out",
        no_auth: "504 5.7.4 Unrecognized authentication type",
        no_mechanism: "504 5.7.4 Unrecognized authentication type",
        auth_in_mail: "503 5.5.2 Bad sequence of commands",
        auth_twice: "503 5.5.2 Already authenticated",
        auth_cancelled: "501 5.7.0 Authentication cancelled",
        auth_undecodable: "535 5.7.3 Authentication unsuccessful",
        auth_ok: "235 2.7.0 Authentication successful",
        auth_failed: "535 5.7.3 Authentication unsuccessful",
    },
};

const POSTFIX: Character = Character {
    name: "postfix",
    summary: "Postfix, with Dovecot for the logins",
    size: 10_240_000,
    idle: Duration::from_mins(5),
    needs_hello: false,
    bare_addresses: true,
    keywords: &[
        "PIPELINING",
        "SIZE {size}",
        "VRFY",
        "STARTTLS",
        "AUTH {mechanisms}",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "DSN",
        "SMTPUTF8",
        "CHUNKING",
    ],
    mechanisms: &["PLAIN", "LOGIN"],
    openings: &[],
    id: |number| format!("{:010X}", 0x4F_1C2A_0B3D_u64.wrapping_add(number)),
    words: Words {
        greeting: "220 {name} ESMTP Postfix",
        hello: "{name}",
        no_hello_name: "501 Syntax: {verb} hostname",
        hello_first: "503 5.5.1 Error: send HELO/EHLO first",
        unknown: "502 5.5.2 Error: command not recognized",
        empty: "500 5.5.2 Error: bad syntax",
        too_long: "500 5.5.2 Error: line too long",
        syntax: "501 5.5.4 Syntax: {syntax}",
        bad_parameter: "555 5.5.4 Unsupported option: {parameter}",
        bad_size: "501 5.5.4 Bad message size syntax",
        bad_sender_value: "501 5.5.4 Bad {parameter} parameter syntax",
        bad_recipient_value: "501 5.5.4 Error: Bad {parameter} parameter syntax",
        utf8_sender: "553 5.6.7 Must declare SMTPUTF8 to send unicode address",
        utf8_recipient: "553 5.6.7 Must declare SMTPUTF8 to send unicode address",
        start_tls: "220 2.0.0 Ready to start TLS",
        no_tls: "502 5.5.1 Error: command not implemented",
        tls_twice: "554 5.5.1 Error: TLS already active",
        sender_ok: "250 2.1.0 Ok",
        nested_mail: "503 5.5.1 Error: nested MAIL command",
        bad_sender: "501 5.1.7 Bad sender address syntax",
        too_large: "552 5.3.4 Message size exceeds fixed limit",
        recipient_ok: "250 2.1.5 Ok",
        need_mail: "503 5.5.1 Error: need MAIL command",
        bad_recipient: "501 5.1.3 Bad recipient address syntax",
        no_relay: "554 5.7.1 <{address}>: Relay access denied",
        too_many: "452 4.5.3 Error: too many recipients",
        go_ahead: "354 End data with <CR><LF>.<CR><LF>",
        data_needs_mail: "503 5.5.1 Error: need RCPT command",
        data_needs_recipient: "554 5.5.1 Error: no valid recipients",
        after_chunk: "503 5.5.1 Error: {verb} after BDAT",
        chunk_ok: "250 2.0.0 Ok: {octets} bytes",
        queued: "250 2.0.0 Ok: queued as {id}",
        reset: "250 2.0.0 Ok",
        noop: "250 2.0.0 Ok",
        verify: "252 2.0.0 {address}",
        help: "502 5.5.2 Error: command not recognized",
        bye: "221 2.0.0 Bye",
        idle: "421 4.4.2 {name} Error: timeout exceeded",
        no_auth: "503 5.5.1 Error: authentication not enabled",
        no_mechanism: "535 5.7.8 Error: authentication failed: Invalid authentication mechanism",
        auth_in_mail: "503 5.5.1 Error: MAIL transaction in progress",
        auth_twice: "503 5.5.1 Error: already authenticated",
        auth_cancelled: "501 5.7.0 Authentication aborted",
        auth_undecodable: "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response",
        auth_ok: "235 2.7.0 Authentication successful",
        auth_failed: "535 5.7.8 Error: authentication failed: (reason unavailable)",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_complete() {
        for (at, character) in CHARACTERS.iter().enumerate() {
            assert!(!character.summary.is_empty() && character.summary.len() <= 60, "{}", character.name);
            assert!(CHARACTERS[..at].iter().all(|other| other.name != character.name), "{} twice", character.name);
            assert!(character.keywords.iter().any(|keyword| keyword.starts_with("AUTH ")));
            assert_ne!((character.id)(0), (character.id)(1));
        }
    }

    #[test]
    fn characters_are_found_in_any_case() {
        assert_eq!(lookup("Postfix").map(|character| character.name), Some("postfix"));
        assert!(lookup("sendmail").is_none());
    }

    // The struct is printed so that no field can be forgotten here.
    #[test]
    fn every_text_is_printable_ascii_and_its_placeholders_are_known() {
        let known =
            ["name", "client", "date", "size", "mechanisms", "verb", "syntax", "parameter", "address", "octets", "id", "message_id"];
        for character in CHARACTERS {
            let all = format!("{:?} {:?}", character.words, character.keywords);
            assert!(all.is_ascii(), "{}", character.name);
            for rest in all.split('{').skip(2) {
                let key = rest.split('}').next().unwrap();
                assert!(known.contains(&key), "{key} in {}", character.name);
            }
        }
    }
}
