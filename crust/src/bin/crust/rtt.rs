//! Round-trip times, and what they come to.

use std::time::Duration;

use serde::Serialize;

/// Round trips, to the tenth of a microsecond.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    pub(crate) fn push(&mut self, rtt: Duration) {
        let tenths = rtt.as_nanos() / 100;
        self.0.push(u32::try_from(tenths).unwrap_or(u32::MAX));
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// What they come to, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Rtt {
    pub(crate) min: f64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Rtt {
    /// `None` where there is no sample.
    pub(crate) fn of(samples: Samples) -> Option<Self> {
        let mut sorted = samples.0;
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let us = |tenths: u32| f64::from(tenths) / 10.0;
        let at = |permille: usize| us(sorted[(last * permille).div_ceil(1_000)]);
        let sum: u64 = sorted.iter().map(|tenths| u64::from(*tenths)).sum();
        let mean = sum as f64 / sorted.len() as f64;
        Some(Self {
            min: at(0),
            mean: mean.round() / 10.0,
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p999: at(999),
            max: at(1_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = Samples::default();
        assert_eq!(Rtt::of(Samples::default()), None);
        for us in (0..=100).rev() {
            samples.push(Duration::from_micros(us));
        }
        let rtt = Rtt::of(samples).unwrap();
        assert_eq!(
            (rtt.min, rtt.p50, rtt.p90, rtt.p99),
            (0.0, 50.0, 90.0, 99.0)
        );
        assert_eq!((rtt.p999, rtt.max, rtt.mean), (100.0, 100.0, 50.0));
    }
}
