//! At most so many things in any second.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Admits at most `limit` things in any second, wherever the second begins.
#[derive(Debug)]
pub(crate) struct Limit {
    limit: usize,
    /// When those of the last second were admitted.
    admitted: VecDeque<Instant>,
}

impl Limit {
    pub(crate) fn new(limit: usize) -> Self {
        let admitted = VecDeque::new();
        Self { limit, admitted }
    }

    /// Whether `count` more fit into the last second; they count from then on.
    pub(crate) fn admit(&mut self, now: Instant, count: usize) -> bool {
        self.admit_beside(now, count, 0)
    }

    /// As [`admit`](Self::admit), where `reserved` more are to fit after them.
    pub(crate) fn admit_beside(&mut self, now: Instant, count: usize, reserved: usize) -> bool {
        while self
            .admitted
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) >= SECOND)
        {
            self.admitted.pop_front();
        }
        let fits = self.admitted.len() + count + reserved <= self.limit;
        if fits {
            self.admitted.extend((0..count).map(|_| now));
        }
        fits
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_has_more_than_the_limit(gaps in prop::collection::vec(0_u64..200, 1..200)) {
            let mut limit = Limit::new(5);
            let mut now = crust_core::rt::now();
            let mut admitted: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                let recent = admitted.iter().filter(|at| now - **at < SECOND).count();
                let is_admitted = limit.admit(now, 1);
                prop_assert_eq!(is_admitted, recent < 5);
                admitted.extend(is_admitted.then_some(now));
            }
        }
    }

    #[test]
    fn what_is_reserved_is_left() {
        let mut limit = Limit::new(3);
        let now = crust_core::rt::now();
        assert!(limit.admit_beside(now, 1, 2));
        assert!(!limit.admit_beside(now, 1, 2));
        assert!(limit.admit(now, 2));
        assert!(!limit.admit(now, 1));
    }

    #[test]
    fn what_does_not_fit_whole_uses_up_nothing() {
        let mut limit = Limit::new(3);
        let now = crust_core::rt::now();
        assert!(limit.admit(now, 2));
        assert!(!limit.admit(now, 2));
        assert!(limit.admit(now, 1));
    }
}
