//! A text of several lines that was pasted: what of it is a command, an answer or a line of a message, and what
//! only stands beside them in a transcript (replies, notes of a tool). Pure functions.
//!
//! Lines are left out only where commands are expected. Between DATA and the lone dot, and in the bytes that BDAT
//! announces, every line is content as it stands (P49): a mail may hold `250 sheets` and `# heading`.

use crate::sasl;
use crate::wire::command::Command;
use crate::wire::verb;

/// A line that waits for its turn, and what it was pasted as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Queued {
    /// A command or a local command.
    Command(Vec<u8>),
    /// An answer within AUTH. It must never go out as a command.
    Answer(Vec<u8>),
    /// A line of a message, the lone dot included. It must never go out as a command (P31).
    Content(Vec<u8>),
}

impl Queued {
    /// The line without its end.
    pub(super) fn line(&self) -> &[u8] {
        match self {
            Self::Command(line) | Self::Answer(line) | Self::Content(line) => line,
        }
    }

    /// The same, given away.
    pub(super) fn into_line(self) -> Vec<u8> {
        match self {
            Self::Command(line) | Self::Answer(line) | Self::Content(line) => line,
        }
    }

    /// Whether it is the lone dot of a message.
    pub(super) fn ends_message(&self) -> bool {
        matches!(self, Self::Content(line) if line == b".")
    }
}

/// What the first pasted line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// A command.
    Command,
    /// An answer within AUTH.
    Answer,
    /// A line of the message.
    Content,
}

/// A pasted text, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pasted {
    /// The lines to send, in their order.
    pub(super) queue: Vec<Queued>,
    /// The lines that are not sent, as they were pasted.
    pub(super) left_out: Vec<String>,
}

impl Pasted {
    /// How many lines were pasted; empty ones between commands do not count.
    pub(super) fn lines(&self) -> usize {
        self.queue.len() + self.left_out.len()
    }

    /// How many of them are lines of a message.
    pub(super) fn content(&self) -> usize {
        self.queue.iter().filter(|queued| matches!(queued, Queued::Content(_))).count()
    }
}

/// Marks that tools and people put before what the client says.
const CLIENT_MARKS: &[&str] = &["C: ", "-> ", "~> ", ">>> ", "SMTP>> ", "> "];
/// Marks of what the server says.
const SERVER_MARKS: &[&str] = &["S: ", "<- ", "<~ ", "<** ", "<<< ", "SMTP<< ", "<! ", "<. ", "< "];
/// Marks of what a tool says.
const TOOL_MARKS: &[&str] = &["* ", "! ", "? ", "# ", "=== ", "*** "];
/// What a shell or telnet says around a session.
const SHELL: &[&str] = &["$ ", "telnet ", "nc ", "openssl ", "Trying ", "Connected to ", "Escape character"];

/// The most answers to wait for behind AUTH where the mechanism does not tell.
const MOST_ANSWERS: usize = 3;

/// Takes a pasted text apart. Its lines end with LF.
pub(super) fn read(text: &str, begin: Begin) -> Pasted {
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    let mut reader = Reader { lines: &lines, pasted: Pasted::default() };
    match begin {
        Begin::Command => {}
        Begin::Answer => reader.answers(MOST_ANSWERS),
        Begin::Content => reader.content(""),
    }
    reader.commands();
    reader.pasted
}

/// Why a line that stands where a command belongs is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    /// `250 ok`, `< 250 ok`.
    Reply,
    /// It begins as a line of a transcript or of a shell does.
    Marked,
}

/// Whether a single line looks as if it was copied from a session. Marks of the client count too.
pub(super) fn copied(line: &[u8]) -> Option<Copied> {
    let text = crate::text::lossy(line);
    match command(&text) {
        Read::LeftOut(why) => Some(why),
        Read::Command { mark: "", .. } => None,
        Read::Command { .. } => Some(Copied::Marked),
    }
}

/// What a line is that stands where a command belongs.
enum Read<'a> {
    Command { mark: &'a str, command: &'a str },
    LeftOut(Copied),
}

fn command(line: &str) -> Read<'_> {
    let trimmed = line.trim_start();
    if let Some(rest) = without_mark(trimmed, CLIENT_MARKS) {
        // A session that is quoted in a mail has the same mark before both sides, and there may be another behind it.
        return match command(rest.trim_start()) {
            Read::Command { command, .. } => Read::Command { mark: &line[..line.len() - command.len()], command },
            left_out @ Read::LeftOut(_) => left_out,
        };
    }
    if is_reply(trimmed) || without_mark(trimmed, SERVER_MARKS).is_some() {
        return Read::LeftOut(Copied::Reply);
    }
    if without_mark(trimmed, TOOL_MARKS).is_some() || SHELL.iter().any(|start| trimmed.starts_with(start)) {
        return Read::LeftOut(Copied::Marked);
    }
    Read::Command { mark: "", command: line }
}

