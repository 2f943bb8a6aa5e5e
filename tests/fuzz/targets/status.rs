//! Reply codes and enhanced status codes.
#![no_main]

use ehlo::wire::code::ReplyCode;
use ehlo::wire::status::EnhancedStatus;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(status) = EnhancedStatus::parse(data) {
        assert!(matches!(status.class, 2 | 4 | 5) && status.subject < 1000 && status.detail < 1000);
        assert_eq!(EnhancedStatus::parse(status.to_string().as_bytes()), Some(status));
        assert_eq!(EnhancedStatus::parse(format!("{status} words").as_bytes()), Some(status));
    }
    for digits in [data, &data[..data.len().min(3)]] {
        if let Some(code) = ReplyCode::parse(digits) {
            assert_eq!(code.to_string().as_bytes(), digits);
            assert_eq!(code.class().is_some(), matches!(digits, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']));
        }
    }
});
