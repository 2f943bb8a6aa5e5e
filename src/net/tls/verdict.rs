//! Whether a server is the one that was meant, and if not, everything that is wrong with its certificate.
//!
//! The TLS library decides, in `library`: it alone can make a [`Trust`] verified (P45). `explain` names each
//! fault by itself, not only the first; it reads the certificate with another parser and by rules of thumb, so it may
//! add a fault and never take a refusal back. What it cannot explain is told in the library's words.

use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::certificate::Certificate;

/// Whether the server is the one that was meant, and the faults of its certificate if it is not.
///
/// Verified exactly where there is no fault. Only `reach` makes one that is verified, and only where the
/// TLS library accepted the chain, the dates, the name and the signature of the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    faults: Vec<Fault>,
    accepted: bool,
}

impl Trust {
    /// Asks the library, then looks for everything that is wrong.
    pub(super) fn reach(evidence: &Evidence<'_>) -> Self {
        let decision = library(evidence);
        let mut faults = explain(evidence);
        if let Err(error) = &decision
            && faults.is_empty()
        {
            faults.push(Fault::Other(library_words(error)));
        }
        Self { accepted: decision.is_ok(), faults }
    }

    /// One that is not verified, whatever the faults are: for what renders it.
    pub fn refused(faults: Vec<Fault>) -> Self {
        Self { faults, accepted: false }
    }

    /// The library accepted the chain, the dates, the name and the signature of the handshake, and no fault was found.
    pub fn is_verified(&self) -> bool {
        self.accepted && self.faults.is_empty()
    }

    /// Every fault, in the order in which they are told; never empty where it is not verified.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether the certificate has ended.
    pub fn is_expired(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Expired { .. }))
    }
}

/// What became of the signature by which a server proves in the handshake that it holds the key of its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Proof {
    /// The library could not check it, or there was none.
    #[default]
    Unchecked,
    /// It is wrong.
    Wrong,
    /// The library checked it with the key of the server's certificate, and it is right.
    Verified,
}

/// A fault of a certificate or its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read at all.
    Unreadable(String),
    /// It has ended.
    Expired {
        /// Seconds since 1970.
        at: i64,
    },
    /// It has not begun.
    NotYetValid {
        /// Seconds since 1970.
        from: i64,
    },
    /// Another certificate of the chain has ended.
    IssuerExpired(String),
    /// It is for other names.
    WrongName {
        /// The name that was asked for.
        wanted: String,
        /// The names that it is for.
        names: Vec<String>,
        /// It has a matching common name, which nobody looks at any more.
        common_name_matches: bool,
    },
    /// It was signed with its own key.
    SelfSigned,
    /// Nobody whom we trust has signed it.
    UnknownIssuer {
        /// The last issuer in the chain.
        issuer: String,
        /// How many roots were looked at.
        roots: usize,
    },
    /// The server does not send the certificate of the issuer, which is no root.
    MissingIntermediate {
        /// The issuer.
        issuer: String,
    },
    /// A certificate authority's certificate is used for a server.
    CaAsServer,
    /// X.509 version 1 or 2.
    OldVersion(u32),
    /// The key is too short.
    WeakKey(usize),
    /// The hash in the signature can be forged.
    WeakSignature(String),
    /// It is not meant for servers.
    WrongUsage,
    /// A signature in the chain is wrong: another authority of the same name made it, or somebody changed
    /// the certificate.
    WronglySigned {
        /// The last issuer in the chain.
        issuer: String,
    },
    /// The signature in the handshake is wrong.
    BadSignature,
    /// The signature in the handshake could not be checked: anybody can show the certificate.
    Unproven,
    /// What the library says, for anything else.
    Other(String),
}

/// What a verdict is based on.
pub(super) struct Evidence<'a> {
    pub(super) chain: &'a [Certificate],
    pub(super) name: &'a ServerName<'static>,
    pub(super) roots: &'a RootCertStore,
    /// The certificates that the operator gave to trust (`--cacert`); never the system's.
    pub(super) given: &'a [CertificateDer<'static>],
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Seconds since 1970.
    pub(super) now: i64,
    pub(super) proof: Proof,
}

impl Evidence<'_> {
    /// The operator gave this very certificate, byte for byte, so that nobody else needs to vouch for it.
    fn is_pinned(&self, leaf: &Certificate) -> bool {
        self.given.iter().any(|given| given.as_ref() == leaf.der)
    }
}

