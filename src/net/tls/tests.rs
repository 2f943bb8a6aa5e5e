//! The verdict and the handshake, against a server in this process and certificates made on the spot.
//!
//! What rcgen cannot make is in [`fixtures`]: it was made once with `openssl ca`, valid from 2020 to 2120.

use std::io;
use std::sync::Arc;
use std::time::Duration as Time;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;

use super::verdict::Fault;
use super::*;

const HOST: &str = "mail.contoso.test";
type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a server shows, and the key with which it signs.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn common_name(params: &mut CertificateParams, name: &str) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
}

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    common_name(&mut params, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = in_days(-3650);
    params.not_after = in_days(3650);
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

fn below(name: &str, issuer: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let mut params = authority_params(name);
    change(&mut params);
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

/// A certificate for [`HOST`], in order but for the change.
fn leaf_params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    common_name(&mut params, HOST);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = in_days(-10);
    params.not_after = in_days(80);
    change(&mut params);
    params
}

fn leaf(issuer: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown { chain: vec![leaf_params(change).signed_by(&key, issuer).unwrap().der().clone()], key }
}

fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown { chain: vec![leaf_params(change).self_signed(&key).unwrap().der().clone()], key }
}

/// A certificate of the fixtures; the server signs with the key that belongs to all but the RSA one.
fn fixture(pem: &str) -> Shown {
    Shown { chain: vec![fixtures::certificate(pem)], key: KeyPair::from_pem(fixtures::LEAF_KEY).unwrap() }
}

impl Shown {
    fn with(mut self, issuer: &Authority) -> Self {
        self.chain.push(issuer.der().clone());
        self
    }

    fn certified(&self) -> CertifiedKey {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        // Whether key and certificate belong together is not looked at: wrong ones are wanted too.
        CertifiedKey::new(self.chain.clone(), aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap())
    }
}

fn trusting(roots: &[&Authority]) -> Roots {
    trusting_der(roots.iter().map(|root| root.der().clone()))
}

fn trusting_der(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Roots {
    let mut store = RootCertStore::empty();
    certificates.into_iter().for_each(|certificate| store.add(certificate).unwrap());
    Roots { count: store.len(), store: Arc::new(store), given: Arc::new([]), trouble: None }
}

/// As with `--cacert`.
fn given(certificates: &[CertificateDer<'static>]) -> Roots {
    Roots { given: certificates.into(), ..trusting_der(certificates.iter().cloned()) }
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// A server's configuration; with `client`, only for clients whose certificate that authority has issued.
fn server_config(shown: &Shown, versions: &[&'static SupportedProtocolVersion], client: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(CryptoProvider { kx_groups: aws_lc_rs::ALL_KX_GROUPS.to_vec(), ..aws_lc_rs::default_provider() });
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = Arc::clone(&trusting(&[authority]).store);
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap())
        }
    };
    builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown.certified())))
}

/// Plays a server that greets inside TLS and waits for the end.
async fn serve(stream: DuplexStream, config: ServerConfig) {
    match TlsAcceptor::from(Arc::new(config)).accept(stream).into_fallible().await {
        Ok(mut stream) => {
            // A client that is gone is no fault.
            let _ = stream.write_all(b"220 inside\r\n").await;
            let _ = stream.flush().await;
            let _ = stream.read(&mut [0; 100]).await;
            let _ = stream.shutdown().await;
        }
        // Kept open until the client has read the alert.
        Err((_, mut stream)) => while !matches!(stream.read(&mut [0; 100]).await, Ok(0) | Err(_)) {},
    }
}

type Connected = Result<(Box<dyn Stream>, TlsReport), TlsFailure>;

/// A handshake with a server of this configuration, which then plays on in the background.
async fn talk(config: ServerConfig, options: &TlsOptions, roots: &Roots) -> Connected {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(serve(theirs, config));
    connect(Box::new(ours), HOST, options, roots).await
}

async fn report_with(shown: &Shown, options: &TlsOptions, roots: &Roots) -> TlsReport {
    talk(server_config(shown, BOTH, None), options, roots).await.map_err(|failure| format!("{failure:?}")).unwrap().1
}

/// The faults, which are the same in both versions.
async fn faults(shown: &Shown, roots: &Roots) -> Vec<Fault> {
    let mut found = Vec::new();
    for (max, version) in [(Version::Tls12, "TLS 1.2"), (Version::Tls13, "TLS 1.3")] {
        let report = report_with(shown, &TlsOptions { max: Some(max), ..TlsOptions::default() }, roots).await;
        assert_eq!(report.version, version);
        assert_eq!(report.is_verified(), report.trust.faults().is_empty());
        found.push(report.trust.faults().to_vec());
    }
    assert_eq!(found[0], found[1]);
    found.remove(0)
}

// P20: every fault by its name, and all of them.

