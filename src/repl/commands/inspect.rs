//! Local commands that show something.

use std::io::Write as _;
use std::path::Path;

use super::COMMANDS;
use crate::explain::blob::{self, Content, Message, Wish};
use crate::explain::reply;
use crate::render::{Row, human, reading, transcript};
use crate::repl::{Repl, log, now_ms};
use crate::session::{Security, Session, Stage, redact};
use crate::text::{printable, printable_str};
use crate::wire::reply::{Received, Reply, ReplyParser};
use crate::wire::verb::{self, VERBS};
use crate::wire::{base64, keyword};

impl Repl {
    /// `:help [TOPIC]`
    pub(super) fn help(&mut self, topic: &str) {
        let topic = topic.trim_start_matches(':');
        let word = topic.split_ascii_whitespace().next().unwrap_or_default();
        let rows = match (verb::lookup(word), super::find(word), keyword::lookup(word)) {
            _ if topic.is_empty() => overview(),
            (Some(verb), _, _) => vec![
                Row::field(&format!("{}   ", verb.syntax), verb.summary),
                Row::field("Example  ", verb.example),
                Row::field("Note     ", verb.details),
                Row::field("Source   ", verb.source),
            ],
            (_, Some(command), _) => {
                let mut rows = vec![
                    Row::field(&format!(":{} {}   ", command.name, command.arguments), command.summary),
                    Row::field("Note     ", command.details),
                ];
                if !command.aliases.is_empty() {
                    rows.push(Row::field(
                        "Also     ",
                        command.aliases.iter().map(|alias| format!(":{alias}")).collect::<Vec<_>>().join(" "),
                    ));
                }
                rows
            }
            (_, _, Some(known)) => vec![Row::field(&format!("{}   ", known.name), known.summary), Row::field("Source   ", known.source)],
            _ => {
                self.screen.hint(format!("There is no help on '{}'. :help lists what there is.", printable_str(topic)));
                return;
            }
        };
        self.screen.show(&rows);
    }

    /// `:explain [TEXT]`
    pub(super) fn explain_command(&mut self, text: &str) {
        let asked = match text {
            "" => self.memory.refusal.as_deref().cloned(),
            text => {
                parse_reply(text).map(|reply| (reply::Situation { host: self.target.host.clone(), ..reply::Situation::default() }, reply))
            }
        };
        let rows = match asked {
            None if text.is_empty() => vec![Row::note("Nothing was refused so far.")],
            None => vec![Row::note("That is no reply: a line such as 550 5.7.1 Unable to relay is wanted.")],
            Some((situation, refusal)) => match reply::explain(&situation, &refusal) {
                Some(fact) => human::fact(&fact, &situation, &refusal),
                None => vec![Row::note("Nothing more is known about this reply.")],
            },
        };
        self.screen.show(&rows);
    }

    /// `:state`
    pub(super) fn state(&mut self) {
        let rows = match self.session() {
            None => vec![Row::block("Nothing is open.")],
            Some(session) if !session.is_open() => vec![Row::block(format!("{}: the connection is closed.", self.target))],
            Some(session) => self.describe(session),
        };
        self.screen.show(&rows);
    }

    fn describe(&self, session: &Session) -> Vec<Row> {
        let field = |label: &str, text: &str| Row::field(&format!("{label:<12}"), printable_str(text));
        let security = match session.security() {
            Security::Clear => "not encrypted",
            Security::Verified => "encrypted, server verified (:tls)",
            Security::Unverified => "encrypted, server not verified (:tls)",
        };
        let age = self.connection.as_ref().map(crate::net::Connection::age).unwrap_or_default();
        let mut rows = vec![field("Server", &format!("{}, for {}, {security}", self.place(), human::duration(age)))];
        if let Some(greeting) = session.greeting() {
            rows.push(field("Greeting", &String::from_utf8_lossy(greeting.first_text())));
        }
        let offer = match session.capabilities() {
            Some(offer) => offer.keywords().map(|keyword| keyword.name().to_owned()).collect::<Vec<_>>().join(" "),
            None if session.stage() == Stage::Greeted => "not asked for: EHLO".to_owned(),
            None => "none: HELO was said".to_owned(),
        };
        rows.push(field("Offers", &offer));
        rows.push(field("Login", session.user().unwrap_or("none")));
        let transaction = session.transaction();
        match &transaction.sender {
            None => rows.push(field("Message", "none begun")),
            Some(sender) => {
                rows.push(field("From", &format!("<{sender}>")));
                rows.extend(transaction.accepted.iter().map(|to| field("To", &format!("<{to}>"))));
                rows.extend(transaction.refused.iter().map(|to| field("Refused", &format!("<{to}>"))));
            }
        }
        rows.push(field("Next", next_step(session, self.target.protocol.hello())));
        rows
    }

