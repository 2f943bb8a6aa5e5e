//! The answer to a made-up `ClientHello`: more bytes never change it.
#![no_main]

use ehlo::net::tls::probe::{client_hello, read_answer};
use ehlo_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut first = None;
    for end in 0..=data.len().min(400) {
        let answer = read_answer(&data[..end]);
        assert!(first.is_none() || answer == first);
        first = answer;
    }
    let whole = read_answer(data);
    assert!(first.is_none() || whole == first);
    if let Some((version, suite)) = whole.and_then(|answer| answer.describe()) {
        assert_printable(&version);
        assert_printable(&suite);
    }
    let name = String::from_utf8_lossy(&data[..data.len().min(80)]).into_owned();
    let offer = client_hello(&[7; 32], Some(&name));
    assert_eq!(usize::from(u16::from_be_bytes([offer[3], offer[4]])), offer.len() - 5);
});
