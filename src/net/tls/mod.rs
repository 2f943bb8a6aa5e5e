//! TLS: the handshake, what was negotiated, and a verdict on the certificate that names every fault.
//!
//! The verifier records and goes on: looking at broken servers is what the tool is for. Who may go on
//! after a fault is decided above (P20).

pub mod certificate;
pub mod channel;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod forgery;
#[cfg(feature = "legacy-tls")]
mod legacy;
mod peek;
pub mod probe;
pub mod verdict;
mod verifier;

use crate::host::without_zone;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;

use super::connection::Stream;
use certificate::Certificate;
use peek::Peek;
use verdict::{Evidence, Proof, Trust};
use verifier::{ClientCertificate, Recorder, Seen};

/// A TLS version that can be wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.0 (RFC 2246), in builds with the feature `legacy-tls`.
    Tls10,
    /// TLS 1.1 (RFC 4346), in builds with the feature `legacy-tls`.
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Version {
    /// `1.2`
    const fn number(self) -> &'static str {
        match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// How TLS is to be spoken.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Roots to trust in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Further roots to trust, besides.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// The name to ask for and to check, in the place of the host's.
    pub server_name: Option<String>,
    /// Do not send the name (SNI).
    pub no_sni: bool,
    /// The lowest version.
    pub min: Option<Version>,
    /// The highest version.
    pub max: Option<Version>,
    /// Key exchange groups, in the order of preference; all when empty.
    pub groups: Vec<String>,
    /// Our certificate and its key, read from files.
    pub identity: Option<files::Identity>,
}

impl TlsOptions {
    /// Whether the wishes go together, before anything is connected.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        if let Some(path) = &self.ca_file {
            files::certificates(path)?;
        }
        if let Some(name) = &self.server_name
            && let Err(words) = server_name(name)
        {
            return Err(format!("--servername: {words}"));
        }
        if self.wants_legacy() {
            if cfg!(feature = "legacy-tls") {
                return Ok(());
            }
            return Err("this build speaks TLS 1.2 and 1.3; one with older versions: cargo install --features legacy-tls".to_owned());
        }
        versions(self)?;
        if self.groups.is_empty() {
            return Ok(());
        }
        provider(self).map(|_| ())
    }
}

impl TlsOptions {
    /// Whether our wishes leave out some of what this program can.
    pub fn is_narrowed(&self) -> bool {
        !self.narrowed_by().is_empty()
    }

    /// The wishes that leave out some of what this program can, as flags: `--tls-min 1.3`.
    pub fn narrowed_by(&self) -> Vec<String> {
        let min = self.min.filter(|min| *min > Version::Tls12).map(|min| format!("--tls-min {}", min.number()));
        let max = self.max.filter(|max| *max < Version::Tls13).map(|max| format!("--tls-max {}", max.number()));
        let groups = (!self.groups.is_empty()).then(|| format!("--tls-groups {}", self.groups.join(",")));
        [min, max, groups].into_iter().flatten().collect()
    }

    /// Whether the first message is longer than a segment, because it carries a key of X25519MLKEM768: some
    /// devices on the way do not like that.
    pub fn has_long_hello(&self) -> bool {
        self.groups.is_empty() && !self.wants_legacy()
    }

    /// Whether a version is wished for that rustls does not have.
    fn wants_legacy(&self) -> bool {
        let old = |version: Option<Version>| version.is_some_and(|version| version < Version::Tls12);
        old(self.min) || old(self.max)
    }
}

