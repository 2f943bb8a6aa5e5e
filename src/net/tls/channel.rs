//! What ties a login to the TLS channel that it is made in (RFC 5056), so that it is of no use elsewhere.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::ProtocolVersion;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The label of `tls-exporter` (RFC 9266 §2).
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// `tls-exporter` (RFC 9266): 32 bytes that only both ends of this connection can know. Only TLS 1.3 is
/// sure to have what it needs.
pub fn exporter<Data>(session: &rustls::ConnectionCommon<Data>) -> Option<Vec<u8>> {
    if session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    session.export_keying_material(vec![0; 32], LABEL, Some(&[])).ok()
}

/// `tls-server-end-point` (RFC 5929 §4.1): the server's certificate under the hash of its own signature,
/// MD5 and SHA-1 replaced by SHA-256.
pub fn server_end_point(certificate: &[u8]) -> Vec<u8> {
    let oid = X509Certificate::from_der(certificate).map(|(_, parsed)| parsed.signature_algorithm.algorithm.to_id_string());
    digest(hash(oid.as_deref().unwrap_or_default()), certificate).as_ref().to_vec()
}

/// By the object identifier of the signature algorithm (RFC 4055, RFC 5758).
fn hash(oid: &str) -> &'static Algorithm {
    match oid {
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => &SHA256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_certificates_signature() {
        for (algorithm, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, 32),
            (&rcgen::PKCS_ECDSA_P384_SHA384, 48),
            (&rcgen::PKCS_ECDSA_P521_SHA512, 64),
            (&rcgen::PKCS_ED25519, 32),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::new(vec!["mail.contoso.test".to_owned()]).unwrap().self_signed(&key).unwrap();
            assert_eq!(server_end_point(certificate.der()).len(), length);
        }
        assert_eq!(server_end_point(b"no certificate").len(), 32);
    }
}
