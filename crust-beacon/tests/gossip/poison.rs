//! Peers that lie.

use std::time::Duration;

use crust_beacon::gossip::{Ignored, Message};
use crust_core::SignedRecord;

use crate::{keys::Key, world::World};

const HONEST: u32 = 12;
const LIAR: u32 = 1_000;
const INVENTED: u32 = 1_000_000;

/// A ring of honest nodes with links across, who know each other; and a liar that is connected to those of `victims`.
fn world(seed: u64, victims: std::ops::Range<u32>) -> World {
    let mut world = World::new(seed);
    (0..HONEST).for_each(|number| world.add(number));
    (0..HONEST).for_each(|number| world.link(number, (number + 1) % HONEST));
    (0..HONEST).for_each(|number| world.link(number, (number * 7 + 3) % HONEST));
    let honest = world.nodes();
    let minute = Duration::from_secs(60);
    assert!(
        world
            .run_until(minute, |world| world.all_know(&honest))
            .is_some()
    );
    world.add(LIAR);
    victims.for_each(|number| world.link(LIAR, number));
    world
}

/// The liar tells each of `victims` another 60 invented peers every 200 ms, for `seconds`.
fn flood(world: &mut World, victims: std::ops::Range<u32>, seconds: u32) {
    let mut first = 0;
    for _ in 0..seconds * 5 {
        for number in victims.clone() {
            let records = invented(world, first, 60);
            first += 60;
            world.inject(LIAR, number, &Message::records(records).encode());
        }
        world.run(Duration::from_millis(200));
    }
}

fn invented(world: &World, first: u32, count: u32) -> Vec<SignedRecord> {
    let numbers = INVENTED + first..INVENTED + first + count;
    let record = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        let addr = format!("tcp://{a}.{b}.{c}.1:1");
        Key::of(number).record(&addr, world.unix_ms(), 600_000)
    };
    numbers.map(record).collect()
}

#[test]
fn liar_that_floods_all_with_invented_peers_hides_nobody_who_was_known() {
    let mut world = world(400, 0..HONEST);
    let honest = (0..HONEST).collect();
    flood(&mut world, 0..HONEST, 6);
    for _ in 0..2 {
        world.run(Duration::from_secs(200));
        assert!(world.all_know(&honest));
    }
    for number in 0..HONEST {
        let records = world.records(number);
        let liar = crate::keys::peer(LIAR);
        let told = records.iter().filter(|known| known.source == liar);
        assert!(told.count() <= 500);
        let stats = world.machine(number).stats();
        assert!(stats.ignored[&Ignored::OverBudget] > 0, "{stats:?}");
        assert!(stats.records <= 10_000);
    }
    assert!(world.breaches().is_empty());
}

#[test]
fn liar_that_floods_one_node_does_not_keep_newcomers_from_being_known() {
    let mut world = world(450, 5..6);
    flood(&mut world, 5..6, 20);
    for number in HONEST..HONEST + 5 {
        world.add(number);
        world.link(number, number % HONEST);
        world.link(number, (number * 3 + 1) % HONEST);
    }
    let honest = (0..HONEST + 5).collect();
    let limit = Duration::from_secs(60);
    let took = world.run_until(limit, |world| world.all_know(&honest));
    println!("{took:?}");
    assert!(took.is_some());
}

#[test]
fn record_that_nobody_signed_is_not_handed_on_and_ends_who_tells_it() {
    let mut world = world(500, 0..HONEST);
    let forged = {
        let signed = invented(&world, 1, 1).remove(0);
        let record = signed.verify(&crate::keys::KeyVerifier, 0).unwrap();
        record.sign(&Key::of(LIAR)).unwrap()
    };
    world.inject(LIAR, 3, &Message::records(vec![forged]).encode());
    let records = invented(&world, 2, 1);
    world.inject(LIAR, 3, &Message::records(records).encode());
    assert_eq!(world.breaches(), [(LIAR, 3)]);
    world.run(Duration::from_secs(20));
    for number in 0..HONEST {
        assert!(!world.known(number).contains(&u32::MAX), "{number}");
    }
    let stats = world.machine(3).stats();
    assert!(stats.ignored[&Ignored::AfterBreach] > 0, "{stats:?}");
}

#[test]
fn junk_is_a_breach() {
    let mut world = world(600, 0..HONEST);
    world.inject(LIAR, 3, &[1]);
    world.inject(LIAR, 4, &[1, 1, 0]);
    world.inject(LIAR, 5, &[1, 200, 0]);
    assert_eq!(world.breaches(), [(LIAR, 3), (LIAR, 4)]);
}

#[test]
fn own_record_from_before_a_restart_is_outranked() {
    let mut world = world(700, 0..HONEST);
    let ahead = world.unix_ms() + 100_000;
    let old = Key::of(3).record("tcp://192.0.2.9:9", ahead, 600_000);
    world.inject(LIAR, 4, &Message::records(vec![old]).encode());
    world.run(Duration::from_secs(10));
    for number in (0..HONEST).filter(|number| *number != 3) {
        let records = world.records(number);
        let record = records
            .iter()
            .find(|known| known.record.peer == crate::keys::peer(3));
        let record = &record.unwrap().record;
        assert_eq!(record.addrs[0].as_str(), "tcp://10.0.0.3:5483", "{number}");
        assert!(record.seq > ahead);
    }
}
