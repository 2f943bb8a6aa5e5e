//! Whatever is pasted is read within bounds, and nothing that acts on a terminal comes out (P14, P24, P26, P27).
#![no_main]

use ehlo::explain::blob::{self, Content, Form, Wish};
use ehlo::render::{Style, reading};
use ehlo::text::printable_str;
use ehlo::wire::{base64, encoding};
use ehlo_fuzz::{Input, assert_printable};
use libfuzzer_sys::fuzz_target;

fn look(pasted: &[u8], form: Option<Form>, secrets: bool) {
    let wish = Wish { form, secrets, now: 1_795_447_184_000 };
    let found = match blob::read(pasted, &wish) {
        Ok(found) => found,
        Err(unreadable) => {
            assert!(!unreadable.problem.is_empty() && !unreadable.advice.is_empty());
            return;
        }
    };
    assert!(!found.messages.is_empty());
    // Every byte is shown at most once, as four characters; a token's claims and names stand beside it.
    let text = reading::text(&found, secrets);
    assert!(text.len() <= 16 * pasted.len() + 4096, "{} of {}", text.len(), pasted.len());
    text.lines().for_each(assert_printable);
    for row in reading::rows(&found) {
        let mut out = String::new();
        Style::PLAIN_TEXT.write(&row, &mut out);
        out.lines().for_each(assert_printable);
    }
    found.remarks.iter().for_each(|remark| assert_printable(&printable_str(remark)));
    for message in &found.messages {
        let Content::Parts(parts) = &message.content else { continue };
        let hidden = reading::text(&found, false);
        assert_eq!(parts.has_secret(), parts.secrets().count() > 0);
        assert!(!parts.has_secret() || hidden.contains("(hidden)"));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let names: Vec<&str> = Form::names().collect();
    let choice = usize::from(input.byte());
    let form = names.get(choice % (2 * names.len())).and_then(|name| Form::lookup(name));
    let secrets = choice >= 128;
    look(input.0, form, secrets);
    // The same inside base64, and as an answer.
    let encoded = base64::encode(input.0);
    look(encoded.as_bytes(), form, secrets);
    look(format!("AUTH LOGIN\n334 VXNlcm5hbWU6\n{encoded}\n334 {encoded}\n{encoded}").as_bytes(), form, secrets);
    // What is encoded comes back.
    let back = encoding::from_xtext(encoding::to_xtext(input.0).as_bytes());
    assert_eq!(back.as_deref(), Ok(input.0));
    if let Ok(text) = std::str::from_utf8(input.0) {
        let words = encoding::to_words(text);
        assert!(words.is_ascii() && words.lines().all(|line| line.len() <= 76), "{words}");
        if !text.is_empty() && !text.contains(|c: char| c.is_control()) {
            assert_eq!(encoding::from_words(words.as_bytes()).text, printable_str(text));
        }
    }
    let quoted = encoding::to_quoted_printable(input.0);
    assert!(quoted.is_ascii() && quoted.lines().all(|line| line.len() <= 76));
    assert!(encoding::from_quoted_printable(quoted.as_bytes()).is_ok());
});
