//! HyStart++ (RFC 9406): leaves slow start when round trips grow longer, before the queue overflows.

use std::time::Duration;

use crate::congestion::{controller::Acked, rounds::Rounds};

/// Slow start of a new connection. After a loss or a timeout it is over, and slow start is the plain one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HyStart {
    rounds: Rounds,
    last_min_rtt: Option<Duration>,
    current_min_rtt: Option<Duration>,
    samples: u32,
    phase: Phase,
}

/// What slow start does with an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// The window grows by what was acknowledged. `L` of RFC 9406 §4.2 is infinite, as sending is paced.
    Full,
    /// It grows by a quarter of that (`CSS_GROWTH_DIVISOR`, RFC 9406 §4.3).
    Quarter,
    /// Slow start ends here.
    Over,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Standard,
    Conservative {
        baseline: Duration,
        rounds_left: u32,
    },
    Ended,
}

impl HyStart {
    /// Takes a round-trip time and says how to grow.
    pub(crate) fn on_ack(&mut self, ack: &Acked) -> Growth {
        if self.phase == Phase::Ended {
            return Growth::Full;
        }
        if self.rounds.on_ack(ack) {
            self.next_round();
        }
        if let Some(rtt) = ack.rtt {
            self.current_min_rtt = Some(self.current_min_rtt.map_or(rtt, |min| min.min(rtt)));
            self.samples += 1;
        }
        self.judge();
        match self.phase {
            Phase::Standard => Growth::Full,
            Phase::Conservative { .. } => Growth::Quarter,
            Phase::Ended => Growth::Over,
        }
    }

    /// Whether round trips grew so much longer that the window grows less.
    pub(crate) fn sees_queue(&self) -> bool {
        matches!(self.phase, Phase::Conservative { .. })
    }

    /// From now on slow start is the plain one (RFC 9406 §4.3: for the initial slow start only).
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
    }

    fn next_round(&mut self) {
        self.last_min_rtt = self.current_min_rtt.take();
        self.samples = 0;
        if let Phase::Conservative { rounds_left, .. } = &mut self.phase {
            *rounds_left -= 1;
            if *rounds_left == 0 {
                self.phase = Phase::Ended;
            }
        }
    }

    fn judge(&mut self) {
        let (Some(current), true) = (self.current_min_rtt, self.samples >= N_RTT_SAMPLE) else {
            return;
        };
        match (self.phase, self.last_min_rtt) {
            (Phase::Standard, Some(last)) if current >= last + threshold(last) => {
                self.phase = Phase::Conservative {
                    baseline: current,
                    rounds_left: CSS_ROUNDS,
                };
            }
            (Phase::Conservative { baseline, .. }, _) if current < baseline => {
                self.phase = Phase::Standard
            }
            _ => {}
        }
    }
}

/// The growth of the round trip that means a queue.
fn threshold(last: Duration) -> Duration {
    (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH)
}

/// RFC 9406 §4.3, as the five below.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_ROUNDS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::{acked, start};

    /// One round of 16 acknowledgements, each with this round-trip time.
    fn round(hystart: &mut HyStart, nr: &mut u64, rtt_ms: u64) -> Growth {
        let mut growth = Growth::Full;
        for _ in 0..16 {
            *nr += 1;
            growth = hystart.on_ack(&Acked {
                rtt: Some(Duration::from_millis(rtt_ms)),
                acked_nr: *nr,
                next_nr: *nr + 16,
                ..acked(start(), 1_000)
            });
        }
        growth
    }

    #[test]
    fn steady_round_trips_go_on_doubling() {
        let (mut hystart, mut nr) = (HyStart::default(), 0);
        for _ in 0..20 {
            assert_eq!(round(&mut hystart, &mut nr, 50), Growth::Full);
        }
    }

    #[test]
    fn longer_round_trips_slow_growth_for_five_rounds_and_end_it() {
        let (mut hystart, mut nr) = (HyStart::default(), 0);
        round(&mut hystart, &mut nr, 50);
        for _ in 0..5 {
            assert_eq!(round(&mut hystart, &mut nr, 57), Growth::Quarter);
        }
        nr += 1;
        let over = Acked {
            acked_nr: nr,
            next_nr: nr + 16,
            ..acked(start(), 1_000)
        };
        assert_eq!(hystart.on_ack(&over), Growth::Over);
        assert_eq!(hystart.on_ack(&over), Growth::Full);
    }

    #[test]
    fn a_passing_delay_does_not_end_slow_start() {
        let (mut hystart, mut nr) = (HyStart::default(), 0);
        round(&mut hystart, &mut nr, 50);
        assert_eq!(round(&mut hystart, &mut nr, 57), Growth::Quarter);
        assert_eq!(round(&mut hystart, &mut nr, 50), Growth::Full);
    }

    #[test]
    fn noise_of_a_millisecond_on_loopback_is_no_queue() {
        let (mut hystart, mut nr) = (HyStart::default(), 0);
        round(&mut hystart, &mut nr, 0);
        assert_eq!(round(&mut hystart, &mut nr, 1), Growth::Full);
    }
}