fn without_mark<'a>(line: &'a str, marks: &[&str]) -> Option<&'a str> {
    marks.iter().find_map(|mark| line.strip_prefix(mark))
}

/// `250`, `250 text`, `250-text`.
fn is_reply(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() >= 3 && bytes[..3].iter().all(u8::is_ascii_digit) && matches!(bytes.get(3), None | Some(b' ' | b'-'))
}

/// A line of the message without the mark that DATA had, one space behind it included; `None` when it has no such mark.
fn unmarked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix(mark) {
        return Some(rest);
    }
    let rest = line.strip_prefix(mark.trim_end())?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// Goes through the lines.
struct Reader<'a> {
    lines: &'a [&'a str],
    pasted: Pasted,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.lines.split_first()?;
        self.lines = rest;
        Some(first)
    }

    fn peek(&self) -> Option<&'a str> {
        self.lines.first().copied()
    }

    fn leave_out(&mut self, line: &str) {
        self.pasted.left_out.push(line.to_owned());
    }

    fn commands(&mut self) {
        while let Some(line) = self.next() {
            if is_blank(line) {
                continue;
            }
            let Read::Command { mark, command } = command(line) else {
                self.leave_out(line);
                continue;
            };
            self.pasted.queue.push(Queued::Command(command.as_bytes().to_vec()));
            match Command::parse(command.as_bytes()) {
                Command::Data => self.message(mark),
                Command::Bdat { size, .. } => self.chunk(size, mark),
                Command::Auth { mechanism, initial_response } => {
                    self.answers(answers_of(&mechanism).saturating_sub(usize::from(initial_response)));
                }
                _ => {}
            }
        }
    }

    /// The lines behind AUTH, up to the next verb.
    fn answers(&mut self, most: usize) {
        let mut left = most;
        while left > 0
            && let Some(line) = self.peek()
        {
            match command(line) {
                _ if is_blank(line) => {}
                Read::LeftOut(_) => self.leave_out(line),
                Read::Command { command, .. } if begins_with_verb(command) => return,
                Read::Command { command, .. } => {
                    self.pasted.queue.push(Queued::Answer(command.as_bytes().to_vec()));
                    left -= 1;
                }
            }
            self.next();
        }
    }

    /// What follows DATA: the reply to it, if it was copied too, and the message. Where DATA has a mark and the first
    /// line of the message has it too, all its lines have it.
    fn message(&mut self, mark: &str) {
        while let Some(line) = self.peek()
            && let Some(reply) = reply_to_data(line, mark)
        {
            self.leave_out(line);
            self.next();
            if !reply.starts_with('3') {
                return;
            }
            if !reply[3..].starts_with('-') {
                break;
            }
        }
        let is_marked = !mark.is_empty() && self.peek().is_some_and(|line| unmarked(line, mark).is_some());
        self.content(if is_marked { mark } else { "" });
    }

    /// Lines of a message, up to the lone dot.
    fn content(&mut self, mark: &str) {
        while let Some(line) = self.next() {
            let text = unmarked(line, mark).unwrap_or(line);
            self.pasted.queue.push(Queued::Content(text.as_bytes().to_vec()));
            if text == "." {
                return;
            }
        }
    }

    /// What follows BDAT: so many octets, each line with its CRLF.
    fn chunk(&mut self, octets: u64, mark: &str) {
        let is_marked = !mark.is_empty() && self.peek().is_some_and(|line| unmarked(line, mark).is_some());
        let mark = if is_marked { mark } else { "" };
        let mut left = octets;
        while left > 0
            && let Some(line) = self.next()
        {
            let text = unmarked(line, mark).unwrap_or(line);
            left = left.saturating_sub(text.len() as u64 + 2);
            self.pasted.queue.push(Queued::Content(text.as_bytes().to_vec()));
        }
    }
}

/// A line of the reply to DATA, from its code on, if the line right behind DATA is one: any reply that has the mark of
/// a server, and else a 354. `* 100 sheets` and `200 envelopes` are lines of the message.
fn reply_to_data<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let mut text = line.trim_start();
    // Quoted in a mail, both sides have one mark more.
    while let Some(rest) = without_mark(text, CLIENT_MARKS).filter(|_| !mark.is_empty()) {
        text = rest.trim_start();
    }
    match without_mark(text, SERVER_MARKS) {
        Some(reply) => Some(reply.trim_start()).filter(|reply| is_reply(reply)),
        None => Some(text).filter(|reply| is_reply(reply) && reply.starts_with("354")),
    }
}

