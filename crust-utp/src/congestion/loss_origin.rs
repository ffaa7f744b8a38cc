//! Tells losses that our sending causes from those that it does not: the bounded deviation from RFC 9438.

use std::time::{Duration, Instant};

use crate::congestion::{
    controller::{Acked, Lost},
    delay_history::DelayHistory,
    rounds::Rounds,
    window::{BETA, Window},
};

/// Judges each loss by two proofs, and only with both does the window stay as it is.
///
/// 1. *No queue.* A full drop-tail queue makes round trips longer. A loss beside such round trips is congestion, and
///    RFC 9438 applies unchanged; so is one after HyStart++ saw a queue in slow start. Each reduction begins a new look:
///    the queue of before it explains no later loss.
/// 2. *Less sending does not lose less.* The first loss without a queue reduces the window all the same, and that is
///    the trial: a bottleneck with a short queue, or a policer, stops losing at seven tenths of the rate. If instead
///    [`TRIAL_LOSSES`] of the next [`TRIAL_ROUNDS`] round trips lose packets, the loss comes from elsewhere (a radio
///    link): the reduction is taken back, and that share of loss is borne for [`BORNE_FOR`], never more than
///    [`MAX_BORNE`]. As soon as more is lost than was measured, beyond chance, the next loss is a trial again.
///
/// Explicit marks and timeouts are congestion always, and end what was borne.
#[derive(Debug)]
pub(crate) struct LossOrigin {
    /// For the base: the shortest round trip of the last minutes.
    rtts: DelayHistory,
    rounds: Rounds,
    /// The shortest of this round, and of the one before. What is longer throughout a round trip is a queue that stands;
    /// a burst of our own makes some of them longer.
    shortest: Option<Duration>,
    shortest_before: Option<Duration>,
    tally: Tally,
    /// What was sent before is counted no more: its losses were congestion, and answered.
    counts_since: Option<Instant>,
    state: State,
}

/// What a loss asks of the window.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// Reduce it.
    Congestion,
    /// Reduce it, to see whether that helps. Slow start may go on if it does not.
    Trial,
    /// The trial shows that it did not help: back to the window of before.
    Undo(Window),
    /// Leave it.
    Foreign,
}

#[derive(Debug)]
enum State {
    Strict,
    Trial(Trial),
    Bearing { share: f64, until: Instant },
}

#[derive(Debug)]
struct Trial {
    started_at: Instant,
    before: Window,
    tally_before: Tally,
    tally: Tally,
    rounds: u32,
    lossy_rounds: u32,
    is_round_lossy: bool,
}

