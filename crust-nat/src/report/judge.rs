//! What observations mean: pure rules, which say nothing where too little was seen.

use super::{Allocation, Lifetime};
use crate::behaviour::Observation;

/// Whether all who were asked from one port saw one external port: two hosts have to have been asked.
pub(super) fn is_one_port(observations: &[Observation]) -> Option<bool> {
    let first = observations.first()?;
    let of_first = observations.iter().filter(|it| it.local == first.local);
    let mut elsewhere = of_first.filter(|it| it.destination.ip() != first.destination.ip());
    let second = elsewhere.next()?;
    let is_same = |it: &Observation| it.observed_addr == first.observed_addr;
    Some(is_same(second) && elsewhere.all(is_same))
}

/// How a NAT chooses external ports: internal and external port of new mappings, in the order in which they were made.
///
/// One of them may be out of line: its port was taken, or somebody else came between.
pub(super) fn allocation(ports: &[(u16, u16)]) -> Option<Allocation> {
    if ports.len() < LEAST_MAPPINGS {
        return None;
    }
    let kept = ports.iter().filter(|(inside, outside)| inside == outside);
    if kept.count() >= ports.len() - 1 {
        return Some(Allocation::Preserving);
    }
    let steps: Vec<i16> = ports
        .windows(2)
        .map(|pair| pair[1].1.wrapping_sub(pair[0].1).cast_signed())
        .collect();
    // What else is sent at the same time takes ports too: then a step is several in one.
    let is_small = |step: &&i16| **step != 0 && step.unsigned_abs() <= WIDEST_STEP;
    for is_rising in [true, false] {
        let in_line = steps.iter().filter(is_small);
        let in_line = in_line.filter(|step| step.is_positive() == is_rising);
        // One mapping out of line costs two steps.
        if in_line.clone().count() + 2 >= steps.len() {
            let step = in_line.copied().reduce(common_divisor);
            return step.map(|step| Allocation::Sequential { step });
        }
    }
    Some(Allocation::Random)
}

/// The greatest number that divides both, with their sign, which is the same.
fn common_divisor(one: i16, other: i16) -> i16 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// For how long mappings lived over which nothing was sent: after how many seconds each was looked for, and whether it was
/// there.
pub(super) fn lifetime(looks: &[(u32, bool)]) -> Option<Lifetime> {
    let gone = looks.iter().filter(|(_, was_there)| !was_there);
    let under_s = gone.map(|(after, _)| *after).min();
    let there = looks
        .iter()
        .filter(|(after, was_there)| *was_there && under_s.is_none_or(|under| *after < under));
    let at_least_s = there.map(|(after, _)| *after).max().unwrap_or(0);
    (!looks.is_empty()).then_some(Lifetime {
        at_least_s,
        under_s,
    })
}

/// With fewer new mappings chance could look like a rule.
const LEAST_MAPPINGS: usize = 5;
/// The widest step that is taken for one: chance makes three of five that small once in a billion cases.
const WIDEST_STEP: u16 = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_hosts_tell_whether_it_is_one_port() {
        let seen = |host: u8, port: u16| Observation {
            local: ([10, 0, 0, 2], 7).into(),
            destination: ([192, 0, 2, host], 1).into(),
            observed_addr: ([203, 0, 113, 1], port).into(),
        };
        assert_eq!(is_one_port(&[]), None);
        assert_eq!(is_one_port(&[seen(1, 9), seen(1, 9)]), None);
        assert_eq!(is_one_port(&[seen(1, 9), seen(2, 9)]), Some(true));
        assert_eq!(
            is_one_port(&[seen(1, 9), seen(2, 9), seen(3, 8)]),
            Some(false)
        );
    }

    #[test]
    fn allocations_are_told_apart() {
        let random = [
            (1, 9_000),
            (2, 40_001),
            (3, 1_025),
            (4, 60_000),
            (5, 33),
            (6, 50),
        ];
        assert_eq!(allocation(&random), Some(Allocation::Random));
        let kept = [(11, 11), (22, 22), (33, 4_000), (44, 44), (55, 55)];
        assert_eq!(allocation(&kept), Some(Allocation::Preserving));
        for step in [1, 2, -1] {
            let port = |number: i16| 40_000_u16.wrapping_add_signed(number * step);
            let rising: Vec<_> = (0..5).map(|number| (9, port(number))).collect();
            assert_eq!(allocation(&rising), Some(Allocation::Sequential { step }));
        }
        assert_eq!(allocation(&kept[..4]), None);
    }

    #[test]
    fn ports_go_on_at_the_other_end_and_others_may_come_between() {
        for ports in [
            [65_534, 65_535, 0, 2, 3, 5],
            [1, 4, 6, 9, 11, 14],
            [7, 40_000, 8, 9, 10, 11],
        ] {
            let ports = ports.map(|port| (99, port));
            let expected = Some(Allocation::Sequential { step: 1 });
            assert_eq!(allocation(&ports), expected);
        }
    }

    #[test]
    fn lifetime_lies_between_the_last_that_was_there_and_the_first_that_was_gone() {
        let looks = [(15, true), (30, true), (60, false), (120, false)];
        let lifetime_of = |looks: &[_]| lifetime(looks).unwrap();
        assert_eq!(lifetime_of(&looks).at_least_s, 30);
        assert_eq!(lifetime_of(&looks).under_s, Some(60));
        assert_eq!(lifetime_of(&looks[..2]).under_s, None);
        assert_eq!(lifetime_of(&looks[2..]).at_least_s, 0);
        assert_eq!(lifetime(&[]), None);
    }

    proptest! {
        /// Chance is not taken for a rule.
        #[test]
        fn random_ports_are_random(ports in prop::collection::vec(20_000..60_000_u16, 6)) {
            let ports: Vec<_> = ports.into_iter().map(|port| (9, port)).collect();
            prop_assert_eq!(allocation(&ports), Some(Allocation::Random));
        }
    }
}
