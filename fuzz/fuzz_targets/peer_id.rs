//! Peer ids from text: each peer has one text, in upper or lower case.
#![no_main]

use crust_core::PeerId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(peer) = text.parse::<PeerId>() {
        assert_eq!(peer.to_string(), text.to_ascii_lowercase());
    }
});
