//! The chain of 101 nodes, each knowing one other.

use std::{collections::BTreeSet, time::Duration};

use crate::{keys::peer, world::World};

const NODES: u32 = 101;
const MINUTE: Duration = Duration::from_secs(60);

fn chain(seed: u64) -> World {
    let mut world = World::new(seed);
    (0..NODES).for_each(|number| world.add(number));
    (1..NODES).for_each(|number| world.link(number - 1, number));
    world
}

/// A chain in which all know all.
fn formed_chain(seed: u64) -> World {
    let mut world = chain(seed);
    let all = world.nodes();
    let formed = world.run_until(MINUTE, |world| world.all_know(&all));
    assert!(formed.is_some(), "seed {seed}");
    world
}

#[test]
fn chain_of_101_knows_all_within_a_minute() {
    for seed in 1..=3 {
        let mut world = chain(seed);
        let all = world.nodes();
        let took = world.run_until(MINUTE, |world| world.all_know(&all));
        assert!(took.is_some(), "seed {seed}");
        println!(
            "seed {seed}: {took:?}, {} bytes on the busiest link",
            world.most_sent()
        );
        assert!(world.breaches().is_empty(), "seed {seed}");
    }
}

#[test]
fn chain_that_formed_goes_on_for_a_quarter_of_an_hour_within_its_bounds() {
    let mut world = formed_chain(4);
    let all = world.nodes();
    let settled = world.most_sent();
    for minute in 0..15 {
        world.run(MINUTE);
        assert!(world.all_know(&all), "after {minute} minutes");
    }
    let rate = (world.most_sent() - settled) / 900;
    assert!(rate < 1_400, "{rate} bytes a second in a quiet network");
    println!("{rate} bytes a second in a quiet network");
}

#[test]
fn thirty_vanish_and_thirty_join_and_all_know_the_living_within_a_minute() {
    for seed in 11..=13 {
        let mut world = formed_chain(seed);
        let dead = vanish_and_join(&mut world);
        let living = world.nodes();
        let mut forgetting: Vec<_> = living
            .iter()
            .flat_map(|node| dead.iter().map(|gone| (*node, *gone)))
            .collect();
        let took = world.run_until(MINUTE, |world| {
            // Each survivor finds out at a time of its own that those it dials are dead.
            let some = forgetting.len().saturating_sub(20)..;
            for (node, gone) in forgetting.drain(some) {
                world.machine(node).forget(&peer(gone));
            }
            world.all_know(&living)
        });
        println!("seed {seed}: {took:?}");
        assert!(took.is_some(), "seed {seed}");
    }
}

#[test]
fn those_who_vanished_are_not_known_when_their_records_have_expired() {
    let mut world = formed_chain(21);
    let dead = vanish_and_join(&mut world);
    let living = world.nodes();
    world.run(MINUTE * 16);
    assert!(world.all_know(&living));
    for number in &living {
        assert!(world.known(*number).is_disjoint(&dead), "{number}");
    }
}

#[test]
fn the_dead_do_not_come_back_to_those_who_know() {
    let mut world = formed_chain(22);
    world.kill(0);
    // What it said last is on its way still.
    world.run(MINUTE / 4);
    world.machine(50).forget(&peer(0));
    world.run(MINUTE / 12);
    assert!(!world.known(50).contains(&0));
    assert!(world.known(49).contains(&0) && world.known(51).contains(&0));
}

/// Kills 30 of the chain; who has lost a neighbour finds another, and each of 30 newcomers finds one node.
fn vanish_and_join(world: &mut World) -> BTreeSet<u32> {
    let mut dead = BTreeSet::new();
    while dead.len() < 30 {
        let living = world.nodes();
        let victim = world.pick(&living);
        world.kill(victim);
        dead.insert(victim);
    }
    let living = world.nodes();
    for number in &living {
        if world.neighbours(*number).len() < 2 {
            let other = world.pick(&living);
            world.link(*number, other);
        }
    }
    // What a node does that keeps itself connected: no part of the network stays alone.
    let mut ordered = living.iter();
    let mut last = *ordered.next().unwrap();
    for number in ordered {
        if world.neighbours(*number).is_empty() || number - last > 1 {
            world.link(last, *number);
        }
        last = *number;
    }
    for number in 200..230 {
        world.add(number);
        let contact = world.pick(&living);
        world.link(number, contact);
    }
    dead
}
