//! The guess at what speaks there.
#![no_main]

use ehlo::explain::failure::{Failure, diagnose};
use ehlo::explain::place::Place;
use ehlo::wire::foreign::{Foreign, guess};
use ehlo_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let found = guess(data);
    if let Some(foreign) = found {
        assert_printable(foreign.describe());
    }
    if data.first().is_some_and(u8::is_ascii_digit) {
        assert!(matches!(found, None | Some(Foreign::Binary)));
    }
    let words = String::from_utf8_lossy(data).into_owned();
    for failure in [
        Failure::NotSmtp(found),
        Failure::Resolver(words.clone()),
        Failure::ConnectOther(words.clone()),
        Failure::LostAtOnce(words.clone()),
    ] {
        let diagnosis = diagnose(&failure, &Place::new(&words, 25));
        let texts = [&diagnosis.headline, &diagnosis.happened].into_iter().chain(&diagnosis.likely).chain(&diagnosis.next);
        texts.for_each(|text| assert_printable(text));
    }
});
