//! What was pasted, laid open: bare text for files and pipes, rows for a session's screen.

use super::description;
use super::style::Row;
use crate::explain::blob::{self, Content, Message, Reading};
use crate::sasl::Party;
use crate::text::{printable, printable_str};

/// One line for each line or part that it says; in a dialogue behind who said it. `secrets` may be shown.
pub fn text(reading: &Reading, secrets: bool) -> String {
    let mut out = String::new();
    for message in &reading.messages {
        let mut lines = lines(message, secrets, reading.is_dialogue());
        if reading.is_dialogue() {
            let speaker = speaker(message.from);
            lines.iter_mut().enumerate().for_each(|(at, line)| line.insert_str(0, if at == 0 { speaker } else { "   " }));
        }
        lines.iter().for_each(|line| out.extend([line.as_str(), "\n"]));
    }
    out
}

/// Rows for a screen, and what is worth noticing.
pub fn rows(reading: &Reading) -> Vec<Row> {
    let mut rows = Vec::new();
    for message in &reading.messages {
        let mut own = match &message.content {
            Content::Parts(parts) => description::parts(parts),
            _ => lines(message, false, true).into_iter().map(Row::note).collect(),
        };
        if let Some(first) = own.first_mut().filter(|_| reading.is_dialogue()) {
            first.text.insert_str(0, speaker(message.from));
        }
        rows.extend(own);
    }
    rows.extend(remarks(reading));
    rows
}

/// What is worth noticing.
pub fn remarks(reading: &Reading) -> impl Iterator<Item = Row> {
    reading.remarks.iter().map(|sentence| Row::hint(printable_str(sentence)))
}

fn speaker(from: Option<Party>) -> &'static str {
    match from {
        Some(Party::Client) => "C: ",
        Some(Party::Server) => "S: ",
        None => "   ",
    }
}

fn lines(message: &Message, secrets: bool, titled: bool) -> Vec<String> {
    match &message.content {
        Content::Command(line) => vec![printable_str(line).into_owned()],
        Content::Text(bytes) => text_lines(bytes),
        Content::Parts(parts) => {
            let title = printable_str(&parts.title).into_owned();
            let fields =
                parts.fields.iter().map(|field| format!("{}: {}", printable_str(&field.name), description::revealed(field, secrets)));
            (titled || parts.fields.is_empty()).then_some(title).into_iter().chain(fields).collect()
        }
    }
}

/// Text line by line; anything else in one line, every byte of it.
fn text_lines(bytes: &[u8]) -> Vec<String> {
    let bytes = blob::without_nul(bytes);
    if !blob::is_text(bytes) {
        return vec![printable(bytes).into_owned()];
    }
    let all = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    all.split(|&byte| byte == b'\n').map(|line| printable(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::blob::{Wish, read};

    // P14, P24
    #[test]
    fn a_message_is_its_lines_and_a_dialogue_has_its_speakers() {
        let table = [
            ("VXNlcm5hbWU6", false, "Username:\n"),
            ("YQpiDQobWzJKCg==", false, "a\\x0ab\\x0d\\x0a\\x1b[2J\\x0a\n"),
            ("YQpiDQpjCg==", false, "a\nb\nc\n"),
            ("/////w==", false, "\\xff\\xff\\xff\\xff\n"),
            ("AGxvZ29uAHNlY3JldA==", false, "user: logon\npassword: (hidden)\n"),
            ("AGxvZ29uAHNlY3JldA==", true, "user: logon\npassword: secret\n"),
            ("AGxvZ29uAHDkAQ==", true, "user: logon\npassword: 70e401\n"),
            (
                "AUTH LOGIN\n334 VXNlcm5hbWU6\nbG9nb24=\n334 UGFzc3dvcmQ6\nc2VjcmV0",
                false,
                "C: AUTH LOGIN\nS: Username:\nC: user name\n   user: logon\nS: Password:\nC: password\n   password: (hidden)\n",
            ),
        ];
        for (pasted, secrets, want) in table {
            let reading = read(pasted.as_bytes(), &Wish { secrets, ..Wish::default() }).unwrap();
            assert_eq!(text(&reading, secrets), want, "{pasted}");
            assert!(!rows(&reading).iter().any(|row| row.text.contains("secret")), "{pasted}");
        }
    }
}