    /// `:decode TEXT`
    pub(super) fn decode_command(&mut self, text: &str) {
        if text.is_empty() {
            self.local_error("What is to be decoded? :decode TEXT");
            return;
        }
        match blob::read(text.as_bytes(), &Wish { now: now_ms(), ..Wish::default() }) {
            Ok(reading) if matches!(reading.messages.as_slice(), [Message { content: Content::Text(_), .. }]) => {
                self.screen.show(&reading::remarks(&reading).collect::<Vec<_>>());
                self.screen.result(reading::text(&reading, false).trim_end_matches('\n'));
            }
            Ok(reading) => self.screen.show(&reading::rows(&reading)),
            Err(unreadable) => {
                self.local_error(&printable_str(&unreadable.problem));
                self.screen.hint(printable_str(&unreadable.advice));
            }
        }
    }

    /// `:encode TEXT`
    pub(super) fn encode_command(&mut self, text: &str) {
        if text.is_empty() {
            self.local_error("What is to be encoded? :encode TEXT");
            return;
        }
        self.screen.result(&base64::encode(text.as_bytes()));
    }

    /// `:raw [TEXT]`
    pub(super) async fn raw_command(&mut self, text: &str) {
        if text.is_empty() {
            let rows: Vec<Row> = match &self.memory.reply {
                None => vec![Row::note("No reply so far.")],
                Some(lines) => lines.iter().map(|line| Row::block(line.escape_ascii().to_string())).collect(),
            };
            self.screen.show(&rows);
            return;
        }
        let bytes = match unescape(text) {
            Ok(bytes) => bytes,
            Err(words) => {
                self.local_error(&words);
                return;
            }
        };
        if self.session().is_some_and(|session| session.dialogue().is_some()) {
            let line = bytes.strip_suffix(b"\r\n").unwrap_or(&bytes).to_vec();
            self.send_as_typed(line).await;
            return;
        }
        if !self.is_open() {
            self.local_error("Nothing is open");
            return;
        }
        let line = bytes.trim_ascii_end().to_vec();
        if !self.may_send_credentials(&line).await {
            return;
        }
        self.expect_answers(&line);
        // What was typed of a chunk comes first.
        let typed = std::mem::take(&mut self.message.draft);
        let in_chunk = self.in_chunk();
        if let Some(connection) = &mut self.connection {
            if in_chunk {
                connection.chunk(&typed);
            }
            connection.send_raw(&bytes);
        }
        self.message.draft = if in_chunk { Vec::new() } else { typed };
        self.screen.row(Row::new(
            crate::render::Sign::Sent,
            if redact::hides(&line) { printable(&redact::command(&line)).into_owned() } else { bytes.escape_ascii().to_string() },
        ));
        self.settle().await;
    }

    /// `:log FILE|off`
    pub(super) fn log_command(&mut self, argument: &str) {
        match argument {
            "" => match &self.log {
                Some(log) => {
                    let text = format!("Logging to {}.", printable_str(&log.path.to_string_lossy()));
                    self.screen.note(text);
                }
                None => self.screen.note("No log is written. :log FILE begins one."),
            },
            "off" => match self.log.take() {
                Some(log) => {
                    self.attach_log();
                    self.screen.note(format!("The log {} is closed.", printable_str(&log.path.to_string_lossy())));
                }
                None => self.screen.note("No log is written."),
            },
            path => {
                let path = expand(path);
                self.start_log(Path::new(&path));
            }
        }
    }

    /// `:save FILE`
    pub(super) fn save_command(&mut self, argument: &str) {
        if argument.is_empty() {
            self.local_error("A file name is wanted: :save FILE");
            return;
        }
        let path = expand(argument);
        let mut text = self.log_header();
        if let Some(session) = self.session() {
            if session.transcript().dropped() > 0 {
                text.push_str("# the oldest part is not kept\n");
            }
            session.transcript().entries().for_each(|entry| transcript::entry(entry, &mut text));
        }
        if Path::new(&path).extension().is_some_and(|end| end == "md") {
            text = format!("```\n{text}```\n");
        }
        self.save_text(argument, &text, "secrets are left out");
    }

    /// Writes a file that is not there yet, and says where.
    pub(in crate::repl) fn save_text(&mut self, path: &str, text: &str, what: &str) {
        let path = expand(path);
        let written = log::create_new(Path::new(&path)).and_then(|(mut file, path)| file.write_all(text.as_bytes()).map(|()| path));
        match written {
            Ok(path) => self.screen.note(format!("Saved to {}; {what}.", printable_str(&path.to_string_lossy()))),
            Err(error) => self.local_error(&format!("{}: {}", printable_str(&path), crate::net::dial::system_words(&error))),
        }
    }

