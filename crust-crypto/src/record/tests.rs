//! Laws of records, for both ciphers.

use proptest::prelude::*;

use super::*;

const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];

/// Both ends of one direction, which change keys every `interval` records.
fn pair_with(cipher: Cipher, interval: u64) -> (Sealer, Opener) {
    let secret = Secret::new([7; 32]);
    (
        Sealer::with_interval(cipher, &secret, interval),
        Opener::with_interval(cipher, &secret, interval),
    )
}

fn pair(cipher: Cipher) -> (Sealer, Opener) {
    pair_with(cipher, REKEY_INTERVAL)
}

fn seal(sealer: &mut Sealer, text: &[u8]) -> Vec<u8> {
    let mut record = [&[0; HEADER_LEN], text, &[0; TAG_LEN]].concat();
    sealer.seal(&mut record);
    record
}

fn seal_close(sealer: &mut Sealer) -> Vec<u8> {
    let mut record = [0; RECORD_OVERHEAD];
    sealer.seal_close(&mut record);
    record.to_vec()
}

fn open(opener: &mut Opener, record: &[u8]) -> Result<Option<Vec<u8>>, RecordError> {
    Ok(match opener.open(&mut record.to_vec())? {
        Opened::Close => None,
        Opened::Data(text) => Some(text.to_vec()),
    })
}

