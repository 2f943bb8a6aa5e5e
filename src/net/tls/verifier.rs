//! rustls' hooks that record and let the handshake go on.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::verdict::Proof;

/// What the hooks saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) ocsp: usize,
    /// Nothing is proved until the library has said so.
    pub(super) proof: Proof,
    /// Our certificate was asked for, with this many issuers named.
    pub(super) asked: Option<usize>,
}

type Shared = Arc<Mutex<Seen>>;

fn note(seen: &Shared, change: impl FnOnce(&mut Seen)) {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Accepts every certificate and keeps it.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) seen: Shared,
}

impl Recorder {
    /// Keeps what the library said of the signature, if it was made with the key of the server's own certificate.
    fn record(&self, certificate: &CertificateDer<'_>, result: &Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        note(&self.seen, |seen| {
            seen.proof = match result {
                Ok(_) if seen.chain.first() == Some(certificate) => Proof::Verified,
                Err(_) if ParsedCertificate::try_from(certificate).is_ok() => Proof::Wrong,
                _ => Proof::Unchecked,
            };
        });
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        note(&self.seen, |seen| {
            seen.chain = std::iter::once(leaf).chain(between).map(|certificate| certificate.clone().into_owned()).collect();
            seen.ocsp = ocsp.len();
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.record(certificate, &verify_tls12_signature(message, certificate, signed, &self.algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(self.record(certificate, &verify_tls13_signature(message, certificate, signed, &self.algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Notes that our certificate is asked for, and gives it if there is one.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    pub(super) key: Option<Arc<CertifiedKey>>,
    pub(super) seen: Shared,
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, issuers: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note(&self.seen, |seen| seen.asked = Some(issuers.len()));
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
