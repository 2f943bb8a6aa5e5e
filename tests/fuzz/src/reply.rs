//! What is true of the reply codec whatever comes: any cut gives the same, a beginning gives a beginning, and only what
//! is a reply counts as success.

use ehlo::wire::reply::{MAX_REPLY, MAX_REPLY_LINES, Received, ReplyParser, TooLong};

use crate::pieces;

type Parsed = (Vec<Received>, Option<TooLong>, Vec<Vec<u8>>);

/// Parses `bytes` whole, in pieces that `seed` chooses, and cut off after `cut` parts of 256.
pub fn check(bytes: &[u8], seed: u8, cut: u8) {
    let whole = parse([bytes]);
    let cut_up = parse(pieces(bytes, seed));
    assert_eq!(whole, cut_up);

    let (beginning, error, _) = parse([&bytes[..bytes.len() * usize::from(cut) / 256]]);
    assert!(whole.0.starts_with(&beginning));
    assert!(error.is_none() || error == whole.1);

    for received in whole.0 {
        let Received::Reply(reply) = received else { continue };
        assert!(!reply.lines.is_empty() && reply.lines.len() <= MAX_REPLY_LINES && reply.length <= MAX_REPLY);
        assert!(reply.lines.iter().all(|line| !line.contains(&b'\n')));
        assert_eq!(reply.texts().count(), reply.lines.len());
        if reply.is_success() {
            let code = reply.code.to_string();
            assert!(code.starts_with('2') && !reply.is_refusal());
            let lines: Vec<_> = reply.lines.iter().filter(|line| !line.is_empty()).collect();
            for (at, line) in lines.iter().enumerate() {
                assert!(is_success_line(line, code.as_bytes(), at + 1 == lines.len()), "{reply:?}");
            }
        }
        let _ = reply.status();
    }
}

fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Parsed {
    let mut parser = ReplyParser::default();
    let mut found = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.next_received() {
                Ok(Some(received)) => found.push(received),
                Ok(None) => break,
                // What stands behind depends on the cut, and nobody reads on.
                Err(error) => return (found, Some(error), Vec::new()),
            }
        }
    }
    (found, None, parser.partial())
}

fn is_success_line(line: &[u8], code: &[u8], last: bool) -> bool {
    line.len() >= 3 && line[..3] == *code && line.get(3).map_or(last, |&b| b == if last { b' ' } else { b'-' })
}
