//! A certificate in words, from any bytes.
#![no_main]

use ehlo::net::tls::TlsReport;
use ehlo::net::tls::certificate::Certificate;
use ehlo::net::tls::verdict::{Fault, Trust};
use ehlo::render::tls;
use ehlo_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;

const NOW: i64 = 1_795_000_000;

fuzz_target!(|data: &[u8]| {
    let read = Certificate::read(&CertificateDer::from(data));
    assert_eq!(read.der, data);
    let texts = [&read.subject, &read.common_name, &read.issuer, &read.issuer_name, &read.key, &read.signature, &read.serial];
    texts.into_iter().chain(&read.names).chain(&read.unreadable).for_each(|text| assert_printable(text));
    let _ = read.days_left(NOW);
    assert!(read.pem().is_ascii());
    let report = shown(read);
    let rows = [tls::report(&report, NOW), tls::details(&report, NOW), tls::own_certificate(&report.chain[0], NOW)];
    rows.iter().flatten().for_each(|row| assert_printable(&row.text));
});

/// A handshake in which the certificate was all that was sent, and every fault that repeats its words.
fn shown(read: Certificate) -> TlsReport {
    let faults = vec![
        Fault::Expired { at: read.not_after },
        Fault::NotYetValid { from: read.not_before },
        Fault::WrongName { wanted: "mx.contoso.test".to_owned(), names: read.names.clone(), common_name_matches: false },
        Fault::UnknownIssuer { issuer: read.issuer_name.clone(), roots: 1 },
        Fault::WeakSignature(read.signature.clone()),
        Fault::OldVersion(read.version),
    ];
    TlsReport {
        version: "TLS 1.3".to_owned(),
        suite: String::new(),
        group: String::new(),
        alpn: None,
        kind: "full",
        ocsp: 0,
        sni: None,
        chain: vec![read],
        trust: Trust::refused(faults),
        doubt: None,
        client_certificate_asked: None,
        client_certificate_given: false,
        exporter: None,
        server_end_point: None,
        through_openssl: false,
        took: std::time::Duration::ZERO,
    }
}