impl LossOrigin {
    /// Takes the round-trip time and the count of what arrived.
    pub(crate) fn on_ack(&mut self, ack: &Acked, mss: u64) {
        if let Some(rtt) = ack.rtt {
            self.rtts
                .add(ack.now, u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX));
            if self.counts(ack.newest_sent_at) {
                self.shortest = Some(self.shortest.map_or(rtt, |shortest| shortest.min(rtt)));
            }
        }
        let packets = ack.bytes as f64 / mss as f64;
        if self.counts(ack.newest_sent_at) {
            self.tally.add(packets, 0.0);
        }
        let ends_round = self.rounds.on_ack(ack);
        if ends_round && self.shortest.is_some() {
            self.shortest_before = self.shortest.take();
        }
        let State::Trial(trial) = &mut self.state else {
            return;
        };
        if ack.newest_sent_at > trial.started_at {
            trial.tally.add(packets, 0.0);
        }
        if ends_round {
            trial.next_round();
        }
        if trial.rounds > TRIAL_ROUNDS {
            self.state = State::Strict;
        }
    }

    /// Judges a loss; `is_answered` where the window was reduced since the packets were sent.
    pub(crate) fn on_loss(
        &mut self,
        loss: &Lost,
        is_answered: bool,
        window: Window,
        mss: u64,
    ) -> Verdict {
        let packets = loss.bytes as f64 / mss as f64;
        if self.counts(loss.newest_sent_at) {
            self.tally.add(0.0, packets);
        }
        if is_answered {
            return Verdict::Foreign;
        }
        if self.is_queue_seen(window.is_slow_start()) {
            return self.on_congestion(loss.now);
        }
        match &mut self.state {
            State::Strict => self.begin_trial(loss.now, window),
            State::Trial(trial) => {
                trial.on_loss(packets);
                self.judge_trial(loss.now)
            }
            State::Bearing { share, until } if loss.now >= *until || self.tally.exceeds(*share) => {
                self.begin_trial(loss.now, window)
            }
            State::Bearing { .. } => Verdict::Foreign,
        }
    }

    /// A queue explains a loss. What is borne from elsewhere still is.
    pub(crate) fn on_congestion(&mut self, now: Instant) -> Verdict {
        if let State::Trial(_) = self.state {
            self.reset();
        }
        self.tally = Tally::default();
        self.forget_queue(now);
        Verdict::Congestion
    }

    /// Where the window may grow to: while a trial runs, it stays clear of where the loss began.
    pub(crate) fn ceiling(&self) -> f64 {
        match &self.state {
            State::Trial(trial) => trial.before.cwnd * TRIAL_CEILING,
            State::Strict | State::Bearing { .. } => f64::INFINITY,
        }
    }

    /// Bears nothing any more.
    pub(crate) fn reset(&mut self) {
        self.state = State::Strict;
    }

    fn begin_trial(&mut self, now: Instant, before: Window) -> Verdict {
        self.forget_queue(now);
        self.state = State::Trial(Trial {
            started_at: now,
            before,
            tally_before: self.tally,
            tally: Tally::default(),
            rounds: 0,
            lossy_rounds: 0,
            is_round_lossy: false,
        });
        Verdict::Trial
    }

    fn judge_trial(&mut self, now: Instant) -> Verdict {
        let State::Trial(trial) = &self.state else {
            return Verdict::Foreign;
        };
        if trial.tally.exceeds(MAX_BORNE) {
            self.reset();
            return Verdict::Congestion;
        }
        if trial.lossy_rounds < TRIAL_LOSSES {
            return Verdict::Foreign;
        }
        let share = trial.tally.likely_share().min(MAX_BORNE);
        let verdict = if trial.tally_before.exceeds(share) {
            Verdict::Foreign
        } else {
            Verdict::Undo(trial.before)
        };
        self.tally = trial.tally;
        self.state = State::Bearing {
            share,
            until: now + BORNE_FOR,
        };
        verdict
    }

    /// Is there a queue that explains a loss? Where loss from elsewhere is proven, only a long one does; but slow start
    /// makes a long one of a short one within a round trip.
    fn is_queue_seen(&self, is_slow_start: bool) -> bool {
        let Some(base_us) = self.rtts.base_us() else {
            return true;
        };
        // The window was reduced, and what that did is not known yet.
        let Some(shortest) = self.shortest_before else {
            return false;
        };
        let is_bearing = matches!(self.state, State::Bearing { .. });
        let base = Duration::from_micros(u64::from(base_us));
        let divisor = if is_bearing && !is_slow_start {
            LONG_QUEUE_DIVISOR
        } else {
            SHORT_QUEUE_DIVISOR
        };
        shortest.saturating_sub(base) > (base / divisor).max(MIN_QUEUE)
    }

    /// The window is reduced: what it did before says nothing any more.
    fn forget_queue(&mut self, now: Instant) {
        self.counts_since = Some(now);
        (self.shortest, self.shortest_before) = (None, None);
    }

    /// Whether what was sent then says something of the window as it is.
    fn counts(&self, sent_at: Instant) -> bool {
        self.counts_since.is_none_or(|since| sent_at > since)
    }
}

impl Default for LossOrigin {
    fn default() -> Self {
        Self {
            rtts: DelayHistory::new(),
            rounds: Rounds::default(),
            shortest: None,
            shortest_before: None,
            tally: Tally::default(),
            counts_since: None,
            state: State::Strict,
        }
    }
}

impl Trial {
    fn on_loss(&mut self, packets: f64) {
        self.tally.add(0.0, packets);
        if !self.is_round_lossy {
            self.is_round_lossy = true;
            self.lossy_rounds += 1;
        }
    }

    fn next_round(&mut self) {
        self.rounds += 1;
        self.is_round_lossy = false;
    }
}

/// Packets that arrived and that were lost, the older ones fading.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    arrived: f64,
    lost: f64,
}

impl Tally {
    fn add(&mut self, arrived: f64, lost: f64) {
        self.arrived += arrived;
        self.lost += lost;
        if self.arrived + self.lost >= TALLY_PACKETS {
            self.arrived /= 2.0;
            self.lost /= 2.0;
        }
    }

    /// The share that is lost, and a standard deviation more, for few are counted in a trial.
    fn likely_share(&self) -> f64 {
        (self.lost + self.lost.sqrt()) / (self.arrived + self.lost).max(1.0)
    }

    /// Was more lost than `share`, beyond chance: a quarter and three standard deviations above it?
    fn exceeds(&self, share: f64) -> bool {
        let expected = (self.arrived + self.lost) * share;
        self.lost > 1.25 * expected + 3.0 * expected.sqrt() + 1.0
    }
}

/// A queue this part of the base round trip explains a loss, while no other origin is proven. Each packet of a round
/// trip must have met it, so that noise does not.
const SHORT_QUEUE_DIVISOR: u32 = 32;

/// The same where loss from elsewhere is proven. A drop-tail queue of half a bandwidth-delay product is twice that when
/// it overflows; a shorter one then loses more than is borne, which is a trial. With less, each chance loss on a full link
/// took three tenths of the rate.
const LONG_QUEUE_DIVISOR: u32 = 4;

/// A queue shorter than this is noise of timers and of delayed acknowledgements. A loss beside it goes to trial.
const MIN_QUEUE: Duration = Duration::from_millis(1);

/// Half of what the trial's reduction took may be regained while it runs.
const TRIAL_CEILING: f64 = (1.0 + BETA) / 2.0;

