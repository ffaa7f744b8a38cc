//! Structured bodies: what is decoded encodes to bytes that decode to the same.
#![no_main]

use std::collections::BTreeMap;

use crust_core::{Addr, PeerId, codec};
use libfuzzer_sys::fuzz_target;

/// Every shape that a body of ours is made of: integers, text, options, nested sequences, our own types.
type Body = (
    u64,
    Option<String>,
    Vec<Vec<u16>>,
    BTreeMap<PeerId, Addr>,
    [bool; 3],
);

const LIMIT: usize = 4_096;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(body) = codec::decode::<Body, LIMIT>(bytes) {
        let again = codec::encode::<_, LIMIT>(&body)
            .expect("the shortest form fits where a longer one did");
        assert!(again.len() <= bytes.len());
        assert_eq!(codec::decode::<Body, LIMIT>(&again), Ok(body));
    }
});