/// An empty line, or a mark with nothing behind it.
fn is_blank(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed.is_empty() || CLIENT_MARKS.iter().any(|mark| mark.trim_end() == trimmed)
}

fn begins_with_verb(line: &str) -> bool {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    word.starts_with(':') || verb::lookup(word).is_some()
}

/// How many lines a login takes behind AUTH: in a transcript each message is one of base64.
fn answers_of(mechanism: &str) -> usize {
    sasl::lookup(mechanism).map_or(MOST_ANSWERS, |known| known.typed.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `C`, `A` or `M` before each line, and `-` before what is left out, which comes first.
    fn shown(text: &str, begin: Begin) -> Vec<String> {
        let pasted = read(text, begin);
        let left_out = pasted.left_out.iter().map(|line| format!("- {line}"));
        let queue = pasted.queue.iter().map(|queued| {
            let kind = match queued {
                Queued::Command(_) => 'C',
                Queued::Answer(_) => 'A',
                Queued::Content(_) => 'M',
            };
            format!("{kind} {}", String::from_utf8_lossy(queued.line()))
        });
        left_out.chain(queue).collect()
    }

    #[track_caller]
    fn reads(text: &str, want: &[&str]) {
        assert_eq!(shown(text, Begin::Command), want, "{text:?}");
    }

    #[test]
    fn a_session_from_a_ticket_becomes_its_commands() {
        let text = "220 mx ready\nEHLO a\n250-mx\n250 SIZE\n> MAIL FROM:<a@b>\n< 250 ok\nC: RCPT TO:<c@d>\n\n* note\n";
        reads(
            text,
            &["- 220 mx ready", "- 250-mx", "- 250 SIZE", "- < 250 ok", "- * note", "C EHLO a", "C MAIL FROM:<a@b>", "C RCPT TO:<c@d>"],
        );
        assert_eq!(read(text, Begin::Command).lines(), 8);
    }

    #[test]
    fn a_message_is_content_whatever_its_lines_look_like() {
        // P49
        let message = [
            "Subject: x",
            "",
            "* 100 sheets",
            "200 envelopes",
            "250",
            "# heading",
            "> quoted",
            "< less",
            "C: drive",
            "S: south",
            "-> there",
            ":colon",
            "::two",
            "- list",
            "\ttab",
            "trailing  ",
            "  ",
            "..",
            ".dot",
            ". ",
            "QUIT",
            "354 go",
            "$ ls",
            "umlaut ä",
        ];
        let text = format!("DATA\n{}\n.\nQUIT\n", message.join("\n"));
        let want: Vec<String> = std::iter::once("C DATA".to_owned())
            .chain(message.iter().map(|line| format!("M {line}")))
            .chain(["M .".to_owned(), "C QUIT".to_owned()])
            .collect();
        assert_eq!(shown(&text, Begin::Command), want);
    }

    #[test]
    fn the_reply_to_data_is_left_out_only_before_the_first_line() {
        // P49
        reads(
            "DATA\n354-go\n354 ahead\n354 envelopes\nx\n354 y\n.\n250 queued\n",
            &["- 354-go", "- 354 ahead", "- 250 queued", "C DATA", "M 354 envelopes", "M x", "M 354 y", "M ."],
        );
        reads("data\n< 354-go\n< 354 go\nx\n", &["- < 354-go", "- < 354 go", "C data", "M x"]);
        reads("DATA\n\n354 go\n.\n", &["C DATA", "M ", "M 354 go", "M ."]);
        reads("DATA\n200 envelopes\n.\n", &["C DATA", "M 200 envelopes", "M ."]);
        reads("DATA\n* 100 sheets\n.\n", &["C DATA", "M * 100 sheets", "M ."]);
        reads("DATA\n< less\n.\n", &["C DATA", "M < less", "M ."]);
        reads("C: DATA\nS: 554 no recipients\nC: QUIT\n", &["- S: 554 no recipients", "C DATA", "C QUIT"]);
    }

    #[test]
    fn a_mark_of_data_is_taken_off_the_message_too() {
        // P49
        reads(
            "C: DATA\nS: 354 go\nC: Subject: x\nC:\nC:  indented\nC: C: twice\nC: \nC: > quoted\nC: .\nS: 250 ok\nC: QUIT\n",
            &[
                "- S: 354 go",
                "- S: 250 ok",
                "C DATA",
                "M Subject: x",
                "M ",
                "M  indented",
                "M C: twice",
                "M ",
                "M > quoted",
                "M .",
                "C QUIT",
            ],
        );
        // swaks
        reads(
            " -> DATA\n<-  354 go\n -> Date: x\n -> \n ->  y\n -> .\n<-  250 ok\n",
            &["- <-  354 go", "- <-  250 ok", "C DATA", "M Date: x", "M ", "M  y", "M ."],
        );
        // Quoted in a mail: both sides have the mark.
        reads(
            "> DATA\n> 354 go\n> Subject: x\n>\n> 200 envelopes\n> .\n> 250 ok\n> QUIT\n",
            &["- > 354 go", "- > 250 ok", "C DATA", "M Subject: x", "M ", "M 200 envelopes", "M .", "C QUIT"],
        );
        reads("> C: DATA\n> S: 354 go\n> C: x\n> C: .\n", &["- > S: 354 go", "C DATA", "M x", "M ."]);
        // Only the commands have marks: the message stays as it is.
        reads(
            "C: DATA\nS: 354 go\nSubject: x\n\nC: drive\n.\nC: QUIT\n",
            &["- S: 354 go", "C DATA", "M Subject: x", "M ", "M C: drive", "M .", "C QUIT"],
        );
        reads("DATA\nC: x\n> y\n.\n", &["C DATA", "M C: x", "M > y", "M ."]);
    }

    #[test]
    fn the_octets_of_bdat_are_content() {
        // P49
        reads("BDAT 10\n250 a\n\nQ\nQUIT\n", &["C BDAT 10", "M 250 a", "M ", "M Q", "C QUIT"]);
        reads("BDAT 0 LAST\nQUIT\n", &["C BDAT 0 LAST", "C QUIT"]);
        reads("C: BDAT 7 LAST\nC: * abc\nS: 250 ok\nC: QUIT\n", &["- S: 250 ok", "C BDAT 7 LAST", "M * abc", "C QUIT"]);
    }

    #[test]
    fn lines_behind_auth_are_answers_up_to_the_next_verb() {
        // P46
        reads(
            "AUTH LOGIN\n334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\ncGFzcw==\n235 ok\nMAIL FROM:<a@b>\n",
            &["- 334 VXNlcm5hbWU6", "- 334 UGFzc3dvcmQ6", "- 235 ok", "C AUTH LOGIN", "A bG9nb24=", "A cGFzcw==", "C MAIL FROM:<a@b>"],
        );
        reads("AUTH LOGIN bG9nb24=\ncGFzcw==\nFOO\n", &["C AUTH LOGIN bG9nb24=", "A cGFzcw==", "C FOO"]);
        reads("AUTH PLAIN AGEAYg==\nFOO\n", &["C AUTH PLAIN AGEAYg==", "C FOO"]);
        reads("AUTH PLAIN\nQUIT\n", &["C AUTH PLAIN", "C QUIT"]);
    }

    #[test]
    fn a_paste_may_begin_within_a_message_or_a_login() {
        assert_eq!(shown("250 a\n\n# b\n.\n250 ok\nQUIT", Begin::Content), ["- 250 ok", "M 250 a", "M ", "M # b", "M .", "C QUIT"]);
        assert_eq!(shown("a\n\n\n", Begin::Content), ["M a", "M ", "M "]);
        assert_eq!(shown("logon\nsecret\nQUIT", Begin::Answer), ["A logon", "A secret", "C QUIT"]);
    }

    #[test]
    fn a_single_line_is_known_as_copied() {
        let table: &[(&[u8], Option<Copied>)] = &[
            (b"250 ok", Some(Copied::Reply)),
            (b"250-mx", Some(Copied::Reply)),
            (b"250", Some(Copied::Reply)),
            (b"< 250 ok", Some(Copied::Reply)),
            (b"S: 250 ok", Some(Copied::Reply)),
            (b"* note", Some(Copied::Marked)),
            (b"C: EHLO a", Some(Copied::Marked)),
            (b"> EHLO a", Some(Copied::Marked)),
            (b"Trying 192.0.2.1...", Some(Copied::Marked)),
            (b"EHLO a", None),
            (b"2500 x", None),
            (b"25 x", None),
            (b"\xff\xfe", None),
            (b" MAIL FROM:<a@b>", None),
        ];
        for (line, want) in table {
            assert_eq!(copied(line), *want, "{}", String::from_utf8_lossy(line));
        }
    }
}
