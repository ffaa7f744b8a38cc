//! What gossip has done so far, in numbers.

use std::collections::BTreeMap;

use super::ignored::Ignored;

/// What gossip has done so far, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records that are known, this node's own included.
    pub records: usize,
    /// Sessions that take part.
    pub sessions: usize,
    /// Searches of this program that were begun and not dropped.
    pub searches: usize,
    /// Bytes of messages that were sent.
    pub sent_bytes: u64,
    /// Messages that found no room in their session, and go later.
    pub unsent: u64,
    /// Bytes of messages that came, those ignored included.
    pub received_bytes: u64,
    /// Signatures that were checked.
    pub checked: u64,
    /// Peers that broke the rules.
    pub breaches: u64,
    /// What came and was not taken, by why.
    pub ignored: BTreeMap<Ignored, u64>,
}

impl Stats {
    pub(super) fn on_ignored(&mut self, why: Ignored) {
        *self.ignored.entry(why).or_default() += 1;
    }
}
