//! What the controllers' tests share.

use std::time::{Duration, Instant};

use crate::congestion::controller::Acked;

/// The instant at which virtual time begins.
pub(crate) fn start() -> Instant {
    crust_core::rt::now()
}

/// `bytes` acknowledged at `now`, a round trip of 50 ms after they were sent.
pub(crate) fn acked(now: Instant, bytes: u64) -> Acked {
    let rtt = Duration::from_millis(50);
    Acked {
        now,
        bytes,
        newest_sent_at: now.checked_sub(rtt).unwrap_or(now),
        rtt: Some(rtt),
        srtt: rtt,
        delay_us: None,
        is_cwnd_limited: true,
        acked_nr: 0,
        next_nr: 1,
    }
}
