//! Certificates and keys from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Our certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads a chain and a key; one file may hold both.
    ///
    /// # Errors
    /// A file cannot be read, holds nothing of the kind, or the two do not belong together.
    pub fn read(certificate: &Path, key: Option<&Path>) -> Result<Self, String> {
        let chain = certificates(certificate)?;
        let key_file = key.unwrap_or(certificate);
        let name = key_file.display();
        let key =
            PrivateKeyDer::from_pem_file(key_file).map_err(|error| format!("{name}: no private key can be read from it ({error})"))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified =
            CertifiedKey::from_der(chain, key, &provider).map_err(|error| format!("{name}: the key cannot be used ({error})"))?;
        Ok(Self { key: Arc::new(certified) })
    }
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = path.display();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| format!("{name}: {error}"))?;
    let all: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| format!("{name}: {error}"))?;
    if all.is_empty() { Err(format!("{name}: it holds no certificate (PEM is wanted)")) } else { Ok(all) }
}
