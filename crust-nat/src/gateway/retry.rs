//! When a gateway is asked again.

use std::time::Duration;

/// The pauses between attempts to find a protocol, longer and longer.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failures: u32,
}

/// Why it was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryKind {
    /// Nobody speaks it.
    Absent,
    /// Somebody does, and cannot map anything now: its line may be down.
    Refused,
}

impl Retry {
    /// The next pause.
    pub(crate) fn next(&mut self, kind: RetryKind) -> Duration {
        let most = match kind {
            RetryKind::Absent => MAX_ABSENT,
            RetryKind::Refused => MAX_REFUSED,
        };
        let pause = FIRST * (1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        pause.min(most)
    }
}

/// A daemon that is started again is found again soon.
const FIRST: Duration = Duration::from_secs(2);
/// Four datagrams an hour for a protocol that is not there.
const MAX_ABSENT: Duration = Duration::from_secs(15 * 60);
const MAX_REFUSED: Duration = Duration::from_secs(60);
/// How soon a gateway that forgot its mappings, or has another address, is found out: for a datagram of some bytes.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(60);
