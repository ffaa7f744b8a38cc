//! How often those are told something who find no room here.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::sync::lock;

/// Counts the answers of a second. Whoever comes beyond them is cut off.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Option<Second>>);

#[derive(Debug)]
struct Second {
    began_at: Instant,
    given: u32,
}

impl Refusals {
    /// Whether there is one more answer to give at `now`.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut second = lock(&self.0);
        let is_over = |second: &Second| {
            now.saturating_duration_since(second.began_at) >= Duration::from_secs(1)
        };
        if second.as_ref().is_none_or(is_over) {
            *second = Some(Second {
                began_at: now,
                given: 0,
            });
        }
        second.as_mut().is_some_and(|second| {
            second.given += 1;
            second.given <= PER_SECOND
        })
    }
}

/// Answers in a second, of 16 KB at most each.
const PER_SECOND: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_second_are_bounded() {
        let refusals = Refusals::default();
        let now = crust_core::rt::now();
        let given = (0..100).filter(|_| refusals.take(now)).count();
        assert_eq!(given, PER_SECOND as usize);
        assert!(refusals.take(now + Duration::from_secs(1)));
    }
}
