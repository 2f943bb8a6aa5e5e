//! SCRAM against servers and clients that do not know the password.
#![no_main]

use ehlo_fuzz::sasl::play;
use libfuzzer_sys::fuzz_target;

/// A million iterations are allowed, and nothing else would be done: four to seven digits are passed over.
fn is_slow(data: &[u8]) -> bool {
    let digits = |at: usize| data[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    data.windows(2).enumerate().any(|(at, pair)| pair == b"i=" && (4..8).contains(&digits(at + 2)))
}

fuzz_target!(|data: &[u8]| {
    if !is_slow(data) {
        play("SCRAM-SHA-1", data, false);
        play("SCRAM-SHA-256-PLUS", data, false);
    }
});
