//! Integers of variable length (RFC 9000 §16): one, two, four or eight bytes, big endian.

use bytes::BufMut;

/// The largest integer that fits: 2^62 - 1.
pub const MAX: u64 = (1 << 62) - 1;

/// Bytes of the longest form.
pub const MAX_LEN: usize = 8;

/// Appends `value` in its shortest form.
///
/// # Panics
///
/// When `value` is over [`MAX`]: the counters here cannot reach it.
pub fn put<B: BufMut>(value: u64, out: &mut B) {
    match value {
        0..=0x3f => out.put_uint(value, 1),
        0x40..=0x3fff => out.put_uint(value | 1 << 14, 2),
        0x4000..=0x3fff_ffff => out.put_uint(value | 2 << 30, 4),
        0x4000_0000..=MAX => out.put_u64(value | 3 << 62),
        _ => panic!("{value} does not fit into 62 bits"),
    }
}

/// Takes an integer off the front of `input`; `None` where bytes are missing, and `input` is then as it was.
///
/// Longer forms than necessary are read too, as RFC 9000 §16 allows.
pub fn take(input: &mut &[u8]) -> Option<u64> {
    let first = *input.first()?;
    let len = 1 << (first >> 6);
    let (bytes, rest) = input.split_at_checked(len)?;
    let mut value = u64::from(first & 0x3f);
    for byte in &bytes[1..] {
        value = value << 8 | u64::from(*byte);
    }
    *input = rest;
    Some(value)
}

/// Bytes that [`put`] appends for `value`.
pub const fn len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_rfc_9000_appendix_a_1() {
        let examples: [(&[u8], u64); 5] = [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (mut bytes, value) in examples {
            assert_eq!(take(&mut bytes), Some(value));
        }
    }

    proptest! {
        #[test]
        fn take_undoes_put(value in 0..=MAX, shift in 0_u32..62) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put(value, &mut bytes);
            prop_assert_eq!(bytes.len(), len(value));
            let mut input = &bytes[..];
            prop_assert_eq!(take(&mut input), Some(value));
            prop_assert!(input.is_empty());
            let mut cut = &bytes[..bytes.len() - 1];
            prop_assert_eq!(take(&mut cut), None);
        }
    }
}