#[test]
fn records_of_every_length_round_trip() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        for len in (1..300).chain([MAX_PLAINTEXT - 1, MAX_PLAINTEXT]) {
            let text = vec![0xab; len];
            let record = seal(&mut sealer, &text);
            assert_eq!(
                opener.body_len(record.first_chunk().unwrap()),
                Ok(len + TAG_LEN)
            );
            assert_eq!(open(&mut opener, &record), Ok(Some(text)));
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_ends_the_channel() {
    for cipher in CIPHERS {
        let data = seal(&mut pair(cipher).0, b"some text");
        let close = seal_close(&mut pair(cipher).0);
        for record in [data, close] {
            for bit in 0..8 * record.len() {
                let mut flipped = record.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let (_, mut opener) = pair(cipher);
                assert_eq!(open(&mut opener, &flipped), Err(RecordError::Broken));
                assert_eq!(open(&mut opener, &record), Err(RecordError::Broken));
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_header_is_seen_before_the_body_is_there() {
    for cipher in CIPHERS {
        let record = seal(&mut pair(cipher).0, b"some text");
        for bit in 0..8 * HEADER_LEN {
            let mut header = *record.first_chunk().unwrap();
            header[bit / 8] ^= 1 << (bit % 8);
            let (_, mut opener) = pair(cipher);
            assert_eq!(opener.body_len(&header), Err(RecordError::Broken));
        }
    }
}

#[test]
fn a_truncated_or_longer_record_is_broken() {
    for cipher in CIPHERS {
        let record = seal(&mut pair(cipher).0, b"some text");
        for len in 0..record.len() {
            let (_, mut opener) = pair(cipher);
            let result = open(&mut opener, &record[..len]);
            assert_eq!(result, Err(RecordError::Broken));
        }
        let longer = [record, vec![0]].concat();
        assert_eq!(open(&mut pair(cipher).1, &longer), Err(RecordError::Broken));
    }
}

#[test]
fn replayed_dropped_and_reordered_records_are_broken() {
    for cipher in CIPHERS {
        let (mut sealer, _) = pair(cipher);
        let records = [b"a", b"b", b"c"].map(|text| seal(&mut sealer, text));
        for order in [[0, 0], [0, 2], [1, 0]] {
            let (_, mut opener) = pair(cipher);
            let opened = order.map(|i| open(&mut opener, &records[i]));
            assert!(opened.contains(&Err(RecordError::Broken)), "{order:?}");
            let first_wrong = usize::from(order[0] == 0);
            assert!(opened[first_wrong].is_err(), "{order:?}");
        }
    }
}

#[test]
fn a_record_of_the_other_direction_is_broken() {
    for cipher in CIPHERS {
        let record = seal(&mut Sealer::new(cipher, &Secret::new([8; 32])), b"text");
        assert_eq!(open(&mut pair(cipher).1, &record), Err(RecordError::Broken));
    }
}

#[test]
fn a_header_may_be_asked_for_again() {
    let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
    for text in [b"first", b"other"] {
        let record = seal(&mut sealer, text);
        let header = record.first_chunk().unwrap();
        for _ in 0..3 {
            assert_eq!(opener.body_len(header), Ok(5 + TAG_LEN));
        }
        assert_eq!(open(&mut opener, &record), Ok(Some(text.to_vec())));
    }
}

#[test]
fn another_header_after_the_first_ends_the_channel() {
    let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
    let record = seal(&mut sealer, b"text");
    opener.body_len(record.first_chunk().unwrap()).unwrap();
    assert_eq!(opener.body_len(&[0; 6]), Err(RecordError::Broken));
    assert_eq!(open(&mut opener, &record), Err(RecordError::Broken));
}

#[test]
fn nothing_is_opened_after_a_close() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        let close = seal_close(&mut sealer);
        assert!(!opener.is_closed());
        assert_eq!(open(&mut opener, &close), Ok(None));
        assert!(opener.is_closed());
        assert_eq!(open(&mut opener, &close), Err(RecordError::Closed));
        assert_eq!(opener.body_len(&[0; 6]), Err(RecordError::Closed));
    }
}

#[test]
#[should_panic(expected = "nothing is sealed after a close")]
fn nothing_is_sealed_after_a_close() {
    let (mut sealer, _) = pair(Cipher::Aes256Gcm);
    seal_close(&mut sealer);
    seal(&mut sealer, b"late");
}

#[test]
#[should_panic(expected = "a record holds 1 to 16384 bytes, not 0")]
fn an_empty_record_is_not_sealed() {
    seal(&mut pair(Cipher::Aes256Gcm).0, b"");
}

#[test]
#[should_panic(expected = "a record holds 1 to 16384 bytes, not 16385")]
fn an_overlong_record_is_not_sealed() {
    seal(&mut pair(Cipher::Aes256Gcm).0, &[0; MAX_PLAINTEXT + 1]);
}

/// A far end may have the keys and still be hostile.
#[test]
fn well_made_headers_with_other_lengths_are_broken() {
    for cipher in CIPHERS {
        let max = u16::try_from(MAX_PLAINTEXT).unwrap();
        for word in [0, max + 1, CLOSE - 1, CLOSE + 1, CLOSE | max, u16::MAX] {
            let (sealer, mut opener) = pair(cipher);
            let header = sealer.epoch.header(0, word);
            assert_eq!(opener.body_len(&header), Err(RecordError::Broken));
        }
    }
}

#[test]
fn keys_change_at_the_interval_and_the_channel_goes_on() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair_with(cipher, 3);
        for number in 0..1_000_u16 {
            let text = number.to_be_bytes();
            let record = seal(&mut sealer, &text);
            assert_eq!(open(&mut opener, &record), Ok(Some(text.to_vec())));
        }
        let close = seal_close(&mut sealer);
        assert_eq!(open(&mut opener, &close), Ok(None));
    }
}

#[test]
fn old_keys_open_nothing_after_a_change() {
    for cipher in CIPHERS {
        let (mut sealer, _) = pair_with(cipher, 3);
        let (_, mut opener) = pair_with(cipher, u64::MAX);
        for _ in 0..3 {
            let record = seal(&mut sealer, b"text");
            assert_eq!(open(&mut opener, &record), Ok(Some(b"text".to_vec())));
        }
        let record = seal(&mut sealer, b"text");
        assert_eq!(open(&mut opener, &record), Err(RecordError::Broken));
    }
}

#[test]
fn keys_change_unasked_after_a_million_records() {
    let (mut sealer, mut opener) = pair(Cipher::Aes256Gcm);
    let (_, mut unchanged) = pair_with(Cipher::Aes256Gcm, u64::MAX);
    let (near, far) = (1 << 20, (1 << 20) - 1);
    (sealer.counter, opener.counter, unchanged.counter) = (far, far, far);
    let record = seal(&mut sealer, b"last");
    assert!(open(&mut opener, &record).is_ok() && open(&mut unchanged, &record).is_ok());
    assert_eq!(sealer.counter, near);
    let record = seal(&mut sealer, b"first");
    assert!(open(&mut opener, &record).is_ok());
    assert!(open(&mut unchanged, &record).is_err());
}

#[test]
fn open_to_closes_the_gap_between_records() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        let first = seal(&mut sealer, &[1; 1_000]);
        let second = seal(&mut sealer, &[2; 3_000]);
        let mut buf = [first.as_slice(), &second].concat();
        let (mut text, mut at) = (0, 0);
        for record in [first, second] {
            let end = at + record.len();
            let opened = opener.open_to(&mut buf[text..end], at - text);
            let Ok(Opened::Data(opened)) = opened else {
                panic!("the record is whole");
            };
            text += opened.len();
            at = end;
        }
        assert_eq!(buf[..text], [vec![1; 1_000], vec![2; 3_000]].concat());
    }
}

#[test]
fn both_halves_of_a_channel_fit_in_2_kib() {
    let handles = size_of::<Sealer>() + size_of::<Opener>();
    let total = handles + 2 * size_of::<Epoch>();
    assert!(total <= 2_048, "{total} bytes");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(bytes: Vec<u8>, at in 0_usize..40) {
        for cipher in CIPHERS {
            prop_assert_eq!(open(&mut pair(cipher).1, &bytes), Err(RecordError::Broken));
            let result = pair(cipher).1.open_to(&mut bytes.clone(), at).map(|_| ());
            prop_assert_eq!(result, Err(RecordError::Broken));
        }
    }
}
