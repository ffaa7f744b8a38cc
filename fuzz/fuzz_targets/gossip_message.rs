//! Gossip off the wire: what is read is written the same, and no message upsets a node or its bounds.
#![no_main]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crust_beacon::gossip::{Digest, Input, Machine, Message, Moment, Output};
use crust_core::{CONTROL_MAX_LEN, PeerId, SIGNATURE_LEN, Verifier};
use libfuzzer_sys::fuzz_target;

/// Believes every signature, so that what stands under it is reached.
struct Anybody;

impl Verifier for Anybody {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        true
    }
}

/// Messages, from which of two peers each, and after how many milliseconds.
type Case<'a> = Vec<(bool, u16, &'a [u8])>;

fuzz_target!(|case: Case<'_>| {
    case.iter().for_each(|(_, _, bytes)| check_law(bytes));
    run(&case);
});

fn check_law(bytes: &[u8]) {
    let Ok(Some(message)) = Message::decode(bytes) else {
        return;
    };
    let again = message.encode();
    assert_eq!(Message::decode(&again), Ok(Some(message.clone())));
    if let Message::Digest(mut digest) = message {
        assert!((Digest::MIN_FILTER_LEN..=Digest::MAX_FILTER_LEN).contains(&digest.filter().len()));
        assert_eq!(again, bytes);
        digest.insert(&peer(3), 4);
        assert!(digest.contains(&peer(3), 4));
    }
}

fn run(case: &Case<'_>) {
    let mut at = Moment {
        now: Instant::now(),
        unix_ms: 1,
    };
    let mut machine = Machine::new(peer(0), Arc::new(Anybody), [0; 32], at);
    machine.handle_input(at, Input::Up(peer(1)));
    machine.handle_input(at, Input::Up(peer(2)));
    for (first, wait_ms, bytes) in case {
        at.now += Duration::from_millis((*wait_ms).into());
        at.unix_ms += u64::from(*wait_ms);
        let peer = peer(if *first { 1 } else { 2 });
        machine.handle_input(at, Input::Message { peer, bytes });
        machine.handle_timeout(at);
        drain(&mut machine);
        assert!(machine.poll_timeout() >= at.now);
        let stats = machine.stats();
        assert!(stats.records <= 1_000, "500 of each peer");
        assert!(!machine.knows(&self::peer(0), at));
    }
}

fn drain(machine: &mut Machine) {
    while let Some(output) = machine.poll_output() {
        if let Output::Send { message, .. } = output {
            assert!(message.len() <= CONTROL_MAX_LEN);
            assert!(matches!(Message::decode(&message), Ok(Some(_))));
        }
    }
}

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; PeerId::LEN])
}
