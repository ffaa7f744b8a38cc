//! Peers held to be dead, so that others' old records of them do not bring them back.

use std::collections::BTreeMap;

use crust_core::PeerId;

/// Which record of a peer was the last before it was held to be dead.
#[derive(Debug, Default)]
pub(super) struct Forgotten(BTreeMap<PeerId, Verdict>);

#[derive(Debug, Clone, Copy)]
struct Verdict {
    seq: u64,
    /// When that record expires, and the verdict with it.
    expires: u64,
}

impl Forgotten {
    pub(super) fn insert(&mut self, peer: PeerId, seq: u64, expires: u64) {
        if self.0.len() >= MAX_FORGOTTEN {
            let first = self.0.iter().min_by_key(|(_, verdict)| verdict.expires);
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.0.remove(&first);
            }
        }
        self.0.insert(peer, Verdict { seq, expires });
    }

    /// Whether the record `seq` of `peer` is no newer than the verdict.
    pub(super) fn has(&self, peer: &PeerId, seq: u64) -> bool {
        self.0.get(peer).is_some_and(|verdict| seq <= verdict.seq)
    }

    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    pub(super) fn purge(&mut self, unix_ms: u64) {
        self.0.retain(|_, verdict| verdict.expires > unix_ms);
    }
}

/// A tenth of the table; with more deaths than that at once, those whose records expire first are told again.
const MAX_FORGOTTEN: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::toy::toy_peer;

    #[test]
    fn verdict_holds_for_old_records_until_they_expire() {
        let mut forgotten = Forgotten::default();
        forgotten.insert(toy_peer(1), 5, 10);
        assert!(forgotten.has(&toy_peer(1), 4) && forgotten.has(&toy_peer(1), 5));
        assert!(!forgotten.has(&toy_peer(1), 6) && !forgotten.has(&toy_peer(2), 5));
        forgotten.purge(10);
        assert!(!forgotten.has(&toy_peer(1), 5));
    }

    #[test]
    fn number_of_verdicts_is_bounded() {
        let mut forgotten = Forgotten::default();
        (0..1_500).for_each(|i| forgotten.insert(toy_peer(i), 5, i.into()));
        assert_eq!(forgotten.0.len(), MAX_FORGOTTEN);
        assert!(forgotten.has(&toy_peer(1_499), 5) && !forgotten.has(&toy_peer(0), 5));
    }
}
