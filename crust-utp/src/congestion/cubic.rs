//! CUBIC (RFC 9438) with HyStart++ (RFC 9406), and one deviation: losses that its own sending does not cause.

use std::time::{Duration, Instant};

use crate::congestion::{
    controller::{Acked, Congestion, Lost, initial_window, pacing_rate},
    curve::Curve,
    hystart::{Growth, HyStart},
    loss_origin::{LossOrigin, Verdict},
    window::Window,
};

/// The controller for conversations: takes its share beside TCP.
///
/// The deviation from RFC 9438 is [`LossOrigin`]: a loss that no queue explains is met with less sending as ever, but
/// if that does not lower the loss, the reduction is taken back and such loss is borne for some seconds.
#[derive(Debug)]
pub(crate) struct Cubic {
    mss: u64,
    window: Window,
    curve: Option<Curve>,
    hystart: HyStart,
    origin: Option<LossOrigin>,
    recovery_start: Option<Instant>,
    last_sent_at: Option<Instant>,
    srtt: Duration,
}

impl Cubic {
    pub(crate) fn new(mss: u64) -> Self {
        Self {
            origin: Some(LossOrigin::default()),
            ..Self::standard(mss)
        }
    }

    /// RFC 9438 to the letter: every loss is congestion.
    pub(crate) fn standard(mss: u64) -> Self {
        Self {
            mss,
            window: Window::new(mss),
            curve: None,
            hystart: HyStart::default(),
            origin: None,
            recovery_start: None,
            last_sent_at: None,
            srtt: Duration::ZERO,
        }
    }

    fn reduce(&mut self, now: Instant) {
        self.window.reduce(self.mss);
        self.recovery_start = Some(now);
        self.curve = None;
    }

    fn collapse(&mut self, now: Instant) {
        self.window.collapse(self.mss);
        self.recovery_start = Some(now);
        self.curve = None;
        self.hystart.end();
        if let Some(origin) = &mut self.origin {
            origin.reset();
        }
    }

    fn grow_slow_start(&mut self, ack: &Acked) {
        let growth = self.hystart.on_ack(ack);
        if !ack.is_cwnd_limited {
            return;
        }
        match growth {
            Growth::Full => self.window.cwnd += ack.bytes as f64,
            Growth::Quarter => self.window.cwnd += ack.bytes as f64 / 4.0,
            Growth::Over => {
                self.window.ssthresh = self.window.cwnd;
                // No loss told how much the link holds: the plateau is here (RFC 9438 §4.10).
                self.window.w_max = 0.0;
            }
        }
    }

    fn grow_avoidance(&mut self, ack: &Acked) {
        let curve = self
            .curve
            .get_or_insert_with(|| Curve::new(ack.now, &self.window, self.mss));
        let ceiling = self
            .origin
            .as_ref()
            .map_or(f64::INFINITY, LossOrigin::ceiling);
        if ack.is_cwnd_limited && self.window.cwnd < ceiling {
            let grown = curve.advance(ack.now, ack.srtt, ack.bytes as f64, &self.window, self.mss);
            self.window.cwnd = grown.min(ceiling);
        } else {
            curve.pause(ack.now);
        }
    }

    fn verdict(&mut self, loss: &Lost) -> Verdict {
        let is_answered = self.is_answered(loss.newest_sent_at);
        let has_queue = self.window.is_slow_start() && self.hystart.sees_queue();
        match &mut self.origin {
            Some(origin) if has_queue && !is_answered => origin.on_congestion(loss.now),
            Some(origin) => origin.on_loss(loss, is_answered, self.window, self.mss),
            None if is_answered => Verdict::Foreign,
            None => Verdict::Congestion,
        }
    }

    /// Was a packet sent at `sent_at` under way when the window was last reduced (RFC 9002 §7.3.2)?
    fn is_answered(&self, sent_at: Instant) -> bool {
        self.recovery_start.is_some_and(|start| sent_at <= start)
    }
}