#[tokio::test]
async fn a_complete_chain_is_verified() {
    let root = root("Root");
    let issuing = below("Issuing", &root, |_| {});
    let shown = leaf(&issuing, |_| {}).with(&issuing);
    assert_eq!(faults(&shown, &trusting(&[&root])).await, []);
    let report = report_with(&shown, &TlsOptions::default(), &trusting(&[&root])).await;
    assert_eq!((report.chain.len(), report.chain[0].names.clone()), (2, vec![HOST.to_owned()]));
    assert_eq!((report.kind, report.sni.as_deref(), report.ocsp), ("full", Some(HOST), 0));
    assert_eq!((report.client_certificate_asked, report.client_certificate_given), (None, false));
}

#[tokio::test]
async fn a_root_sent_along_does_no_harm() {
    let root = root("Root");
    let issuing = below("Issuing", &root, |_| {});
    assert_eq!(faults(&leaf(&issuing, |_| {}).with(&issuing).with(&root), &trusting(&[&root])).await, []);
}

#[tokio::test]
async fn dates_are_judged() {
    let root = root("Root");
    let trusted = trusting(&[&root]);
    let end = in_days(-12);
    let old = leaf(&root, |params| (params.not_before, params.not_after) = (in_days(-100), end));
    assert_eq!(faults(&old, &trusted).await, [Fault::Expired { at: end.unix_timestamp() }]);
    let begin = in_days(2);
    let young = leaf(&root, |params| params.not_before = begin);
    assert_eq!(faults(&young, &trusted).await, [Fault::NotYetValid { from: begin.unix_timestamp() }]);
}

#[tokio::test]
async fn an_expired_issuer_is_told() {
    let root = root("Root");
    let issuing = below("Issuing", &root, |params| params.not_after = in_days(-1));
    assert_eq!(faults(&leaf(&issuing, |_| {}).with(&issuing), &trusting(&[&root])).await, [Fault::IssuerExpired("Issuing".into())]);
}

#[tokio::test]
async fn an_expired_certificate_does_not_hide_an_expired_issuer() {
    let root = root("Root");
    let issuing = below("Issuing", &root, |params| params.not_after = in_days(-1));
    let end = in_days(-2);
    let shown = leaf(&issuing, |params| params.not_after = end).with(&issuing);
    let want = [Fault::Expired { at: end.unix_timestamp() }, Fault::IssuerExpired("Issuing".into())];
    assert_eq!(faults(&shown, &trusting(&[&root])).await, want);
}

