//! Who finds whom, and how fast.

use std::{net::UdpSocket, time::Duration};

use crust_beacon::Beacon;
use crust_core::{Discovery, FoundPeers, PeerId, rt};
use futures::StreamExt;

use crate::{
    hosts::{announcement, builder},
    lab::{Host, PATIENCE, Warnings, in_namespace, peer, run},
};

#[test]
fn two_hosts_find_each_other_within_a_second() {
    in_namespace("finding::two_hosts_find_each_other_within_a_second", || {
        let (beacon, mut search) = beacon_at("10.7.0.1/24");
        let mut host = Host::plug("a", &["10.7.0.2/24"]);
        host.start("beacon lan");
        let began = rt::now();
        let addrs = next_about(&mut search, peer("a"));
        host.wait_for("found", |line| line == here("tcp://10.7.0.1:5483"));
        let took = began.elapsed();
        assert_eq!(addrs, ["tcp://10.7.0.2:5483"]);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!(beacon.neighbours()[0].interface, "br0");
    });
}

#[test]
fn moved_host_is_found_again_within_three_seconds() {
    in_namespace(
        "finding::moved_host_is_found_again_within_three_seconds",
        || {
            let (_beacon, mut search) = beacon_at("10.7.0.1/24");
            let mut host = Host::plug("a", &["10.7.0.2/24"]);
            host.start("beacon lan");
            next_about(&mut search, peer("a"));
            let began = rt::now();
            host.run("ip addr flush dev eth0 scope global; ip addr add 10.7.0.77/24 dev eth0");
            let addrs = next_about(&mut search, peer("a"));
            let took = began.elapsed();
            assert_eq!(addrs, ["tcp://10.7.0.77:5483"]);
            assert!(took < Duration::from_secs(3), "{took:?}");
        },
    );
}

