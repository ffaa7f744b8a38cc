//! When something is said again: at once, then at growing intervals up to a minute.

use std::time::{Duration, Instant};

use crate::rng::Rng;

/// The back-off of announcements, or of queries.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// When to say it next, and how often it was said since the beginning; `None` where there is nothing to say.
    next: Option<(Instant, u32)>,
    last: Option<Instant>,
}

impl Schedule {
    /// Begins again: at once, but not right after the last time.
    pub(crate) fn restart(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + SHORTEST);
        self.next = Some((now.max(earliest), 0));
    }

    /// What was said last did not get out: says it again before long.
    pub(crate) fn hasten(&mut self, now: Instant) {
        if let Some((at, rounds)) = &mut self.next {
            *at = (*at).min(now + RETRY);
            *rounds = (*rounds).min(1);
        }
    }

    pub(crate) fn stop(&mut self) {
        self.next = None;
    }

    /// Whether it is time to say it, and how often it was said before; if so, the next time is fixed.
    ///
    /// It is earlier than the interval by chance, by half of a short one: nodes that began together do not stay so.
    pub(crate) fn due(&mut self, now: Instant, rng: &mut Rng) -> Option<u32> {
        let (_, rounds) = self.next.filter(|(at, _)| now >= *at)?;
        let interval = FIRST * 2_u32.saturating_pow(rounds);
        let interval = interval.min(LONGEST);
        let jitter = if interval < LONGEST {
            interval / 2
        } else {
            interval / 5
        };
        let at = now + interval - rng.up_to(jitter);
        self.next = Some((at, (rounds + 1).min(MAX_ROUNDS)));
        self.last = Some(now);
        Some(rounds)
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }
}

/// Searches or announcements that come and go by the thousand do not make datagrams by the thousand.
const SHORTEST: Duration = Duration::from_millis(500);
/// An address of IPv6 cannot be used for its first second or two (RFC 4862 §5.4).
const RETRY: Duration = Duration::from_millis(500);
/// A datagram that is lost is made up for within the second.
const FIRST: Duration = Duration::from_millis(750);
/// A thousand nodes at one a minute are 17 to 21 datagrams a second.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);
/// By then the interval is the longest.
const MAX_ROUNDS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_to_a_minute() {
        let (mut rng, start) = (Rng::new(1), crust_core::rt::now());
        let mut schedule = Schedule::default();
        assert_eq!(schedule.at(), None);
        schedule.restart(start);
        let mut times = vec![];
        while times.len() < 20 {
            let at = schedule.at().unwrap();
            assert!(
                schedule
                    .due(at - Duration::from_nanos(1), &mut rng)
                    .is_none()
            );
            assert!(schedule.due(at, &mut rng).is_some());
            times.push(at);
        }
        assert_eq!(times[0], start);
        assert!(times[1] - times[0] <= FIRST);
        let last = times[19] - times[18];
        assert!((LONGEST * 4 / 5..=LONGEST).contains(&last), "{last:?}");
    }

    #[test]
    fn restart_right_after_a_round_waits() {
        let (mut rng, now) = (Rng::new(1), crust_core::rt::now());
        let mut schedule = Schedule::default();
        schedule.restart(now);
        assert_eq!(schedule.due(now, &mut rng), Some(0));
        schedule.restart(now);
        assert_eq!(schedule.at(), Some(now + SHORTEST));
        schedule.stop();
        assert_eq!(schedule.due(now + LONGEST, &mut rng), None);
    }
}
