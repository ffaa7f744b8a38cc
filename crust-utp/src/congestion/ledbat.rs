//! LEDBAT (RFC 6817) with the remedies of LEDBAT++.

use std::time::{Duration, Instant};

use crate::congestion::{
    aim::Aim,
    controller::{Acked, Congestion, Lost, MIN_SEGMENTS, initial_window, pacing_rate},
    delay_history::DelayHistory,
};

/// The controller for transfers that should not be noticed: keeps its queue at `target` and gives way to the rest.
///
/// The remedies are those of draft-irtf-iccrg-ledbat-plus-plus-01: slow start that is limited by the gain and ends at
/// three quarters of the target (§4.1, §4.2), multiplicative decrease (§4.3), and periodic slowdowns, by which flows
/// see the path without their own queues and late ones do not take all (§4.4). One more is ours: [`Aim`]. The draft measures round trips; this
/// takes the one-way delay of BEP 29 and RFC 6817, so that a queue on the way back is not taken for ours.
#[derive(Debug)]
pub(crate) struct Ledbat {
    mss: u64,
    aim: Aim,
    cwnd: f64,
    ssthresh: f64,
    phase: Phase,
    delays: DelayHistory,
    rtts: DelayHistory,
    recovery_start: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Slow start that ends when a queue begins.
    First,
    /// Congestion avoidance until the next slowdown.
    Steady { slowdown_at: Instant },
    /// The slowdown: two segments and no growth.
    Held { since: Instant, until: Instant },
    /// Slow start back to where the slowdown began.
    Ramp { since: Instant },
}

impl Ledbat {
    pub(crate) fn new(mss: u64, target: Duration) -> Self {
        Self {
            mss,
            aim: Aim::new(target),
            cwnd: initial_window(mss) as f64,
            ssthresh: f64::INFINITY,
            phase: Phase::First,
            delays: DelayHistory::new(),
            rtts: DelayHistory::new(),
            recovery_start: None,
        }
    }

