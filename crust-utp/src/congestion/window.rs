//! CUBIC's window, and what a congestion event does to it.

use crate::congestion::controller::{MIN_SEGMENTS, initial_window};

/// The variables of RFC 9438 §4.1.2 that outlive a congestion event, in bytes.
///
/// `f64` holds whole bytes exactly up to 2^53 and keeps the fractions by which single acknowledgements grow the window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) cwnd: f64,
    pub(crate) ssthresh: f64,
    /// Where the window was when the link was last full; 0 when that is not known.
    pub(crate) w_max: f64,
    /// The window just before it was last reduced.
    pub(crate) cwnd_prior: f64,
}

impl Window {
    pub(crate) fn new(mss: u64) -> Self {
        Self {
            cwnd: initial_window(mss) as f64,
            ssthresh: f64::INFINITY,
            w_max: 0.0,
            cwnd_prior: 0.0,
        }
    }

    /// Multiplicative decrease (RFC 9438 §4.6) and fast convergence (§4.7).
    pub(crate) fn reduce(&mut self, mss: u64) {
        let makes_room = self.cwnd < self.w_max;
        self.w_max = if makes_room {
            self.cwnd * (1.0 + BETA) / 2.0
        } else {
            self.cwnd
        };
        self.cwnd_prior = self.cwnd;
        self.ssthresh = (self.cwnd * BETA).max(minimum(mss));
        self.cwnd = self.ssthresh;
    }

    /// Timeout (RFC 9438 §4.8): slow start from the smallest window, and no memory of the curve.
    pub(crate) fn collapse(&mut self, mss: u64) {
        let minimum = minimum(mss);
        if self.cwnd > minimum {
            // A second timeout in a row leaves `ssthresh` (RFC 5681 §3.1).
            self.ssthresh = (self.cwnd * BETA).max(minimum);
            self.cwnd_prior = self.cwnd;
        }
        (self.cwnd, self.w_max) = (minimum, 0.0);
    }

    /// Half the window for each of `times` idle periods, down to what a new connection may send (RFC 2861 §3.1).
    pub(crate) fn decay(&mut self, mss: u64, times: u32) {
        let floor = self.cwnd.min(initial_window(mss) as f64);
        if times > 0 && self.cwnd > floor {
            self.ssthresh = self.ssthresh.max(self.cwnd * 0.75);
            self.cwnd = (self.cwnd * 0.5_f64.powi(times.min(64).cast_signed())).max(floor);
        }
    }

    /// Takes back a reduction: nothing ends up smaller than it is or than it was in `before`.
    pub(crate) fn restore(&mut self, before: Self) {
        *self = Self {
            cwnd: self.cwnd.max(before.cwnd),
            ..before
        };
    }

    pub(crate) fn is_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }
}

/// The smallest window in bytes.
fn minimum(mss: u64) -> f64 {
    (MIN_SEGMENTS * mss) as f64
}

/// The factor of multiplicative decrease (RFC 9438 §4.6).
pub(crate) const BETA: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cwnd: f64, w_max: f64) -> Window {
        Window {
            cwnd,
            w_max,
            ..Window::new(1_000)
        }
    }

    #[test]
    fn reduction_keeps_seven_tenths() {
        let mut window = window(100_000.0, 0.0);
        window.reduce(1_000);
        assert_eq!((window.cwnd, window.w_max), (70_000.0, 100_000.0));
        assert!(!window.is_slow_start());
    }

    #[test]
    fn a_flow_that_is_losing_its_share_makes_room_faster() {
        let mut window = window(100_000.0, 200_000.0);
        window.reduce(1_000);
        assert_eq!(window.w_max, 85_000.0);
    }

    #[test]
    fn no_reduction_goes_below_two_segments() {
        let mut window = window(2_500.0, 0.0);
        window.reduce(1_000);
        assert_eq!(window.cwnd, 2_000.0);
        window.collapse(1_000);
        assert_eq!(window.cwnd, 2_000.0);
    }

    #[test]
    fn second_timeout_in_a_row_leaves_ssthresh() {
        let mut window = window(100_000.0, 0.0);
        window.collapse(1_000);
        window.collapse(1_000);
        assert_eq!((window.cwnd, window.ssthresh), (2_000.0, 70_000.0));
    }

    #[test]
    fn decay_stops_at_the_initial_window() {
        let mut window = window(100_000.0, 0.0);
        window.decay(1_000, 1);
        assert_eq!(window.cwnd, 50_000.0);
        window.decay(1_000, 100);
        assert_eq!(window.cwnd, 10_000.0);
    }
}
