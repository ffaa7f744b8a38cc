//! What may follow the fields of an operation (RFC 6887 §7.3).

/// The option of §13.2: code, reserved, and a length of zero.
pub(crate) const PREFER_FAILURE: [u8; 4] = [2, 0, 0, 0];

/// Whether each option ends where the next begins. What they say is not needed: a client asked for none of it.
pub(crate) fn are_whole(mut bytes: &[u8]) -> bool {
    while let Some((&[_, _, a, b], rest)) = bytes.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([a, b]));
        let Some(next) = rest.get(len.next_multiple_of(4)..) else {
            return false;
        };
        bytes = next;
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_padded_are_whole() {
        assert!(are_whole(&[]));
        assert!(are_whole(&PREFER_FAILURE));
        assert!(are_whole(&[130, 0, 0, 3, 1, 2, 3, 0, 2, 0, 0, 0]));
    }

    #[test]
    fn options_that_go_on_beyond_the_end_are_not() {
        assert!(!are_whole(&[130, 0, 0, 5, 1, 2, 3, 4]));
        assert!(!are_whole(&[130, 0, 0]));
        assert!(!are_whole(&[130, 0, 0xff, 0xff, 1, 2, 3, 4]));
    }
}
