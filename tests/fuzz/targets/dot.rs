//! Dot transparency there and back, at any cut (P28, P29, P30).
#![no_main]

use ehlo::wire::dot::{Changes, Stuffer, unstuff};
use ehlo_fuzz::{Input, pieces};
use libfuzzer_sys::fuzz_target;

fn stuff(pieces: &[&[u8]]) -> (Vec<u8>, Changes) {
    let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
    for piece in pieces {
        let before = out.len();
        if stuffer.push(piece, &mut out).is_err() {
            assert!(piece.contains(&0) && out.len() == before);
            let clean: Vec<u8> = piece.iter().copied().filter(|&b| b != 0).collect();
            stuffer.push(&clean, &mut out).expect("no NUL");
        }
    }
    let changes = stuffer.finish(&mut out);
    (out, changes)
}

/// Every line end is CRLF, the last line has one, NUL is gone.
fn normalise(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = message.iter().filter(|&&b| b != 0).peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if_eq(&&b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            other => out.push(other),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let cut = pieces(data, input.byte());
    let (wire, changes) = stuff(&cut);
    assert_eq!((&wire, changes), (&stuff(&[data]).0, stuff(&[data]).1));

    let lines: Vec<&[u8]> = wire.strip_suffix(b"\r\n").expect("a last line").split(|&b| b == b'\n').collect();
    let mut back = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let last = at + 1 == lines.len();
        // The end of the last one is off already.
        let line = if last { line } else { line.strip_suffix(b"\r").expect("no bare LF") };
        assert!(!line.contains(&b'\r'), "a bare CR");
        match unstuff(line) {
            None => assert!(last),
            Some(text) => {
                assert!(!last);
                back.extend_from_slice(text);
                back.extend_from_slice(b"\r\n");
            }
        }
    }
    assert_eq!(back, normalise(data));
});
