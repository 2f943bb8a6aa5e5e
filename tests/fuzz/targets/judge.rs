//! The judge of certificates on forged chains: what it calls verified, the TLS library verifies (P45).
#![no_main]

use ehlo::net::tls::forgery::attempt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = attempt(data);
});