#[test]
fn interface_that_comes_later_is_used() {
    in_namespace("finding::interface_that_comes_later_is_used", || {
        let (_beacon, mut search) = beacon_at("10.7.0.1/24");
        let mut host = Host::plug("a", &[]);
        host.run("ip link set eth0 down");
        host.start("beacon lan");
        let began = rt::now();
        host.run("ip addr add 10.7.0.2/24 dev eth0; ip link set eth0 up");
        next_about(&mut search, peer("a"));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn interface_set_down_is_dropped_with_its_neighbours() {
    let test = "finding::interface_set_down_is_dropped_with_its_neighbours";
    in_namespace(test, || assert_bridge_goes("ip link set br0 down"));
}

#[test]
fn deleted_interface_is_dropped_with_its_neighbours() {
    let test = "finding::deleted_interface_is_dropped_with_its_neighbours";
    in_namespace(test, || assert_bridge_goes("ip link del br0"));
}

#[test]
fn two_networks_on_one_lan_do_not_see_each_other() {
    in_namespace(
        "finding::two_networks_on_one_lan_do_not_see_each_other",
        || {
            let (beacon, mut search) = beacon_at("10.7.0.1/24");
            let mut other = Host::plug("a", &["10.7.0.2/24"]);
            other.start("beacon other");
            let mut same = Host::plug("b", &["10.7.0.3/24"]);
            same.start("beacon lan");
            assert!(next_about(&mut search, peer("b")).len() == 1);
            while beacon.counters().junk < 3 {
                rt::block_on(rt::sleep(Duration::from_millis(10)));
            }
            let known: Vec<_> = beacon.neighbours().iter().map(|n| n.peer).collect();
            assert_eq!(known, [peer("b")]);
            assert_eq!(other.said(), Vec::<String>::new());
        },
    );
}

#[test]
fn nodes_of_one_host_share_the_port() {
    in_namespace("finding::nodes_of_one_host_share_the_port", || {
        run("ip addr add 10.7.0.1/24 dev br0");
        let names = ["x", "y", "z"];
        let beacons = names.map(|name| {
            let beacon = builder("lan").start();
            rt::block_on(beacon.announce(&announcement(name))).unwrap();
            beacon
        });
        let mut host = Host::plug("a", &["10.7.0.2/24"]);
        host.start("beacon lan");
        for (name, beacon) in names.iter().zip(&beacons) {
            let mut search = beacon.discover();
            next_about(&mut search, peer("a"));
            for other in names.iter().filter(|other| *other != name) {
                next_about(&mut beacon.discover(), peer(other));
            }
        }
        let mut wanted: Vec<_> = names.map(|name| format!("found {}", peer(name))).into();
        while !wanted.is_empty() {
            let line = host.wait_for("all three", |line| line.starts_with("found"));
            wanted.retain(|wanted| !line.starts_with(wanted));
        }
    });
}

#[test]
fn hosts_with_link_local_addresses_of_ipv6_alone_find_each_other() {
    let test = "finding::hosts_with_link_local_addresses_of_ipv6_alone_find_each_other";
    in_namespace(test, || {
        let beacon = builder("lan").start();
        rt::block_on(beacon.announce(&announcement("here"))).unwrap();
        let mut search = beacon.discover();
        let mut host = Host::plug("a", &[]);
        host.start("beacon lan");
        let addrs = next_about(&mut search, peer("a"));
        let addr = addrs[0].strip_prefix("tcp://").unwrap().parse().unwrap();
        let std::net::SocketAddr::V6(addr) = addr else {
            panic!("{addr}");
        };
        assert!(
            addr.ip().is_unicast_link_local() && addr.scope_id() > 0,
            "{addr}"
        );
        host.wait_for("found", |line| {
            line.starts_with(&format!("found {}", peer("here")))
        });
    });
}

#[test]
fn node_without_the_port_finds_by_asking() {
    in_namespace("finding::node_without_the_port_finds_by_asking", || {
        let warnings = Warnings::collect();
        let taken = UdpSocket::bind("0.0.0.0:5483").unwrap();
        let mut host = Host::plug("a", &["10.7.0.2/24"]);
        host.start("beacon lan");
        let (_beacon, mut search) = beacon_at("10.7.0.1/24");
        assert_eq!(next_about(&mut search, peer("a")), ["tcp://10.7.0.2:5483"]);
        host.wait_for("found", |line| line == here("tcp://10.7.0.1:5483"));
        let once = "another program has the beacon's port; neighbours are found by asking only";
        assert_eq!(warnings.said(), [once]);
        drop(taken);
        let mut late = Host::plug("b", &["10.7.0.3/24"]);
        late.start("beacon lan");
        next_about(&mut search, peer("b"));
    });
}

#[test]
fn link_without_a_free_port_to_send_from_is_tried_again() {
    let test = "finding::link_without_a_free_port_to_send_from_is_tried_again";
    in_namespace(test, || {
        run(
            "for conf in all default; do echo 1 > /proc/sys/net/ipv6/conf/$conf/disable_ipv6; done
             echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range",
        );
        let taken = [40_000, 40_001].map(|port| UdpSocket::bind(("0.0.0.0", port)).unwrap());
        let mut host = Host::plug("a", &["10.7.0.2/24"]);
        host.start("beacon lan");
        let (beacon, mut search) = beacon_at("10.7.0.1/24");
        next_about(&mut search, peer("a"));
        // Long enough for several announcements to be lost.
        rt::block_on(rt::sleep(Duration::from_secs(4)));
        assert_eq!((host.said(), beacon.counters().sent), (vec![], 0));
        let began = rt::now();
        drop(taken);
        host.wait_for("found", |line| line == here("tcp://10.7.0.1:5483"));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn hosts_behind_a_filter_of_broadcasts_find_each_other_by_probes() {
    let test = "finding::hosts_behind_a_filter_of_broadcasts_find_each_other_by_probes";
    in_namespace(test, || {
        let mut hosts = [("a", "10.7.0.2"), ("b", "10.7.0.3")].map(|(name, ip)| {
            let host = Host::plug(name, &[&format!("{ip}/24")]);
            run(&format!(
                "ip link set veth-{name} type bridge_slave bcast_flood off mcast_flood off"
            ));
            host
        });
        // ARP asks everybody too.
        let (a, b) = ("02:00:00:00:00:0a", "02:00:00:00:00:0b");
        let knows = |mac, ip, of| {
            format!("ip link set eth0 address {mac}; ip neigh add {ip} lladdr {of} dev eth0")
        };
        hosts[0].run(&knows(a, "10.7.0.3", b));
        hosts[1].run(&knows(b, "10.7.0.2", a));
        hosts.iter_mut().for_each(|host| host.start("beacon lan"));
        // Long enough for several announcements to be lost.
        rt::block_on(rt::sleep(Duration::from_secs(2)));
        assert_eq!(hosts[0].said(), Vec::<String>::new());
        hosts[0].tell("10.7.0.3");
        hosts[0].wait_for("found", |line| {
            line.starts_with(&format!("found {}", peer("b")))
        });
        hosts[1].wait_for("found", |line| {
            line.starts_with(&format!("found {}", peer("a")))
        });
    });
}

#[test]
fn goodbye_is_heard_at_once() {
    in_namespace("finding::goodbye_is_heard_at_once", || {
        let (beacon, mut search) = beacon_at("10.7.0.1/24");
        let mut host = Host::plug("a", &["10.7.0.2/24"]);
        host.start("beacon lan");
        next_about(&mut search, peer("a"));
        let mut watch = beacon.watch();
        host.tell("quit");
        let empty = async { while !watch.next().await.unwrap().is_empty() {} };
        rt::block_on(rt::timeout(PATIENCE, empty)).unwrap();
    });
}

#[test]
fn nothing_is_sent_before_there_is_something_to_say() {
    in_namespace(
        "finding::nothing_is_sent_before_there_is_something_to_say",
        || {
            run("ip addr add 10.7.0.1/24 dev br0");
            let silent = builder("lan").start();
            let mut host = Host::plug("a", &["10.7.0.2/24"]);
            host.start("beacon lan");
            while silent.neighbours().is_empty() {
                rt::block_on(rt::sleep(Duration::from_millis(10)));
            }
            assert_eq!(silent.counters().sent, 0);
            rt::block_on(silent.shutdown());
            assert_eq!(silent.counters().sent, 0);
            assert!(rt::block_on(silent.discover().next()).is_none());
        },
    );
}

/// Has a neighbour on the bridge, and another interface; then the bridge goes.
fn assert_bridge_goes(go: &str) {
    // The bridge's port is an interface of its own; without IPv6 it has no address.
    run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
         ip link add br1 type bridge; ip addr add 10.8.0.1/24 dev br1; ip link set br1 up");
    let (beacon, mut search) = beacon_at("10.7.0.1/24");
    let mut host = Host::plug("a", &["10.7.0.2/24"]);
    host.start("beacon lan");
    next_about(&mut search, peer("a"));
    assert_eq!((beacon.links(), beacon.neighbours().len()), (2, 1));
    let began = rt::now();
    run(go);
    while beacon.links() > 1 || !beacon.neighbours().is_empty() {
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{beacon:?}");
        rt::block_on(rt::sleep(Duration::from_millis(10)));
    }
    assert_eq!(beacon.links(), 1);
}

/// A beacon of this host, which has `addr` on its bridge.
pub(crate) fn beacon_at(addr: &str) -> (Beacon, FoundPeers) {
    run(&format!("ip addr add {addr} dev br0"));
    let beacon = builder("lan").start();
    rt::block_on(beacon.announce(&announcement("here"))).unwrap();
    let search = beacon.discover();
    (beacon, search)
}

/// What a search tells about `peer` next.
pub(crate) fn next_about(search: &mut FoundPeers, peer: PeerId) -> Vec<String> {
    let found = async {
        loop {
            let found = search.next().await.unwrap().unwrap();
            if found.peer == Some(peer) {
                return found.addrs.iter().map(ToString::to_string).collect();
            }
        }
    };
    rt::block_on(rt::timeout(PATIENCE, found)).unwrap()
}

fn here(addr: &str) -> String {
    format!("found {} {addr}", peer("here"))
}