/// Roots, loaded once and only when TLS is used.
#[derive(Debug, Clone)]
pub struct Roots {
    store: Arc<RootCertStore>,
    /// The certificates that the operator gave, and the further ones: a server that shows one of them needs nobody
    /// else who vouches for it. The system's are not among them.
    given: Arc<[CertificateDer<'static>]>,
    /// How many there are.
    pub count: usize,
    /// What could not be read, where that matters: nothing was found, or the operator's own wish failed.
    pub trouble: Option<String>,
}

/// Loads the roots: the file, or the system's store (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
///
/// # Errors
/// The file cannot be read or holds no certificate. A system without roots is no error: everything is
/// then from an unknown issuer, and the count says why.
pub fn load_roots(ca_file: Option<&std::path::Path>, extra: Vec<CertificateDer<'static>>) -> Result<Roots, String> {
    let mut store = RootCertStore::empty();
    let mut given = extra;
    store.add_parsable_certificates(given.iter().cloned());
    let mut trouble = None;
    if let Some(path) = ca_file {
        for certificate in files::certificates(path)? {
            store.add(certificate.clone()).map_err(|error| format!("{}: {error}", path.display()))?;
            given.push(certificate);
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        let wished = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
        if wished || store.is_empty() {
            trouble = found.errors.first().map(ToString::to_string);
        }
    }
    let count = store.len();
    Ok(Roots { store: Arc::new(store), given: given.into(), count, trouble })
}

/// Where the keys of TLS sessions are written (`SSLKEYLOGFILE`), if that is wished; made for its owner alone
/// when it is not there, since whoever has the keys can read the session.
///
/// # Errors
/// The file cannot be written: then no keys are.
pub fn key_log() -> Option<(PathBuf, io::Result<()>)> {
    let path = PathBuf::from(std::env::var_os("SSLKEYLOGFILE")?);
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let result = options.open(&path).map(|_| ());
    Some((path, result))
}

/// The name that a server has to prove, and who gave it (RFC 9525 §1.4: the reference identifier).
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// A host's name or address.
    pub host: &'a str,
    /// The mail domain whose MX record named the host; `None` where the operator named it.
    pub mail_domain: Option<&'a str>,
}

impl<'a> From<&'a str> for Reference<'a> {
    fn from(host: &'a str) -> Self {
        Self { host, mail_domain: None }
    }
}

impl Reference<'_> {
    /// Whether the operator's own words lead to the name: a host below the mail domain belongs to it.
    fn is_given(&self) -> bool {
        let Some(domain) = self.mail_domain else { return true };
        let (host, domain) = (self.host.trim_end_matches('.'), domain.trim_end_matches('.'));
        let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
        host.strip_suffix(&domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

/// Why a password is not safe although the certificate is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The version is before TLS 1.2 (RFC 8996).
    OldVersion,
    /// The name was verified, and comes from an MX record that nobody vouches for: whoever forges the record names a
    /// server of his own.
    NameFromDns {
        /// The name.
        name: String,
        /// The mail domain.
        domain: String,
    },
}

impl Doubt {
    /// What there is to doubt of the name. One of the operator's own (`--servername`) does not come from DNS.
    fn of_name(reference: Reference<'_>, options: &TlsOptions) -> Option<Self> {
        let domain = reference.mail_domain.filter(|_| options.server_name.is_none() && !reference.is_given())?;
        Some(Self::NameFromDns { name: reference.host.to_owned(), domain: domain.to_owned() })
    }
}

/// What a handshake brought.
#[derive(Debug, Clone)]
pub struct TlsReport {
    /// `TLS 1.3`.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub suite: String,
    /// `X25519MLKEM768`; empty when it is not known.
    pub group: String,
    /// The protocol chosen by ALPN.
    pub alpn: Option<Vec<u8>>,
    /// In how many turns: a session is never resumed.
    pub kind: &'static str,
    /// A stapled OCSP response came, of this many bytes.
    pub ocsp: usize,
    /// The name that was sent, if any.
    pub sni: Option<String>,
    /// The chain as sent, the server's own certificate first.
    pub chain: Vec<Certificate>,
    /// Whether it proves that the server is the one that was meant.
    pub trust: Trust,
    /// Why a password is not safe even where it is verified.
    pub doubt: Option<Doubt>,
    /// The server asked for our certificate, naming this many issuers.
    pub client_certificate_asked: Option<usize>,
    /// One was given.
    pub client_certificate_given: bool,
    /// Channel binding `tls-exporter`, where the version has it.
    pub exporter: Option<Vec<u8>>,
    /// Channel binding `tls-server-end-point`.
    pub server_end_point: Option<Vec<u8>>,
    /// Made by OpenSSL for an old server (feature `legacy-tls`), which tells less: not what was asked of us.
    pub through_openssl: bool,
    /// How long the handshake took.
    pub took: Duration,
}

impl TlsReport {
    /// Version, suite and group in one line.
    pub fn session(&self) -> String {
        let parts = [&self.version, &self.suite, &self.group];
        parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The server asked for our certificate and got none.
    pub fn lacks_client_certificate(&self) -> bool {
        self.client_certificate_asked.is_some() && !self.client_certificate_given
    }

    /// Whether the TLS library accepted chain, dates, name and the signature of the handshake.
    pub fn is_verified(&self) -> bool {
        self.trust.is_verified()
    }

    /// Whether a password is safe: verified, and nothing speaks against it.
    pub fn is_trusted(&self) -> bool {
        self.is_verified() && self.doubt.is_none()
    }
}

/// Why no TLS came of it.
#[derive(Debug)]
pub struct TlsFailure {
    /// What went wrong.
    pub cause: TlsCause,
    /// The server asked for our certificate before it failed.
    pub client_certificate_asked: bool,
}

/// What went wrong with a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsCause {
    /// The server answered with an alert, by its name in RFC 8446 §6.
    Alert(String),
    /// The server closed the connection.
    Closed,
    /// The connection was reset.
    Reset,
    /// What came is not TLS; its beginning.
    NotTls(Vec<u8>),
    /// Nothing in common, seen from our side.
    Incompatible(String),
    /// Nothing came within the limit.
    TimedOut(Duration),
    /// The options do not go together or the name cannot be used.
    Options(String),
    /// Anything else.
    Other(String),
}

/// Does the handshake as a client.
///
/// # Errors
/// [`TlsFailure`] says which side ended it and how.
pub async fn connect(
    stream: Box<dyn Stream>,
    reference: impl Into<Reference<'_>>,
    options: &TlsOptions,
    roots: &Roots,
) -> Result<(Box<dyn Stream>, TlsReport), TlsFailure> {
    let reference = reference.into();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let wrong = |words: String| TlsFailure { cause: TlsCause::Options(words), client_certificate_asked: false };
    let name = options.server_name.as_deref().unwrap_or_else(|| without_zone(reference.host));
    let server_name = server_name(name).map_err(wrong)?;
    #[cfg(feature = "legacy-tls")]
    if options.wants_legacy() {
        let (stream, report) = legacy::connect(stream, name, &server_name, options, roots).await?;
        let doubt = report.doubt.clone().or_else(|| Doubt::of_name(reference, options));
        return Ok((stream, TlsReport { doubt, ..report }));
    }
    let config = config(options, &seen).map_err(wrong)?;
    let sends_name = !options.no_sni && matches!(server_name, ServerName::DnsName(_));
    let started = tokio::time::Instant::now();
    let (stream, head) = Peek::new(stream);
    let result = TlsConnector::from(Arc::new(config)).connect(server_name.clone(), stream).await;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match result {
        Err(error) => Err(TlsFailure { cause: cause(&error, &head.bytes()), client_certificate_asked: seen.asked.is_some() }),
        Ok(mut stream) => {
            let took = started.elapsed();
            stream.get_mut().0.shaken_hands();
            let report = report(stream.get_ref().1, &seen, options, sends_name.then(|| name.to_owned()), took, &server_name, roots);
            Ok((Box::new(stream), TlsReport { doubt: Doubt::of_name(reference, options), ..report }))
        }
    }
}

/// A name or an address, as it is sent and checked.
fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    let wrong = |_| format!("'{}' cannot be used as a name in TLS", crate::text::printable_str(name));
    ServerName::try_from(name.to_owned()).map_err(wrong)
}