impl Congestion for Cubic {
    fn on_sent(&mut self, now: Instant, in_flight_before: u64) {
        let Some(last_sent_at) = self
            .last_sent_at
            .replace(now)
            .filter(|_| in_flight_before == 0)
        else {
            return;
        };
        if let Some(curve) = &mut self.curve {
            curve.pause(last_sent_at);
        }
        let idle = now.saturating_duration_since(last_sent_at);
        let period = IDLE_PERIOD.max(4 * self.srtt);
        let times = u32::try_from(idle.as_nanos() / period.as_nanos()).unwrap_or(u32::MAX);
        self.window.decay(self.mss, times);
    }

    fn on_ack(&mut self, ack: &Acked) {
        self.srtt = ack.srtt;
        if let Some(origin) = &mut self.origin {
            origin.on_ack(ack, self.mss);
        }
        if self.is_answered(ack.newest_sent_at) {
            return;
        }
        if self.window.is_slow_start() {
            self.grow_slow_start(ack);
        } else {
            self.grow_avoidance(ack);
        }
    }

    fn on_loss(&mut self, loss: &Lost) {
        match self.verdict(loss) {
            _ if loss.is_persistent => self.collapse(loss.now),
            Verdict::Congestion => {
                self.reduce(loss.now);
                self.hystart.end();
            }
            Verdict::Trial => self.reduce(loss.now),
            Verdict::Undo(before) => {
                self.window.restore(before);
                self.curve = None;
            }
            Verdict::Foreign => {}
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        self.collapse(now);
    }

    fn on_congestion_experienced(&mut self, now: Instant, sent_at: Instant) {
        if self.is_answered(sent_at) {
            return;
        }
        self.reduce(now);
        self.hystart.end();
        if let Some(origin) = &mut self.origin {
            origin.reset();
        }
    }

    fn set_mss(&mut self, mss: u64) {
        let is_untouched = self.srtt.is_zero() && self.recovery_start.is_none();
        let least = if is_untouched {
            initial_window(mss)
        } else {
            2 * mss
        };
        self.window.cwnd = self.window.cwnd.max(least as f64);
        // The curve is in segments: a new stage goes on from here with the new ones.
        self.curve = None;
        self.mss = mss;
    }

    fn cwnd(&self) -> u64 {
        whole(self.window.cwnd)
    }

    fn pacing_rate(&self, srtt: Duration) -> Option<u64> {
        pacing_rate(self.cwnd(), srtt, self.window.is_slow_start())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the fraction is what it is there to cut off"
)]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

/// How long an idle connection keeps half its window at least: the smallest timeout of RFC 6298 §2.4.
const IDLE_PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::{acked, start};

    const RTT: Duration = Duration::from_millis(50);

    fn lost(now: Instant) -> Lost {
        Lost {
            now,
            bytes: 1_000,
            newest_sent_at: now - RTT,
            is_persistent: false,
        }
    }

    /// A controller with a window of 20,000 bytes that has left slow start, and the time.
    fn avoiding() -> (Cubic, Instant) {
        let (mut cubic, now) = (Cubic::standard(1_000), start() + RTT);
        cubic.window.cwnd = 20_000.0;
        cubic.window.ssthresh = 20_000.0;
        (cubic, now)
    }

    #[test]
    fn begins_with_the_window_of_rfc_6928() {
        assert_eq!(Cubic::new(500).cwnd(), 5_000);
        assert_eq!(Cubic::new(1_460).cwnd(), 14_600);
        assert_eq!(Cubic::new(60_000).cwnd(), 120_000);
    }

    #[test]
    fn slow_start_doubles_in_a_round_trip() {
        let (mut cubic, now) = (Cubic::new(1_000), start() + RTT);
        cubic.on_ack(&acked(now, cubic.cwnd()));
        assert_eq!(cubic.cwnd(), 20_000);
    }

    #[test]
    fn a_window_that_is_not_tested_does_not_grow() {
        let (mut cubic, now) = avoiding();
        for n in 1..100 {
            cubic.on_ack(&Acked {
                is_cwnd_limited: false,
                ..acked(now + RTT * n, 5_000)
            });
        }
        assert_eq!(cubic.cwnd(), 20_000);
    }

