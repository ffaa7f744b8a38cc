//! Beacons on the loopback interface, with identities and without: who is believed.
//!
//! Not on Windows, where nothing that goes to everybody comes back over that interface (seen under Wine).
#![cfg(not(windows))]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{net::UdpSocket, sync::Arc, time::Duration};

use crust_beacon::{Beacon, BeaconBuilder};
use crust_core::{Announcement, Discovery, DiscoveryError, FoundPeer, PeerId, rt};
use crust_crypto::{Ed25519Verifier, Identity, NetworkKey, NetworkSealer};
use futures::StreamExt;

#[test]
fn signed_announcement_is_found_by_who_verifies() {
    let (port, identity) = (free_port(), Identity::generate());
    let there = builder(port)
        .with_signer(Arc::new(identity.clone()))
        .start();
    let here = builder(port)
        .with_verifier(Arc::new(Ed25519Verifier))
        .start();
    rt::block_on(async {
        there
            .announce(&announcement(identity.peer_id()))
            .await
            .unwrap();
        let found = first(&here).await;
        assert_eq!(found.peer, Some(identity.peer_id()));
        assert_eq!(found.source, "lan");
        assert_eq!(found.addrs, ["tcp://127.0.0.1:77".parse().unwrap()]);
    });
}

#[test]
fn announcement_that_nobody_signed_is_not_believed_by_who_verifies() {
    let port = free_port();
    let there = builder(port).start();
    let strict = builder(port)
        .with_verifier(Arc::new(Ed25519Verifier))
        .start();
    let trusting = builder(port).start();
    rt::block_on(async {
        there.announce(&announcement(PEER)).await.unwrap();
        assert_eq!(first(&trusting).await.peer, Some(PEER));
        let mut search = strict.discover();
        let refused = async {
            while strict.counters().refused == 0 {
                let _ = rt::timeout(Duration::from_millis(20), search.next()).await;
            }
        };
        rt::timeout(PATIENCE, refused).await.unwrap();
        assert_eq!(strict.neighbours(), []);
    });
}

#[test]
fn announcement_for_another_peer_is_refused() {
    let signer = Arc::new(Identity::generate());
    let beacon = builder(free_port()).with_signer(signer).start();
    let refused = rt::block_on(beacon.announce(&announcement(PEER)));
    let Err(DiscoveryError::Io { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn announcement_of_ten_thousand_addresses_is_refused() {
    let beacon = builder(free_port()).start();
    let mut announcement = announcement(PEER);
    let addr = |n: u32| format!("tcp://127.0.{}.{}:1", n / 256, n % 256);
    announcement.addrs = (0..10_000).map(|n| addr(n).parse().unwrap()).collect();
    let refused = rt::block_on(beacon.announce(&announcement));
    assert!(matches!(
        refused,
        Err(DiscoveryError::AnnouncementTooLong { limit: 65_536, .. })
    ));
}

#[test]
fn contacts_are_offered_to_who_asks() {
    let port = free_port();
    let there = builder(port).with_contacts().start();
    let here = builder(port).start();
    rt::block_on(async {
        there.announce(&announcement(PEER)).await.unwrap();
        first(&here).await;
        let offered = async {
            let mut watch = here.watch();
            while !here.neighbours().iter().any(|n| n.offers_contacts) {
                let _ = rt::timeout(Duration::from_millis(20), watch.next()).await;
            }
        };
        rt::timeout(PATIENCE, offered).await.unwrap();
    });
}

#[test]
fn shut_down_beacon_announces_no_more_and_its_searches_end() {
    let beacon = builder(free_port()).start();
    rt::block_on(async {
        let mut search = beacon.discover();
        let ends = futures::future::join(search.next(), beacon.shutdown());
        let (ended, ()) = rt::timeout(PATIENCE, ends).await.unwrap();
        assert!(ended.is_none());
        let refused = beacon.announce(&announcement(PEER)).await;
        assert!(matches!(refused, Err(DiscoveryError::Io { .. })));
        beacon.shutdown().await;
    });
}

fn builder(port: u16) -> BeaconBuilder {
    let sealer = NetworkSealer::new(&NetworkKey::from_name("loopback"));
    Beacon::builder(Arc::new(sealer))
        .with_port(port)
        .with_loopback()
}

fn announcement(peer: PeerId) -> Announcement {
    Announcement {
        peer,
        addrs: vec!["tcp://0.0.0.0:77".parse().unwrap()],
    }
}

async fn first(beacon: &Beacon) -> FoundPeer {
    let mut search = beacon.discover();
    let first = rt::timeout(PATIENCE, search.next()).await;
    first.unwrap().unwrap().unwrap()
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

const PEER: PeerId = PeerId::from_bytes([5; 32]);
const PATIENCE: Duration = Duration::from_secs(20);