    fn sample(&mut self, ack: &Acked) {
        if let Some(rtt) = ack.rtt {
            self.rtts
                .add(ack.now, u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX));
            self.aim.on_sample(self.rtts.current_us());
        }
        if let Some(delay_us) = ack.delay_us {
            self.delays.add(ack.now, delay_us);
        }
    }

    fn advance(&mut self, ack: &Acked) {
        match self.phase {
            Phase::First if self.queuing() > self.aim() * 3 / 4 => {
                self.ssthresh = self.cwnd;
                self.settle(ack.now + 2 * ack.srtt);
            }
            Phase::Steady { slowdown_at } if ack.now >= slowdown_at => {
                self.ssthresh = self.cwnd;
                self.cwnd = self.minimum();
                self.phase = Phase::Held {
                    since: ack.now,
                    until: ack.now + SLOWDOWN_ROUNDS * ack.srtt,
                };
            }
            Phase::Held { since, until } if ack.now >= until => self.phase = Phase::Ramp { since },
            Phase::Ramp { since } if self.cwnd >= self.ssthresh => {
                self.settle_after(since, ack.now)
            }
            _ => self.grow(ack),
        }
    }

    fn grow(&mut self, ack: &Acked) {
        let (bytes, gain) = (ack.bytes as f64, self.gain());
        let growth = match self.phase {
            Phase::First | Phase::Ramp { .. } => gain * bytes,
            Phase::Steady { .. } => self.step(gain) * (bytes / self.cwnd).min(1.0),
            Phase::Held { .. } => 0.0,
        };
        if growth < 0.0 || ack.is_cwnd_limited {
            self.cwnd = (self.cwnd + growth).max(self.minimum());
        }
    }

    /// What a round trip adds to the window in congestion avoidance (LEDBAT++ §4.3).
    fn step(&self, gain: f64) -> f64 {
        let off_target = self.queuing().as_secs_f64() / self.aim().as_secs_f64() - 1.0;
        let increase = gain * self.mss as f64;
        (increase - self.cwnd * off_target.max(0.0)).max(-self.cwnd / 2.0)
    }

    /// The share of standard growth that short paths get, so that they do not outrun long ones (LEDBAT++ §4.2).
    fn gain(&self) -> f64 {
        let base_s = f64::from(self.base_us()) / 1e6;
        1.0 / (2.0 * self.aim.target().as_secs_f64() / base_s)
            .ceil()
            .clamp(1.0, MAX_GAIN_DIVISOR)
    }

    /// The queue that our packets met: by the one-way delay, and never more than round trips grew, whatever the clocks do.
    fn queuing(&self) -> Duration {
        let by_rtt = self.rtts.lowest_queuing();
        let by_delay = self.delays.lowest_queuing().or(by_rtt);
        by_delay
            .unwrap_or_default()
            .min(by_rtt.unwrap_or(Duration::MAX))
    }

    fn aim(&self) -> Duration {
        self.aim.current(self.base_us())
    }

    fn base_us(&self) -> u32 {
        self.rtts.base_us().unwrap_or_default()
    }

    fn settle(&mut self, slowdown_at: Instant) {
        self.phase = Phase::Steady { slowdown_at };
    }

    fn settle_after(&mut self, since: Instant, now: Instant) {
        self.aim.on_slowdown(now);
        self.settle(now + SLOWDOWN_INTERVAL * now.saturating_duration_since(since));
    }

    fn halve(&mut self, now: Instant, srtt_since: Instant) {
        self.recovery_start = Some(now);
        match self.phase {
            // The window is as small as it gets, and what is lost was sent before it was.
            Phase::Held { .. } => return,
            Phase::First => self.settle(now + 2 * now.saturating_duration_since(srtt_since)),
            Phase::Ramp { since } => self.settle_after(since, now),
            Phase::Steady { .. } => {}
        }
        self.aim
            .on_loss(now, self.rtts.current_us(), self.base_us());
        self.cwnd = (self.cwnd / 2.0).max(self.minimum());
        self.ssthresh = self.cwnd;
    }

    fn collapse(&mut self, now: Instant) {
        self.recovery_start = Some(now);
        if self.cwnd > self.minimum() {
            self.ssthresh = (self.cwnd / 2.0).max(self.minimum());
        }
        self.cwnd = self.minimum();
        self.phase = Phase::Ramp { since: now };
    }

    fn is_answered(&self, sent_at: Instant) -> bool {
        self.recovery_start.is_some_and(|start| sent_at <= start)
    }

    fn minimum(&self) -> f64 {
        (MIN_SEGMENTS * self.mss) as f64
    }
}

impl Congestion for Ledbat {
    fn on_sent(&mut self, _now: Instant, _in_flight_before: u64) {}

    fn on_ack(&mut self, ack: &Acked) {
        self.sample(ack);
        self.advance(ack);
    }

    fn on_loss(&mut self, loss: &Lost) {
        if loss.is_persistent {
            self.collapse(loss.now);
        } else if !self.is_answered(loss.newest_sent_at) {
            self.halve(loss.now, loss.newest_sent_at);
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        self.collapse(now);
    }

    fn on_congestion_experienced(&mut self, now: Instant, sent_at: Instant) {
        if !self.is_answered(sent_at) {
            self.halve(now, sent_at);
        }
    }

    fn set_mss(&mut self, mss: u64) {
        let is_untouched = self.phase == Phase::First && self.rtts.base_us().is_none();
        self.mss = mss;
        let least = if is_untouched {
            initial_window(mss) as f64
        } else {
            self.minimum()
        };
        self.cwnd = self.cwnd.max(least);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction of a byte is what it cuts off"
    )]
    fn cwnd(&self) -> u64 {
        self.cwnd as u64
    }

    fn pacing_rate(&self, srtt: Duration) -> Option<u64> {
        let is_slow_start = matches!(self.phase, Phase::First | Phase::Ramp { .. });
        pacing_rate(self.cwnd(), srtt, is_slow_start)
    }
}

/// Bounds the divisor of the gain on short paths (LEDBAT++ §4.2).
const MAX_GAIN_DIVISOR: f64 = 16.0;

/// Round trips that a slowdown holds the window at two segments (LEDBAT++ §4.4).
const SLOWDOWN_ROUNDS: u32 = 2;

