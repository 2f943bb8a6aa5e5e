//! `ehlo decode`: what was pasted, laid open.

use std::io::{Read as _, Write as _};

use anyhow::Context as _;

use super::args::{DecodeArgs, OutputArgs};
use super::{complain, exit, print, streams};
use crate::explain::blob::{self, Content, Form, Message, Reading, Wish};
use crate::render::reading;
use crate::text::printable_str;

/// More than this is not read.
const MOST: u64 = 16 << 20;

/// Decodes the arguments or standard input. What they say goes to standard output, what they are to standard error.
pub(super) fn run(args: &DecodeArgs, output: &OutputArgs) -> anyhow::Result<u8> {
    let pasted = if args.text.is_empty() { read_input()? } else { joined(&args.text).into_bytes() };
    let form = args.form.as_deref().and_then(Form::lookup);
    let wish = Wish { form, secrets: args.show_secrets, now: now() };
    match blob::read(&pasted, &wish) {
        Ok(reading) => {
            if !output.quiet {
                notes(&reading, args.show_secrets, output.verbose > 0).iter().for_each(|note| tell(note));
            }
            let status = print(&reading::text(&reading, args.show_secrets));
            Ok(if status == exit::DONE && !reading.complete { exit::REFUSED } else { status })
        }
        Err(unreadable) => {
            complain(&printable_str(&unreadable.problem));
            tell(&unreadable.advice);
            Ok(exit::REFUSED)
        }
    }
}

/// A 334 line may come unquoted: its words belong together. Quoted lines are lines.
fn joined(words: &[String]) -> String {
    let separator = if words.iter().any(|word| word.contains(' ')) { "\n" } else { " " };
    words.join(separator)
}

fn notes(reading: &Reading, secrets_shown: bool, verbose: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match reading.messages.as_slice() {
        [Message { content: Content::Parts(parts), .. }] if !parts.fields.is_empty() => notes.push(parts.title.clone()),
        [Message { content: Content::Text(bytes), .. }] if verbose => {
            let what = if blob::is_text(blob::without_nul(bytes)) { "text" } else { "binary" };
            notes.push(format!("{what}, {}", crate::text::size(bytes.len() as u64)));
        }
        _ => {}
    }
    notes.extend(reading.remarks.iter().cloned());
    if reading.secrets() > 0 && !secrets_shown {
        notes.push("--show-secrets shows what is hidden.".to_owned());
    }
    notes
}

fn tell(note: &str) {
    let _ = writeln!(streams::stderr(), "note: {}", printable_str(note));
}

pub(super) fn read_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().take(MOST + 1).read_to_end(&mut bytes).context("standard input cannot be read")?;
    anyhow::ensure!(bytes.len() as u64 <= MOST, "standard input is longer than {}", crate::text::size(MOST));
    Ok(bytes)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
