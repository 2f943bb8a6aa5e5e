//! Sessions with servers of before TLS 1.2, through the system's OpenSSL: only in builds with the
//! feature `legacy-tls`, and only when the operator asks for such a version.

use std::pin::Pin;
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{ErrorCode, Ssl, SslCipherRef, SslConnector, SslConnectorBuilder, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio_openssl::SslStream;

use super::certificate::Certificate;
use super::files::Identity;
use super::peek::Peek;
use super::verdict::Proof;
use super::{Doubt, Roots, Stream, TlsCause, TlsFailure, TlsOptions, TlsReport, Version, judge_chain};

/// Whatever OpenSSL still has, but for suites in which nobody proves who he is (aNULL; PSK and SRP without a
/// certificate) or nothing is encrypted (eNULL).
const CIPHERS: &str = "ALL:COMPLEMENTOFALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0";

/// Does the handshake as a client, with whatever version and cipher OpenSSL still has.
///
/// # Errors
/// [`TlsFailure`], where it is no alert or end in OpenSSL's words.
pub(super) async fn connect(
    stream: Box<dyn Stream>,
    name: &str,
    server_name: &ServerName<'static>,
    options: &TlsOptions,
    roots: &Roots,
) -> Result<(Box<dyn Stream>, TlsReport), TlsFailure> {
    let failed = |words: String| TlsFailure { cause: TlsCause::Other(words), client_certificate_asked: false };
    let sni = (!options.no_sni && matches!(server_name, ServerName::DnsName(_))).then(|| name.to_owned());
    let ssl = prepare(options, sni.as_deref()).map_err(|error| failed(error.to_string()))?;
    let started = Instant::now();
    let (stream, head) = Peek::new(stream);
    let mut stream = SslStream::new(ssl, stream).map_err(|error| failed(error.to_string()))?;
    if let Err(error) = Pin::new(&mut stream).connect().await {
        if !super::begins_record(&head.bytes()) {
            // OpenSSL reads five bytes; what else has come tells who speaks there.
            let _ = tokio::time::timeout(Duration::from_millis(100), stream.get_mut().read(&mut [0; 128])).await;
        }
        return Err(TlsFailure { cause: cause(&error, &head.bytes()), client_certificate_asked: false });
    }
    let session = stream.ssl();
    // OpenSSL ends a handshake in which the key of the certificate is not proved, whether it verifies the chain or not.
    let proof = if is_authenticated(session) { Proof::Verified } else { Proof::Unchecked };
    let sent =
        session.peer_cert_chain().map(|chain| chain.iter().filter_map(|one| one.to_der().ok()).collect::<Vec<_>>()).unwrap_or_default();
    let chain: Vec<Certificate> = sent.into_iter().map(|der| Certificate::read(&CertificateDer::from(der))).collect();
    let report = TlsReport {
        version: version_name(session.version_str()),
        suite: session.current_cipher().and_then(SslCipherRef::standard_name).unwrap_or("unknown").to_owned(),
        group: String::new(),
        alpn: None,
        kind: "full",
        ocsp: 0,
        sni,
        trust: judge_chain(&chain, server_name, roots, proof),
        doubt: matches!(session.version2(), Some(SslVersion::SSL3 | SslVersion::TLS1 | SslVersion::TLS1_1)).then_some(Doubt::OldVersion),
        server_end_point: chain.first().and_then(|leaf| super::channel::server_end_point(&leaf.der)),
        chain,
        client_certificate_asked: None,
        client_certificate_given: false,
        exporter: None,
        through_openssl: true,
        took: started.elapsed(),
    };
    Ok((Box::new(stream), report))
}

/// Whether the suite makes the server prove that it holds the key of a certificate, and it showed one.
fn is_authenticated(session: &SslRef) -> bool {
    let by_certificate = |cipher: &SslCipherRef| {
        let description = cipher.description();
        // `any` are the suites of TLS 1.3, which leave it to the certificate.
        ["Au=RSA", "Au=ECDSA", "Au=DSS", "Au=any"].iter().any(|kind| description.split_ascii_whitespace().any(|word| word == *kind))
    };
    session.current_cipher().is_some_and(by_certificate) && session.peer_certificate().is_some()
}

fn prepare(options: &TlsOptions, sni: Option<&str>) -> Result<Ssl, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    // Level 0 allows what was broken long ago: to look at a broken server is the purpose.
    builder.set_security_level(0);
    builder.set_cipher_list(CIPHERS)?;
    builder.set_min_proto_version(options.min.map(openssl_version))?;
    builder.set_max_proto_version(options.max.map(openssl_version))?;
    // The chain is judged by the same code as everywhere, after the handshake.
    builder.set_verify(SslVerifyMode::NONE);
    if let Some(identity) = &options.identity {
        give(&mut builder, identity)?;
    }
    if let Some((path, Ok(()))) = super::key_log() {
        builder.set_keylog_callback(move |_, line| {
            use std::io::Write as _;
            // Whether the file can be written was looked at before; the handshake does not wait for it.
            let _ = std::fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| writeln!(file, "{line}"));
        });
    }
    let mut ssl = Ssl::new(builder.build().context())?;
    if let Some(name) = sni {
        ssl.set_hostname(name)?;
    }
    Ok(ssl)
}

