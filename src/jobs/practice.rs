//! The certificates of the practice server: an authority that lives as long as the program, one that
//! issues in its name, and the server's own certificate, right or wrong as the scenario wants it; and the
//! access token of its account.

use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName as Subject, ServerConfig, ServerConnection, SignatureScheme};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::net::tls::channel;
use crate::sasl::{self, Channel, Needs};
use crate::session::server::auth::USERS;
use crate::session::server::scenario::{Scenario, TlsQuirk};
use crate::session::server::{NAME, TlsFacts};
use crate::wire::base64;

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
    /// The server's certificate.
    certificate: CertificateDer<'static>,
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

    /// TLS with the scenario's faults, which wants a certificate of the client if the scenario says so or
    /// one of the mechanisms needs it.
    ///
    /// # Errors
    /// No key can be made.
    pub fn tls(&self, scenario: Option<&'static Scenario>, offer: &[&str]) -> anyhow::Result<Tls> {
        let quirks: Vec<TlsQuirk> = scenario.map(|scenario| scenario.tls().collect()).unwrap_or_default();
        let (chain, key) = self.chain(&quirks).context("the certificate of the practice server cannot be made")?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let versions = if quirks.contains(&TlsQuirk::Only12) { &[&rustls::version::TLS12][..] } else { rustls::ALL_VERSIONS };
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let mandatory = quirks.contains(&TlsQuirk::ClientCertificate);
        let wanted = |name: &&str| sasl::lookup(name).is_some_and(|known| known.needs == Needs::Certificate);
        let builder = if mandatory || offer.iter().any(wanted) {
            builder.with_client_cert_verifier(Arc::new(AnyClient { algorithms, mandatory }))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certificate = chain.first().cloned().context("the practice server has no certificate")?;
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key)?));
        let instead = quirks.iter().find_map(|quirk| match quirk {
            TlsQuirk::Alert(description) => Some(Instead::Alert(*description)),
            TlsQuirk::Silence => Some(Instead::Silence),
            _ => None,
        });
        Ok(Tls { acceptor, certificate, instead })
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

impl Tls {
    /// What a login inside this connection can be judged by.
    pub(super) fn facts(&self, connection: &ServerConnection) -> TlsFacts {
        let client = connection.peer_certificates().and_then(<[_]>::first);
        TlsFacts {
            channel: Channel {
                exporter: channel::exporter(connection),
                server_end_point: channel::server_end_point(&self.certificate),
                wanted: None,
            },
            certificate_user: client.and_then(|certificate| user(certificate)),
        }
    }
}

/// The user that a client's certificate names: of its mail addresses and its common name the one that
/// the server knows, else the first.
fn user(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let addresses = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::RFC822Name(address) => Some(*address),
        _ => None,
    });
    let common = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let names: Vec<&str> = addresses.chain(common).collect();
    let known = names.iter().find(|name| USERS.iter().any(|user| user.eq_ignore_ascii_case(name)));
    known.or(names.first()).map(|&name| name.to_owned())
}

