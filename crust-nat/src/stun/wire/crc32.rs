//! The checksum of FINGERPRINT: CRC-32 of ITU V.42 (RFC 8489 §14.7).
//!
//! A table and a loop; messages are too short for a faster one to be worth a dependency.

pub(super) fn crc32<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        TABLE[usize::from(low ^ byte)] ^ crc >> 8
    };
    !bytes.into_iter().fold(u32::MAX, step)
}

/// What each byte does to the rest.
static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut crcs = 0_u32;
    while crcs < 256 {
        let mut crc = crcs;
        let mut bit = 0;
        while bit < 8 {
            let is_odd = crc & 1 == 1;
            crc >>= 1;
            if is_odd {
                crc ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[crcs as usize] = crc;
        crcs += 1;
    }
    table
}

/// That of V.42, its lowest power in the highest bit.
const POLYNOMIAL: u32 = 0xedb8_8320;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_check_string_is_known() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
