//! What ties a login to the TLS channel that it is made in (RFC 5056), so that it is of no use elsewhere.

use aws_lc_rs::digest::{Algorithm, SHA224, SHA256, SHA384, SHA512, digest};
use rustls::ProtocolVersion;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

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

/// `tls-server-end-point` (RFC 5929 §4.1): the server's certificate, hashed as its signature is, but by
/// SHA-256 for MD5 and SHA-1; `None` where the signature has no hash of its own (Ed25519).
pub fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let hash = match SignatureAlgorithm::try_from(&parsed.signature_algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => hash(&parameters.hash_algorithm_oid().to_id_string()),
        _ => hash(&parsed.signature_algorithm.algorithm.to_id_string()),
    };
    hash.map(|hash| digest(hash, certificate).as_ref().to_vec())
}

/// The hash to take, by the object identifier of a signature algorithm or of a hash.
fn hash(oid: &str) -> Option<&'static Algorithm> {
    match oid {
        // MD5 and SHA-1: with RSA, with ECDSA, alone.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.113549.2.5" | "1.3.14.3.2.26" => Some(&SHA256),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.2.4" => Some(&SHA224),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.2.1" => Some(&SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" | "2.16.840.1.101.3.4.2.2" => Some(&SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "2.16.840.1.101.3.4.2.3" => Some(&SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm as Signature};

    use super::*;

    fn certificate(signature: &'static Signature) -> Vec<u8> {
        let key = KeyPair::generate_for(signature).unwrap();
        CertificateParams::default().self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_certificate_is_hashed_as_its_signature_is() {
        let table: [(&'static Signature, Option<&Algorithm>); 4] = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&SHA256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&SHA384)),
            (&rcgen::PKCS_ECDSA_P521_SHA512, Some(&SHA512)),
            (&rcgen::PKCS_ED25519, None),
        ];
        for (signature, hash) in table {
            let der = certificate(signature);
            let want = hash.map(|hash| digest(hash, &der).as_ref().to_vec());
            assert_eq!(server_end_point(&der), want, "{signature:?}");
        }
        assert_eq!(server_end_point(b"no certificate"), None);
    }

    #[test]
    fn hashes_that_can_be_forged_are_replaced() {
        for oid in ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.3.14.3.2.26"] {
            assert_eq!(hash(oid), Some(&SHA256), "{oid}");
        }
    }
}