/// An access token for the practice account as identity providers issue them (RFC 7519), valid for a
/// day, with a signature that nobody can check.
///
/// # Errors
/// There are no random bytes.
pub fn token() -> anyhow::Result<String> {
    let mut signature = [0; 32];
    ::aws_lc_rs::rand::fill(&mut signature).context("there are no random bytes for an access token")?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let expires = now + Duration::DAY.whole_seconds();
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    let claims = format!(r#"{{"sub":"{}","aud":"{NAME}","scp":"SMTP.Send","iat":{now},"exp":{expires}}}"#, USERS[1]);
    let url = |bytes: &[u8]| base64::encode(bytes).replace('+', "-").replace('/', "_").replace('=', "");
    Ok(format!("{}.{}.{}", url(header.as_bytes()), url(claims.as_bytes()), url(&signature)))
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
    /// Without one there is no connection.
    mandatory: bool,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
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
            assert!(authority.tls(Some(scenario), &[]).is_ok(), "{}", scenario.name);
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

    /// Both ends of a handshake: what the server is told, and the same from the client's side.
    async fn both_ends(authority: &Authority, offer: &[&str], client: Option<(&str, &str)>) -> (TlsFacts, Channel) {
        let tls = authority.tls(None, offer).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.root()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some((name, address)) => {
                let (chain, key) = client_certificate(name, address);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let (near, far) = tokio::io::duplex(1 << 16);
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let connecting = connector.connect(NAME.try_into().unwrap(), near);
        let (near, far) = tokio::join!(connecting, tls.acceptor.accept(far));
        let (near, far) = (near.unwrap(), far.unwrap());
        let connection = near.get_ref().1;
        let server = connection.peer_certificates().unwrap()[0].clone();
        let channel =
            Channel { exporter: channel::exporter(connection), server_end_point: channel::server_end_point(&server), wanted: None };
        (tls.facts(far.get_ref().1), channel)
    }

    fn client_certificate(name: &str, address: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        if !address.is_empty() {
            params.subject_alt_names = vec![rcgen::SanType::Rfc822Name(address.try_into().unwrap())];
        }
        let certificate = params.self_signed(&key).unwrap().der().clone();
        (vec![certificate], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
    }

    #[tokio::test]
    async fn both_ends_know_the_same_channel() {
        let authority = Authority::new().unwrap();
        let (server, client) = both_ends(&authority, &[], None).await;
        assert_eq!(server.channel, client);
        assert_eq!(client.exporter.map(|bytes| bytes.len()), Some(32));
        assert!(client.server_end_point.is_some());
        assert_eq!(server.certificate_user, None);
        let (again, _) = both_ends(&authority, &[], None).await;
        assert_ne!(again.channel.exporter, server.channel.exporter);
    }

    #[tokio::test]
    async fn a_client_certificate_is_asked_for_where_a_mechanism_needs_it() {
        let authority = Authority::new().unwrap();
        let wants = |needs| sasl::MECHANISMS.iter().filter(move |mechanism| (mechanism.needs == Needs::Certificate) == needs);
        for mechanism in wants(true) {
            for client in [None, Some(("logon", ""))] {
                let (server, _) = both_ends(&authority, &[mechanism.name], client).await;
                assert_eq!(server.certificate_user.as_deref(), client.map(|(name, _)| name), "{}", mechanism.name);
            }
        }
        let others: Vec<&str> = wants(false).map(|mechanism| mechanism.name).collect();
        assert_eq!(both_ends(&authority, &others, Some(("logon", ""))).await.0.certificate_user, None);
    }

    #[test]
    fn a_certificate_names_its_user_in_two_places() {
        let table = [
            ("logon", "", "logon"),
            ("somebody", "", "somebody"),
            ("A Person", "logon@contoso.test", "logon@contoso.test"),
            ("LOGON", "person@alt.test", "LOGON"),
            ("A Person", "person@alt.test", "person@alt.test"),
        ];
        for (name, address, want) in table {
            assert_eq!(user(&client_certificate(name, address).0[0]).as_deref(), Some(want), "{name} {address}");
        }
        assert_eq!(user(b"no certificate"), None);
    }

    #[test]
    fn a_token_says_whose_it_is_for_whom_and_how_long() {
        let (one, other) = (token().unwrap(), token().unwrap());
        let parts: Vec<&str> = one.split('.').collect();
        assert_eq!(parts.len(), 3, "{one}");
        let claims = base64::decode(parts[1].as_bytes()).unwrap().bytes;
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((claims["sub"].as_str(), claims["aud"].as_str()), (Some("logon@contoso.test"), Some(NAME)));
        let left = claims["exp"].as_i64().unwrap() - OffsetDateTime::now_utc().unix_timestamp();
        assert!((86_000..=86_400).contains(&left), "{left}");
        assert_ne!(parts[2], other.split('.').nth(2).unwrap());
    }
}