/// Our certificate, with what was given beside it.
fn give(builder: &mut SslConnectorBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    for (at, der) in identity.key.cert.iter().enumerate() {
        let certificate = X509::from_der(der)?;
        if at == 0 {
            builder.set_certificate(&certificate)?;
        } else {
            builder.add_extra_chain_cert(certificate)?;
        }
    }
    let key = PKey::private_key_from_der(identity.key_der.secret_der())?;
    builder.set_private_key(&key)
}

fn cause(error: &openssl::ssl::Error, head: &[u8]) -> TlsCause {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    if !head.is_empty() && !super::begins_record(head) {
        return TlsCause::NotTls(head.to_vec());
    }
    let reason = error.ssl_error().and_then(|stack| stack.errors().first()?.reason()).unwrap_or_default();
    // `sslv3 alert handshake failure`, `tlsv1 alert protocol version`.
    if let Some((_, alert)) = reason.split_once(" alert ") {
        return TlsCause::Alert(alert.replace(' ', "_"));
    }
    match error.io_error().map(std::io::Error::kind) {
        Some(ConnectionReset | BrokenPipe) => TlsCause::Reset,
        Some(UnexpectedEof) => TlsCause::Closed,
        None if error.code() == ErrorCode::SYSCALL || reason == "unexpected eof while reading" => TlsCause::Closed,
        _ if reason.is_empty() => TlsCause::Other(error.to_string()),
        _ => TlsCause::Other(reason.to_owned()),
    }
}

/// OpenSSL writes `TLSv1` and `TLSv1.1`.
fn version_name(openssl: &str) -> String {
    let number = openssl.trim_start_matches("TLSv");
    format!("TLS {number}{}", if number.contains('.') { "" } else { ".0" })
}

