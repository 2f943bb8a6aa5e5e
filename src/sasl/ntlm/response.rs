//! What is computed from the password (MS-NLMP 3.3).

use super::{Hash, hash, message};
use crate::secret::Secret;

/// NTOWFv1: as good as the password for whoever has it.
pub(super) fn nt_hash(password: &str) -> Hash {
    let password = Secret::new(message::utf16(password));
    Secret::new(hash::md4(password.expose()))
}

/// NTLMv1.
pub(super) fn version_one(hash: &Hash, nonce: [u8; 8]) -> [u8; 24] {
    let key: Secret<[u8; 21]> = Secret::new(std::array::from_fn(|at| hash.expose().get(at).copied().unwrap_or_default()));
    let mut out = [0; 24];
    for (key, out) in key.expose().as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        *out = hash::des(*key, nonce);
    }
    out
}

/// NTLMv1 where both sides' challenges count.
pub(super) fn with_session_security(hash: &Hash, nonce: [u8; 8], own: [u8; 8]) -> [u8; 24] {
    version_one(hash, first_eight(&hash::md5(&[&nonce, &own])))
}

/// NTOWFv2.
pub(super) fn version_two_key(hash: &Hash, user: &str, domain: &str) -> Hash {
    let name = message::utf16(&upper(user));
    Secret::new(hash::hmac_md5(hash.expose(), &[&name, &message::utf16(domain)]))
}

/// What an NTLMv2 response answers with besides the challenge (MS-NLMP 2.2.2.7).
pub(super) fn blob(file_time: u64, own: [u8; 8], info: &[u8]) -> Vec<u8> {
    [&[1, 1, 0, 0, 0, 0, 0, 0][..], &file_time.to_le_bytes(), &own, &[0; 4], info, &[0; 4]].concat()
}

/// The NTLMv2 response, and the session's key.
pub(super) fn version_two(key: &Hash, nonce: [u8; 8], blob: &[u8]) -> (Vec<u8>, Hash) {
    let proof = hash::hmac_md5(key.expose(), &[&nonce, blob]);
    ([&proof, blob].concat(), Secret::new(hash::hmac_md5(key.expose(), &[&proof])))
}

/// The LMv2 response.
pub(super) fn lm_version_two(key: &Hash, nonce: [u8; 8], own: [u8; 8]) -> Vec<u8> {
    [&hash::hmac_md5(key.expose(), &[&nonce, &own])[..], &own].concat()
}

/// The seal over all three messages, of which the last has zeros in its place.
pub(super) fn mic(session_key: &[u8; 16], messages: &[&[u8]; 3]) -> [u8; 16] {
    hash::hmac_md5(session_key, messages)
}

/// `gss_channel_bindings_struct` (RFC 4121 §4.1.1.2) with `tls-server-end-point`, hashed; zeros without TLS.
pub(super) fn bindings(end_point: Option<&[u8]>) -> [u8; 16] {
    let Some(end_point) = end_point else { return [0; 16] };
    let data = [b"tls-server-end-point:", end_point].concat();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    hash::md5(&[&[0; 16], &length, &data])
}

pub(super) fn first_eight<const N: usize>(bytes: &[u8; N]) -> [u8; 8] {
    std::array::from_fn(|at| bytes[at])
}

/// As Windows does it, character by character: what would become two stays.
fn upper(name: &str) -> String {
    let one = |c: char| {
        let mut upper = c.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
    };
    name.chars().map(one).collect()
}