/// The key exchange groups that can be wished for.
pub fn groups() -> Vec<String> {
    aws_lc_rs::ALL_KX_GROUPS.iter().map(|group| group_name(*group)).collect()
}

fn group_name(group: &dyn SupportedKxGroup) -> String {
    format!("{:?}", group.name())
}

fn config(options: &TlsOptions, seen: &Arc<Mutex<Seen>>) -> Result<ClientConfig, String> {
    let provider = provider(options)?;
    let algorithms = provider.signature_verification_algorithms;
    let recorder = Recorder { algorithms, seen: Arc::clone(seen) };
    let identity = ClientCertificate { key: options.identity.as_ref().map(|identity| Arc::clone(&identity.key)), seen: Arc::clone(seen) };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions(options)?)
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(recorder))
        .with_client_cert_resolver(Arc::new(identity));
    config.enable_sni = !options.no_sni;
    // A session that is resumed shows no certificate and proves no key.
    config.resumption = Resumption::disabled();
    if matches!(key_log(), Some((_, Ok(())))) {
        config.key_log = Arc::new(rustls::KeyLogFile::new());
    }
    Ok(config)
}

fn provider(options: &TlsOptions) -> Result<CryptoProvider, String> {
    let mut provider = aws_lc_rs::default_provider();
    if !options.groups.is_empty() {
        let find = |wished: &String| {
            let known = aws_lc_rs::ALL_KX_GROUPS.iter().find(|group| group_name(**group).eq_ignore_ascii_case(wished));
            known.copied().ok_or_else(|| {
                format!("'{}' is not a key exchange group; there are {}", crate::text::printable_str(wished), groups().join(", "))
            })
        };
        provider.kx_groups = options.groups.iter().map(find).collect::<Result<_, _>>()?;
    }
    Ok(provider)
}

