//! A certificate in words, from any bytes.
#![no_main]

use ehlo::net::tls::certificate::Certificate;
use ehlo_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;

fuzz_target!(|data: &[u8]| {
    let read = Certificate::read(&CertificateDer::from(data));
    assert_eq!(read.der, data);
    let texts = [&read.subject, &read.common_name, &read.issuer, &read.issuer_name, &read.key, &read.signature, &read.serial];
    texts.into_iter().chain(&read.names).chain(&read.unreadable).for_each(|text| assert_printable(text));
    let _ = read.days_left(1_795_000_000);
    assert!(read.pem().is_ascii());
});
