//! Refusals in words.
#![no_main]

use ehlo::explain::line::Sent;
use ehlo::explain::reply::{Situation, explain};
use ehlo_fuzz::{Input, assert_printable, replies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let kind = input.byte();
    let verb = match kind % 8 {
        0 => "greeting".to_owned(),
        1 => "EHLO".to_owned(),
        2 => "MAIL".to_owned(),
        3 => "RCPT".to_owned(),
        4 => "DATA".to_owned(),
        5 => "AUTH".to_owned(),
        6 => "STARTTLS".to_owned(),
        _ => input.text(),
    };
    let host = input.text();
    let user = (kind & 8 != 0).then(|| input.text());
    let domain = (kind & 16 != 0).then(|| input.text());
    let line = if kind & 64 != 0 { input.text().into_bytes() } else { Vec::new() };
    let offered = (kind & 128 != 0).then(|| vec![input.text()]);
    let sent = Sent { hello: user.clone(), line, offered, in_transaction: kind & 1 != 0, ..Sent::default() };
    let situation = Situation { verb, host, user, domain, lacks_certificate: kind & 32 != 0, sent };
    for reply in replies(input.0) {
        let Some(fact) = explain(&situation, &reply) else { continue };
        assert!(reply.is_refusal());
        assert_printable(&fact.hint(&situation, &reply));
        assert!(!fact.meaning.is_empty() && fact.likely().chain(fact.next()).all(|text| !text.is_empty()));
    }
});
