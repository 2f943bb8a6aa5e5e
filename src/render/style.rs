//! The screen grammar: a gutter of three columns that says who speaks, so that nothing rests on colour.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};

use crate::jobs::check::Level;
use crate::text;

/// Who speaks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// What was sent, when it differs from what was typed or was sent for the operator.
    Sent,
    /// The server: 2yz and 3yz, and whatever is no refusal.
    Server,
    /// The server: not now.
    ServerLater,
    /// The server: no.
    ServerNo,
    /// The tool: a fact.
    Note,
    /// The tool: an explanation or advice.
    Hint,
    /// The tool: a warning or a failure.
    Warning,
    /// Part of a block below one of ours, indented.
    Block,
}

struct Look {
    gutter: &'static str,
    word: &'static str,
    color: Ansi,
}

const fn fg(color: AnsiColor) -> Ansi {
    Ansi::new().fg_color(Some(anstyle::Color::Ansi(color)))
}

impl Sign {
    const fn look(self) -> Look {
        match self {
            Self::Sent => Look { gutter: ">  ", word: "client: ", color: fg(AnsiColor::Cyan) },
            Self::Server => Look { gutter: "<  ", word: "server: ", color: fg(AnsiColor::Green) },
            Self::ServerLater => Look { gutter: "<! ", word: "server error: ", color: fg(AnsiColor::Yellow) },
            Self::ServerNo => Look { gutter: "<! ", word: "server error: ", color: fg(AnsiColor::Red) },
            Self::Note => Look { gutter: "*  ", word: "note: ", color: Ansi::new().dimmed() },
            Self::Hint => Look { gutter: "?  ", word: "hint: ", color: fg(AnsiColor::Yellow) },
            Self::Warning => Look { gutter: "!  ", word: "warning: ", color: fg(AnsiColor::Red).bold() },
            Self::Block => Look { gutter: "   ", word: "", color: Ansi::new() },
        }
    }

    /// Whether the row is part of the conversation (standard output) rather than about it (standard error).
    pub const fn is_conversation(self) -> bool {
        matches!(self, Self::Sent | Self::Server | Self::ServerLater | Self::ServerNo)
    }

    const fn is_server(self) -> bool {
        matches!(self, Self::Server | Self::ServerLater | Self::ServerNo)
    }
}

/// One row of the screen. The text has passed [`text::printable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who speaks.
    pub sign: Sign,
    /// What is said.
    pub text: String,
    /// Columns by which further rows of the same text are indented.
    pub hang: usize,
}

impl Row {
    /// A row.
    pub fn new(sign: Sign, text: impl Into<String>) -> Self {
        Self { sign, text: text.into(), hang: 0 }
    }

    /// A fact.
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Sign::Note, text)
    }

    /// Advice.
    pub fn hint(text: impl Into<String>) -> Self {
        Self::new(Sign::Hint, text)
    }

    /// A warning.
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Sign::Warning, text)
    }

    /// A line of a block.
    pub fn block(text: impl Into<String>) -> Self {
        Self::new(Sign::Block, text)
    }

    /// A labelled line of a block; further rows stand below the text, not below the label.
    pub fn field(label: &str, text: impl AsRef<str>) -> Self {
        Self { sign: Sign::Block, text: format!("{label}{}", text.as_ref()), hang: text::width(label) }
    }
}

/// How rows become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colours may be used.
    pub color: bool,
    /// Words in the place of signs, one event a line.
    pub plain: bool,
    /// No gutter at all.
    pub raw: bool,
    /// Columns of the terminal; `None` when the output is none.
    pub width: Option<usize>,
}

/// Width of blocks where the output is no terminal.
const BLOCK_WIDTH: usize = 80;

impl Style {
    /// Neither colour nor width: for files and pipes.
    pub const PLAIN_TEXT: Self = Self { color: false, plain: false, raw: false, width: None };

