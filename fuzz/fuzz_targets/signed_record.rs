//! Signed records off the wire, the bytes under the signature included: what is accepted is within its bounds.
#![no_main]

use crust_core::{PeerId, PeerRecord, SIGNATURE_LEN, SignedRecord, Signer, Verifier, codec};
use libfuzzer_sys::fuzz_target;

/// Believes every signature, so that what stands under it is reached.
struct Anybody(PeerId);

impl Verifier for Anybody {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        true
    }
}

impl Signer for Anybody {
    fn peer_id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
        [0; SIGNATURE_LEN]
    }
}

/// Record, signature and their lengths.
const LIMIT: usize = SignedRecord::MAX_LEN + SIGNATURE_LEN + 8;

fuzz_target!(|bytes: &[u8]| {
    let Ok(signed) = codec::decode::<SignedRecord, LIMIT>(bytes) else {
        return;
    };
    let anybody = Anybody(PeerId::from_bytes([0; PeerId::LEN]));
    if let Ok(record) = signed.verify(&anybody, NOW_MS) {
        assert!(record.addrs.len() <= PeerRecord::MAX_ADDRS);
        assert!(record.expires > NOW_MS);
        let again = record.sign(&anybody).expect("it was within its bounds");
        assert_eq!(
            again.verify(&anybody, NOW_MS).expect("nothing changed"),
            record
        );
    }
});

const NOW_MS: u64 = 1;