/// The next slowdown comes after so many times what the last one took, so that they cost a tenth at most (LEDBAT++ §4.4).
const SLOWDOWN_INTERVAL: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::{acked, start};

    const MSS: u64 = 1_000;
    const RTT: Duration = Duration::from_millis(50);

    fn ledbat() -> (Ledbat, Instant) {
        (Ledbat::new(MSS, Duration::from_millis(60)), start() + RTT)
    }

    /// Acknowledges 1,000 bytes that met a queue of `queue_ms`.
    fn ack(ledbat: &mut Ledbat, now: Instant, queue_ms: u64) {
        let queue = Duration::from_millis(queue_ms);
        ledbat.on_ack(&Acked {
            rtt: Some(RTT + queue),
            delay_us: Some(u32::try_from(queue.as_micros()).unwrap().wrapping_sub(7)),
            ..acked(now, MSS)
        });
    }

    #[test]
    fn slow_start_ends_at_three_quarters_of_the_target() {
        let (mut ledbat, now) = ledbat();
        ack(&mut ledbat, now, 0);
        (0..4).for_each(|_| ack(&mut ledbat, now, 44));
        assert_eq!(ledbat.phase, Phase::First);
        (0..4).for_each(|_| ack(&mut ledbat, now, 46));
        assert_eq!(
            ledbat.phase,
            Phase::Steady {
                slowdown_at: now + 2 * RTT
            }
        );
    }

    #[test]
    fn gain_is_less_on_short_paths() {
        for (rtt_ms, divisor) in [(1, 16.0), (50, 3.0), (200, 1.0)] {
            let (mut ledbat, now) = ledbat();
            ledbat.on_ack(&Acked {
                rtt: Some(Duration::from_millis(rtt_ms)),
                ..acked(now, 1)
            });
            assert_eq!(ledbat.gain(), 1.0 / divisor);
        }
    }

    #[test]
    fn slowdown_holds_two_segments_for_two_round_trips_and_ramps_back() {
        let (mut ledbat, mut now) = ledbat();
        ack(&mut ledbat, now, 0);
        ledbat.cwnd = 20_000.0;
        ledbat.settle(now);
        ack(&mut ledbat, now, 0);
        assert_eq!(ledbat.cwnd(), 2 * MSS);
        now += RTT;
        ack(&mut ledbat, now, 0);
        assert_eq!(ledbat.cwnd(), 2 * MSS);
        now += RTT;
        for _ in 0..60 {
            ack(&mut ledbat, now, 0);
        }
        assert!(ledbat.cwnd() >= 20_000);
        assert_eq!(
            ledbat.phase,
            Phase::Steady {
                slowdown_at: now + 9 * 2 * RTT
            }
        );
    }

    #[test]
    fn a_queue_twice_the_target_halves_the_window_in_a_round_trip() {
        let (mut ledbat, now) = ledbat();
        ack(&mut ledbat, now, 0);
        ledbat.cwnd = 100_000.0;
        ledbat.settle(now + 100 * RTT);
        for _ in 0..100 {
            ack(&mut ledbat, now, 120);
        }
        assert!(
            (30_000..=65_000).contains(&ledbat.cwnd()),
            "{}",
            ledbat.cwnd()
        );
    }

    #[test]
    fn clocks_that_drift_apart_are_no_queue() {
        let (mut ledbat, now) = ledbat();
        for second in 0..600 {
            ledbat.on_ack(&Acked {
                delay_us: Some(second * 500),
                ..acked(now, 1)
            });
        }
        assert_eq!(ledbat.queuing(), Duration::ZERO);
    }

    #[test]
    fn losses_of_one_round_trip_halve_once() {
        let (mut ledbat, now) = ledbat();
        ledbat.cwnd = 20_000.0;
        for part in 0..3 {
            let now = now + RTT / 3 * part;
            let newest_sent_at = now - RTT;
            ledbat.on_loss(&Lost {
                now,
                bytes: MSS,
                newest_sent_at,
                is_persistent: false,
            });
        }
        assert_eq!(ledbat.cwnd(), 10_000);
    }

    #[test]
    fn timeout_begins_again_with_two_segments() {
        let (mut ledbat, now) = ledbat();
        ledbat.cwnd = 20_000.0;
        ledbat.on_timeout(now);
        assert_eq!((ledbat.cwnd(), ledbat.ssthresh), (2 * MSS, 10_000.0));
    }
}
