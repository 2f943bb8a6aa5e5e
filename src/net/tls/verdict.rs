//! Everything that is wrong with a certificate, each fault judged by itself, not only the first.

use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::certificate::Certificate;

/// Whether the certificate has ended.
pub fn is_expired(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| matches!(fault, Fault::Expired { .. }))
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
    /// What the library says, for anything else.
    Other(String),
}

/// What a verdict is based on.
pub(super) struct Evidence<'a> {
    pub(super) chain: &'a [Certificate],
    pub(super) name: &'a ServerName<'static>,
    pub(super) roots: &'a RootCertStore,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// The signature in the handshake was right.
    pub(super) handshake_signature: bool,
}

/// Judges the chain. The order of the faults is the order in which they are told.
pub(super) fn judge(evidence: &Evidence<'_>) -> Vec<Fault> {
    let Some((leaf, issuers)) = evidence.chain.split_first() else { return vec![Fault::Unreadable("none was sent".to_owned())] };
    if let Some(words) = &leaf.unreadable {
        return vec![Fault::Unreadable(words.clone())];
    }
    let mut faults = Vec::new();
    dates(leaf, evidence.now, &mut faults);
    let der = CertificateDer::from(leaf.der.clone());
    let parsed = ParsedCertificate::try_from(&der);
    name(leaf, evidence, parsed.as_ref().ok(), &mut faults);
    let pinned = is_pinned(leaf, evidence.roots);
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
    if !pinned {
        match (&parsed, leaf.self_issued) {
            (_, true) => faults.push(Fault::SelfSigned),
            (Ok(parsed), _) => trust(leaf, issuers, evidence, parsed, &mut faults),
            (Err(error), _) => {
                if leaf.version == 3 {
                    faults.push(Fault::Other(library_words(error)));
                }
                trust_by_name(leaf, issuers, evidence.roots, &mut faults);
            }
        }
    }
    // What cannot be read or is too weak cannot be used to verify either: that was told.
    let verifiable = parsed.is_ok() && !faults.iter().any(|fault| matches!(fault, Fault::WeakKey(_)));
    if !evidence.handshake_signature && verifiable {
        faults.push(Fault::BadSignature);
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

/// The operator trusts this very certificate: it stands in `--cacert`.
fn is_pinned(leaf: &Certificate, roots: &RootCertStore) -> bool {
    let parsed = x509_parser::parse_x509_certificate(&leaf.der).ok();
    parsed.is_some_and(|(_, parsed)| {
        leaf.self_issued
            && roots.roots.iter().any(|root| {
                // An anchor keeps the inside of the subject and of the key.
                let subject = parsed.subject().as_raw();
                let key = parsed.public_key().raw;
                subject.ends_with(root.subject.as_ref()) && key.ends_with(root.subject_public_key_info.as_ref())
            })
    })
}

fn trust(leaf: &Certificate, issuers: &[Certificate], evidence: &Evidence<'_>, parsed: &ParsedCertificate<'_>, faults: &mut Vec<Fault>) {
    // Dates were judged already: the chain is looked at on the day of the certificate's life that is
    // nearest to today, so that an old certificate does not hide an unknown issuer.
    let at = evidence.now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or_default()));
    let verify = |between: &[&Certificate]| {
        let between: Vec<CertificateDer<'_>> = between.iter().map(|issuer| CertificateDer::from(issuer.der.as_slice())).collect();
        verify_server_cert_signed_by_trust_anchor(parsed, evidence.roots, &between, at, evidence.algorithms.all)
    };
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
