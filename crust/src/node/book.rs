//! Addresses of peers, as they or the application told them.

use std::collections::{HashMap, VecDeque};

use crust_core::{Addr, PeerId};

/// Which addresses belong to which peer. The peers heard of longest ago are forgotten beyond [`MAX_PEERS`].
#[derive(Debug, Default)]
pub(crate) struct Book {
    by_peer: HashMap<PeerId, Vec<Addr>>,
    order: VecDeque<PeerId>,
}

impl Book {
    /// Adds addresses of `peer`, the newest first.
    pub(crate) fn insert(&mut self, peer: PeerId, addrs: impl IntoIterator<Item = Addr>) {
        let entry = self.by_peer.entry(peer).or_insert_with(|| {
            self.order.push_back(peer);
            Vec::new()
        });
        for addr in addrs {
            entry.retain(|known| *known != addr);
            entry.insert(0, addr);
        }
        entry.truncate(MAX_ADDRS);
        entry.shrink_to_fit();
        if self.order.len() > MAX_PEERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_peer.remove(&oldest);
        }
    }

    /// The addresses of `peer`, the newest first.
    pub(crate) fn addrs(&self, peer: &PeerId) -> Vec<Addr> {
        self.by_peer.get(peer).cloned().unwrap_or_default()
    }
}

/// Addresses kept for one peer; as many as a hello carries.
const MAX_ADDRS: usize = 16;
/// Peers kept: with 16 of the longest addresses each, 5 MiB; as a rule a tenth of a megabyte.
const MAX_PEERS: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(number: usize) -> Addr {
        format!("tcp://192.0.2.1:{number}").parse().unwrap()
    }

    #[test]
    fn newest_address_comes_first_and_none_twice() {
        let mut book = Book::default();
        let peer = PeerId::from_bytes([1; 32]);
        book.insert(peer, [addr(1), addr(2)]);
        book.insert(peer, [addr(1)]);
        assert_eq!(book.addrs(&peer), [addr(1), addr(2)]);
    }

    #[test]
    fn book_is_bounded() {
        let mut book = Book::default();
        for number in 0..2 * MAX_PEERS {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            book.insert(PeerId::from_bytes(bytes), (0..100).map(addr));
        }
        assert_eq!(
            (book.by_peer.len(), book.order.len()),
            (MAX_PEERS, MAX_PEERS)
        );
        assert!(book.by_peer.values().all(|addrs| addrs.len() == MAX_ADDRS));
    }
}
