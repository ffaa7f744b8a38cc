//! Addresses of peers, as they or the application told them.

use std::collections::HashMap;

use crust_core::{Addr, PeerId};

use crate::recent::Recent;

/// Which addresses belong to which peer.
#[derive(Debug)]
pub(crate) struct Book {
    /// What the application said; kept until it goes.
    given: HashMap<PeerId, Vec<Addr>>,
    /// What peers said; of those heard of longest ago it is forgotten.
    told: Recent<PeerId, Vec<Addr>>,
    /// What discoveries said, the newest first; likewise.
    heard: Recent<PeerId, Vec<Addr>>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self {
            given: HashMap::new(),
            told: Recent::new(MAX_PEERS),
            heard: Recent::new(MAX_PEERS),
        }
    }

    /// The application knows an address of `peer`.
    pub(crate) fn give(&mut self, peer: PeerId, addr: Addr) {
        let addrs = self.given.entry(peer).or_default();
        addrs.retain(|known| *known != addr);
        addrs.insert(0, addr);
        addrs.truncate(MAX_ADDRS);
    }

    /// `peer` says where it listens. Replaces what it said before.
    pub(crate) fn tell(&mut self, peer: PeerId, addrs: &[Addr]) {
        let addrs = addrs[..addrs.len().min(MAX_ADDRS)].to_vec();
        self.told.insert(peer, addrs);
    }

    /// A discovery says where `peer` is: that comes before what this or another said earlier.
    pub(crate) fn hear(&mut self, peer: PeerId, addrs: &[Addr]) {
        let mut addrs = addrs[..addrs.len().min(MAX_ADDRS)].to_vec();
        for earlier in self.heard.get(&peer).into_iter().flatten() {
            if addrs.len() < MAX_ADDRS && !addrs.contains(earlier) {
                addrs.push(earlier.clone());
            }
        }
        self.heard.insert(peer, addrs);
    }

    /// The addresses of `peer`: the application's first, the newest first; then the peer's own, then rumours.
    pub(crate) fn addrs(&self, peer: &PeerId) -> Vec<Addr> {
        let mut addrs = self.given.get(peer).cloned().unwrap_or_default();
        let others = [self.told.get(peer), self.heard.get(peer)];
        for addr in others.into_iter().flatten().flatten() {
            if !addrs.contains(addr) {
                addrs.push(addr.clone());
            }
        }
        addrs
    }
}

/// Addresses kept for one peer from one source; as many as a hello carries.
const MAX_ADDRS: usize = 16;
/// Peers kept: with 16 of the longest addresses each, 5 MiB; as a rule a tenth of a megabyte.
const MAX_PEERS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(number: usize) -> Addr {
        format!("tcp://192.0.2.1:{number}").parse().unwrap()
    }

    fn peer(number: usize) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    #[test]
    fn newest_given_address_comes_first_and_none_twice() {
        let mut book = Book::new();
        book.give(peer(1), addr(1));
        book.give(peer(1), addr(2));
        book.give(peer(1), addr(1));
        book.tell(peer(1), &[addr(2), addr(3)]);
        assert_eq!(book.addrs(&peer(1)), [addr(1), addr(2), addr(3)]);
    }

    #[test]
    fn what_one_discovery_said_is_not_forgotten_for_what_another_says() {
        let mut book = Book::new();
        book.hear(peer(1), &[addr(1), addr(2)]);
        book.hear(peer(1), &[addr(3)]);
        book.hear(peer(1), &[]);
        assert_eq!(book.addrs(&peer(1)), [addr(3), addr(1), addr(2)]);
        book.hear(peer(1), &(10..30).map(addr).collect::<Vec<_>>());
        assert_eq!(book.addrs(&peer(1)).len(), MAX_ADDRS);
    }

    #[test]
    fn many_strangers_do_not_push_out_what_the_application_gave() {
        let mut book = Book::new();
        book.give(peer(0), addr(7));
        for number in 1..3 * MAX_PEERS {
            book.tell(peer(number), &(0..100).map(addr).collect::<Vec<_>>());
        }
        assert_eq!(book.addrs(&peer(0)), [addr(7)]);
        assert_eq!(book.addrs(&peer(1)), []);
        assert_eq!(book.addrs(&peer(3 * MAX_PEERS - 1)).len(), MAX_ADDRS);
    }
}
