//! A message of a login, laid open, as rows for a person.

use super::style::Row;
use crate::sasl::{Description, Field, Value};
use crate::text::{printable, printable_str};

/// What stands in the place of a secret part.
const HIDDEN: &str = "(hidden)";
/// More parts than this stand in rows of their own.
const IN_ONE_ROW: usize = 4;

/// The rows of a message: its kind, its parts, and what is worth noticing.
pub fn rows(description: &Description) -> Vec<Row> {
    let mut rows = parts(description);
    rows.extend(description.remarks.iter().map(|sentence| Row::hint(printable_str(sentence))));
    rows
}

/// Its kind and its parts.
pub fn parts(description: &Description) -> Vec<Row> {
    let title = printable_str(&description.title).into_owned();
    let parts: Vec<(String, String)> = description.fields.iter().map(|field| (field.name.clone(), value(field))).collect();
    let mut rows = Vec::new();
    if parts.len() <= IN_ONE_ROW {
        let list = parts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ");
        let colon = if list.is_empty() { "" } else { ": " };
        rows.push(Row::note(format!("{title}{colon}{list}")));
    } else {
        rows.push(Row::note(format!("{title}:")));
        let widest = parts.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
        rows.extend(parts.iter().map(|(name, value)| Row::field(&format!("{name:<widest$}"), value)));
    }
    rows
}

/// What a part says, printable; secrets are not said.
pub fn value(field: &Field) -> String {
    match &field.value {
        Value::Open(text) => printable_str(text).into_owned(),
        Value::Moment(at) => super::human::moment(*at),
        Value::Hidden(_) => HIDDEN.to_owned(),
    }
}

/// The same with secrets said, where `secrets` may be: text as it is, binary data in hexadecimal.
pub fn revealed(field: &Field, secrets: bool) -> String {
    match &field.value {
        Value::Hidden(secret) if secrets => {
            let bytes = secret.expose();
            // Passwords of old systems are in Latin-1: no control characters, and letters for the most part.
            let is_text = bytes.iter().all(|byte| !matches!(byte, 0..=0x1f | 0x7f..=0x9f)) || std::str::from_utf8(bytes).is_ok();
            if is_text { printable(bytes).into_owned() } else { bytes.iter().map(|byte| format!("{byte:02x}")).collect() }
        }
        _ => value(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P14, P24
    #[test]
    fn parts_are_shown_and_secrets_are_not() {
        let small = Description::new("CRAM-MD5 answer").open("user", "tim\x1b[2J").hidden("digest", b"b913");
        let text = |rows: Vec<Row>| rows.into_iter().map(|row| row.text).collect::<Vec<_>>();
        assert_eq!(text(rows(&small)), [r"CRAM-MD5 answer: user tim\x1b[2J, digest (hidden)"]);
        let large =
            ["a", "b", "c", "d"].iter().fold(Description::new("many").moment("when", 1_795_447_211_000), |all, name| all.open(name, "x"));
        assert_eq!(text(rows(&large))[..3], ["many:", "when  2026-11-23 15:20:11 UTC", "a     x"]);
    }
}
