//! CUBIC's growth in congestion avoidance: the curve and the region where Reno would be faster.

use std::time::{Duration, Instant};

use crate::congestion::window::{BETA, Window};

/// One congestion avoidance stage (RFC 9438 §4.2 and §4.3).
///
/// The RFC counts segments; here every window is in bytes and `C` is multiplied by the segment size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curve {
    started_at: Instant,
    paused_at: Option<Instant>,
    k_s: f64,
    w_max: f64,
    w_est: f64,
}

impl Curve {
    /// Begins the stage at `now`; above `w_max`, or where none is known, the plateau is here (RFC 9438 §4.10).
    pub(crate) fn new(now: Instant, window: &Window, mss: u64) -> Self {
        let w_max = window.w_max.max(window.cwnd);
        Self {
            started_at: now,
            paused_at: None,
            k_s: ((w_max - window.cwnd) / (mss as f64 * C)).cbrt(),
            w_max,
            w_est: window.cwnd,
        }
    }

    /// The window after `bytes` more were acknowledged.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        srtt: Duration,
        bytes: f64,
        window: &Window,
        mss: u64,
    ) -> f64 {
        self.resume(now);
        let (cwnd, mss) = (window.cwnd, mss as f64);
        let alpha = if self.w_est < window.cwnd_prior {
            ALPHA
        } else {
            1.0
        };
        self.w_est += alpha * mss * bytes / cwnd;
        let t_s = now.saturating_duration_since(self.started_at).as_secs_f64();
        if self.at(t_s, mss) < self.w_est {
            return cwnd.max(self.w_est);
        }
        let target = self
            .at(t_s + srtt.as_secs_f64(), mss)
            .clamp(cwnd, 1.5 * cwnd);
        cwnd + (target - cwnd) * (bytes / cwnd).min(1.0)
    }

    /// Stops the curve's clock at `now`: the window is not being tested (RFC 9438 §5.8).
    pub(crate) fn pause(&mut self, now: Instant) {
        self.paused_at
            .get_or_insert_with(|| now.max(self.started_at));
    }

    fn resume(&mut self, now: Instant) {
        if let Some(paused_at) = self.paused_at.take() {
            self.started_at += now.saturating_duration_since(paused_at);
        }
    }

    /// Equation 1 of RFC 9438.
    fn at(&self, t_s: f64, mss: f64) -> f64 {
        C * mss * (t_s - self.k_s).powi(3) + self.w_max
    }
}

/// Segments per second cubed (RFC 9438 §5.1).
const C: f64 = 0.4;

/// Segments a round trip by which Reno would grow if it decreased by [`BETA`] (RFC 9438 §4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::start;

    const MSS: u64 = 1_000;
    const RTT: Duration = Duration::from_millis(100);

    fn reduced(cwnd: f64) -> Window {
        let mut window = Window {
            cwnd,
            ..Window::new(MSS)
        };
        window.reduce(MSS);
        window
    }

    fn run(curve: &mut Curve, window: &mut Window, from: Instant, rounds: u32, rtt: Duration) {
        for round in 1..=rounds {
            window.cwnd = curve.advance(from + rtt * round, rtt, window.cwnd, window, MSS);
        }
    }

    #[test]
    fn curve_is_back_at_w_max_after_k() {
        let start = start();
        let mut window = reduced(400_000.0);
        let mut curve = Curve::new(start, &window, MSS);
        // K = cbrt(400 * 0.3 / 0.4) = 6.69 s.
        assert!((curve.k_s - 6.694).abs() < 0.001);
        run(&mut curve, &mut window, start, 67, RTT);
        assert!((window.cwnd - 400_000.0).abs() < 1_000.0, "{window:?}");
    }

    #[test]
    fn small_windows_grow_as_reno_does() {
        let start = start();
        let mut window = reduced(10_000.0);
        let mut curve = Curve::new(start, &window, MSS);
        run(&mut curve, &mut window, start, 5, Duration::from_millis(1));
        let expected = 7_000.0 + 5.0 * ALPHA * 1_000.0;
        assert!((window.cwnd - expected).abs() < 1.0, "{window:?}");
    }

    #[test]
    fn a_pause_adds_nothing_to_the_window() {
        let start = start();
        let (window, later) = (reduced(400_000.0), start + RTT);
        let mut paused = Curve::new(start, &window, MSS);
        paused.pause(start);
        let mut other = Curve::new(later, &window, MSS);
        assert_eq!(
            paused.advance(later, RTT, 1_000.0, &window, MSS),
            other.advance(later, RTT, 1_000.0, &window, MSS),
        );
    }

    #[test]
    fn one_round_trip_grows_the_window_by_half_at_most() {
        let start = start();
        let window = reduced(10_000.0);
        let mut curve = Curve::new(start, &window, MSS);
        let late = start + Duration::from_secs(3_600);
        assert_eq!(
            curve.advance(late, RTT, window.cwnd, &window, MSS),
            1.5 * window.cwnd
        );
    }
}