/// Lossy round trips that settle a trial: queues that overflow again and again within so few do not exist at seven
/// tenths of their rate.
const TRIAL_LOSSES: u32 = 3;

/// Round trips of a trial, after which the loss counts as our own. With a window of fifty packets, one in a thousand
/// lost, three of them are lossy.
const TRIAL_ROUNDS: u32 = 64;

/// The largest share of loss that is borne: above it a link is broken or a policer is at work. Measured at trial, so
/// that 5 % with its chance deviations passes.
const MAX_BORNE: f64 = 0.1;

/// How long a trial is good for. One costs three tenths of the rate for a few round trips.
const BORNE_FOR: Duration = Duration::from_secs(10);

/// Packets after which the count of losses is halved: enough for one percent to stand out from chance.
const TALLY_PACKETS: f64 = 2_048.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::{acked, start};

    const MSS: u64 = 1_000;
    const RTT: Duration = Duration::from_millis(50);

    /// A judge of a flow of 20 packets a round trip.
    struct Case {
        origin: LossOrigin,
        now: Instant,
        nr: u64,
    }

    impl Case {
        fn new() -> Self {
            let (origin, now) = (LossOrigin::default(), start() + RTT);
            Self { origin, now, nr: 0 }
        }

        /// Rounds in which nothing is lost.
        fn rounds(&mut self, count: u32, queue: Duration) {
            self.acks(20 * count, queue);
        }

        fn acks(&mut self, count: u32, queue: Duration) {
            for _ in 0..count {
                (self.now, self.nr) = (self.now + RTT / 20, self.nr + 1);
                let (acked_nr, next_nr, rtt) = (self.nr, self.nr + 20, Some(RTT + queue));
                self.origin.on_ack(
                    &Acked {
                        acked_nr,
                        next_nr,
                        rtt,
                        ..acked(self.now, MSS)
                    },
                    MSS,
                );
            }
        }

        fn lose(&mut self, packets: u64) -> Verdict {
            let (now, bytes, newest_sent_at) = (self.now, packets * MSS, self.now - RTT);
            let loss = Lost {
                now,
                bytes,
                newest_sent_at,
                is_persistent: false,
            };
            self.origin.on_loss(&loss, false, Window::new(MSS), MSS)
        }
    }

    #[test]
    fn loss_behind_a_queue_is_congestion() {
        let mut case = Case::new();
        case.rounds(2, Duration::ZERO);
        case.rounds(2, Duration::from_millis(5));
        assert!(matches!(case.lose(1), Verdict::Congestion));
    }

    #[test]
    fn queue_of_before_a_reduction_is_held_against_it_once() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        while !matches!(case.lose(1), Verdict::Undo(_)) {
            case.rounds(2, Duration::ZERO);
        }
        case.rounds(2, RTT / 2);
        assert!(matches!(case.lose(1), Verdict::Congestion));
        case.rounds(1, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Foreign));
    }

    #[test]
    fn burst_within_a_round_trip_is_no_queue() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        for _ in 0..2 {
            case.acks(15, Duration::ZERO);
            case.acks(5, Duration::from_millis(5));
        }
        assert!(matches!(case.lose(1), Verdict::Trial));
    }

    #[test]
    fn loss_before_any_round_trip_time_is_congestion() {
        assert!(matches!(Case::new().lose(1), Verdict::Congestion));
    }

    #[test]
    fn loss_that_goes_on_in_a_trial_is_borne() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Trial));
        for _ in 0..2 {
            case.rounds(2, Duration::ZERO);
            assert!(matches!(case.lose(1), Verdict::Foreign));
        }
        case.rounds(2, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Undo(_)));
        case.rounds(2, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Foreign));
    }

    #[test]
    fn loss_that_ends_with_the_trial_is_our_own() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Trial));
        case.rounds(TRIAL_ROUNDS + 1, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Trial));
    }

    #[test]
    fn more_loss_than_was_measured_is_a_trial_again() {
        let mut case = Case::new();
        case.rounds(10, Duration::ZERO);
        while !matches!(case.lose(1), Verdict::Undo(_)) {
            case.rounds(5, Duration::ZERO);
        }
        case.rounds(5, Duration::ZERO);
        assert!(matches!(case.lose(50), Verdict::Trial));
    }

    #[test]
    fn a_trial_is_good_for_ten_seconds() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        while !matches!(case.lose(1), Verdict::Undo(_)) {
            case.rounds(2, Duration::ZERO);
        }
        case.rounds(190, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Foreign));
        case.rounds(15, Duration::ZERO);
        assert!(matches!(case.lose(1), Verdict::Trial));
    }

    #[test]
    fn half_of_everything_lost_is_never_borne() {
        let mut case = Case::new();
        case.rounds(4, Duration::ZERO);
        assert!(matches!(case.lose(20), Verdict::Trial));
        case.rounds(1, Duration::ZERO);
        assert!(matches!(case.lose(20), Verdict::Congestion));
        assert!(case.origin.ceiling().is_infinite());
    }
}
