//! Everything that is wrong with a certificate, each fault judged by itself, not only the first.

use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::certificate::Certificate;

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
    /// The server sends its own certificate alone, and its issuer is no root.
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
    /// A signature in the chain, or the one in the handshake, is wrong.
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
    dates(leaf, issuers, evidence.now, &mut faults);
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
            (Err(_), _) => unknown(leaf, issuers, evidence.roots.len(), &mut faults),
        }
    }
    if !evidence.handshake_signature && !faults.iter().any(|fault| matches!(fault, Fault::WeakKey(_) | Fault::OldVersion(_))) {
        faults.push(Fault::BadSignature);
    }
    faults
}

fn dates(leaf: &Certificate, issuers: &[Certificate], now: i64, faults: &mut Vec<Fault>) {
    if now > leaf.not_after {
        faults.push(Fault::Expired { at: leaf.not_after });
    }
    if now < leaf.not_before {
        faults.push(Fault::NotYetValid { from: leaf.not_before });
    }
    let old = issuers.iter().find(|issuer| issuer.unreadable.is_none() && now > issuer.not_after);
    faults.extend(old.map(|issuer| Fault::IssuerExpired(issuer.common_name.clone())));
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
    let between: Vec<CertificateDer<'_>> = issuers.iter().map(|issuer| CertificateDer::from(issuer.der.clone())).collect();
    // Dates were judged already: the chain is looked at on the day of the certificate's life that is
    // nearest to today, so that an old certificate does not hide an unknown issuer.
    let at = evidence.now.clamp(leaf.not_before, leaf.not_after.max(leaf.not_before));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or_default()));
    let Err(error) = verify_server_cert_signed_by_trust_anchor(parsed, evidence.roots, &between, at, evidence.algorithms.all) else {
        return;
    };
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => unknown(leaf, issuers, evidence.roots.len(), faults),
        // The dates of leaf and issuers do not overlap: what is wrong with them was told.
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) if !faults.is_empty() => {
            if !leads_to_a_root(leaf, issuers, evidence.roots) {
                unknown(leaf, issuers, evidence.roots.len(), faults);
            }
        }
        Error::InvalidCertificate(CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. }) => {
            if !leaf.not_for_servers {
                faults.push(Fault::WrongUsage);
            }
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            if leaf.rsa_bits.is_none_or(|bits| bits >= 2048) {
                faults.push(Fault::BadSignature);
            }
        }
        _ if faults.iter().any(|fault| matches!(fault, Fault::CaAsServer | Fault::WeakSignature(_) | Fault::WeakKey(_))) => {}
        other => faults.push(Fault::Other(other.to_string())),
    }
}

/// Whether the last issuer bears the name of a root: near enough where the dates forbid to verify.
fn leads_to_a_root(leaf: &Certificate, issuers: &[Certificate], roots: &RootCertStore) -> bool {
    let last = issuers.last().unwrap_or(leaf);
    let parsed = x509_parser::parse_x509_certificate(&last.der).ok();
    parsed.is_some_and(|(_, parsed)| roots.roots.iter().any(|root| parsed.issuer().as_raw().ends_with(root.subject.as_ref())))
}

fn unknown(leaf: &Certificate, issuers: &[Certificate], roots: usize, faults: &mut Vec<Fault>) {
    match issuers.last() {
        None => faults.push(Fault::MissingIntermediate { issuer: leaf.issuer_name.clone() }),
        Some(last) => faults.push(Fault::UnknownIssuer { issuer: last.issuer_name.clone(), roots }),
    }
}
