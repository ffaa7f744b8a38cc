//! Behaviour discovery through simulated NATs of all kinds, in virtual time, on lossy links.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod nat;
mod world;

use std::{cell::Cell, time::Duration};

use crust_nat::behaviour::{Behaviour, Filtering, Mapping};

use self::{nat::Nat, world::World};

const MAPPINGS: [Mapping; 3] = [
    Mapping::EndpointIndependent,
    Mapping::AddressDependent,
    Mapping::AddressAndPortDependent,
];
const FILTERINGS: [Filtering; 3] = [
    Filtering::EndpointIndependent,
    Filtering::AddressDependent,
    Filtering::AddressAndPortDependent,
];
/// As the report must do it.
const LIMIT: Duration = Duration::from_secs(3);

/// Runs all nine kinds with each seed, and checks each outcome.
fn with_all_kinds(seeds: u64, loss: f64, check: impl Fn(Mapping, Filtering, &Behaviour, Duration)) {
    for mapping in MAPPINGS {
        for filtering in FILTERINGS {
            for seed in 0..seeds {
                // Shown where one of them fails.
                eprintln!("{mapping} {filtering} seed {seed}");
                let mut world = World::new(seed, loss, Some(Nat::new(mapping, filtering, seed)));
                let (behaviour, took) = world.discover();
                check(mapping, filtering, &behaviour, took);
            }
        }
    }
}

#[test]
fn all_nine_kinds_are_named_within_three_seconds_at_2_percent_of_loss() {
    with_all_kinds(200, 0.02, |mapping, filtering, behaviour, took| {
        assert_eq!(behaviour.mapping, Some(mapping));
        assert_eq!(behaviour.filtering, Some(filtering));
        assert_eq!(behaviour.is_translated, Some(true));
        assert!(took < LIMIT, "{took:?}");
    });
}

#[test]
fn no_kind_is_mistaken_for_another_at_20_percent_of_loss() {
    let (named, all) = (Cell::new(0), Cell::new(0));
    with_all_kinds(200, 0.2, |mapping, filtering, behaviour, took| {
        let is_named = behaviour.mapping.is_some() && behaviour.filtering.is_some();
        named.set(named.get() + u32::from(is_named));
        all.set(all.get() + 1);
        assert!(behaviour.mapping.is_none_or(|it| it == mapping));
        assert!(behaviour.filtering.is_none_or(|it| it == filtering));
        assert!(took < 2 * LIMIT, "{took:?}");
    });
    let (named, all) = (named.get(), all.get());
    assert!(named * 10 > all * 9, "{named} of {all} were named");
}

#[test]
fn without_loss_two_round_trips_tell_of_a_nat_that_lets_all_in() {
    let nat = Nat::new(
        Mapping::EndpointIndependent,
        Filtering::EndpointIndependent,
        1,
    );
    let (_, took) = World::new(1, 0.0, Some(nat)).discover();
    assert_eq!(took, Duration::from_millis(100));
}

#[test]
fn host_without_a_nat_is_told_from_one_behind_a_nat() {
    let (behaviour, took) = World::new(7, 0.02, None).discover();
    assert_eq!(behaviour.is_translated, Some(false));
    assert_eq!(behaviour.mapping, Some(Mapping::EndpointIndependent));
    assert_eq!(behaviour.filtering, Some(Filtering::EndpointIndependent));
    assert!(took < LIMIT, "{took:?}");
}

#[test]
fn server_that_is_not_there_leaves_all_unknown_within_three_seconds() {
    let (behaviour, took) = World::new(7, 1.0, None).discover();
    assert_eq!(behaviour, Behaviour::default());
    assert!(took < LIMIT, "{took:?}");
}

#[test]
fn dead_second_address_makes_filtering_unknown() {
    for filtering in FILTERINGS {
        let nat = Nat::new(Mapping::EndpointIndependent, filtering, 3);
        let mut world = World::new(3, 0.0, Some(nat));
        world.kill_second_address();
        let (behaviour, _) = world.discover();
        assert_eq!(behaviour.filtering, None);
    }
}
