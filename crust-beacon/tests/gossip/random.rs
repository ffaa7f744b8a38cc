//! Networks of random shape.

use std::time::Duration;

use crate::world::World;

/// A tree, so that all are connected, and as many links again.
fn random(seed: u64, nodes: u32) -> World {
    let mut world = World::new(seed);
    world.add(0);
    for number in 1..nodes {
        let others = world.nodes();
        world.add(number);
        for _ in 0..2 {
            let other = world.pick(&others);
            world.link(number, other);
        }
    }
    world
}

#[test]
fn random_networks_know_all_within_half_a_minute() {
    for seed in 100..105 {
        let mut world = random(seed, 101);
        let all = world.nodes();
        let limit = Duration::from_secs(30);
        let took = world.run_until(limit, |world| world.all_know(&all));
        println!(
            "seed {seed}: {took:?}, {} bytes on the busiest link",
            world.most_sent()
        );
        assert!(took.is_some(), "seed {seed}");
        assert!(world.breaches().is_empty(), "seed {seed}");
    }
}

#[test]
fn sessions_that_are_full_now_and_then_cost_time_and_nothing_else() {
    for seed in 200..203 {
        let mut world = random(seed, 41);
        for (a, b) in (0..41).flat_map(|a| (0..a).map(move |b| (a, b))) {
            if world.neighbours(a).contains(&b) {
                world.clog(a, b);
            }
        }
        let all = world.nodes();
        let limit = Duration::from_secs(120);
        let took = world.run_until(limit, |world| world.all_know(&all));
        println!("seed {seed}: {took:?}");
        assert!(took.is_some(), "seed {seed}");
    }
}

#[test]
fn network_larger_than_a_burst_is_known_in_time() {
    let mut world = random(300, 250);
    let all = world.nodes();
    let limit = Duration::from_secs(120);
    let took = world.run_until(limit, |world| world.all_know(&all));
    println!("{took:?}, {} bytes on the busiest link", world.most_sent());
    assert!(took.is_some());
}
