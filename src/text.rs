//! Untrusted bytes → printable text: the only door to a screen, a log or an error message.
//!
//! Nothing that passes here can act on a terminal or change the order in which a line is read:
//! control characters, invalid UTF-8, bidirectional controls and invisible characters come out as
//! `\x1b` or `\u{202e}`. A backslash stays as it is, so that the result is a fixed point.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// The bytes as text that is safe on any terminal. Borrowed when nothing had to be escaped.
///
/// # Shape
/// Every byte is shown: valid UTF-8 as it is, each other byte as `\xNN`, each control or invisible
/// character as `\xNN` or `\u{N}`. Line ends are control characters too: split lines first.
pub fn printable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && (is_plain(text) || !text.chars().any(must_escape))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_visible(&mut out, c);
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Cow::Owned(out)
}

/// [`printable`] for text that is already UTF-8, such as a file name or an operating system's message.
pub fn printable_str(text: &str) -> Cow<'_, str> {
    printable(text.as_bytes())
}

fn push_visible(out: &mut String, c: char) {
    if !must_escape(c) {
        out.push(c);
    } else if u32::from(c) < 0x80 {
        let _ = write!(out, "\\x{:02x}", u32::from(c));
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    }
}

/// JSON in which nothing acts on a terminal: what [`printable`] would escape stands as `\uXXXX`. The value is
/// the same; JSON itself escapes no more than C0.
pub fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if must_escape(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters (C0, DEL, C1), bidirectional controls, invisible and line-breaking characters.
fn must_escape(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(u32::from(c),
        0x80..=0x9f | 0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180e
        | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfffb | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff)
}

/// Columns that the text takes on a terminal.
pub fn width(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// Whether all of it is visible ASCII, as most of it is: the short way for what else looks at each character.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The bytes as text, with what is not UTF-8 replaced: for looking into it, not for showing it.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Most of it is valid, and to find that out takes a fraction of the time.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The longest beginning of `text` that fits into `columns`.
pub fn cut(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// Breaks our own prose into rows of at most `columns`, at spaces; a longer word stays whole.
/// Leading spaces of the text are kept on its first row.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let body = text.trim_start_matches(' ');
    let mut rows = Vec::new();
    let mut row = " ".repeat(text.len() - body.len());
    for (at, word) in body.split(' ').enumerate() {
        if at > 0 && width(&row) + 1 + width(word) > columns {
            rows.push(std::mem::take(&mut row));
        } else if at > 0 {
            row.push(' ');
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}

/// So many days, for people.
pub fn days(count: i64) -> String {
    match count {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

/// A count of bytes for people: `612 bytes`, `36 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, factor) in UNITS {
        if bytes >= 10 * factor || (bytes >= factor && bytes.is_multiple_of(factor)) {
            return format!("{} {unit}", bytes / factor);
        }
        if bytes >= factor {
            let tenths = u128::from(bytes) * 10 / u128::from(factor);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_bytes_are_shown_and_do_nothing() {
        // P14, P15
        let table: &[(&[u8], &str)] = &[
            (b"250 ok", "250 ok"),
            (b"\x1b[31mred\x07\x08", r"\x1b[31mred\x07\x08"),
            (b"a\rb\nc\0", r"a\x0db\x0ac\x00"),
            (b"\xff\xc3", r"\xff\xc3"),
            ("Grüße €".as_bytes(), "Grüße €"),
            ("\u{9b}31m".as_bytes(), r"\u{9b}31m"),
            ("a\u{202e}b\u{200b}\u{feff}\u{2028}".as_bytes(), r"a\u{202e}b\u{200b}\u{feff}\u{2028}"),
            (b"\\x1b stays", r"\x1b stays"),
            (b"\t\x7f", r"\x09\x7f"),
        ];
        for (bytes, shown) in table {
            assert_eq!(printable(bytes), *shown);
            assert_eq!(printable(shown.as_bytes()), *shown, "a fixed point");
        }
    }

    #[test]
    fn own_prose_is_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("   indented text", 12), ["   indented", "text"]);
        assert_eq!(wrap("averyveryverylongword x", 5), ["averyveryverylongword", "x"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn sizes_are_for_people() {
        let table = [(0, "0 bytes"), (1, "1 byte"), (612, "612 bytes"), (1536, "1.5 KiB"), (37_748_736, "36 MiB"), (10 << 30, "10 GiB")];
        for (bytes, shown) in table {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn cutting_respects_wide_characters() {
        assert_eq!(cut("日本語", 4), "日本");
        assert_eq!(cut("abc", 10), "abc");
    }
}
