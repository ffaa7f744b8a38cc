//! What the tests of several files make entries of.

use crust_core::{Addr, PeerId, PeerRecord, SIGNATURE_LEN, Signer};
use proptest::{collection::vec, option, prelude::*};

use crate::{
    entry::{Entry, MAX_ADDRS, Record},
    known::{Failed, Known, Reached},
    lans::Place,
};

/// Peers of property tests; few, so that tables have some in common.
pub(crate) fn peer(number: u16) -> PeerId {
    let mut bytes = [0; PeerId::LEN];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

pub(crate) fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

/// A record of `peer` at `addrs`, made at `seq`, with a signature that nobody checks.
pub(crate) fn record(peer: PeerId, addrs: &[Addr], seq: u64) -> Record {
    let said = PeerRecord {
        peer,
        addrs: addrs.to_vec(),
        seq,
        expires: u64::MAX,
    };
    Record {
        signed: said.sign(&Anybody).unwrap(),
        said,
    }
}

/// An entry like those of a cache in use: a record with three addresses, one of them reached.
pub(crate) fn typical(number: u16, at_ms: u64) -> Entry {
    let peer = peer(number);
    let body = format!("198.51.{}.{}:54839", number >> 8, number & 0xff);
    let addrs = [
        addr(&format!("tcp://{body}")),
        addr(&format!("utp://{body}")),
        addr(&format!("tcp://[2001:db8:7:8:9:a:b:{number:x}]:54839")),
    ];
    let mut entry = Entry::new(peer, at_ms);
    let lans = crate::lans::Lans::default();
    entry.on_record(record(peer, &addrs, at_ms), &lans, at_ms);
    entry.on_reached(&addrs[0], &lans, at_ms, 25);
    entry
}

/// The largest entry that there can be.
pub(crate) fn largest(number: u16) -> Entry {
    let long = |scheme: &str, n: usize, len: usize| {
        let start = format!("{scheme}://{n:02}.");
        addr(&format!("{start}{}", "x".repeat(len - start.len())))
    };
    let said: Vec<Addr> = (0..3).map(|n| long("z", n, Addr::MAX_LEN)).collect();
    let record = record(peer(number), &said, u64::MAX);
    let place = Place::OnLink {
        ip: "fd00::".parse().unwrap(),
        len: 64,
    };
    let known = (0..MAX_ADDRS).map(|n| Known {
        addr: long("a", n, Addr::MAX_LEN),
        place,
        reached: Some(Reached {
            at_ms: u64::MAX,
            rtt_ms: u32::MAX,
        }),
        failed: Failed {
            at_ms: u64::MAX,
            in_a_row: u8::MAX,
        },
    });
    Entry {
        peer: peer(number),
        heard_ms: u64::MAX,
        seq: u64::MAX,
        record: Some(record),
        known: known.collect(),
    }
}

/// Any entry that can be written, with no time after `last_ms`.
pub(crate) fn any_entry(last_ms: u64) -> impl Strategy<Value = Entry> {
    let known = vec(any_known(last_ms), 1..5);
    let said = option::of(vec(any_addr(), 0..4));
    let newest = (0..last_ms.min(9), said);
    (0..6_u16, 0..last_ms, known, newest).prop_map(|(number, heard_ms, mut known, newest)| {
        let (seq, said) = newest;
        known.sort_by(|a, b| a.addr.cmp(&b.addr));
        known.dedup_by(|a, b| a.addr == b.addr);
        Entry {
            peer: peer(number),
            heard_ms,
            seq,
            record: said.map(|addrs| record(peer(number), &addrs, seq)),
            known,
        }
    })
}

fn any_known(last_ms: u64) -> impl Strategy<Value = Known> {
    let reached = option::of((0..last_ms, 0..3_u32));
    let failed = (0..last_ms, 0..12_u8);
    (any_addr(), any_place(), reached, failed).prop_map(|(addr, place, reached, failed)| Known {
        addr,
        place,
        reached: reached.map(|(at_ms, rtt_ms)| Reached { at_ms, rtt_ms }),
        failed: Failed {
            at_ms: failed.0,
            in_a_row: failed.1,
        },
    })
}

fn any_addr() -> impl Strategy<Value = Addr> {
    (0..6_u8).prop_map(|n| addr(&format!("tcp://192.0.2.{n}:1")))
}

fn any_place() -> impl Strategy<Value = Place> {
    let ip = "10.1.0.0".parse().unwrap();
    prop_oneof![
        Just(Place::Anywhere),
        Just(Place::OnLink { ip, len: 16 }),
        any::<[u8; 8]>().prop_map(Place::Site),
    ]
}

/// Signs everything alike.
struct Anybody;

impl Signer for Anybody {
    fn peer_id(&self) -> PeerId {
        peer(0)
    }

    fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
        [0; SIGNATURE_LEN]
    }
}
