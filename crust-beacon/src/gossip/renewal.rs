//! When this node's own record is signed anew, and with which number.

use std::time::{Duration, Instant};

/// When this node's own record is signed anew, and with which number.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// The highest number that a record of this node had.
    last_seq: u64,
    renew_at: Option<Instant>,
}

impl Renewal {
    /// A record `seq` was signed; the next is due at `renew_at`, if ever.
    pub(super) fn on_signed(&mut self, seq: u64, renew_at: Option<Instant>) {
        self.last_seq = self.last_seq.max(seq);
        self.renew_at = renew_at;
    }

    /// There is a record of this node with a higher number: from before a restart, by a clock that was ahead. Others
    /// hold on to that until there is a still higher one.
    pub(super) fn on_outranked(&mut self, seq: u64, now: Instant) {
        self.last_seq = self.last_seq.max(seq);
        self.renew_at = self.renew_at.map(|_| now);
    }

    /// Whether it is time. True once, and again later where nothing was signed.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self.renew_at.is_some_and(|renew_at| renew_at <= now);
        if is_due {
            self.renew_at = Some(now + RETRY);
        }
        is_due
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.renew_at
    }

    /// The highest number so far.
    pub(super) const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The number of the next record.
    pub(super) fn next_seq(&self, unix_ms: u64) -> u64 {
        unix_ms.max(self.last_seq.saturating_add(1))
    }
}

/// How long a signature may be late.
const RETRY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_though_the_clock_goes_back() {
        let mut renewal = Renewal::default();
        assert_eq!(renewal.next_seq(1_000), 1_000);
        renewal.on_signed(1_000, None);
        assert_eq!(renewal.next_seq(1_000), 1_001);
        renewal.on_outranked(2_000, crust_core::rt::now());
        assert_eq!(renewal.next_seq(1_500), 2_001);
    }

    #[test]
    fn renewal_is_asked_for_again_where_nothing_was_signed() {
        let now = crust_core::rt::now();
        let mut renewal = Renewal::default();
        assert!(!renewal.take_due(now));
        renewal.on_signed(1, Some(now + RETRY));
        assert!(!renewal.take_due(now) && renewal.take_due(now + RETRY));
        assert!(!renewal.take_due(now + RETRY) && renewal.take_due(now + 2 * RETRY));
    }

    #[test]
    fn withdrawn_record_is_not_renewed_when_outranked() {
        let now = crust_core::rt::now();
        let mut renewal = Renewal::default();
        renewal.on_signed(1, None);
        renewal.on_outranked(2, now);
        assert!(!renewal.take_due(now));
    }
}