fn openssl_version(version: Version) -> SslVersion {
    match version {
        Version::Tls10 => SslVersion::TLS1,
        Version::Tls11 => SslVersion::TLS1_1,
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use openssl::ssl::{SslAcceptor, SslOptions};
    use tokio::io::AsyncWriteExt as _;

    use super::super::load_roots;
    use super::*;

    /// A server with one old version only.
    fn acceptor(version: SslVersion) -> SslAcceptor {
        acceptor_with(version, "ALL")
    }

    fn acceptor_with(version: SslVersion, ciphers: &str) -> SslAcceptor {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut builder = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
        builder.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
        builder.set_security_level(0);
        builder.set_cipher_list(&format!("{ciphers}:@SECLEVEL=0")).unwrap();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        builder.set_certificate(&X509::from_pem(made.cert.pem().as_bytes()).unwrap()).unwrap();
        builder.set_private_key(&PKey::private_key_from_pem(made.signing_key.serialize_pem().as_bytes()).unwrap()).unwrap();
        builder.build()
    }

    #[tokio::test]
    async fn old_versions_are_spoken_when_they_are_asked_for() {
        for (version, name) in [(SslVersion::TLS1, "TLS 1.0"), (SslVersion::TLS1_1, "TLS 1.1")] {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let ssl = Ssl::new(acceptor(version).context()).unwrap();
            let server = async move { Pin::new(&mut SslStream::new(ssl, theirs).unwrap()).accept().await };
            let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
            let roots = load_roots(None, Vec::new()).unwrap();
            let (accepted, connected) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
            accepted.unwrap();
            let (_, report) = connected.unwrap();
            assert_eq!(report.version, name);
            assert!(!report.suite.is_empty() && !report.is_verified());
        }
    }

    #[tokio::test]
    async fn an_old_version_is_not_trusted_whatever_the_certificate_says() {
        // P45 RFC 8996
        for (version, trusted) in [(SslVersion::TLS1, false), (SslVersion::TLS1_1, false), (SslVersion::TLS1_2, true)] {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let acceptor = acceptor(version);
            let certificate = CertificateDer::from(acceptor.context().certificate().unwrap().to_der().unwrap());
            let ssl = Ssl::new(acceptor.context()).unwrap();
            let server = async move { Pin::new(&mut SslStream::new(ssl, theirs).unwrap()).accept().await };
            let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
            let roots = load_roots(None, vec![certificate]).unwrap();
            let (accepted, connected) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
            accepted.unwrap();
            let report = connected.unwrap().1;
            assert!(report.is_verified(), "{:?}", report.trust);
            assert_eq!((report.is_trusted(), report.doubt == Some(Doubt::OldVersion)), (trusted, !trusted), "{}", report.version);
        }
    }

    /// The numbers of the suites in a `ClientHello` (RFC 5246 §7.4.1.2).
    fn offered(record: &[u8]) -> Vec<u16> {
        // Record, handshake, version, random bytes.
        let session = 5 + 4 + 2 + 32;
        let suites = &record[session + 1 + usize::from(record[session])..];
        let length = usize::from(u16::from_be_bytes([suites[0], suites[1]]));
        suites[2..2 + length].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[tokio::test]
    async fn suites_without_encryption_or_certificate_are_not_offered() {
        // P45: the numbers of the IANA registry.
        let anonymous =
            [0x17..=0x1b, 0x34..=0x34, 0x3a..=0x3a, 0x46..=0x46, 0x6c..=0x6d, 0x89..=0x89, 0x9b..=0x9b, 0xa6..=0xa7, 0xbf..=0xbf];
        let anonymous = anonymous.into_iter().chain([0xc5..=0xc5, 0xc015..=0xc019]);
        let null = [0x01..=0x02, 0x2c..=0x2e, 0x3b..=0x3b, 0xb0..=0xb1, 0xb4..=0xb5, 0xb8..=0xb9, 0xc001..=0xc001, 0xc006..=0xc006];
        let null = null.into_iter().chain([0xc00b..=0xc00b, 0xc010..=0xc010, 0xc039..=0xc03b]);
        let shared_secret = [0x8a..=0x95, 0xa8..=0xaf, 0xb2..=0xb3, 0xb6..=0xb7, 0xc01a..=0xc022, 0xc033..=0xc038, 0xccab..=0xccae];
        let never: Vec<std::ops::RangeInclusive<u16>> = anonymous.chain(null).chain(shared_secret).collect();
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let server = async move {
            let mut hello = vec![0; 4096];
            let length = theirs.read(&mut hello).await.unwrap();
            offered(&hello[..length])
        };
        let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
        let roots = load_roots(None, Vec::new()).unwrap();
        let (suites, _) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
        assert!(suites.contains(&0x002f) && suites.len() > 20, "{suites:04x?}");
        let found: Vec<_> = suites.into_iter().filter(|suite| never.iter().any(|range| range.contains(suite))).collect();
        assert!(found.is_empty(), "{found:04x?}");
    }

    #[tokio::test]
    async fn tls_12_with_old_suites_is_spoken_too() {
        for (suite, name) in [
            ("ECDHE-ECDSA-AES256-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
            ("ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
        ] {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let ssl = Ssl::new(acceptor_with(SslVersion::TLS1_2, suite).context()).unwrap();
            let server = async move { Pin::new(&mut SslStream::new(ssl, theirs).unwrap()).accept().await };
            let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
            let roots = load_roots(None, Vec::new()).unwrap();
            let (accepted, connected) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
            accepted.unwrap();
            let report = connected.unwrap().1;
            assert_eq!((report.version.as_str(), report.suite.as_str()), ("TLS 1.2", name));
        }
    }

    #[tokio::test]
    async fn an_anonymous_server_is_not_talked_to() {
        // P45
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut builder = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
        builder.set_security_level(0);
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        builder.set_cipher_list("aNULL:eNULL:@SECLEVEL=0").unwrap();
        let ssl = Ssl::new(builder.build().context()).unwrap();
        let server = async move { Pin::new(&mut SslStream::new(ssl, theirs).unwrap()).accept().await };
        let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
        let roots = load_roots(None, Vec::new()).unwrap();
        let (accepted, connected) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
        assert!(accepted.is_err() && connected.is_err());
    }

    #[tokio::test]
    async fn our_certificate_is_given_to_old_servers_too() {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut ssl = Ssl::new(acceptor(SslVersion::TLS1).context()).unwrap();
        ssl.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
        let server = async move {
            let mut stream = SslStream::new(ssl, theirs).unwrap();
            Pin::new(&mut stream).accept().await.unwrap();
            stream.ssl().peer_certificate().is_some()
        };
        let made = rcgen::generate_simple_self_signed(vec!["client.alt.test".to_owned()]).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all((made.cert.pem() + &made.signing_key.serialize_pem()).as_bytes()).unwrap();
        let identity = Some(Identity::read(file.path(), None).unwrap());
        let options = TlsOptions { min: Some(Version::Tls10), identity, ..TlsOptions::default() };
        let roots = load_roots(None, Vec::new()).unwrap();
        let (given, connected) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
        assert!(given && connected.is_ok());
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let cases: [(&[u8], TlsCause); 4] = [
            (b"500 what", TlsCause::NotTls(b"500 what".to_vec())),
            (&[21, 3, 1, 0, 2, 2, 40], TlsCause::Alert("handshake_failure".to_owned())),
            (&[21, 3, 1, 0, 2, 2, 70], TlsCause::Alert("protocol_version".to_owned())),
            (b"", TlsCause::Closed),
        ];
        for (bytes, want) in cases {
            let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
            let server = async move {
                assert!(theirs.read(&mut [0; 4096]).await.unwrap() > 0);
                theirs.write_all(bytes).await.unwrap();
            };
            let options = TlsOptions { min: Some(Version::Tls10), ..TlsOptions::default() };
            let roots = load_roots(None, Vec::new()).unwrap();
            let ((), failed) = tokio::join!(server, super::super::connect(Box::new(ours), "localhost", &options, &roots));
            assert_eq!(failed.err().map(|failure| failure.cause), Some(want));
        }
    }
}