/// What the library says of the chain as it was sent, today, of the name, and of the signature of the handshake.
fn library(evidence: &Evidence<'_>) -> Result<(), Error> {
    let (leaf, issuers) = evidence.chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let der = CertificateDer::from(leaf.der.as_slice());
    let parsed = ParsedCertificate::try_from(&der)?;
    let path = verify_path(&parsed, issuers.iter(), evidence, evidence.now);
    match path {
        Err(error) if evidence.is_pinned(leaf) && is_about_issuer(&error) => {}
        decision => decision?,
    }
    verify_server_name(&parsed, evidence.name)?;
    match evidence.proof {
        Proof::Verified => Ok(()),
        Proof::Wrong | Proof::Unchecked => Err(CertificateError::BadSignature.into()),
    }
}

/// Asks the library for a path to a root, at this moment (seconds since 1970).
fn verify_path<'a>(
    leaf: &ParsedCertificate<'_>,
    issuers: impl Iterator<Item = &'a Certificate>,
    evidence: &Evidence<'_>,
    at: i64,
) -> Result<(), Error> {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or_default()));
    let issuers: Vec<CertificateDer<'_>> = issuers.map(|issuer| CertificateDer::from(issuer.der.as_slice())).collect();
    verify_server_cert_signed_by_trust_anchor(leaf, evidence.roots, &issuers, at, evidence.algorithms.all)
}

/// Whether the refusal is about who signed the certificate, which does not matter where the operator gave it: its
/// dates and its purpose still do.
fn is_about_issuer(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                // Of a certificate that can be read: it is that of an authority, as `openssl req -x509` makes them.
                | CertificateError::Other(_)
        )
    )
}

/// Every fault that can be named. The order is the order in which they are told.
fn explain(evidence: &Evidence<'_>) -> Vec<Fault> {
    let Some((leaf, issuers)) = evidence.chain.split_first() else { return vec![Fault::Unreadable("none was sent".to_owned())] };
    if let Some(words) = &leaf.unreadable {
        return vec![Fault::Unreadable(words.clone())];
    }
    let mut faults = Vec::new();
    dates(leaf, evidence.now, &mut faults);
    let der = CertificateDer::from(leaf.der.as_slice());
    let parsed = ParsedCertificate::try_from(&der);
    name(leaf, evidence, parsed.as_ref().ok(), &mut faults);
    if leaf.version != 3 {
        faults.push(Fault::OldVersion(leaf.version));
    }
    if let Some(bits) = leaf.rsa_bits.filter(|bits| *bits < 2048) {
        faults.push(Fault::WeakKey(bits));
    }
    if leaf.weak_signature && !leaf.self_issued {
        faults.push(Fault::WeakSignature(leaf.signature.clone()));
    }
    if leaf.not_for_servers {
        faults.push(Fault::WrongUsage);
    }
    if leaf.is_ca && !leaf.self_issued {
        faults.push(Fault::CaAsServer);
    }
    // A certificate that the library cannot read is refused, also where it was given.
    if let Err(error) = &parsed
        && leaf.version == 3
    {
        faults.push(Fault::Other(library_words(error)));
    }
    if !evidence.is_pinned(leaf) {
        match (&parsed, leaf.self_issued) {
            (Ok(parsed), true) => self_signed(leaf, issuers, evidence, parsed, &mut faults),
            (Err(_), true) => faults.push(Fault::SelfSigned),
            (Ok(parsed), false) => trust(leaf, issuers, evidence, parsed, &mut faults),
            (Err(_), false) => trust_by_name(leaf, issuers, evidence.roots, &mut faults),
        }
    }
    match evidence.proof {
        Proof::Verified => {}
        // The library checks nothing with so short a key.
        Proof::Wrong if leaf.rsa_bits.is_none_or(|bits| bits >= 2048) => faults.push(Fault::BadSignature),
        Proof::Wrong | Proof::Unchecked => faults.push(Fault::Unproven),
    }
    faults
}

fn dates(leaf: &Certificate, now: i64, faults: &mut Vec<Fault>) {
    if now > leaf.not_after {
        faults.push(Fault::Expired { at: leaf.not_after });
    }
    if now < leaf.not_before {
        faults.push(Fault::NotYetValid { from: leaf.not_before });
    }
}

fn name(leaf: &Certificate, evidence: &Evidence<'_>, parsed: Option<&ParsedCertificate<'_>>, faults: &mut Vec<Fault>) {
    let wanted = evidence.name.to_str().into_owned();
    let same = |name: &str| name.eq_ignore_ascii_case(&wanted);
    let right = match parsed {
        Some(parsed) => verify_server_name(parsed, evidence.name).is_ok(),
        // What webpki cannot read (X.509 version 1) is compared by hand.
        None => leaf.names.iter().any(|name| same(name)),
    };
    if !right {
        let common_name_matches = leaf.names.is_empty() && same(&leaf.common_name);
        let names = if leaf.names.is_empty() { vec![leaf.common_name.clone()] } else { leaf.names.clone() };
        faults.push(Fault::WrongName { wanted, names, common_name_matches });
    }
}

