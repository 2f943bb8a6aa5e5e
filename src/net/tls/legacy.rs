//! Sessions with servers of before TLS 1.2, through the system's OpenSSL: only in builds with the
//! feature `legacy-tls`, and only when the operator asks for such a version.

use std::pin::Pin;
use std::time::Instant;

use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode, SslVersion};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_openssl::SslStream;

use super::certificate::Certificate;
use super::{Roots, Stream, TlsCause, TlsFailure, TlsOptions, TlsReport, Version, judge_chain};

/// Does the handshake as a client, with whatever version and cipher OpenSSL still has.
///
/// # Errors
/// [`TlsFailure`], in OpenSSL's words.
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
    let mut stream = SslStream::new(ssl, stream).map_err(|error| failed(error.to_string()))?;
    Pin::new(&mut stream).connect().await.map_err(|error| failed(error.to_string()))?;
    let session = stream.ssl();
    let sent =
        session.peer_cert_chain().map(|chain| chain.iter().filter_map(|one| one.to_der().ok()).collect::<Vec<_>>()).unwrap_or_default();
    let chain: Vec<Certificate> = sent.into_iter().map(|der| Certificate::read(&CertificateDer::from(der))).collect();
    let report = TlsReport {
        version: version_name(session.version_str()),
        suite: session.current_cipher().and_then(|cipher| cipher.standard_name()).unwrap_or("unknown").to_owned(),
        group: String::new(),
        alpn: None,
        kind: "full",
        ocsp: 0,
        sni,
        faults: judge_chain(&chain, server_name, roots, true),
        chain,
        client_certificate_asked: None,
        client_certificate_given: false,
        took: started.elapsed(),
    };
    Ok((Box::new(stream), report))
}

fn prepare(options: &TlsOptions, sni: Option<&str>) -> Result<Ssl, openssl::error::ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    // Level 0 allows what was broken long ago: to look at a broken server is the purpose.
    builder.set_security_level(0);
    builder.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0")?;
    builder.set_min_proto_version(options.min.map(openssl_version))?;
    builder.set_max_proto_version(options.max.map(openssl_version))?;
    // The chain is judged by the same code as everywhere, after the handshake.
    builder.set_verify(SslVerifyMode::NONE);
    let mut ssl = Ssl::new(builder.build().context())?;
    if let Some(name) = sni {
        ssl.set_hostname(name)?;
    }
    Ok(ssl)
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
