//! The sanitiser: nothing dangerous passes, nothing harmless is lost, twice is once.
#![no_main]

use ehlo::text::{cut, printable, printable_str, width, wrap};
use ehlo_fuzz::{assert_printable, is_dangerous};
use libfuzzer_sys::fuzz_target;

/// As it should come out, character by character.
fn shown(c: char) -> String {
    let alone = printable_str(c.encode_utf8(&mut [0; 4])).into_owned();
    let filler = matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    if is_dangerous(c) {
        let code = u32::from(c);
        assert_eq!(alone, if code < 0x80 { format!("\\x{code:02x}") } else { format!("\\u{{{code:x}}}") });
    } else if c.is_ascii() || (c.is_alphanumeric() && !filler) {
        assert_eq!(alone, c.to_string());
    }
    alone
}

fuzz_target!(|data: &[u8]| {
    let text = printable(data);
    assert_printable(&text);
    assert_eq!(printable_str(&text), text);
    let mut want = String::new();
    for chunk in data.utf8_chunks() {
        chunk.valid().chars().for_each(|c| want.push_str(&shown(c)));
        chunk.invalid().iter().for_each(|byte| want.push_str(&format!("\\x{byte:02x}")));
    }
    assert_eq!(text, want);

    let columns = data.len() % 41;
    let short = cut(&text, columns);
    assert!(text.starts_with(short) && width(short) <= width(&text));
    let rows = wrap(&text, columns);
    assert_eq!(rows.join(" "), text);
    assert!(rows.iter().all(|row| width(row) <= columns || !row.trim_start_matches(' ').contains(' ')));
});
