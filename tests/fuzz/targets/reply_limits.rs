//! The reply codec about its limits: as much as passes them, or a line that ends about there.
#![no_main]

use ehlo::wire::line::MAX_LINE;
use ehlo_fuzz::{Input, reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (seed, cut, times) = (input.byte(), input.byte(), input.byte());
    let bytes = match times {
        0..0x80 => [b"250 ", &[b'a'; MAX_LINE - 8][..], input.0].concat(),
        _ => input.0.repeat((1 + usize::from(times % 16)) * 16),
    };
    reply::check(&bytes, seed, cut);
});
