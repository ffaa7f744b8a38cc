//! What several tests need: peers, addresses, records, and caches of them.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::{path::Path, sync::Arc, time::Duration};

use crust_bootstrap::{PeerCache, PeerCacheBuilder};
use crust_core::{
    Addr, DialOutcome, Discovery, FoundPeer, PeerId, PeerRecord, SIGNATURE_LEN, SignedRecord,
    Signer, Verifier, rt,
};
use futures::TryStreamExt;

pub fn peer(number: u16) -> PeerId {
    let mut bytes = [7; PeerId::LEN];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

pub fn addr(number: u16) -> Addr {
    let text = format!("tcp://198.51.{}.{}:1", number >> 8, number & 0xff);
    text.parse().unwrap()
}

/// The node whose cache it is.
pub fn own() -> PeerId {
    peer(u16::MAX)
}

pub fn builder() -> PeerCacheBuilder {
    PeerCache::builder(own(), Arc::new(Toy(own())))
}

/// The cache in the file at `path`, saving when it is told to, and once by itself.
pub fn open(path: &Path) -> PeerCache {
    rt::block_on(builder().file(path).save_every(NEVER).open())
}

pub fn reach(cache: &PeerCache, number: u16, elapsed_ms: u64) {
    let (peer, elapsed) = (peer(number), Duration::from_millis(elapsed_ms));
    cache.report(&addr(number), &DialOutcome::Connected { peer, elapsed });
}

pub fn fail(cache: &PeerCache, number: u16) {
    let peer = Some(peer(number));
    cache.report(&addr(number), &DialOutcome::Failed { peer });
}

/// The peers in the cache, in the order of their numbers.
pub fn numbers(cache: &PeerCache) -> Vec<u16> {
    let number = |peer: &PeerId| u16::from_be_bytes(*peer.as_bytes().first_chunk().unwrap());
    let mut numbers: Vec<_> = cache
        .list()
        .iter()
        .map(|cached| number(&cached.peer))
        .collect();
    numbers.sort();
    numbers
}

pub fn found(cache: &PeerCache) -> Vec<FoundPeer> {
    rt::block_on(cache.discover().try_collect()).unwrap()
}

/// A record that `number` signed.
pub fn record(number: u16, seq: u64) -> SignedRecord {
    let said = PeerRecord {
        peer: peer(number),
        addrs: vec![addr(number)],
        seq,
        expires: u64::MAX,
    };
    said.sign(&Toy(peer(number))).unwrap()
}

/// Signs with its name: enough to tell one signer from another.
#[derive(Debug)]
pub struct Toy(pub PeerId);

impl Signer for Toy {
    fn peer_id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
        let mut signature = [0; SIGNATURE_LEN];
        signature[..PeerId::LEN].copy_from_slice(self.0.as_bytes());
        signature
    }
}

impl Verifier for Toy {
    fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        Self(*peer).sign(message) == *signature
    }
}

pub const NEVER: Duration = Duration::MAX;
