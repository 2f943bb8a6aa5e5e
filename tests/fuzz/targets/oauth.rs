//! XOAUTH2 and OAUTHBEARER, their errors in JSON, and tokens that are opened.
#![no_main]

use ehlo::sasl::token;
use ehlo_fuzz::sasl::play;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    play("XOAUTH2", data, true);
    play("OAUTHBEARER", data, true);
    if let Some(error) = token::refused(data) {
        assert!(!error.sentence().is_empty() && error.status.chars().count() <= 200);
    }
    if let Some(claims) = token::claims(data) {
        let texts = claims.audience.iter().chain(&claims.scopes).chain(&claims.issuer).chain(&claims.user).chain(&claims.subject);
        assert!(texts.chain(&claims.application).all(|text| text.chars().count() <= 200));
        assert!(claims.audience.len() <= 20 && claims.scopes.len() <= 20);
    }
});
