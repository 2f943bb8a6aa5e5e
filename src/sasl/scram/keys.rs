//! What SCRAM computes (RFC 5802 §3).

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};

use crate::secret::Secret;

/// The hash of a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    fn algorithms(self) -> (&'static digest::Algorithm, hmac::Algorithm, pbkdf2::Algorithm) {
        match self {
            Self::Sha1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pbkdf2::PBKDF2_HMAC_SHA1),
            Self::Sha256 => (&digest::SHA256, hmac::HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA256),
            Self::Sha512 => (&digest::SHA512, hmac::HMAC_SHA512, pbkdf2::PBKDF2_HMAC_SHA512),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.algorithms().1, key), data)
    }

    /// `SaltedPassword`: the dear step.
    pub(super) fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Secret<Vec<u8>> {
        let (digest, _, pbkdf2) = self.algorithms();
        let mut out = vec![0; digest.output_len()];
        pbkdf2::derive(pbkdf2, iterations, salt, password.as_bytes(), &mut out);
        Secret::new(out)
    }

    /// `ClientProof`.
    pub(super) fn proof(self, salted: &Secret<Vec<u8>>, covered: &str) -> Vec<u8> {
        let client_key = self.hmac(salted.expose(), b"Client Key");
        let stored_key = digest::digest(self.algorithms().0, client_key.as_ref());
        let signature = self.hmac(stored_key.as_ref(), covered.as_bytes());
        client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, mask)| key ^ mask).collect()
    }

    /// `ServerSignature`.
    pub(super) fn signature(self, salted: &Secret<Vec<u8>>, covered: &str) -> Vec<u8> {
        let server_key = self.hmac(salted.expose(), b"Server Key");
        self.hmac(server_key.as_ref(), covered.as_bytes()).as_ref().to_vec()
    }
}
