//! The certificates of the practice server: an authority that lives as long as the program, one that
//! issues in its name, and the server's own certificate, right or wrong as the scenario wants it.

use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName as Subject, ServerConfig, SignatureScheme};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;

use crate::session::server::NAME;
use crate::session::server::scenario::{Scenario, TlsQuirk};

/// The names of the right certificate.
const NAMES: &[&str] = &[NAME, "localhost", "127.0.0.1", "::1"];
/// The names of a certificate for somebody else.
const OTHER_NAMES: &[&str] = &["www.contoso.test", "contoso.test"];
/// How long ago the expired certificate ended; the hour keeps the number of whole days steady.
const EXPIRED: Duration = Duration::hours(12 * 24 + 1);
/// How long any other is valid.
const LIFE: Duration = Duration::hours(90 * 24 + 1);

/// An authority made for one run of the program.
pub struct Authority {
    root: CertificateDer<'static>,
    root_pem: String,
    issuing: CertifiedIssuer<'static, KeyPair>,
}

/// What the server does about TLS.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// What answers the client's first message in the place of a handshake.
    pub(super) instead: Option<Instead>,
}

/// No handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    /// A fatal alert.
    Alert(u8),
    /// Nothing.
    Silence,
}

impl Authority {
    /// Makes a root, `Practice Root CA`, and with it an issuer, `Practice Issuing CA 1`.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> anyhow::Result<Self> {
        Self::make().context("the certificates of the practice server cannot be made")
    }

    fn make() -> Result<Self, rcgen::Error> {
        let root = CertifiedIssuer::self_signed(authority("Practice Root CA"), KeyPair::generate()?)?;
        let issuing = CertifiedIssuer::signed_by(authority("Practice Issuing CA 1"), KeyPair::generate()?, &root)?;
        Ok(Self { root: root.der().clone(), root_pem: root.pem(), issuing })
    }

    /// The root, for those who are to trust the server.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The root as files hold it.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// TLS with the scenario's faults.
    ///
    /// # Errors
    /// No key can be made.
    pub fn tls(&self, scenario: Option<&'static Scenario>) -> anyhow::Result<Tls> {
        let quirks: Vec<TlsQuirk> = scenario.map(|scenario| scenario.tls().collect()).unwrap_or_default();
        let (chain, key) = self.chain(&quirks).context("the certificate of the practice server cannot be made")?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let versions = if quirks.contains(&TlsQuirk::Only12) { &[&rustls::version::TLS12][..] } else { rustls::ALL_VERSIONS };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let builder = if quirks.contains(&TlsQuirk::ClientCertificate) {
            builder.with_client_cert_verifier(Arc::new(AnyClient { algorithms }))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key)?));
        let instead = quirks.iter().find_map(|quirk| match quirk {
            TlsQuirk::Alert(description) => Some(Instead::Alert(*description)),
            TlsQuirk::Silence => Some(Instead::Silence),
            _ => None,
        });
        Ok(Tls { acceptor, instead })
    }

    /// The server's certificate with all that is sent besides, and its key.
    fn chain(&self, quirks: &[TlsQuirk]) -> Result<(Vec<CertificateDer<'static>>, KeyPair), rcgen::Error> {
        let key = KeyPair::generate()?;
        let names = if quirks.contains(&TlsQuirk::WrongName) { OTHER_NAMES } else { NAMES };
        let mut server = server(names)?;
        if quirks.contains(&TlsQuirk::Expired) {
            server.not_after = OffsetDateTime::now_utc() - EXPIRED;
            server.not_before = server.not_after - Duration::days(365);
        }
        if quirks.contains(&TlsQuirk::SelfSigned) {
            return Ok((vec![server.self_signed(&key)?.der().clone()], key));
        }
        let mut chain = vec![server.signed_by(&key, &self.issuing)?.der().clone()];
        if !quirks.contains(&TlsQuirk::NoIntermediate) {
            chain.push(self.issuing.der().clone());
        }
        Ok((chain, key))
    }
}

/// An authority, older than any certificate that it issues.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(5 * 365);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(5 * 365);
    params
}

fn server(names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name = common_name(names.first().copied().unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + LIFE;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Wants a certificate of the client and takes any, as servers do that know their clients by the
/// fingerprint: whoever practises has none from a particular authority.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::certificate::Certificate;
    use crate::session::server::scenario::{SCENARIOS, lookup};

    fn chain(scenario: &str) -> Vec<Certificate> {
        let authority = Authority::new().unwrap();
        let quirks: Vec<_> = lookup(scenario).iter().flat_map(|scenario| scenario.tls()).collect();
        authority.chain(&quirks).unwrap().0.iter().map(Certificate::read).collect()
    }

    #[test]
    fn every_scenario_has_its_certificate() {
        let authority = Authority::new().unwrap();
        for scenario in SCENARIOS {
            assert!(authority.tls(Some(scenario)).is_ok(), "{}", scenario.name);
        }
    }

    #[test]
    fn the_right_certificate_comes_with_that_of_its_issuer() {
        let chain = chain("");
        assert_eq!(chain[0].names, NAMES);
        let links: Vec<_> = chain.iter().map(|one| (one.common_name.as_str(), one.issuer_name.as_str(), one.is_ca)).collect();
        assert_eq!(links, [(NAME, "Practice Issuing CA 1", false), ("Practice Issuing CA 1", "Practice Root CA", true)]);
    }

    #[test]
    fn wrong_certificates_are_wrong_in_one_way() {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        assert_eq!((now - chain("expired")[0].not_after) / 86_400, 12);
        assert_eq!(chain("expired").len(), 2);
        assert_eq!(chain("wrong-name")[0].names, OTHER_NAMES);
        assert_eq!(chain("missing-intermediate").len(), 1);
        assert!(chain("self-signed")[0].self_issued);
        for scenario in ["wrong-name", "missing-intermediate", "self-signed"] {
            assert_eq!(chain(scenario)[0].days_left(now), 90, "{scenario}");
        }
    }

    #[test]
    fn the_root_is_the_same_in_both_forms() {
        let authority = Authority::new().unwrap();
        let (root, pem) = (Certificate::read(&authority.root()), authority.root_pem().replace('\r', ""));
        assert_eq!(root.pem(), pem);
    }
}