fn versions(options: &TlsOptions) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let all = [(Version::Tls12, &rustls::version::TLS12), (Version::Tls13, &rustls::version::TLS13)];
    let fits = |version: Version| options.min.is_none_or(|min| version >= min) && options.max.is_none_or(|max| version <= max);
    let chosen: Vec<_> = all.into_iter().filter(|(version, _)| fits(*version)).map(|(_, version)| version).collect();
    if chosen.is_empty() { Err("--tls-min is higher than --tls-max".to_owned()) } else { Ok(chosen) }
}

fn report(
    session: &ClientConnection,
    seen: &Seen,
    options: &TlsOptions,
    sni: Option<String>,
    took: Duration,
    name: &ServerName<'static>,
    roots: &Roots,
) -> TlsReport {
    let chain: Vec<Certificate> = seen.chain.iter().map(Certificate::read).collect();
    let trust = judge_chain(&chain, name, roots, seen.proof);
    TlsReport {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
            other => format!("{other:?}"),
        },
        suite: session.negotiated_cipher_suite().map(|suite| suite_name(&format!("{:?}", suite.suite()))).unwrap_or_default(),
        group: session.negotiated_key_exchange_group().map(group_name).unwrap_or_default(),
        alpn: session.alpn_protocol().map(<[u8]>::to_vec),
        kind: match session.handshake_kind() {
            Some(HandshakeKind::FullWithHelloRetryRequest) => "full, with a retry",
            _ => "full",
        },
        ocsp: seen.ocsp,
        sni,
        chain,
        trust,
        // rustls has no version before TLS 1.2.
        doubt: None,
        client_certificate_asked: seen.asked,
        client_certificate_given: seen.asked.is_some() && options.identity.is_some(),
        exporter: channel::exporter(session),
        server_end_point: seen.chain.first().and_then(|leaf| channel::server_end_point(leaf)),
        through_openssl: false,
        took,
    }
}

/// Judges a chain, today.
fn judge_chain(chain: &[Certificate], name: &ServerName<'static>, roots: &Roots, proof: Proof) -> Trust {
    Trust::reach(&Evidence {
        chain,
        name,
        roots: &roots.store,
        given: &roots.given,
        algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        now: rustls::pki_types::UnixTime::now().as_secs().cast_signed(),
        proof,
    })
}

/// rustls writes `TLS13_…` where IANA registered `TLS_…`.
fn suite_name(debug: &str) -> String {
    debug.replacen("TLS13_", "TLS_", 1)
}

fn cause(error: &io::Error, head: &[u8]) -> TlsCause {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(rustls::Error::AlertReceived(alert)), _) => TlsCause::Alert(alert_name(&format!("{alert:?}"))),
        (Some(rustls::Error::InvalidMessage(_)), _) if !begins_record(head) => TlsCause::NotTls(head.to_vec()),
        (Some(rustls::Error::PeerIncompatible(what)), _) => TlsCause::Incompatible(format!("{what:?}")),
        (Some(other), _) => TlsCause::Other(other.to_string()),
        (None, io::ErrorKind::UnexpectedEof) => TlsCause::Closed,
        (None, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => TlsCause::Reset,
        (None, _) => TlsCause::Other(super::dial::system_words(error)),
    }
}

/// Whether the bytes begin with a record of TLS: its type, its major version (RFC 8446 §5.1).
fn begins_record(head: &[u8]) -> bool {
    matches!(head, [20..=24, 3, ..])
}

/// Whether the other side ended TLS with an alert, such as for want of our certificate (TLS 1.3 tells it
/// after the handshake).
pub fn is_alert(error: &io::Error) -> bool {
    matches!(error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()), Some(rustls::Error::AlertReceived(_)))
}

/// A failure on an encrypted connection in words: an alert by its name, else the system's words.
pub fn words(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => format!("the server ended TLS with the alert {}", alert_name(&format!("{alert:?}"))),
        Some(other) => other.to_string(),
        None => super::dial::system_words(error),
    }
}

/// `HandshakeFailure` → `handshake_failure`, as RFC 8446 §6 writes it.
fn alert_name(camel: &str) -> String {
    // Where rustls spells otherwise.
    match camel {
        "UnknownCA" => return "unknown_ca".to_owned(),
        "UnrecognisedName" => return "unrecognized_name".to_owned(),
        "UnknownPSKIdentity" => return "unknown_psk_identity".to_owned(),
        "EncryptedClientHelloRequired" => return "ech_required".to_owned(),
        _ => {}
    }
    let mut out = String::new();
    for (at, c) in camel.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests;
