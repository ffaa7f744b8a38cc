//! Integers of variable length: what is taken is put back in no more bytes.
#![no_main]

use crust_core::varint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    while let Some(value) = varint::take(&mut input) {
        let mut put = Vec::new();
        varint::put(value, &mut put);
        assert_eq!(put.len(), varint::len(value));
        assert_eq!(varint::take(&mut &put[..]), Some(value));
    }
    assert!(input.len() < varint::MAX_LEN);
});
