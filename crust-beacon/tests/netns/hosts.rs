//! What runs on the other hosts: this test program again, as a beacon or as somebody who floods the link.

use std::{
    io::BufRead,
    net::{Ipv4Addr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use crust_beacon::{Beacon, BeaconBuilder};
use crust_core::{Announcement, Discovery, rt};
use crust_crypto::{NetworkKey, NetworkSealer};
use futures::StreamExt;

use crate::lab::{host_name, peer};

/// No test, but the program of a host.
#[test]
fn host() {
    let Some(name) = host_name() else {
        return;
    };
    let mut lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let what = lines.next().unwrap();
    let words: Vec<&str> = what.split(' ').collect();
    match words[..] {
        ["beacon", network] => run_beacon(&name, network, lines),
        ["flood", per_second, len] => flood(per_second.parse().unwrap(), len.parse().unwrap()),
        _ => panic!("{what}"),
    }
}

/// A beacon of the network called `network`.
pub(crate) fn builder(network: &str) -> BeaconBuilder {
    let sealer = NetworkSealer::new(&NetworkKey::from_name(network));
    Beacon::builder(Arc::new(sealer))
}

/// What `name` announces: whatever address it has.
pub(crate) fn announcement(name: &str) -> Announcement {
    Announcement {
        peer: peer(name),
        addrs: vec!["tcp://[::]:5483".parse().unwrap()],
    }
}

/// Announces and searches, says what it finds, and probes the hosts that it is told; ends in good order at `quit`.
fn run_beacon(name: &str, network: &str, lines: impl Iterator<Item = String>) {
    let beacon = builder(network).start();
    rt::block_on(beacon.announce(&announcement(name))).unwrap();
    let mut search = beacon.discover();
    let _search = rt::spawn(async move {
        while let Some(Ok(found)) = search.next().await {
            let addrs: Vec<String> = found.addrs.iter().map(ToString::to_string).collect();
            println!("@found {} {}", found.peer.unwrap(), addrs.join(" "));
        }
    });
    println!("@ready");
    for line in lines {
        if line == "quit" {
            break;
        }
        beacon.probe(&[line.parse().unwrap()]);
    }
    rt::block_on(beacon.shutdown());
    println!("@gone");
}

/// Broadcasts junk to 10.7.0.0/24 until it is killed.
fn flood(per_second: u32, len: usize) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_broadcast(true).unwrap();
    let to = (Ipv4Addr::new(10, 7, 0, 255), Beacon::DEFAULT_PORT);
    println!("@ready");
    let mut junk = vec![0x5a; len];
    let (start, mut sent) = (rt::now(), 0_u64);
    loop {
        let due = start.elapsed().as_nanos() * u128::from(per_second) / 1_000_000_000;
        while u128::from(sent) < due {
            sent += 1;
            junk[..8].copy_from_slice(&sent.to_be_bytes());
            socket.send_to(&junk, to).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