    /// `:history [WORD]`
    pub(super) fn history_command(&mut self, word: &str) {
        let rows: Vec<Row> =
            self.history.lines().iter().filter(|line| line.contains(word)).map(|line| Row::block(printable_str(line))).collect();
        let skip = rows.len().saturating_sub(50);
        self.screen.show(&rows[skip..]);
    }
}

/// A reply that was typed or pasted: its lines, or only the first of them.
fn parse_reply(text: &str) -> Option<Reply> {
    let mut lines: Vec<String> = text.trim().lines().map(|line| line.trim().to_owned()).collect();
    // Where the last line of a reply was not pasted, the last one that was ends it.
    if let Some(last) = lines.last_mut()
        && last.as_bytes().get(3) == Some(&b'-')
        && last.as_bytes()[..3].iter().all(u8::is_ascii_digit)
    {
        last.replace_range(3..4, " ");
    }
    let mut parser = ReplyParser::default();
    parser.push(format!("{}\r\n", lines.join("\r\n")).as_bytes());
    match parser.next_received() {
        Ok(Some(Received::Reply(reply))) => Some(reply),
        _ => None,
    }
}

fn overview() -> Vec<Row> {
    let mut rows = vec![Row::block("SMTP verbs (sent as typed; :help VERB says more)")];
    rows.extend(VERBS.iter().map(|verb| Row::field(&format!("  {:<10} ", verb.name), verb.summary)));
    rows.push(Row::block("Local commands"));
    rows.extend(
        COMMANDS
            .iter()
            .map(|command| Row::field(&format!("  {:<24} ", format!(":{} {}", command.name, command.arguments)), command.summary)),
    );
    rows.push(Row::block("Tab completes. Ctrl-D or QUIT ends. ::text sends a line that begins with a colon."));
    rows
}

/// What the server most likely expects now.
fn next_step(session: &Session, hello: &'static str) -> &'static str {
    let transaction = session.transaction();
    match session.stage() {
        Stage::Greeting => "the server greets",
        Stage::Greeted => hello,
        Stage::Auth => "an answer within AUTH; * cancels",
        Stage::Message => "the message; a lone dot ends it",
        Stage::Chunk => "the octets that BDAT announced",
        Stage::Closed => "nothing: the connection is closed",
        Stage::Ready if !transaction.accepted.is_empty() => "RCPT TO, or DATA",
        Stage::Ready if transaction.sender.is_some() => "RCPT TO",
        Stage::Ready => "MAIL FROM, AUTH or QUIT",
    }
}

/// `\r \n \t \0 \\ \xNN`; CRLF is added unless there is a line end already, or `\c` stands at the end.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let (text, add_end) = match text.strip_suffix("\\c") {
        Some(text) => (text, false),
        None => (text, true),
    };
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('r') => out.push(b'\r'),
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('0') => out.push(0),
            Some('\\') => out.push(b'\\'),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
                out.push(byte.ok_or("\\x wants two hexadecimal digits, such as \\x0a")?);
            }
            other => {
                return Err(format!("\\{} is not understood: \\r \\n \\t \\0 \\\\ \\xNN are", other.map(String::from).unwrap_or_default()));
            }
        }
    }
    if add_end && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// `~/` at the beginning of a path.
pub(super) fn expand(path: &str) -> String {
    let home = std::env::var("HOME").or_else(|_| std::env::var("USERPROFILE"));
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P54
    #[test]
    fn a_pasted_reply_may_lack_its_last_line() {
        for text in ["550 5.7.26 no", "550-5.7.26 no", "550-5.7.26 This mail\n550 5.7.26 no", "550-5.7.26 This mail\n550-5.7.26 no"] {
            assert_eq!(parse_reply(text).map(|reply| reply.code.to_string()).as_deref(), Some("550"), "{text}");
        }
        for text in ["no reply", "55\u{e9}-x", "", "55"] {
            assert!(parse_reply(text).is_none(), "{text}");
        }
    }

    #[test]
    fn escapes_become_bytes() {
        let table: &[(&str, Result<&[u8], ()>)] = &[
            ("NOOP", Ok(b"NOOP\r\n")),
            ("NOOP\\n", Ok(b"NOOP\n")),
            ("a\\x00\\xffb\\r\\n", Ok(b"a\0\xffb\r\n")),
            ("NO\\c", Ok(b"NO")),
            ("a\\\\n", Ok(b"a\\n\r\n")),
            ("\\x1", Err(())),
            ("\\q", Err(())),
        ];
        for (text, want) in table {
            assert_eq!(unescape(text).as_deref().map_err(|_| ()), *want, "{text}");
        }
    }
}
