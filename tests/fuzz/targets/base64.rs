//! Base64 there and back, and what is said of a blob.
#![no_main]

use ehlo::explain::blob;
use ehlo::wire::base64::{self, NotBase64};
use ehlo_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let encoded = base64::encode(data);
    let back = base64::decode(encoded.as_bytes()).expect("base64");
    assert!(back.bytes == data && back.oddities.is_empty());

    match base64::decode(data) {
        Ok(decoded) => {
            let again = base64::encode(&decoded.bytes);
            assert_eq!(base64::decode(again.as_bytes()).expect("base64").bytes, decoded.bytes);
            assert_eq!(decoded.oddities.is_empty(), again.as_bytes() == data);
        }
        Err(NotBase64::Character(at)) => assert!((1..=data.len()).contains(&at)),
        Err(NotBase64::Length) => {}
    }
    if let Some(text) = base64::looks_encoded(data) {
        assert!(!text.contains(char::is_control));
        assert_eq!(base64::encode(text.as_bytes()).as_bytes(), data);
    }
    for decoded in [data, encoded.as_bytes()].into_iter().flat_map(base64::decode) {
        assert_printable(&blob::describe(&decoded).text);
    }
});
