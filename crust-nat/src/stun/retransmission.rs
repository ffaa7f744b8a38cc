//! When a request is sent again, and when it is given up.

use std::time::Duration;

/// When a request over UDP is sent again, and when it is given up (RFC 8489 §6.2.1).
///
/// It is sent at once, after `rto`, after twice that, and so on, `max_requests` times in all; then `last_wait` times `rto`
/// are left for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retransmission {
    /// The time until the second request.
    pub rto: Duration,
    /// How often it is sent: Rc of the RFC. Zero counts as one.
    pub max_requests: u32,
    /// How many times `rto` it waits after the last: Rm of the RFC.
    pub last_wait: u32,
}

impl Retransmission {
    /// For a report that a person waits for: five requests, given up after 2.1 s.
    ///
    /// At 2 % of loss each way one in 10⁷ gets no answer by chance; the last answer may take 600 ms.
    pub const QUICK: Self = Self {
        rto: Duration::from_millis(100),
        max_requests: 5,
        last_wait: 6,
    };
    /// What RFC 8489 recommends: seven requests, given up after 39.5 s.
    pub const STANDARD: Self = Self {
        rto: Duration::from_millis(500),
        max_requests: 7,
        last_wait: 16,
    };

    /// How long after the request of this number, which begins at 1, something happens: the next, or the end.
    pub(super) fn wait_after(&self, number: u32) -> Duration {
        let factor = if number < self.max_requests {
            1_u32.checked_shl(number.saturating_sub(1))
        } else {
            Some(self.last_wait)
        };
        let wait = self.rto.saturating_mul(factor.unwrap_or(u32::MAX));
        wait.min(LONGEST_WAIT)
    }

    /// How long it takes until a request without an answer is given up.
    #[must_use]
    pub fn total(&self) -> Duration {
        let waits = (1..=self.max_requests.clamp(1, 32)).map(|number| self.wait_after(number));
        waits.fold(Duration::ZERO, Duration::saturating_add)
    }
}

impl Default for Retransmission {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// No mapping of a NAT is open longer than this without traffic, so no answer comes after it.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_at(retransmission: Retransmission) -> Vec<Duration> {
        let mut at = Duration::ZERO;
        let numbers = 1..=retransmission.max_requests;
        let next = |number| {
            let this = at;
            at += retransmission.wait_after(number);
            this
        };
        numbers.map(next).collect()
    }

    #[test]
    fn standard_times_are_those_of_the_rfc() {
        let ms = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(Duration::from_millis);
        assert_eq!(sent_at(Retransmission::STANDARD), ms);
        let total = Retransmission::STANDARD.total();
        assert_eq!(total, Duration::from_millis(39_500));
    }

    #[test]
    fn quick_one_leaves_time_within_three_seconds() {
        let total = Retransmission::QUICK.total();
        assert_eq!(total, Duration::from_millis(2_100));
    }

    #[test]
    fn senseless_settings_do_not_overflow() {
        let most = Retransmission {
            rto: Duration::MAX,
            max_requests: u32::MAX,
            last_wait: u32::MAX,
        };
        for number in [0, 1, 40, u32::MAX] {
            assert_eq!(most.wait_after(number), LONGEST_WAIT);
        }
        assert!(most.total() > LONGEST_WAIT);
    }
}
