//! Datagrams of the beacon: junk has no stamp, and what a member of the network may send is read, written back, and
//! believed within the limits.
#![no_main]

use crust_core::DatagramSealer;
use crust_crypto::{NetworkKey, NetworkSealer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], Vec<&[u8]>)| {
    let (junk, plaintexts) = input;
    let sealer = NetworkSealer::new(&NetworkKey::from_name("fuzz"));
    let mut datagram = junk.to_vec();
    // One in 2^32 has a stamp, but none is whole.
    assert!(sealer.open(&mut datagram).is_none());
    crust_beacon::fuzz::beacon_datagrams(&plaintexts);
});
