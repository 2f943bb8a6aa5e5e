//! A certificate in words: what a person wants to know of it. Everything in it came from the server and
//! passes through `text` before it is shown.

use std::fmt::Write as _;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;

use crate::text::printable_str;

/// What a certificate says.
#[derive(Debug, Clone, Default)]
pub struct Certificate {
    /// The certificate itself.
    pub der: Vec<u8>,
    /// Why it cannot be read; then the rest is empty.
    pub unreadable: Option<String>,
    /// The subject's distinguished name.
    pub subject: String,
    /// The common name, or the whole subject.
    pub common_name: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The issuer's common name, or the whole name.
    pub issuer_name: String,
    /// The names it is for (subjectAltName).
    pub names: Vec<String>,
    /// Seconds since 1970 from which it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: i64,
    /// `RSA 2048`, `EC P-256`, `Ed25519`.
    pub key: String,
    /// Its key is RSA of this many bits.
    pub rsa_bits: Option<usize>,
    /// `SHA-256 with RSA`.
    pub signature: String,
    /// The hash in its signature can be forged (MD5, SHA-1).
    pub weak_signature: bool,
    /// In hexadecimal.
    pub serial: String,
    /// It is a certificate authority.
    pub is_ca: bool,
    /// X.509 version, 3 as a rule.
    pub version: u32,
    /// It may not be used for a server.
    pub not_for_servers: bool,
    /// It may not be used for a client.
    pub not_for_clients: bool,
    /// Issuer and subject are the same.
    pub self_issued: bool,
    /// The hash of its public key: the `3 1 1` TLSA value.
    pub spki_sha256: String,
    /// The hash of the whole.
    pub sha256: String,
}

impl Certificate {
    /// Reads a certificate. One that cannot be read is kept all the same.
    pub fn read(der: &CertificateDer<'_>) -> Self {
        let bytes = der.as_ref();
        let base = Self { der: bytes.to_vec(), sha256: sha256(bytes), ..Self::default() };
        match X509Certificate::from_der(bytes) {
            Err(error) => Self { unreadable: Some(printable_str(&error.to_string()).into_owned()), ..base },
            Ok((_, parsed)) => describe(&parsed, base),
        }
    }

    /// PEM, as files hold it.
    pub fn pem(&self) -> String {
        let text = crate::wire::base64::encode(&self.der);
        let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..(at + 64).min(text.len())]).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// Whole days from `now` until it ends; negative when it has ended.
    pub fn days_left(&self, now: i64) -> i64 {
        (self.not_after - now).div_euclid(86_400)
    }
}

fn describe(parsed: &X509Certificate<'_>, base: Certificate) -> Certificate {
    let clean = |text: String| printable_str(&text).into_owned();
    let subject = clean(parsed.subject().to_string());
    let issuer = clean(parsed.issuer().to_string());
    let common_name = |name: &x509_parser::x509::X509Name<'_>| {
        name.iter_common_name().next().and_then(|cn| cn.as_str().ok()).map(|cn| clean(cn.to_owned()))
    };
    let (key, rsa_bits) = key(parsed);
    let (signature, weak_signature) = signature(&parsed.signature_algorithm.algorithm.to_id_string());
    let usage = parsed.extended_key_usage().ok().flatten().map(|usage| usage.value);
    Certificate {
        common_name: common_name(parsed.subject()).unwrap_or_else(|| subject.clone()),
        issuer_name: common_name(parsed.issuer()).unwrap_or_else(|| issuer.clone()),
        names: names(parsed),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        key,
        rsa_bits,
        signature,
        weak_signature,
        serial: hex(parsed.raw_serial()),
        is_ca: parsed.basic_constraints().ok().flatten().is_some_and(|basic| basic.value.ca),
        version: if parsed.version == X509Version::V3 { 3 } else { parsed.version.0.saturating_add(1) },
        not_for_servers: usage.as_ref().is_some_and(|usage| !usage.server_auth && !usage.any),
        not_for_clients: usage.is_some_and(|usage| !usage.client_auth && !usage.any),
        self_issued: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        spki_sha256: sha256(parsed.public_key().raw),
        subject,
        issuer,
        ..base
    }
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(printable_str(name).into_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    use std::net::IpAddr;
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or(sixteen).ok().map(|address| address.to_string())
}

fn key(parsed: &X509Certificate<'_>) -> (String, Option<usize>) {
    let spki = parsed.public_key();
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => (format!("RSA {}", key.key_size()), Some(key.key_size())),
        // 521 bits fill 66 bytes.
        Ok(PublicKey::EC(point)) if point.key_size() == 528 => ("EC P-521".to_owned(), None),
        Ok(PublicKey::EC(point)) => (format!("EC P-{}", point.key_size()), None),
        _ => match spki.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => ("Ed25519".to_owned(), None),
            "1.3.101.113" => ("Ed448".to_owned(), None),
            other => (format!("of the kind {other}"), None),
        },
    }
}

/// The name of a signature algorithm by its object identifier, and whether its hash can be forged.
fn signature(oid: &str) -> (String, bool) {
    let (name, weak) = match oid {
        "1.2.840.113549.1.1.4" => ("MD5 with RSA", true),
        "1.2.840.113549.1.1.5" => ("SHA-1 with RSA", true),
        "1.2.840.113549.1.1.10" => ("RSA-PSS", false),
        "1.2.840.113549.1.1.11" => ("SHA-256 with RSA", false),
        "1.2.840.113549.1.1.12" => ("SHA-384 with RSA", false),
        "1.2.840.113549.1.1.13" => ("SHA-512 with RSA", false),
        "1.2.840.10045.4.1" => ("SHA-1 with ECDSA", true),
        "1.2.840.10045.4.3.2" => ("SHA-256 with ECDSA", false),
        "1.2.840.10045.4.3.3" => ("SHA-384 with ECDSA", false),
        "1.2.840.10045.4.3.4" => ("SHA-512 with ECDSA", false),
        "1.3.101.112" => ("Ed25519", false),
        other => return (other.to_owned(), false),
    };
    (name.to_owned(), weak)
}

fn sha256(bytes: &[u8]) -> String {
    let digest =
        rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider.hash(bytes));
    digest.map(|digest| hex(digest.as_ref())).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
