//! What to make of times in the future.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::Entry;

/// Moves what `entries` say happened after `now_ms` to just before it, in the same order.
///
/// Either our clock was wrong then or it is now, and there is no telling which. So nobody is forgotten, and nobody stays
/// ahead of those that are reached from now on.
pub(crate) fn settle<'a>(entries: impl Iterator<Item = &'a mut Entry>, now_ms: u64) {
    let mut entries: Vec<_> = entries.collect();
    let times = entries.iter().flat_map(|entry| entry.times_ms());
    let future: BTreeSet<u64> = times.filter(|at_ms| *at_ms > now_ms).collect();
    if future.is_empty() {
        return;
    }
    let moved = future.into_iter().rev().zip((0..=now_ms).rev());
    let moved: BTreeMap<u64, u64> = moved.collect();
    for entry in &mut entries {
        entry.settle(|at_ms| match moved.get(&at_ms) {
            Some(moved_ms) => *moved_ms,
            // The oldest, for which there was no room.
            None if at_ms > now_ms => 0,
            None => at_ms,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{peer, typical};

    fn settled(times: &[u64], now_ms: u64) -> Vec<u64> {
        let mut entries: Vec<_> = times.iter().map(|at_ms| typical(1, *at_ms)).collect();
        settle(entries.iter_mut(), now_ms);
        assert!(entries.iter().all(|entry| entry.peer == peer(1)));
        entries.iter().map(Entry::last_sign_ms).collect()
    }

    #[test]
    fn what_is_past_stays() {
        assert_eq!(settled(&[3, 900, 1_000], 1_000), [3, 900, 1_000]);
    }

    #[test]
    fn what_is_future_becomes_now_in_its_order() {
        assert_eq!(
            settled(&[7_000, 9_000, 5, 8_000], 1_000),
            [998, 1_000, 5, 999]
        );
    }

    #[test]
    fn where_there_is_no_room_before_now_all_are_at_the_beginning() {
        assert_eq!(settled(&[7_000, 9_000, 8_000], 1), [0, 1, 0]);
    }
}
