//! A number for each session, so that a record can say in a few bits to whom it is known.

use std::collections::BTreeMap;

use crust_core::PeerId;

/// A session's number: free again when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(usize);

/// Which peers have which number.
#[derive(Debug, Default)]
pub(super) struct Slots(BTreeMap<PeerId, Slot>);

impl Slots {
    /// A number for `peer`, the same if it has one; `None` where all are taken.
    pub(super) fn join(&mut self, peer: PeerId) -> Option<Slot> {
        if let Some(slot) = self.of(&peer) {
            return Some(slot);
        }
        let free = (0..MAX_SESSIONS).find(|number| self.0.values().all(|slot| slot.0 != *number));
        let slot = Slot(free?);
        self.0.insert(peer, slot);
        Some(slot)
    }

    pub(super) fn leave(&mut self, peer: &PeerId) -> Option<Slot> {
        self.0.remove(peer)
    }

    pub(super) fn of(&self, peer: &PeerId) -> Option<Slot> {
        self.0.get(peer).copied()
    }

    pub(super) fn has(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }
}

/// A set of sessions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks([u64; MAX_SESSIONS / 64]);

impl Marks {
    pub(super) fn set(&mut self, slot: Slot, on: bool) {
        let bit = 1 << (slot.0 % 64);
        let word = &mut self.0[slot.0 / 64];
        *word = if on { *word | bit } else { *word & !bit };
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        self.0[slot.0 / 64] & 1 << (slot.0 % 64) != 0
    }
}

/// Sessions that take part. A node keeps 8 to 16; each costs one bit a record.
pub(super) const MAX_SESSIONS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::toy::toy_peer;

    #[test]
    fn each_session_has_a_number_of_its_own_until_it_ends() {
        let mut slots = Slots::default();
        let taken: Vec<_> = (0..256).map(|i| slots.join(toy_peer(i)).unwrap()).collect();
        assert!(taken.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(slots.join(toy_peer(256)), None);
        assert_eq!(slots.join(toy_peer(7)), Some(taken[7]));
        assert_eq!(slots.leave(&toy_peer(9)), Some(taken[9]));
        assert_eq!(slots.join(toy_peer(256)), Some(taken[9]));
    }

    #[test]
    fn marks_are_set_and_taken_back_one_by_one() {
        let mut marks = Marks::default();
        for number in [0, 63, 64, 255] {
            marks.set(Slot(number), true);
        }
        marks.set(Slot(64), false);
        let set: Vec<_> = (0..256).filter(|i| marks.has(Slot(*i))).collect();
        assert_eq!(set, [0, 63, 255]);
    }
}
