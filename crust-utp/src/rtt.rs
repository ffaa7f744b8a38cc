//! The round-trip time, and how long to wait for an acknowledgement (RFC 6298, with BEP 29's floor).

use std::time::Duration;

/// What is known of the round-trip time.
#[derive(Debug, Clone)]
pub(crate) struct Rtt {
    /// Smoothed round-trip time and its variation, once there was a sample.
    smoothed: Option<(Duration, Duration)>,
    least: Duration,
    latest: Duration,
    /// Times in a row that waiting was in vain; each doubles the next.
    backoff: u32,
}

impl Rtt {
    pub(crate) const fn new() -> Self {
        Self {
            smoothed: None,
            least: Duration::MAX,
            latest: Duration::ZERO,
            backoff: 0,
        }
    }

    /// A packet that was sent once took `sample` to be acknowledged (Karn: others tell nothing). RFC 6298 §2.
    pub(crate) fn on_sample(&mut self, sample: Duration) {
        self.backoff = 0;
        self.latest = sample;
        self.least = self.least.min(sample);
        let (srtt, rttvar) = match self.smoothed {
            None => (sample, sample / 2),
            Some((srtt, rttvar)) => (
                srtt * 7 / 8 + sample / 8,
                rttvar * 3 / 4 + srtt.abs_diff(sample) / 4,
            ),
        };
        self.smoothed = Some((srtt, rttvar));
    }

    /// Something new was acknowledged, though it gives no sample: waiting begins anew.
    pub(crate) fn on_progress(&mut self) {
        self.backoff = 0;
    }

    /// Waiting was in vain. RFC 6298 §5.5.
    pub(crate) fn on_timeout(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// How many times in a row waiting was in vain.
    pub(crate) const fn backoff(&self) -> u32 {
        self.backoff
    }

    /// Smoothed; a guess before there was a sample.
    pub(crate) fn srtt(&self) -> Duration {
        self.smoothed.map_or(UNKNOWN, |(srtt, _)| srtt)
    }

    pub(crate) const fn is_known(&self) -> bool {
        self.smoothed.is_some()
    }

    /// The least that was ever seen; zero before there was a sample.
    pub(crate) fn least(&self) -> Duration {
        if self.is_known() {
            self.least
        } else {
            Duration::ZERO
        }
    }

    /// The last sample; zero before there was one.
    pub(crate) const fn latest(&self) -> Duration {
        self.latest
    }

    /// How long to wait for an acknowledgement before everything is sent again.
    pub(crate) fn rto(&self) -> Duration {
        let rto = self
            .smoothed
            .map_or(FIRST_RTO, |(srtt, rttvar)| (srtt + rttvar * 4).max(MIN_RTO));
        rto.saturating_mul(1 << self.backoff.min(MAX_BACKOFF))
            .min(LONGEST_BACKOFF.max(rto))
    }

    /// How long to wait before the last packet is sent again to ask for news (RFC 8985 §7.2): twice the round-trip
    /// time, and the time that an acknowledgement may be held back.
    pub(crate) fn probe_timeout(&self, ack_delay: Duration) -> Duration {
        (self.srtt() * 2 + ack_delay).min(self.rto())
    }
}

/// BEP 29: no less than half a second.
const MIN_RTO: Duration = Duration::from_millis(500);
/// RFC 6298 §2.1.
const FIRST_RTO: Duration = Duration::from_secs(1);
/// RFC 6298 §2.5 allows a bound of a minute; a path that comes back is found sooner by less, and two packets in three
/// seconds are no load for any.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3);
const MAX_BACKOFF: u32 = 8;
/// RFC 8985 §7.2 waits a second before there is a sample.
const UNKNOWN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn first_sample_is_taken_whole_and_later_ones_by_an_eighth() {
        let mut rtt = Rtt::new();
        assert_eq!(rtt.rto(), FIRST_RTO);
        rtt.on_sample(800 * MS);
        assert_eq!(rtt.srtt(), 800 * MS);
        assert_eq!(rtt.rto(), 2_400 * MS);
        rtt.on_sample(1_600 * MS);
        assert_eq!(rtt.srtt(), 900 * MS);
        assert_eq!(rtt.least(), 800 * MS);
        assert_eq!(rtt.rto(), (900 + 4 * 500) * MS);
    }

    #[test]
    fn time_out_is_half_a_second_at_least_and_doubles_until_there_is_news() {
        let mut rtt = Rtt::new();
        rtt.on_sample(MS);
        assert_eq!(rtt.rto(), MIN_RTO);
        rtt.on_timeout();
        assert_eq!(rtt.rto(), MIN_RTO * 2);
        (0..100).for_each(|_| rtt.on_timeout());
        assert_eq!(rtt.rto(), LONGEST_BACKOFF);
        rtt.on_progress();
        assert_eq!(rtt.rto(), MIN_RTO);
    }
}
