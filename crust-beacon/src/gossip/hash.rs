//! The one hash of gossip: the head of SHA-256.

use ring::digest::{Context, SHA256};

/// The first eight bytes of SHA-256 over `parts`, big endian.
pub(super) fn head(parts: &[&[u8]]) -> u64 {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let digest = context.finish();
    let head = digest
        .as_ref()
        .first_chunk()
        .expect("a SHA-256 has 32 bytes");
    u64::from_be_bytes(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn hash_is_the_head_of_sha_256() {
        assert_eq!(head(&[b"a", b"bc"]), 0xba78_16bf_8f01_cfea);
    }
}