#[tokio::test]
async fn names_are_judged() {
    let root = root("Root");
    let trusted = trusting(&[&root]);
    let names =
        |list: &[&str]| CertificateParams::new(list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap().subject_alt_names;
    let wrong = |list: &[&str], common_name_matches| Fault::WrongName {
        wanted: HOST.into(),
        names: list.iter().map(|&name| name.to_owned()).collect(),
        common_name_matches,
    };
    let other = ["www.contoso.test", "192.0.2.1", "2001:db8::1"];
    assert_eq!(faults(&leaf(&root, |params| params.subject_alt_names = names(&other)), &trusted).await, [wrong(&other, false)]);
    // RFC 9525 §4: the common name is not looked at, and an asterisk stands for one label.
    assert_eq!(faults(&leaf(&root, |params| params.subject_alt_names = vec![]), &trusted).await, [wrong(&[HOST], true)]);
    let nameless = leaf(&root, |params| {
        params.subject_alt_names = vec![];
        common_name(params, "other.contoso.test");
    });
    assert_eq!(faults(&nameless, &trusted).await, [wrong(&["other.contoso.test"], false)]);
    assert_eq!(faults(&leaf(&root, |params| params.subject_alt_names = names(&["*.contoso.test"])), &trusted).await, []);
    let wide = ["*.test"];
    assert_eq!(faults(&leaf(&root, |params| params.subject_alt_names = names(&wide)), &trusted).await, [wrong(&wide, false)]);
    assert_eq!(faults(&leaf(&root, |params| params.subject_alt_names = names(&["MAIL.contoso.TEST"])), &trusted).await, []);
}

#[tokio::test]
async fn addresses_are_names_too_and_are_not_sent() {
    let root = root("Root");
    let trusted = trusting(&[&root]);
    let shown =
        leaf(&root, |params| params.subject_alt_names = CertificateParams::new(vec!["192.0.2.1".to_owned()]).unwrap().subject_alt_names);
    let named = |name: &str| TlsOptions { server_name: Some(name.to_owned()), ..TlsOptions::default() };
    let report = report_with(&shown, &named("192.0.2.1"), &trusted).await;
    assert_eq!((report.is_verified(), report.sni), (true, None));
    let report = report_with(&shown, &named("192.0.2.2"), &trusted).await;
    let want = Fault::WrongName { wanted: "192.0.2.2".into(), names: vec!["192.0.2.1".into()], common_name_matches: false };
    assert_eq!(report.trust.faults(), [want]);
}

#[tokio::test]
async fn the_name_can_be_wished_and_kept_back() {
    let root = root("Root");
    let shown = leaf(&root, |_| {});
    let options = TlsOptions { server_name: Some("other.contoso.test".into()), ..TlsOptions::default() };
    let report = report_with(&shown, &options, &trusting(&[&root])).await;
    assert!(matches!(report.trust.faults(), [Fault::WrongName { wanted, .. }] if wanted == "other.contoso.test"));
    assert_eq!(report.sni.as_deref(), Some("other.contoso.test"));
    let report = report_with(&shown, &TlsOptions { no_sni: true, ..TlsOptions::default() }, &trusting(&[&root])).await;
    assert_eq!((report.is_verified(), report.sni), (true, None));
}

#[tokio::test]
async fn a_name_from_dns_is_verified_and_not_trusted() {
    // Whoever forges the MX record names a server of his own, and has a certificate for it.
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    let named = TlsOptions { server_name: Some(HOST.to_owned()), ..TlsOptions::default() };
    let any = TlsOptions::default();
    let table = [
        (None, &any, true),
        (Some("contoso.test"), &any, true),
        (Some("CONTOSO.test."), &any, true),
        (Some("mail.contoso.test"), &any, true),
        (Some("alt.test"), &any, false),
        (Some("toso.test"), &any, false),
        (Some("a.mail.contoso.test"), &any, false),
        (Some("alt.test"), &named, true),
    ];
    for (mail_domain, options, want) in table {
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(serve(theirs, server_config(&shown, BOTH, None)));
        let report = connect(Box::new(ours), Reference { host: HOST, mail_domain }, options, &trusted).await.ok().unwrap().1;
        assert_eq!((report.is_verified(), report.is_trusted()), (true, want), "{mail_domain:?}");
        let doubt = Doubt::NameFromDns { name: HOST.to_owned(), domain: mail_domain.unwrap_or_default().to_owned() };
        assert_eq!(report.doubt, (!want).then_some(doubt));
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_only_if_it_is_given() {
    let root = root("Root");
    let shown = self_signed(|_| {});
    assert_eq!(faults(&shown, &trusting(&[&root])).await, [Fault::SelfSigned]);
    assert_eq!(faults(&shown, &given(&shown.chain)).await, []);
    // Another one of the same name is not it.
    assert_eq!(faults(&self_signed(|_| {}), &given(&shown.chain)).await, [Fault::SelfSigned]);
}

#[tokio::test]
async fn a_given_certificate_is_trusted_whoever_signed_it() {
    // P45: byte for byte the one of --cacert. As `openssl req -x509` makes it: that of an authority.
    let authority = self_signed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(faults(&authority, &given(&authority.chain)).await, []);
    // Among the system's roots it vouches for others, not for itself.
    assert_eq!(faults(&authority, &trusting_der(authority.chain.clone())).await, [Fault::SelfSigned]);
    // Signed with its own key and no authority: the library takes it from the roots too.
    let plain = self_signed(|_| {});
    assert_eq!(faults(&plain, &trusting_der(plain.chain.clone())).await, []);
    // From an authority that is not known here.
    let issued = leaf(&root("Foreign Root"), |_| {});
    assert_eq!(faults(&issued, &given(&issued.chain)).await, []);
}

#[tokio::test]
async fn a_given_certificate_is_no_proof_without_its_key() {
    // P45: whoever has seen the certificate can show it.
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut shown = self_signed(|params| params.is_ca = is_ca);
        let roots = given(&shown.chain);
        shown.key = KeyPair::generate().unwrap();
        assert_eq!(faults(&shown, &roots).await, [Fault::BadSignature]);
    }
}

/// What a man in the middle can make of a root that he has only seen: its subject and its public key in a certificate
/// for [`HOST`], with a signature of no worth; the handshake he signs with a key of his own.
fn forged(root: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let namesake = CertifiedIssuer::self_signed(authority_params("Root"), KeyPair::generate().unwrap()).unwrap();
    let params = leaf_params(|params| {
        common_name(params, "Root");
        change(params);
    });
    let mut der = params.signed_by(root.key(), &namesake).unwrap().der().to_vec();
    if let Some(last) = der.last_mut() {
        *last ^= 1;
    }
    Shown { chain: vec![CertificateDer::from(der)], key: KeyPair::generate().unwrap() }
}

#[tokio::test]
async fn the_look_alike_of_a_root_is_never_verified() {
    // P45
    let root = root("Root");
    let changes: [fn(&mut CertificateParams); 4] = [
        |_| {},
        |params| params.custom_extensions = vec![unknown_critical_extension()],
        |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.custom_extensions = vec![unknown_critical_extension()];
        },
    ];
    for roots in [trusting(&[&root]), given(&[root.der().clone()])] {
        for change in changes {
            let shown = forged(&root, change);
            let found = faults(&shown, &roots).await;
            assert!(found.iter().any(|fault| matches!(fault, Fault::BadSignature | Fault::Unproven)), "{found:?}");
            assert!(found.contains(&Fault::SelfSigned), "{found:?}");
            // With the root behind it the chain looks complete.
            let found = faults(&shown.with(&root), &roots).await;
            assert!(found.contains(&Fault::SelfSigned), "{found:?}");
        }
    }
}

#[cfg(feature = "legacy-tls")]
#[tokio::test]
async fn legacy_tls_meets_the_same_judge() {
    // P45
    let root = root("Root");
    for max in [Version::Tls12, Version::Tls13] {
        let options = TlsOptions { min: Some(Version::Tls10), max: Some(max), ..TlsOptions::default() };
        let meet = async |shown: &Shown, roots: &Roots| talk(server_config(shown, BOTH, None), &options, roots).await;
        let report = meet(&leaf(&root, |_| {}), &trusting(&[&root])).await.ok().unwrap().1;
        assert!(report.through_openssl && report.is_verified(), "{:?}", report.trust);
        let stranger = meet(&leaf(&root, |_| {}), &trusting(&[])).await.ok().unwrap().1;
        assert_eq!(stranger.trust.faults(), [Fault::MissingIntermediate { issuer: "Root".into() }]);
        // OpenSSL itself ends a handshake with a wrong signature.
        let shown = forged(&root, |params| params.custom_extensions = vec![unknown_critical_extension()]);
        assert!(meet(&shown, &given(&[root.der().clone()])).await.is_err());
    }
}

fn unknown_critical_extension() -> rcgen::CustomExtension {
    let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    extension
}

#[tokio::test]
async fn a_given_certificate_must_still_be_in_order() {
    let end = in_days(-1);
    let shown = self_signed(|params| {
        params.not_after = end;
        params.subject_alt_names = vec![];
    });
    let want = [
        Fault::Expired { at: end.unix_timestamp() },
        Fault::WrongName { wanted: HOST.into(), names: vec![HOST.into()], common_name_matches: true },
    ];
    assert_eq!(faults(&shown, &given(&shown.chain)).await, want);
}

#[tokio::test]
async fn issuers_are_judged() {
    let (known, foreign) = (root("Root"), root("Foreign Root"));
    let issuing = below("Issuing", &foreign, |_| {});
    let unknown = |issuer: &str, roots| Fault::UnknownIssuer { issuer: issuer.into(), roots };
    let complete = leaf(&issuing, |_| {}).with(&issuing);
    assert_eq!(faults(&complete, &trusting(&[&known])).await, [unknown("Foreign Root", 1)]);
    assert_eq!(faults(&complete, &trusting(&[])).await, [unknown("Foreign Root", 0)]);
    let alone = leaf(&issuing, |_| {});
    assert_eq!(faults(&alone, &trusting(&[&foreign])).await, [Fault::MissingIntermediate { issuer: "Issuing".into() }]);
}

#[tokio::test]
async fn an_expired_certificate_that_the_path_does_not_need_is_no_fault() {
    // As after September 2024 with ISRG Root X1: servers send it signed by an older root, and expired; its
    // own root is known.
    let (old, root) = (root("Old Root"), root("Root"));
    let issuing = below("Issuing", &root, |_| {});
    let mut params = authority_params("Root");
    params.not_after = in_days(-50);
    let cross = params.signed_by(root.key(), &old).unwrap().der().clone();
    let mut shown = leaf(&issuing, |_| {}).with(&issuing);
    shown.chain.push(cross);
    assert_eq!(faults(&shown, &trusting(&[&root])).await, []);
}

#[tokio::test]
async fn the_order_of_the_chain_does_not_matter() {
    let root = root("Root");
    let (one, two) = (below("One", &root, |_| {}), below("Two", &root, |_| {}));
    assert_eq!(faults(&leaf(&one, |_| {}).with(&two).with(&root).with(&one), &trusting(&[&root])).await, []);
}

#[tokio::test]
async fn an_issuer_in_the_middle_may_be_trusted_itself() {
    let root = root("Root");
    let issuing = below("Issuing", &root, |_| {});
    assert_eq!(faults(&leaf(&issuing, |_| {}), &trusting(&[&issuing])).await, []);
}

#[tokio::test]
async fn a_chain_that_does_not_hang_together_is_not_taken_for_an_unknown_root() {
    let root = root("Root");
    let (issuing, other) = (below("Issuing", &root, |_| {}), below("Other", &root, |_| {}));
    let got = faults(&leaf(&issuing, |_| {}).with(&other), &trusting(&[&root])).await;
    assert_eq!(got, [Fault::MissingIntermediate { issuer: "Issuing".into() }]);
}

#[tokio::test]
async fn uses_are_judged() {
    let root = root("Root");
    let trusted = trusting(&[&root]);
    let authority = leaf(&root, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(faults(&authority, &trusted).await, [Fault::CaAsServer]);
    let client = leaf(&root, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(faults(&client, &trusted).await, [Fault::WrongUsage]);
    assert_eq!(faults(&leaf(&root, |params| params.extended_key_usages = vec![]), &trusted).await, []);
    let both = leaf(&root, |params| params.extended_key_usages.insert(0, ExtendedKeyUsagePurpose::ClientAuth));
    assert_eq!(faults(&both, &trusted).await, []);
}

#[tokio::test]
async fn an_issuer_that_may_not_issue_is_told() {
    let root = root("Root");
    let fake = below("No authority", &root, |params| params.is_ca = IsCa::ExplicitNoCa);
    let got = faults(&leaf(&fake, |_| {}).with(&fake), &trusting(&[&root])).await;
    assert_eq!(got, [Fault::Other("end entity used as ca".into())]);
}

#[tokio::test]
async fn what_the_library_does_not_understand_is_no_reason_to_trust() {
    let root = root("Root");
    let odd = |params: &mut CertificateParams| params.custom_extensions = vec![unknown_critical_extension()];
    let words = || Fault::Other("unsupported critical extension".into());
    assert_eq!(faults(&leaf(&root, odd), &trusting(&[&root])).await, [words(), Fault::Unproven]);
    let missing = Fault::MissingIntermediate { issuer: "Root".into() };
    assert_eq!(faults(&leaf(&root, odd), &trusting(&[])).await, [words(), missing, Fault::Unproven]);
    // Not even where this very certificate was given (P45).
    let given_too = leaf(&root, odd);
    let roots = Roots { given: given_too.chain.clone().into(), ..trusting(&[&root]) };
    assert_eq!(faults(&given_too, &roots).await, [words(), Fault::Unproven]);
}

#[tokio::test]
async fn signatures_are_judged() {
    let root = root("Root");
    let trusted = trusting(&[&root]);
    // The key is not that of the certificate.
    let mut shown = leaf(&root, |_| {});
    shown.key = KeyPair::generate().unwrap();
    assert_eq!(faults(&shown, &trusted).await, [Fault::BadSignature]);
    // Another authority of the same name has signed.
    let namesake = CertifiedIssuer::self_signed(authority_params("Root"), KeyPair::generate().unwrap()).unwrap();
    assert_eq!(faults(&leaf(&namesake, |_| {}), &trusted).await, [Fault::WronglySigned { issuer: "Root".into() }]);
}

#[tokio::test]
async fn weak_certificates_are_told_by_their_name() {
    let trusted = trusting_der([fixtures::certificate(fixtures::ROOT)]);
    assert_eq!(faults(&fixture(fixtures::SHA1), &trusted).await, [Fault::WeakSignature("SHA-1 with ECDSA".into())]);
    // No library here signs with such a key: the server signs with another one, which the client cannot
    // tell from a signature of 1024 bits, since it verifies none.
    assert_eq!(faults(&fixture(fixtures::RSA_1024), &trusted).await, [Fault::WeakKey(1024), Fault::Unproven]);
}

#[tokio::test]
async fn old_certificates_are_told_by_their_name() {
    let trusted = trusting_der([fixtures::certificate(fixtures::ROOT)]);
    let got = faults(&fixture(fixtures::VERSION_1), &trusted).await;
    let wrong_name = Fault::WrongName { wanted: HOST.into(), names: vec![HOST.into()], common_name_matches: true };
    assert_eq!(got, [wrong_name.clone(), Fault::OldVersion(1), Fault::Unproven]);
    // The library cannot read it, so that it is not verified where it was given either (P45).
    let shown = fixture(fixtures::VERSION_1);
    assert_eq!(faults(&shown, &given(&shown.chain)).await, [wrong_name, Fault::OldVersion(1), Fault::Unproven]);
}

#[tokio::test]
async fn weak_certificates_of_strangers_are_both() {
    let nobody = trusting(&[]);
    let missing = Fault::MissingIntermediate { issuer: "Old Root".into() };
    let weak = Fault::WeakSignature("SHA-1 with ECDSA".into());
    assert_eq!(faults(&fixture(fixtures::SHA1), &nobody).await, [weak, missing.clone()]);
    assert_eq!(faults(&fixture(fixtures::RSA_1024), &nobody).await, [Fault::WeakKey(1024), missing, Fault::Unproven]);
}

#[tokio::test]
async fn rsa_of_2048_bits_is_good_enough() {
    let root = root("Root");
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    assert!(!key.der_bytes().is_empty());
    let shown = Shown { chain: vec![leaf_params(|_| {}).signed_by(&key, &root).unwrap().der().clone()], key };
    assert_eq!(faults(&shown, &trusting(&[&root])).await, []);
}

#[tokio::test]
async fn all_faults_are_listed() {
    let foreign = root("Foreign Root");
    let issuing = below("Issuing", &foreign, |params| params.not_after = in_days(-1));
    let end = in_days(-2);
    let shown = leaf(&issuing, |params| {
        params.not_after = end;
        params.subject_alt_names = CertificateParams::new(vec!["www.contoso.test".to_owned()]).unwrap().subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let got = faults(&shown.with(&issuing), &trusting(&[&root("Root")])).await;
    let want = [
        Fault::Expired { at: end.unix_timestamp() },
        Fault::WrongName { wanted: HOST.into(), names: vec!["www.contoso.test".into()], common_name_matches: false },
        Fault::WrongUsage,
        Fault::CaAsServer,
        Fault::IssuerExpired("Issuing".into()),
        Fault::UnknownIssuer { issuer: "Foreign Root".into(), roots: 1 },
    ];
    assert_eq!(got, want);
}

#[tokio::test]
async fn what_is_no_certificate_is_called_unreadable() {
    let mut shown = self_signed(|_| {});
    shown.chain = vec![CertificateDer::from(b"no certificate".to_vec())];
    let got = faults(&shown, &trusting(&[])).await;
    assert!(matches!(got.as_slice(), [Fault::Unreadable(_)]), "{got:?}");
}

#[test]
fn keys_and_signatures_have_their_names() {
    let table = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "EC P-256", "SHA-256 with ECDSA"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "EC P-384", "SHA-384 with ECDSA"),
        (&rcgen::PKCS_ED25519, "Ed25519", "Ed25519"),
        (&rcgen::PKCS_RSA_SHA256, "RSA 2048", "SHA-256 with RSA"),
        (&rcgen::PKCS_RSA_SHA512, "RSA 2048", "SHA-512 with RSA"),
    ];
    for (algorithm, key, signature) in table {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let certificate = Certificate::read(leaf_params(|_| {}).self_signed(&pair).unwrap().der());
        assert_eq!((certificate.key.as_str(), certificate.signature.as_str()), (key, signature));
        assert_eq!((certificate.weak_signature, certificate.version), (false, 3));
    }
}

#[test]
fn curves_have_their_names() {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    assert_eq!(Certificate::read(leaf_params(|_| {}).self_signed(&pair).unwrap().der()).key, "EC P-521");
}

#[test]
fn what_a_certificate_says_is_printable() {
    // P16
    let shown = self_signed(|params| common_name(params, "a\x1b[2J\r\n<  250 ok\u{202e}"));
    let certificate = Certificate::read(&shown.chain[0]);
    for text in [&certificate.subject, &certificate.common_name, &certificate.issuer, &certificate.issuer_name] {
        assert!(text.contains("250 ok") && !text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}

#[tokio::test]
async fn every_kind_of_key_is_verified() {
    let root = root("Root");
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ECDSA_P521_SHA512, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let shown = Shown { chain: vec![leaf_params(|_| {}).signed_by(&key, &root).unwrap().der().clone()], key };
        assert_eq!(faults(&shown, &trusting(&[&root])).await, [], "{algorithm:?}");
    }
}

// The handshake.

/// A handshake with something that answers these bytes to the first message, then closes.
async fn answered_by(bytes: &[u8], options: &TlsOptions) -> TlsFailure {
    let (ours, mut theirs) = duplex(64 * 1024);
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        let _ = theirs.read(&mut [0; 4096]).await;
        theirs.write_all(&bytes).await.unwrap();
    });
    connect(Box::new(ours), HOST, options, &trusting(&[])).await.err().unwrap()
}

#[tokio::test]
async fn failures_are_told_apart() {
    // P19
    let options = TlsOptions::default();
    let cases: [(&[u8], TlsCause); 5] = [
        (b"500 5.3.3 Unrecognized command\r\n", TlsCause::NotTls(b"500 5.3.3 Unrecognized command\r\n".to_vec())),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", TlsCause::NotTls(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
        (&[21, 3, 1, 0, 2, 2, 40], TlsCause::Alert("handshake_failure".into())),
        (b"", TlsCause::Closed),
        (&[22, 3, 3, 0, 100, 2], TlsCause::Closed),
    ];
    for (bytes, want) in cases {
        let failure = answered_by(bytes, &options).await;
        assert_eq!((failure.cause, failure.client_certificate_asked), (want, false), "{bytes:?}");
    }
}

#[tokio::test]
async fn alerts_have_the_names_of_the_rfc() {
    for (code, name) in
        [(40, "handshake_failure"), (48, "unknown_ca"), (70, "protocol_version"), (112, "unrecognized_name"), (116, "certificate_required")]
    {
        let failure = answered_by(&[21, 3, 3, 0, 2, 2, code], &TlsOptions::default()).await;
        assert_eq!(failure.cause, TlsCause::Alert(name.into()));
    }
}

#[tokio::test]
async fn a_server_that_answers_with_an_old_version_is_incompatible() {
    // P21: a ServerHello of TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA.
    let hello = [&[22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
    let failure = answered_by(&hello, &TlsOptions::default()).await;
    assert!(matches!(failure.cause, TlsCause::Incompatible(_)), "{failure:?}");
}

#[tokio::test]
async fn bytes_that_are_no_handshake_are_no_end_without_a_name() {
    for bytes in [&[22, 3, 3, 0, 4, 99, 0, 0, 0][..], &[23, 3, 3, 0, 1, 0], &[0; 200], &[255; 200]] {
        let failure = answered_by(bytes, &TlsOptions::default()).await;
        assert!(!matches!(failure.cause, TlsCause::Closed | TlsCause::Options(_)), "{bytes:?}: {failure:?}");
    }
}

#[tokio::test]
async fn versions_can_be_wished() {
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    let options = |min, max| TlsOptions { min, max, ..TlsOptions::default() };
    let (old, new) = (Some(Version::Tls12), Some(Version::Tls13));
    for (min, max, want) in
        [(None, None, "TLS 1.3"), (old, old, "TLS 1.2"), (None, old, "TLS 1.2"), (new, None, "TLS 1.3"), (old, new, "TLS 1.3")]
    {
        assert_eq!(report_with(&shown, &options(min, max), &trusted).await.version, want, "{min:?} {max:?}");
    }
    let refused = talk(server_config(&shown, &[&rustls::version::TLS12], None), &options(new, None), &trusted).await.err().unwrap();
    assert_eq!(refused.cause, TlsCause::Alert("protocol_version".into()));
    assert!(options(new, old).check().is_err());
    let failure = talk(server_config(&shown, BOTH, None), &options(new, old), &trusted).await.err().unwrap();
    assert!(matches!(failure.cause, TlsCause::Options(_)), "{failure:?}");
}

#[tokio::test]
async fn groups_can_be_wished() {
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    let wish = |list: &[&str]| TlsOptions { groups: list.iter().map(|&name| name.to_owned()).collect(), ..TlsOptions::default() };
    for name in groups() {
        let options = wish(&[&name.to_ascii_lowercase()]);
        options.check().unwrap();
        assert_eq!(report_with(&shown, &options, &trusted).await.group, name);
    }
    assert_eq!(report_with(&shown, &wish(&["secp384r1", "X25519"]), &trusted).await.group, "secp384r1");
    let words = wish(&["secp256k1"]).check().unwrap_err();
    assert!(words.contains("'secp256k1'") && words.contains("X25519"), "{words}");
    assert_eq!(report_with(&shown, &TlsOptions::default(), &trusted).await.group, "X25519MLKEM768");
}

#[tokio::test]
async fn names_that_cannot_be_used_are_refused_before_a_byte_is_sent() {
    let (ours, mut theirs) = duplex(1024);
    let failure = connect(Box::new(ours), "no name", &TlsOptions::default(), &trusting(&[])).await.err().unwrap();
    assert!(matches!(&failure.cause, TlsCause::Options(words) if words.contains("'no name'")), "{failure:?}");
    assert_eq!(theirs.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn silence_is_waited_for_by_the_caller() {
    let (ours, _theirs) = duplex(64 * 1024);
    let (options, roots) = (TlsOptions::default(), trusting(&[]));
    let result = tokio::time::timeout(Time::from_millis(50), connect(Box::new(ours), HOST, &options, &roots)).await;
    assert!(result.is_err());
}

// Our own certificate.

/// A client's certificate, read from files as the program does it.
fn identity(issuer: &Authority) -> files::Identity {
    use std::io::Write as _;
    let shown = leaf(issuer, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let certificate = Certificate::read(&shown.chain[0]).pem();
    file.write_all((certificate + &shown.key.serialize_pem()).as_bytes()).unwrap();
    files::Identity::read(file.path(), None).unwrap()
}

#[tokio::test]
async fn a_client_certificate_that_is_given_is_used() {
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    for version in [Version::Tls12, Version::Tls13] {
        let options = TlsOptions { max: Some(version), identity: Some(identity(&root)), ..TlsOptions::default() };
        let (mut stream, report) =
            talk(server_config(&shown, BOTH, Some(&root)), &options, &trusted).await.map_err(|failure| format!("{failure:?}")).unwrap();
        assert_eq!((report.client_certificate_asked, report.client_certificate_given), (Some(1), true));
        let mut greeting = [0; 12];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 inside\r\n");
        // Where nobody asks, none is given.
        let report = talk(server_config(&shown, BOTH, None), &options, &trusted).await.ok().unwrap().1;
        assert_eq!((report.client_certificate_asked, report.client_certificate_given), (None, false));
    }
}

/// What comes of it when the server wants a certificate and does not get the right one: TLS 1.2 fails at
/// once, TLS 1.3 with the first read (RFC 8446 §4.4.2.4).
async fn refused(identity: Option<files::Identity>, alerts: [&str; 2]) {
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    let given = identity.is_some();
    let older = TlsOptions { max: Some(Version::Tls12), identity, ..TlsOptions::default() };
    let failure = talk(server_config(&shown, BOTH, Some(&root)), &older, &trusted).await.err().unwrap();
    assert!(failure.client_certificate_asked);
    assert_eq!(failure.cause, TlsCause::Alert(alerts[0].into()));
    let newer = TlsOptions { max: None, ..older };
    let (mut stream, report) =
        talk(server_config(&shown, BOTH, Some(&root)), &newer, &trusted).await.map_err(|failure| format!("{failure:?}")).unwrap();
    assert_eq!((report.client_certificate_asked, report.client_certificate_given), (Some(1), given));
    let error = stream.read(&mut [0; 100]).await.unwrap_err();
    assert_eq!(words(&error), format!("the server ended TLS with the alert {}", alerts[1]));
}

#[tokio::test]
async fn a_client_certificate_that_is_wanted_and_not_given_is_told() {
    refused(None, ["certificate_required"; 2]).await;
}

#[tokio::test]
async fn a_client_certificate_that_is_not_liked_is_told() {
    refused(Some(identity(&root("Foreign Root"))), ["unknown_ca"; 2]).await;
}

// The end.

#[tokio::test]
async fn an_end_without_a_farewell_is_an_error() {
    // P22
    let root = root("Root");
    let (shown, trusted) = (leaf(&root, |_| {}), trusting(&[&root]));
    for farewell in [true, false] {
        let (ours, theirs) = duplex(64 * 1024);
        let config = Arc::new(server_config(&shown, BOTH, None));
        tokio::spawn(async move {
            let mut stream = TlsAcceptor::from(config).accept(theirs).await.unwrap();
            if farewell {
                stream.shutdown().await.unwrap();
            }
        });
        let mut stream = connect(Box::new(ours), HOST, &TlsOptions::default(), &trusted).await.ok().unwrap().0;
        let end = stream.read(&mut [0; 100]).await.map_err(|error| error.kind());
        assert_eq!(end, if farewell { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof) });
    }
}

/// Certificates that rcgen cannot make, and one key.
mod fixtures {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    pub(super) fn certificate(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    /// The authority of the others.
    pub(super) const ROOT: &str = "\
-----BEGIN CERTIFICATE-----
MIIBWDCB/6ADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCE9sZCBSb290
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjATMREwDwYDVQQDDAhP
bGQgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCdNTP40CCJh9kveyrY3
KgP1DZYjxIeN6zJimKEKraNCy/g/PGoXU3hyUrPLY0/KKNhytfJZqktsWNnu3MHf
fXGjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMB0GA1UdDgQW
BBQdV87jef+P6YIMUs87od4KD3GY2zAKBggqhkjOPQQDAgNIADBFAiEAsAYxgxqN
7h0MyXdPVPCvKx7CvvZPe4X0udXRlz2kynACICOMdJEj7rRMSU2X5qhho+6bgTcb
YuQIkGUF0xxHUFoD
-----END CERTIFICATE-----
";

    /// The key of `SHA1` and `VERSION_1`.
    pub(super) const LEAF_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOpBbSVNHrBkwPiCZ
rRQdBMLa1lM2rbF9fROOf3U+0A+hRANCAAQEbWPYZ8XwTrAdWVVzfdd5zJoOWEUI
COE7wRhj7iaonNWCmvYSW7Cuao6BuggmysBJ4BfSp2J1FajAmbMB6SV2
-----END PRIVATE KEY-----
";

    /// Signed with SHA-1.
    pub(super) const SHA1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkzCCATqgAwIBAgIBAjAJBgcqhkjOPQQBMBMxETAPBgNVBAMMCE9sZCBSb290
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAcMRowGAYDVQQDDBFt
YWlsLmNvbnRvc28udGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABARtY9hn
xfBOsB1ZVXN913nMmg5YRQgI4TvBGGPuJqic1YKa9hJbsK5qjoG6CCbKwEngF9Kn
YnUVqMCZswHpJXajdTBzMBwGA1UdEQQVMBOCEW1haWwuY29udG9zby50ZXN0MBMG
A1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQWBBRrm2ILB+2Tv+hTB0XErwsLMUMy
hDAfBgNVHSMEGDAWgBQdV87jef+P6YIMUs87od4KD3GY2zAJBgcqhkjOPQQBA0gA
MEUCIHgnoWtiBqPoD8tkPDMztAJ6vEIhxUdj+Fg/UpC23GueAiEA5nX9C7sttpDZ
7d5BneE/3XZ9f24O1neY5wOxIF6rRHg=
-----END CERTIFICATE-----
";

    /// Of X.509 version 1, so without DNS names.
    pub(super) const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGTCBvwIBAzAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhPbGQgUm9vdDAgFw0y
MDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEaMBgGA1UEAwwRbWFpbC5j
b250b3NvLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQEbWPYZ8XwTrAd
WVVzfdd5zJoOWEUICOE7wRhj7iaonNWCmvYSW7Cuao6BuggmysBJ4BfSp2J1FajA
mbMB6SV2MAoGCCqGSM49BAMCA0kAMEYCIQCj/+zENb2RPz3akWXX4CaVga5/b30M
13AGR83NnMCczwIhAMb0TX/cyyPMAqrDeq37N5ovKadrngxO+8/cKH8xLECU
-----END CERTIFICATE-----
";

    /// With an RSA key of 1024 bits.
    pub(super) const RSA_1024: &str = "\
-----BEGIN CERTIFICATE-----
MIIB3DCCAYKgAwIBAgIBBDAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhPbGQgUm9v
dDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHDEaMBgGA1UEAwwR
bWFpbC5jb250b3NvLnRlc3QwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBANEZ
xwACQ6qHAk7csUWgefd7xqPjijb8H9ly0AOK+38mf8KjT9CCHrWQyRoKAgJlmrBW
C0i6QLH5miz/ANx/vRDHQplGjsuiNP/WSCAbLC9v/LiFZgZofsjT+VgdkiIZabQW
ycfsL9nA4hwS2h3dyByvDi3LVnLxV/s79d4u8nTtAgMBAAGjdTBzMBwGA1UdEQQV
MBOCEW1haWwuY29udG9zby50ZXN0MBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1Ud
DgQWBBRHuL58YwcTL88FiLBq6NLcVkSDajAfBgNVHSMEGDAWgBQdV87jef+P6YIM
Us87od4KD3GY2zAKBggqhkjOPQQDAgNIADBFAiEAoKKBmoVw5n6KqoWaEj/aR//R
4sEsEOwqRHAVXdJnARMCIFtMH4hg/eiJCs8DpOXBiuDbXhqzWk7+Ky1SPD8Qr1QW
-----END CERTIFICATE-----
";
}