    /// Appends the row and its line end.
    pub fn write(&self, row: &Row, out: &mut String) {
        let Look { gutter, word, color } = row.sign.look();
        if self.raw && row.sign.is_conversation() {
            out.push_str(&row.text);
            out.push('\n');
            return;
        }
        if self.plain {
            let _ = writeln!(out, "{word}{}", row.text);
            return;
        }
        let rows = self.rows(row);
        for (at, line) in rows.iter().enumerate() {
            // A line of the server that runs over the edge keeps its mark on every row, so that it
            // cannot draw a row of ours (P16). Our own prose hangs below its first row.
            let gutter = match (at, row.sign.is_server()) {
                (0, _) => gutter,
                (_, true) => "<. ",
                (_, false) => "   ",
            };
            self.write_line(row.sign, gutter, color, line, at == 0, out);
        }
    }

    fn rows(&self, row: &Row) -> Vec<String> {
        let width = self.width.filter(|width| *width > 8);
        match (row.sign, width) {
            (Sign::Block, None) => hanging(&row.text, BLOCK_WIDTH - 3, row.hang),
            (Sign::Block, Some(width)) => cut_words(hanging(&row.text, width - 3, row.hang), width - 3),
            (_, None) => vec![row.text.clone()],
            (Sign::Note | Sign::Hint | Sign::Warning, Some(width)) => cut_words(text::wrap(&row.text, (width - 3).min(100)), width - 3),
            (_, Some(width)) => cut_hard(&row.text, width - 3),
        }
    }

    fn write_line(&self, sign: Sign, gutter: &str, color: Ansi, line: &str, first: bool, out: &mut String) {
        if !self.color || sign == Sign::Block {
            let text = format!("{gutter}{line}");
            // A server's spaces are the server's; ours at the end of a row are none.
            let _ = writeln!(out, "{}", if sign.is_server() { &text } else { text.trim_end_matches(' ') });
            return;
        }
        // Of a server's line only the code is coloured, so that its text reads as it came.
        let painted = match sign {
            Sign::Server | Sign::ServerLater | Sign::ServerNo => {
                line.bytes().take(if first { 3 } else { 0 }).take_while(u8::is_ascii_digit).count()
            }
            Sign::Note | Sign::Sent => line.len(),
            _ => 0,
        };
        let (head, tail) = line.split_at(painted);
        let _ = writeln!(out, "{color}{gutter}{head}{color:#}{tail}");
    }
}

/// A verdict in its colour.
pub fn painted(level: Level, text: &str) -> String {
    let color = match level {
        Level::Ok => fg(AnsiColor::Green),
        Level::Warn => fg(AnsiColor::Yellow),
        Level::Failed => fg(AnsiColor::Red).bold(),
    };
    format!("{color}{text}{color:#}")
}

/// Wraps with the rows behind the first indented; where the label takes too much room, by little.
fn hanging(line: &str, columns: usize, hang: usize) -> Vec<String> {
    if text::width(line) <= columns {
        return vec![line.to_owned()];
    }
    if hang * 2 <= columns {
        let label = text::cut(line, hang);
        let rows = text::wrap(&line[label.len()..], columns - hang).into_iter().enumerate();
        return rows.map(|(at, row)| if at == 0 { format!("{label}{row}") } else { format!("{:hang$}{row}", "") }).collect();
    }
    let mut rows = text::wrap(line, columns).into_iter();
    let first = rows.next().unwrap_or_default();
    let rest = rows.collect::<Vec<_>>().join(" ");
    let below = text::wrap(rest.trim_start(), columns - 2).into_iter().filter(|row| !row.is_empty()).map(|row| format!("  {row}"));
    std::iter::once(first).chain(below).collect()
}

/// Cuts rows that a long word (a fingerprint) makes too wide for the terminal; what follows keeps its indent.
fn cut_words(rows: Vec<String>, columns: usize) -> Vec<String> {
    let cut = |row: String| {
        if text::width(&row) <= columns {
            return vec![row];
        }
        let word = row.trim_end().rfind(' ').map_or(0, |at| at + 1);
        let indent = text::width(&row[..word]).min(columns / 2);
        let (head, tail) = row.split_at(text::cut(&row, columns).len());
        let below = cut_hard(tail, columns - indent).into_iter().map(|row| format!("{:indent$}{row}", ""));
        std::iter::once(head.to_owned()).chain(below).collect()
    };
    rows.into_iter().flat_map(cut).collect()
}