/// One that was signed with its own key may stand among the roots itself.
fn self_signed(
    leaf: &Certificate,
    issuers: &[Certificate],
    evidence: &Evidence<'_>,
    parsed: &ParsedCertificate<'_>,
    faults: &mut Vec<Fault>,
) {
    if verify_path(parsed, issuers.iter(), evidence, day_of_life(leaf, evidence.now)).is_err() {
        faults.push(Fault::SelfSigned);
    }
}

/// The moment of the certificate's life that is nearest to now (seconds since 1970). Its dates were judged already:
/// an old certificate must not hide an unknown issuer.
fn day_of_life(leaf: &Certificate, now: i64) -> i64 {
    now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before))
}

fn trust(leaf: &Certificate, issuers: &[Certificate], evidence: &Evidence<'_>, parsed: &ParsedCertificate<'_>, faults: &mut Vec<Fault>) {
    let at = day_of_life(leaf, evidence.now);
    let verify = |issuers: &[&Certificate]| verify_path(parsed, issuers.iter().copied(), evidence, at);
    // An expired one that no path needs is no fault: a cross-signature that servers still send along.
    let (alive, expired): (Vec<_>, Vec<_>) = issuers.iter().partition(|one| one.unreadable.is_some() || evidence.now <= one.not_after);
    let Err(error) = verify(&alive) else { return };
    let error = match expired.first() {
        None => error,
        Some(first) => {
            faults.push(Fault::IssuerExpired(first.common_name.clone()));
            let Err(error) = verify(&issuers.iter().collect::<Vec<_>>()) else { return };
            error
        }
    };
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => unknown(leaf, issuers, evidence.roots.len(), faults),
        // The dates of leaf and issuers do not overlap: what is wrong with them was told.
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) if !faults.is_empty() => {}
        Error::InvalidCertificate(CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }) => {
            if !leaf.not_for_servers {
                faults.push(Fault::WrongUsage);
            }
            trust_by_name(leaf, issuers, evidence.roots, faults);
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            if leaf.rsa_bits.is_none_or(|bits| bits >= 2048) {
                faults.push(Fault::WronglySigned { issuer: last_link(leaf, issuers).issuer_name.clone() });
            }
        }
        _ if leaf.is_ca => trust_by_name(leaf, issuers, evidence.roots, faults),
        _ if faults.iter().any(|fault| matches!(fault, Fault::WeakSignature(_) | Fault::WeakKey(_))) => {}
        other => faults.push(Fault::Other(library_words(&other))),
    }
}

/// `EndEntityUsedAsCa` → `end entity used as ca`: for what has no sentence of its own.
fn library_words(error: &Error) -> String {
    let Error::InvalidCertificate(CertificateError::Other(inner)) = error else { return error.to_string() };
    let mut out = String::new();
    for c in inner.to_string().chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// For a certificate that is refused already, before its issuer was looked at: whether the chain leads to
/// the name of a root.
fn trust_by_name(leaf: &Certificate, issuers: &[Certificate], roots: &RootCertStore, faults: &mut Vec<Fault>) {
    let last = last_link(leaf, issuers);
    let leads_to = |root: &TrustAnchor<'_>| {
        let parsed = x509_parser::parse_x509_certificate(&last.der).ok();
        parsed.is_some_and(|(_, parsed)| parsed.issuer().as_raw().ends_with(root.subject.as_ref()))
    };
    if !roots.roots.iter().any(leads_to) {
        unknown(leaf, issuers, roots.len(), faults);
    }
}

fn unknown(leaf: &Certificate, issuers: &[Certificate], roots: usize, faults: &mut Vec<Fault>) {
    let last = last_link(leaf, issuers);
    if last.der == leaf.der {
        faults.push(Fault::MissingIntermediate { issuer: leaf.issuer_name.clone() });
    } else {
        faults.push(Fault::UnknownIssuer { issuer: last.issuer_name.clone(), roots });
    }
}

/// Where the chain ends that begins with the server's certificate; the order of the others is free.
fn last_link<'a>(leaf: &'a Certificate, issuers: &'a [Certificate]) -> &'a Certificate {
    let mut last = leaf;
    // A ring has no end.
    for _ in issuers {
        match issuers.iter().find(|issuer| issuer.unreadable.is_none() && issuer.subject == last.issuer) {
            Some(next) if !last.self_issued => last = next,
            _ => break,
        }
    }
    last
}
