//! Whether a gateway has lost its mappings, told by the clock that it starts when it has none.

use std::time::{Duration, Instant};

/// The gateway's clock, and when it said so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    heard_at: Instant,
    gateway_s: u32,
}

/// How a protocol tells that the clock began anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpochRule {
    /// RFC 6886 §3.6: it is behind what our clock leads to expect, one eighth and two seconds allowed for.
    NatPmp,
    /// RFC 6887 §8.5: it is behind itself, or the two clocks differ by more than a sixteenth and two seconds.
    Pcp,
}

impl Epoch {
    pub(crate) const fn new(now: Instant, gateway_s: u32) -> Self {
        Self {
            heard_at: now,
            gateway_s,
        }
    }

    pub(crate) const fn gateway_s(&self) -> u32 {
        self.gateway_s
    }

    /// Whether the gateway lost its state between `self` and `later`.
    pub(crate) fn is_lost_by(&self, later: &Self, rule: EpochRule) -> bool {
        let ours = later.heard_at.saturating_duration_since(self.heard_at);
        let before = Duration::from_secs(self.gateway_s.into());
        let after = Duration::from_secs(later.gateway_s.into());
        match rule {
            EpochRule::NatPmp => after + SLACK < before + ours * 7 / 8,
            EpochRule::Pcp => {
                let theirs = after.saturating_sub(before);
                after + STEP < before
                    || ours + SLACK < theirs - theirs / 16
                    || theirs + SLACK < ours - ours / 16
            }
        }
    }
}

/// Both sections allow for two seconds of rounding and delay.
const SLACK: Duration = Duration::from_secs(2);
/// What PCP's clock may go back by itself, for packets may overtake each other.
const STEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_lost(rule: EpochRule, gateway: (u32, u32), ours_s: u64) -> bool {
        let start = crust_core::rt::now();
        let later = Epoch::new(start + Duration::from_secs(ours_s), gateway.1);
        Epoch::new(start, gateway.0).is_lost_by(&later, rule)
    }

    #[test]
    fn clock_that_goes_back_has_lost_its_state() {
        for rule in [EpochRule::NatPmp, EpochRule::Pcp] {
            assert!(is_lost(rule, (1_000, 5), 10), "{rule:?}");
            assert!(is_lost(rule, (1_000, 997), 0), "{rule:?}");
            assert!(!is_lost(rule, (1_000, 999), 0), "{rule:?}");
        }
    }

    #[test]
    fn clock_that_was_set_back_and_has_caught_up_is_found_out() {
        for rule in [EpochRule::NatPmp, EpochRule::Pcp] {
            assert!(is_lost(rule, (100, 110), 3_600), "{rule:?}");
        }
    }

    #[test]
    fn clock_that_is_somewhat_slow_or_fast_is_believed() {
        for rule in [EpochRule::NatPmp, EpochRule::Pcp] {
            assert!(!is_lost(rule, (100, 1_050), 1_000), "{rule:?}");
            assert!(!is_lost(rule, (100, 1_150), 1_000), "{rule:?}");
        }
    }

    #[test]
    fn clock_that_jumps_ahead_is_lost_by_the_rule_of_pcp_alone() {
        assert!(is_lost(EpochRule::Pcp, (100, 5_000), 60));
        assert!(!is_lost(EpochRule::NatPmp, (100, 5_000), 60));
    }

    proptest! {
        #[test]
        fn clock_that_keeps_pace_is_believed(start: u32, elapsed in 0_u32..10_000_000) {
            let start = start.min(u32::MAX - elapsed);
            for rule in [EpochRule::NatPmp, EpochRule::Pcp] {
                prop_assert!(!is_lost(rule, (start, start + elapsed), elapsed.into()));
            }
        }

        #[test]
        fn no_clock_makes_it_panic(before: u32, after: u32, ours_s in 0_u64..100_000_000) {
            is_lost(EpochRule::NatPmp, (before, after), ours_s);
            is_lost(EpochRule::Pcp, (before, after), ours_s);
        }
    }
}
