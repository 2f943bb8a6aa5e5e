//! Certificates and keys from PEM files.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use zeroize::Zeroizing;

use super::certificate::Certificate;

/// The largest file that is read (P52): bundles of roots have some hundred KiB.
const LARGEST: usize = 16 * 1024 * 1024;

/// Our certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// The certificate in words: one that the server will not like is worth a warning.
    pub certificate: Certificate,
    /// The key as OpenSSL takes it.
    #[cfg(feature = "legacy-tls")]
    pub(super) key_der: Arc<PrivateKeyDer<'static>>,
}

impl Identity {
    /// Reads a chain and a key; one file may hold both.
    ///
    /// # Errors
    /// A file cannot be read, holds nothing of the kind, or the two do not belong together.
    pub fn read(certificate: &Path, key: Option<&Path>) -> Result<Self, String> {
        let chain = certificates(certificate)?;
        let key_file = key.unwrap_or(certificate);
        let text = read(key_file)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| no_key(key_file, &text, &error))?;
        // `certificates` gives at least one.
        let words = Certificate::read(&chain[0]);
        #[cfg(feature = "legacy-tls")]
        let key_der = Arc::new(key.clone_key());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("{}: the key is not that of the certificate in {}", key_file.display(), certificate.display())
            }
            other => format!("{}: the key cannot be used ({other})", key_file.display()),
        })?;
        Ok(Self {
            key: Arc::new(certified),
            certificate: words,
            #[cfg(feature = "legacy-tls")]
            key_der,
        })
    }
}

/// Why there is no key in a file, and for one behind a password what makes it readable.
fn no_key(path: &Path, text: &[u8], error: &rustls::pki_types::pem::Error) -> String {
    let name = path.display();
    if memchr::memmem::find(text, b"ENCRYPTED").is_some() {
        return format!("{name}: the key is encrypted; 'openssl pkey -in {name} -out FILE' writes it without its password");
    }
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => format!("{name}: it holds no private key (PEM is wanted; --key names another file)"),
        other => format!("{name}: no private key can be read from it ({other})"),
    }
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = path.display();
    let text = read(path)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|error| format!("{name}: {error}"))?;
    if all.is_empty() { Err(format!("{name}: it holds no certificate (PEM is wanted)")) } else { Ok(all) }
}

/// What a file or a pipe holds.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = |error: std::io::Error| format!("{}: {}", path.display(), crate::net::dial::system_words(&error));
    let mut text = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(wrong)?;
    file.take(LARGEST as u64 + 1).read_to_end(&mut text).map_err(wrong)?;
    if text.len() > LARGEST {
        return Err(format!("{}: it holds more than {} MiB, which no certificate or key does", path.display(), LARGEST >> 20));
    }
    Ok(text)
}
