//! `ehlo decode` and `ehlo encode`.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;

use super::args::{DecodeArgs, EncodeArgs, OutputArgs};
use super::{complain, exit, print};
use crate::explain::blob;
use crate::wire::base64::{self, NotBase64};

/// Decodes the arguments, each, or standard input. The bare result goes to standard output.
pub(super) fn decode(args: &DecodeArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    // A 334 line may come unquoted: its words belong together.
    let text = if args.text.is_empty() { String::from_utf8_lossy(&read_input()?).into_owned() } else { args.text.join(" ") };
    let blob = blob::undress(&text);
    match blob::read(blob.as_bytes()) {
        Ok(reading) => {
            if !output.quiet {
                for remark in &reading.remarks {
                    let _ = writeln!(std::io::stderr(), "note: {remark}");
                }
            }
            // Asked for, and nowhere else: the bytes as they are, made printable.
            let whole = base64::decode(blob.as_bytes()).ok().filter(|_| args.show_secrets);
            let text = whole.map_or(reading.text, |decoded| crate::text::printable(&decoded.bytes).into_owned());
            Ok(print(&format!("{text}\n")))
        }
        Err(problem) => {
            let place = match problem {
                NotBase64::Character(at) => format!("character {at} does not belong there"),
                NotBase64::Length => "a character is missing at its end".to_owned(),
            };
            complain(&format!("this is not base64: {place}"));
            Ok(exit::REFUSED)
        }
    }
}

/// Encodes the arguments, joined by spaces, or standard input.
pub(super) fn encode(args: &EncodeArgs, _output: &OutputArgs) -> anyhow::Result<u8> {
    let bytes = if args.text.is_empty() {
        let mut bytes = read_input()?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
        bytes
    } else {
        args.text.join(" ").into_bytes()
    };
    Ok(print(&format!("{}\n", base64::encode(&bytes))))
}

fn read_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
    Ok(bytes)
}
