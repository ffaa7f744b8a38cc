//! The timers of the sending half.

use std::time::{Duration, Instant};

use crate::{acks, rtt::Rtt};

/// When to do something though nothing is heard.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// All that is in flight is then held to be lost (RFC 6298).
    rto_at: Option<Instant>,
    /// The last packet is then sent once more (RFC 8985 §7); once for each time that something was heard.
    tail_probe_at: Option<Instant>,
    /// A little is then sent to ask for room.
    persist_at: Option<Instant>,
    /// Times in a row that was in vain.
    persisted: u32,
    /// Since when something is in flight without news.
    silent_since: Option<Instant>,
}

impl Timers {
    /// A packet with a number went out.
    pub(super) fn on_sent(&mut self, now: Instant, rtt: &Rtt) {
        self.silent_since.get_or_insert(now);
        if self.rto_at.is_none() {
            self.rto_at = Some(now + rtt.rto());
            self.tail_probe_at = rtt.is_known().then(|| now + rtt.probe_timeout(acks::DELAY));
        }
    }

    /// Something was acknowledged.
    pub(super) fn on_progress(&mut self, now: Instant, rtt: &Rtt, is_empty: bool) {
        self.silent_since = (!is_empty).then_some(now);
        self.rto_at = (!is_empty).then(|| now + rtt.rto());
        self.tail_probe_at = (!is_empty).then(|| now + rtt.probe_timeout(acks::DELAY));
        if is_empty {
            self.persist_at = None;
        }
    }

    pub(super) fn is_timed_out(&self, now: Instant) -> bool {
        self.rto_at.is_some_and(|at| at <= now)
    }

    /// Nothing was heard for so long that the other side must be gone.
    pub(super) fn is_hopeless(&self, now: Instant) -> bool {
        self.silent_since
            .is_some_and(|since| now.saturating_duration_since(since) >= GIVE_UP_AFTER)
    }

    pub(super) fn on_timeout(&mut self, now: Instant, rtt: &Rtt) {
        self.rto_at = Some(now + rtt.rto());
        self.tail_probe_at = None;
    }

    /// Whether the last packet is to be sent once more, which is then held to be done.
    pub(super) fn take_tail_probe(&mut self, now: Instant) -> bool {
        let is_due = self.tail_probe_at.is_some_and(|at| at <= now);
        if is_due {
            self.tail_probe_at = None;
        }
        is_due
    }

    /// Whether to ask for room now. The first time it is put off.
    pub(super) fn take_persist(&mut self, now: Instant, rtt: &Rtt) -> bool {
        let is_due = self.persist_at.is_some_and(|at| at <= now);
        if is_due {
            self.persisted += 1;
        }
        if is_due || self.persist_at.is_none() {
            let wait = rtt.rto().saturating_mul(1 << self.persisted.min(8));
            self.persist_at = Some(now + wait.min(LONGEST_PERSIST));
        }
        is_due
    }

    pub(super) fn on_open_window(&mut self) {
        self.persist_at = None;
        self.persisted = 0;
    }

    pub(super) const fn persist_at(&self) -> Option<Instant> {
        self.persist_at
    }

    /// The next that is due while something is in flight.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = [self.rto_at, self.tail_probe_at];
        waiting.into_iter().flatten().min()
    }
}

/// A path that is gone for a while comes back; after a minute it is the other side that is gone.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// libutp asks each 15 s.
const LONGEST_PERSIST: Duration = Duration::from_secs(15);
