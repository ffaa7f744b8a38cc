//! What is known of one address of a peer.

use crust_core::Addr;
use serde::{Deserialize, Serialize};

use crate::lans::Place;

/// What is known of one address of a peer. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) addr: Addr,
    pub(crate) place: Place,
    pub(crate) reached: Option<Reached>,
    pub(crate) failed: Failed,
}

/// The last time that the peer proved itself there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub(crate) at_ms: u64,
    /// From the dial to the end of the handshake.
    pub(crate) rtt_ms: u32,
}

/// The last time that it did not, and how often in a row by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) at_ms: u64,
    pub(crate) in_a_row: u8,
}

impl Known {
    /// An address that nobody has tried.
    pub(crate) fn untried(addr: Addr, place: Place) -> Self {
        Self {
            addr,
            place,
            reached: None,
            failed: Failed::default(),
        }
    }

    /// The peer proved itself there.
    pub(crate) fn on_reached(&mut self, at_ms: u64, rtt_ms: u32) {
        self.reached = Some(Reached { at_ms, rtt_ms });
        self.failed.in_a_row = 0;
    }

    /// A dial failed. `limit` is how many in a row are counted at most.
    pub(crate) fn on_failed(&mut self, at_ms: u64, limit: u8) {
        let failures = self.failures();
        self.failed = Failed {
            at_ms,
            in_a_row: failures.max(limit.min(failures.saturating_add(1))),
        };
    }

    /// Takes what `other` knows more of the same address. The order of such merges does not matter.
    pub(crate) fn merge(&mut self, other: &Self) {
        if (other.reached, other.place) > (self.reached, self.place) {
            self.reached = other.reached;
            self.place = other.place;
        }
        self.failed = self.failed.max(other.failed);
    }

    /// Failures since it was last reached.
    pub(crate) fn failures(&self) -> u8 {
        match self.reached {
            Some(reached) if reached.at_ms > self.failed.at_ms => 0,
            _ => self.failed.in_a_row,
        }
    }

    /// Failures that count still: half of them are forgiven every [`HALF_LIFE_MS`].
    pub(crate) fn standing_failures(&self, now_ms: u64) -> u8 {
        let halved = now_ms.saturating_sub(self.failed.at_ms) / HALF_LIFE_MS;
        let halved = u32::try_from(halved).unwrap_or(u32::MAX);
        self.failures().checked_shr(halved).unwrap_or(0)
    }

    /// Whether it is not dialed again.
    pub(crate) fn is_dead(&self) -> bool {
        self.failures() >= MAX_FAILURES
    }
}

/// Failures in a row after which a peer is dialed no more.
pub(crate) const MAX_FAILURES: u8 = 10;

/// Failures in a row counted at most while this node reaches nobody: then it is more likely to be at fault itself, and
/// a night without network must not empty the cache.
pub(crate) const MAX_OFFLINE_FAILURES: u8 = 5;

/// Six hours: who was away overnight is tried in the morning like one who failed once or twice.
const HALF_LIFE_MS: u64 = 6 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known::untried("tcp://192.0.2.7:1".parse().unwrap(), Place::Anywhere)
    }

    #[test]
    fn failures_count_in_a_row_only() {
        let mut known = known();
        for at_ms in 1..=9 {
            known.on_failed(at_ms, MAX_FAILURES);
        }
        assert_eq!((known.failures(), known.is_dead()), (9, false));
        known.on_reached(10, 3);
        assert_eq!(known.failures(), 0);
        known.on_failed(11, MAX_FAILURES);
        assert_eq!(known.failures(), 1);
    }

    #[test]
    fn the_tenth_failure_in_a_row_is_the_last() {
        let mut known = known();
        for at_ms in 1..=10 {
            assert!(!known.is_dead());
            known.on_failed(at_ms, MAX_FAILURES);
        }
        assert!(known.is_dead());
    }

    #[test]
    fn failures_while_nobody_is_reached_count_up_to_five() {
        let mut known = known();
        for at_ms in 1..=100 {
            known.on_failed(at_ms, MAX_OFFLINE_FAILURES);
        }
        assert_eq!(known.failures(), 5);
        for at_ms in 101..=103 {
            known.on_failed(at_ms, MAX_FAILURES);
        }
        known.on_failed(104, MAX_OFFLINE_FAILURES);
        assert_eq!(known.failures(), 8, "what was counted stays counted");
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let mut known = known();
        for _ in 0..8 {
            known.on_failed(1_000, MAX_FAILURES);
        }
        let standing = |hours: u64| known.standing_failures(1_000 + hours * 3_600_000);
        let decay = [0, 5, 6, 12, 18, 24, 1_000_000].map(standing);
        assert_eq!(decay, [8, 8, 4, 2, 1, 0, 0]);
        assert_eq!(known.standing_failures(0), 8, "a clock set back");
    }
}
