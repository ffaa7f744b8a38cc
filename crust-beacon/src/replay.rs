//! Which datagrams were taken lately, so that one sent again is not taken again.

use std::{
    collections::BTreeSet,
    mem,
    time::{Duration, Instant},
};

/// The stamps of the datagrams of at least the last [`GENERATION`], and at most of twice that.
#[derive(Debug)]
pub(crate) struct Replays {
    recent: BTreeSet<u64>,
    older: BTreeSet<u64>,
    began: Instant,
}

impl Replays {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            recent: BTreeSet::new(),
            older: BTreeSet::new(),
            began: now,
        }
    }

    pub(crate) fn remember(&mut self, now: Instant, stamp: u64) {
        if now.saturating_duration_since(self.began) >= GENERATION
            || self.recent.len() >= MAX_STAMPS
        {
            self.older = mem::take(&mut self.recent);
            self.began = now;
        }
        self.recent.insert(stamp);
    }

    pub(crate) fn knows(&self, stamp: u64) -> bool {
        self.recent.contains(&stamp) || self.older.contains(&stamp)
    }
}

/// A datagram from a clock that is a minute fast is fresh for two minutes.
const GENERATION: Duration = Duration::from_secs(120);
/// More than a generation can have of those that are believed: 20 datagrams a second in, and as many of our own out.
const MAX_STAMPS: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_is_known_for_two_minutes_at_least() {
        let start = crust_core::rt::now();
        let mut replays = Replays::new(start);
        replays.remember(start + GENERATION - Duration::from_secs(1), 7);
        replays.remember(start + GENERATION * 2 - Duration::from_secs(2), 8);
        assert!(replays.knows(7));
    }

    #[test]
    fn stamps_are_forgotten_in_the_end() {
        let start = crust_core::rt::now();
        let mut replays = Replays::new(start);
        for second in 0..2_000 {
            for stamp in 0..40 {
                replays.remember(start + Duration::from_secs(second), second * 40 + stamp);
            }
        }
        assert!(!replays.knows(0));
        assert!(replays.recent.len() + replays.older.len() <= 2 * 40 * 121);
    }
}
