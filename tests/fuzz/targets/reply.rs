//! The reply codec on what servers send: short lines, any cut. `reply_limits` has the long ones.
#![no_main]

use ehlo_fuzz::{Input, reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (seed, cut) = (input.byte(), input.byte());
    reply::check(input.0, seed, cut);
});
