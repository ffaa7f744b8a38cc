//! Laws of the file format.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::testing::{any_entry, largest, typical};

proptest! {
    #[test]
    fn decode_undoes_encode(entries in vec(any_entry(u64::MAX), 0..20), cleared_ms: u64) {
        let file = encode(&entries, cleared_ms);
        prop_assert_eq!(decode(&file), Decoded { entries, cleared_ms, flaw: None });
    }

    #[test]
    fn any_bytes_decode_without_panic(bytes: Vec<u8>) {
        decode(&bytes);
    }

    #[test]
    fn any_change_leaves_the_entries_before_and_after_it(
        at in 0_usize..3_000,
        cut in 0_usize..400,
        put in vec(any::<u8>(), 0..400),
    ) {
        let entries = entries(8);
        let file = encode(&entries, 0);
        let at = at % file.len();
        let cut = cut.min(file.len() - at);
        let changed = [&file[..at], &put, &file[at + cut..]].concat();
        let found = decode(&changed).entries;
        for entry in untouched(&entries, at, at + cut) {
            prop_assert!(found.contains(entry));
        }
        prop_assert!(found.iter().all(|entry| entries.contains(entry)));
    }
}

fn entries(count: u16) -> Vec<Entry> {
    (0..count).map(|number| typical(number, 1_000)).collect()
}

/// The entries of which no byte is from `start` to `end`.
fn untouched(entries: &[Entry], start: usize, end: usize) -> Vec<&Entry> {
    let mut at = HEADER_LEN;
    let mut untouched = Vec::new();
    for entry in entries {
        let after = at + FRAME_LEN + stored::encode(entry).unwrap().len();
        if end <= at || start >= after {
            untouched.push(entry);
        }
        at = after;
    }
    untouched
}

#[test]
fn every_flipped_bit_costs_one_entry_at_most_and_is_noticed() {
    let entries = entries(5);
    let file = encode(&entries, 7);
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let decoded = decode(&flipped);
        let expected = untouched(&entries, bit / 8, bit / 8 + 1);
        assert_eq!(
            decoded.entries.iter().collect::<Vec<_>>(),
            expected,
            "bit {bit}"
        );
        assert_eq!(decoded.flaw, Some(Flaw::Damaged), "bit {bit}");
    }
}

#[test]
fn a_cut_at_any_length_leaves_the_entries_before_it_and_is_noticed() {
    let entries = entries(5);
    let file = encode(&entries, 7);
    for len in 0..file.len() {
        let decoded = decode(&file[..len]);
        let expected = untouched(&entries, len, file.len());
        assert_eq!(
            decoded.entries.iter().collect::<Vec<_>>(),
            expected,
            "{len} bytes"
        );
        assert_eq!(decoded.flaw, Some(Flaw::Damaged), "{len} bytes");
    }
}

#[test]
fn bytes_left_over_are_noticed() {
    let entries = entries(2);
    let file = [encode(&entries, 0), vec![0]].concat();
    let decoded = decode(&file);
    assert_eq!(
        (decoded.entries, decoded.flaw),
        (entries, Some(Flaw::Damaged))
    );
}

#[test]
fn entries_of_a_later_version_are_read_where_they_are_as_ours() {
    let entries = entries(3);
    let mut file = encode(&entries, 9);
    file[..HEADER_LEN].copy_from_slice(&header(2, 3, 9));
    file.extend_from_slice(b"what it has besides");
    let decoded = decode(&file);
    assert_eq!((decoded.entries, decoded.cleared_ms), (entries, 9));
    assert_eq!(decoded.flaw, Some(Flaw::Newer { version: 2 }));
}

#[test]
fn fifteen_hundred_typical_peers_fit() {
    let file = encode(&entries(1_500), 0);
    assert_eq!(decode(&file).entries.len(), 1_500);
    let bytes_each = file.len() / 1_500;
    assert!(bytes_each < 345, "{bytes_each} bytes each");
}

#[test]
fn what_does_not_fit_is_left_out_from_the_end() {
    let entries: Vec<_> = (0..200).map(largest).collect();
    let file = encode(&entries, 0);
    assert!(file.len() <= MAX_FILE_LEN);
    let decoded = decode(&file);
    assert!(decoded.entries.len() > MAX_FILE_LEN / MAX_BODY_LEN - 1);
    assert_eq!(decoded.entries, entries[..decoded.entries.len()]);
    assert_eq!(decoded.flaw, None);
}

#[test]
fn the_largest_entry_fits_its_frame() {
    let len = stored::encode(&largest(1)).unwrap().len();
    assert!(len <= MAX_BODY_LEN, "{len} bytes");
}

#[test]
fn more_entries_than_are_kept_are_not_read() {
    let entries = entries(1_501);
    let mut file = encode(&entries, 0);
    put_frame(&stored::encode(&entries[1_500]).unwrap(), &mut file);
    let decoded = decode(&file);
    assert_eq!(decoded.entries, entries[..1_500]);
    assert_eq!(decoded.flaw, Some(Flaw::Damaged));
}

#[test]
fn entry_whose_record_is_another_peers_is_no_entry() {
    let mut entry = typical(1, 1_000);
    entry.record = typical(2, 1_000).record;
    assert_eq!(decode(&encode([&entry], 0)).entries, []);
}

#[test]
fn file_of_nothing_but_false_claims_is_given_up_soon() {
    let claim = [&MARKER[..], &6_000_u16.to_be_bytes(), &[0; SUM_LEN]].concat();
    let file = claim.repeat(MAX_FILE_LEN / claim.len());
    let mut in_vain = MAX_HASHED_IN_VAIN;
    assert!(first_entry(&file, &mut in_vain).is_none());
    assert_eq!(
        in_vain,
        MAX_HASHED_IN_VAIN - 6_000,
        "each claim is paid for"
    );
    assert_eq!(decode(&file).entries, []);
}
