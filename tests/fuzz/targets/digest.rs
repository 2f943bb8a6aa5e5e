//! DIGEST-MD5 against servers and clients that do not know the password.
#![no_main]

use ehlo_fuzz::sasl::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| play("DIGEST-MD5", data, false));
