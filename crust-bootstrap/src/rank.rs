//! Which address is dialed first.

use crate::known::Known;

/// Where an address stands among others: the smallest is dialed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    tier: Tier,
    /// Since it was last reached or heard of, and a day more for each failure that still stands.
    age_ms: u64,
}

impl Rank {
    /// Whether it was reached without anybody's help, and may be again.
    pub(crate) fn is_direct(&self) -> bool {
        self.tier == Tier::Direct
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    /// Was reached by an ordinary dial.
    Direct,
    /// Was reached with the help of others.
    Indirect,
    /// Was never reached.
    Heard,
    /// Has failed too often of late.
    Doubtful,
}

/// Ranks an address of a peer that was heard of at `heard_ms`.
///
/// A time after `now_ms` counts as now: a clock that was wrong puts nobody first for ever.
pub(crate) fn rank(known: &Known, heard_ms: u64, now_ms: u64) -> Rank {
    let standing = known.standing_failures(now_ms);
    let tier = match known.reached {
        _ if standing >= DOUBTFUL_FAILURES => Tier::Doubtful,
        Some(_) if INDIRECT_SCHEMES.contains(&known.addr.scheme()) => Tier::Indirect,
        Some(_) => Tier::Direct,
        None => Tier::Heard,
    };
    let since_ms = known.reached.map_or(heard_ms, |reached| reached.at_ms);
    let age_ms = now_ms.saturating_sub(since_ms);
    Rank {
        tier,
        age_ms: age_ms.saturating_add(u64::from(standing) * FAILURE_MS),
    }
}

/// Schemes of addresses behind which somebody else stands in between.
const INDIRECT_SCHEMES: [&str; 1] = ["relay"];

/// Three failures in a row are no accident any more; below that, they only make an address older.
const DOUBTFUL_FAILURES: u8 = 3;

/// A day: a peer that failed once is tried after those that were reached today.
const FAILURE_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{known::MAX_FAILURES, lans::Place};

    const DAY: u64 = FAILURE_MS;
    const NOW: u64 = 20_000 * DAY;

    fn untried(text: &str) -> Known {
        Known::untried(text.parse().unwrap(), Place::Anywhere)
    }

    fn reached(text: &str, at_ms: u64, failures: u8) -> Known {
        let mut known = untried(text);
        known.on_reached(at_ms, 1);
        for _ in 0..failures {
            known.on_failed(NOW, MAX_FAILURES);
        }
        known
    }

    fn ranked(known: &[Known]) -> bool {
        known.is_sorted_by_key(|known| rank(known, NOW, NOW))
    }

    #[test]
    fn directly_reachable_comes_before_fresher() {
        assert!(ranked(&[
            reached("tcp://192.0.2.1:1", NOW - 300 * DAY, 0),
            reached("relay://a", NOW - 1, 0),
            untried("tcp://192.0.2.2:1"),
        ]));
    }

    #[test]
    fn of_equals_the_freshest_comes_first() {
        let ages = [0, 1, 1_000, DAY, 900 * DAY];
        let known = ages.map(|age| reached("tcp://192.0.2.1:1", NOW - age, 0));
        assert!(ranked(&known));
    }

    #[test]
    fn a_failure_costs_a_day_and_three_cost_the_tier() {
        assert!(ranked(&[
            reached("tcp://192.0.2.1:1", NOW - DAY + 1, 0),
            reached("tcp://192.0.2.2:1", NOW - 1, 1),
            reached("tcp://192.0.2.3:1", NOW - DAY - 2, 0),
            reached("tcp://192.0.2.4:1", NOW - 1, 2),
            reached("relay://a", NOW - 1, 0),
            untried("tcp://192.0.2.5:1"),
            reached("tcp://192.0.2.6:1", NOW - 1, 3),
        ]));
    }

    #[test]
    fn forgiven_failures_cost_nothing() {
        let known = reached("tcp://192.0.2.1:1", NOW - 1, 9);
        let later = NOW + DAY;
        assert!(rank(&known, NOW, later).is_direct());
        let clean = reached("tcp://192.0.2.1:1", NOW - 1, 0);
        assert_eq!(rank(&known, NOW, later), rank(&clean, NOW, later));
    }

    #[test]
    fn what_is_from_the_future_counts_as_now() {
        let now = reached("tcp://192.0.2.1:1", NOW, 0);
        let future = reached("tcp://192.0.2.1:1", NOW + 3_650 * DAY, 0);
        assert_eq!(rank(&now, NOW, NOW), rank(&future, NOW, NOW));
    }
}