    #[test]
    fn losses_of_one_round_trip_reduce_once() {
        let (mut cubic, now) = avoiding();
        cubic.on_loss(&lost(now));
        cubic.on_loss(&lost(now + RTT / 2));
        cubic.on_loss(&lost(now + RTT));
        assert_eq!(cubic.cwnd(), 14_000);
        cubic.on_loss(&lost(now + RTT * 2));
        assert_eq!(cubic.cwnd(), 9_800);
    }

    #[test]
    fn acks_of_packets_from_before_a_loss_do_not_grow_cwnd() {
        let (mut cubic, now) = avoiding();
        cubic.on_loss(&lost(now));
        cubic.on_ack(&acked(now + RTT / 2, 10_000));
        assert_eq!(cubic.cwnd(), 14_000);
    }

    #[test]
    fn congestion_mark_reduces_as_a_loss_does() {
        let (mut cubic, now) = avoiding();
        cubic.on_congestion_experienced(now, now - RTT);
        cubic.on_congestion_experienced(now + RTT / 2, now - RTT / 2);
        assert_eq!(cubic.cwnd(), 14_000);
    }

    #[test]
    fn timeout_begins_again_with_two_segments() {
        let (mut cubic, now) = avoiding();
        cubic.on_timeout(now);
        assert_eq!(cubic.cwnd(), 2_000);
        assert!(cubic.window.is_slow_start());
        assert_eq!(cubic.window.ssthresh, 14_000.0);
    }

    #[test]
    fn persistent_loss_is_a_timeout() {
        let (mut cubic, now) = avoiding();
        cubic.on_loss(&Lost {
            is_persistent: true,
            ..lost(now)
        });
        assert_eq!(cubic.cwnd(), 2_000);
    }

    #[test]
    fn idle_window_decays_and_the_curve_waits() {
        let (mut cubic, now) = avoiding();
        cubic.on_ack(&acked(now, 1_000));
        let before = cubic.cwnd();
        cubic.on_sent(now, 0);
        cubic.on_sent(now + RTT * 10, 0);
        assert_eq!(cubic.cwnd(), before);
        cubic.on_sent(now + Duration::from_secs(60), 0);
        assert_eq!(cubic.cwnd(), 10_000);
        assert!(cubic.window.is_slow_start());
    }

    #[test]
    fn larger_segments_raise_an_untouched_window_only() {
        let mut cubic = Cubic::new(1_200);
        cubic.set_mss(1_400);
        assert_eq!(cubic.cwnd(), 14_000);
        let (mut cubic, now) = avoiding();
        cubic.on_ack(&acked(now, 1));
        cubic.set_mss(1_400);
        assert_eq!(cubic.cwnd(), 20_000);
        cubic.set_mss(60_000);
        assert_eq!(cubic.cwnd(), 120_000);
    }

    #[test]
    fn huge_segments_at_loopback_round_trips_grow_without_bound_or_nonsense() {
        let rtt = Duration::from_micros(50);
        let (mut cubic, mut now) = (Cubic::new(60_000), start() + RTT);
        cubic.on_loss(&lost(now));
        for _ in 0..10_000 {
            now += rtt;
            let before = cubic.cwnd();
            let (bytes, newest_sent_at) = (before, now - rtt);
            cubic.on_ack(&Acked {
                newest_sent_at,
                rtt: Some(rtt),
                srtt: rtt,
                ..acked(now, bytes)
            });
            assert!(cubic.cwnd() >= before && cubic.cwnd() <= before * 2);
        }
        assert!(
            cubic
                .pacing_rate(rtt)
                .is_some_and(|rate| rate > 1_000_000_000)
        );
    }

    #[test]
    fn there_is_no_rate_before_there_is_a_round_trip_time() {
        let cubic = Cubic::new(1_000);
        assert_eq!(cubic.pacing_rate(Duration::ZERO), None);
        assert_eq!(cubic.pacing_rate(Duration::from_secs(1)), Some(20_000));
    }
}
