//! The hashes that mechanisms are made of. MD4 and MD5 are broken, and prescribed.

use des::cipher::BlockCipherEncrypt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Digest as _;

use crate::secret::Secret;

/// MD4 (RFC 1320): the NT hash.
pub(super) fn md4(data: &[u8]) -> [u8; 16] {
    md4::Md4::digest(data).into()
}

/// MD5 (RFC 1321) of the parts in their order.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = md5::Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// HMAC-MD5 (RFC 2104) of the parts in their order.
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<md5::Md5>::new_from_slice(key) else { return [0; 16] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// One block of DES (FIPS 46-3) under 56 bits of key, which stand in 7 bytes without their parity bits.
pub(super) fn des(key: [u8; 7], block: [u8; 8]) -> [u8; 8] {
    let bits = key.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    let key = Secret::new(std::array::from_fn::<u8, 8, _>(|at| (bits >> (49 - 7 * at)).to_le_bytes()[0] << 1));
    let mut block = block.into();
    des::Des::new(key.expose().into()).encrypt_block(&mut block);
    block.into()
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by its time where the difference is.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 1320 appendix A.5, RFC 1321 appendix A.5, RFC 2202 section 2.
    #[test]
    fn the_rfcs_examples_come_out() {
        assert_eq!(hex(&md4(b"message digest")), "d9130a8164549fe818874806e1c7014b");
        assert_eq!(hex(&md5(&[b"message ", b"digest"])), "f96b697d7cb7938d525a2f31aaf161d0");
        // FIPS 81's first example, whose key 0123456789abcdef has parity bits.
        assert_eq!(hex(&des([0x00, 0x45, 0x13, 0x38, 0x95, 0x73, 0x77], *b"Now is t")), "3fa40e8a984d4815");
        assert_eq!(hex(&hmac_md5(b"Jefe", &[b"what do ya want ", b"for nothing?"])), "750c783e6ab0b503eaa86e310a5db738");
    }
}