/// Cuts a line into rows of at most `columns`, anywhere, losing nothing.
fn cut_hard(line: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut rest = line;
    while text::width(rest) > columns {
        let head = text::cut(rest, columns);
        // A character wider than the terminal would never fit.
        let at = if head.is_empty() { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { head.len() };
        rows.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    rows.push(rest.to_owned());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(style: Style, row: &Row) -> String {
        let mut out = String::new();
        style.write(row, &mut out);
        out
    }

    #[test]
    fn every_row_says_who_speaks() {
        let plain = Style { plain: true, ..Style::PLAIN_TEXT };
        let table = [
            (Sign::Sent, ">  x\n", "client: x\n"),
            (Sign::Server, "<  x\n", "server: x\n"),
            (Sign::ServerNo, "<! x\n", "server error: x\n"),
            (Sign::ServerLater, "<! x\n", "server error: x\n"),
            (Sign::Note, "*  x\n", "note: x\n"),
            (Sign::Hint, "?  x\n", "hint: x\n"),
            (Sign::Warning, "!  x\n", "warning: x\n"),
        ];
        for (sign, signs, words) in table {
            let row = Row::new(sign, "x");
            assert_eq!((text(Style::PLAIN_TEXT, &row).as_str(), text(plain, &row).as_str()), (signs, words));
        }
    }

    #[test]
    fn a_long_server_line_keeps_its_mark_on_every_row() {
        // P16
        let narrow = Style { width: Some(13), ..Style::PLAIN_TEXT };
        let row = Row::new(Sign::Server, "250 abcdefghijklmnop!  fake");
        assert_eq!(text(narrow, &row), "<  250 abcdef\n<. ghijklmnop\n<. !  fake\n");
        assert_eq!(text(Style::PLAIN_TEXT, &row), "<  250 abcdefghijklmnop!  fake\n");
    }

    #[test]
    fn a_long_word_in_a_note_keeps_its_indent() {
        // P16: a nonce of a server must not begin a row.
        let narrow = Style { width: Some(13), ..Style::PLAIN_TEXT };
        assert_eq!(text(narrow, &Row::note("nonce abcdefghijkl!fake")), "*  nonce\n   abcdefghij\n   kl!fake\n");
    }

    #[test]
    fn fields_hang_below_their_text() {
        let narrow = Style { width: Some(23), ..Style::PLAIN_TEXT };
        assert_eq!(text(narrow, &Row::field("Next  ", "one two three four")), "   Next  one two three\n         four\n");
        assert_eq!(text(Style::PLAIN_TEXT, &Row::field("A  ", "b")), "   A  b\n");
    }

    #[test]
    fn a_word_that_is_too_long_is_cut_below_itself_on_a_terminal_only() {
        let (row, narrow) = (Row::field("Hash  ", "0123456789abcdef01234567"), Style { width: Some(19), ..Style::PLAIN_TEXT });
        assert_eq!(text(narrow, &row), "   Hash  0123456789\n         abcdef0123\n         4567\n");
        assert_eq!(text(narrow, &Row::field("Hash  ", "a 0123456789abcdef")), "   Hash  a\n         0123456789\n         abcdef\n");
        let long = "0".repeat(100);
        assert_eq!(text(Style::PLAIN_TEXT, &Row::field("Hash  ", &long)), format!("   Hash  {long}\n"));
    }

    #[test]
    fn own_prose_hangs_below_its_sign() {
        let narrow = Style { width: Some(20), ..Style::PLAIN_TEXT };
        assert_eq!(text(narrow, &Row::note("one two three four five")), "*  one two three\n   four five\n");
    }

    #[test]
    fn colour_is_never_a_background_and_always_reset() {
        let color = Style { color: true, ..Style::PLAIN_TEXT };
        let shown = text(color, &Row::new(Sign::ServerNo, "550 no"));
        assert_eq!(shown, "\u{1b}[31m<! 550\u{1b}[0m no\n");
    }
}
