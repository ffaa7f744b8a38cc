//! What the fuzz target of this crate calls.

use std::net::{Ipv4Addr, SocketAddr};

use crust_core::{Announcement, PeerId, rt};

use crate::{
    interface::Interface,
    machine::{Arrival, Config, Machine},
    voice::Now,
    wire::{Message, SIZES},
};

/// Opened datagrams, one after another: what is read can be written and read again, and a beacon that hears them says no
/// more than its limit.
///
/// # Panics
///
/// Where that is not so.
pub fn beacon_datagrams(plaintexts: &[&[u8]]) {
    let mut machine = machine();
    let now = Now {
        at: rt::now(),
        unix_ms: 0,
    };
    for (stamp, plaintext) in (0..).zip(plaintexts) {
        if let Ok(message) = Message::decode(plaintext) {
            assert_is_written_back(&message);
            hear(&mut machine, now, stamp, &message);
        }
    }
    machine.handle_timeout(Now {
        at: now.at + std::time::Duration::from_millis(900),
        ..now
    });
    let said = std::iter::from_fn(|| machine.poll_transmit()).count();
    assert!(said <= 20, "{said} datagrams within a second");
}

fn assert_is_written_back(message: &Message) {
    let mut again = Vec::new();
    let written = message.encode(&SIZES, &mut again);
    written.expect("what was read fits into a datagram");
    assert_eq!(Message::decode(&again).as_ref(), Ok(message));
}

fn hear(machine: &mut Machine, now: Now, stamp: u64, message: &Message) {
    let arrival = Arrival {
        link: 1,
        from: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 2), 9)),
        stamp,
    };
    if machine.admit(now, arrival) {
        machine.handle_message(now, arrival, message);
    }
}

/// A beacon with one link that announces and searches, and believes everybody.
fn machine() -> Machine {
    let mut machine = Machine::new(Config::default());
    let now = Now {
        at: rt::now(),
        unix_ms: 0,
    };
    let interface = Interface {
        index: 1,
        name: "eth0".into(),
        nets: vec!["10.0.0.1/8".parse().expect("it is a prefix")],
    };
    machine.set_links(now, vec![(interface, true)]);
    let announcement = Announcement {
        peer: PeerId::from_bytes([1; PeerId::LEN]),
        addrs: vec!["tcp://[::]:1".parse().expect("it is an address")],
    };
    machine.announce(now, &announcement);
    machine.set_searching(now, true);
    machine
}
