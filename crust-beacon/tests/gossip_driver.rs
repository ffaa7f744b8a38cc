//! Gossip as a discovery, over a control channel inside one process.
#![cfg(feature = "gossip")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

#[path = "gossip/keys.rs"]
mod keys;

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use crust_beacon::gossip::{Gossip, Ignored, Stats};
use crust_core::{
    Announcement, ControlChannel, ControlError, ControlEvent, DialOutcome, Discovery, PeerId,
    SIGNATURE_LEN, Signer, Verifier, conformance::discovery::Subject, rt,
};
use futures::{
    StreamExt,
    channel::mpsc::{self, Sender},
};

use crate::keys::{Key, KeyVerifier, peer};

crust_core::discovery_conformance!(subject());

/// Nodes that all have sessions with each other. The suite announces whom it likes, so no key is a certain peer's.
fn subject() -> Subject {
    let hub = Arc::new(Hub::default());
    let next = AtomicU32::new(100);
    let observer = hub.clone();
    let make = move || {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let gossip = hub.join(number, Anybody(peer(number)), Anybody(peer(number)));
        hub.connect_all(number);
        Shared(gossip)
    };
    Subject::new(make).with_searches(move || observer.searches())
}

#[test]
fn records_reach_those_who_are_not_connected() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let nodes: Vec<_> = (0..5)
            .map(|i| hub.join(i, Key::of(i), KeyVerifier))
            .collect();
        (1..5).for_each(|i| hub.connect(i - 1, i));
        for (i, node) in (0..).zip(&nodes) {
            node.announce(&announcement(i, "tcp://192.0.2.1:1"))
                .await
                .unwrap();
        }
        let mut search = nodes[4].discover();
        loop {
            let found = search.next().await.unwrap().unwrap();
            if found.peer == Some(peer(0)) {
                assert_eq!(found.source, "gossip");
                break;
            }
        }
        assert!(
            nodes[4]
                .known()
                .iter()
                .any(|known| known.record.peer == peer(0))
        );
        assert!(nodes[4].local_record().is_some());
    });
}

#[test]
fn node_that_joins_later_learns_what_was_announced_before() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let first = hub.join(0, Key::of(0), KeyVerifier);
        first
            .announce(&announcement(0, "tcp://192.0.2.1:1"))
            .await
            .unwrap();
        let second = hub.join(1, Key::of(1), KeyVerifier);
        hub.connect(0, 1);
        let found = second.discover().next().await.unwrap().unwrap();
        assert_eq!(found.peer, Some(peer(0)));
    });
}

#[test]
fn announcement_of_another_peer_is_refused() {
    let hub = Arc::new(Hub::default());
    let node = hub.join(0, Key::of(0), KeyVerifier);
    let result = rt::block_on(node.announce(&announcement(1, "tcp://192.0.2.1:1")));
    assert!(result.is_err());
    assert!(node.local_record().is_none());
}

#[test]
fn announcement_that_is_too_long_is_refused() {
    let hub = Arc::new(Hub::default());
    let node = hub.join(0, Key::of(0), KeyVerifier);
    let mut long = announcement(0, &format!("tcp://{}", "a".repeat(200)));
    long.addrs = vec![long.addrs[0].clone(); 6];
    let error = rt::block_on(node.announce(&long)).unwrap_err();
    assert!(error.to_string().contains("1024 bytes"), "{error}");
}

#[test]
fn record_that_was_signed_elsewhere_is_announced() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let nodes = [0, 1].map(|i| hub.join(i, Key::of(i), KeyVerifier));
        hub.connect(0, 1);
        let now = u64::try_from(rt::unix_time().as_millis()).unwrap();
        let record = Key::of(0).record("tcp://192.0.2.7:1", now, 600_000);
        nodes[0].set_local(record.clone()).unwrap();
        let found = nodes[1].discover().next().await.unwrap().unwrap();
        assert_eq!(found.addrs, ["tcp://192.0.2.7:1".parse().unwrap()]);
        assert_eq!(nodes[1].known()[0].signed, record);
        assert!(
            nodes[1]
                .set_local(Key::of(1).record("tcp://192.0.2.7:1", 1, 1))
                .is_err()
        );
    });
}

#[test]
fn peer_that_no_dial_reaches_is_forgotten() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let nodes = [0, 1, 2].map(|i| hub.join(i, Key::of(i), KeyVerifier));
        hub.connect(0, 1);
        hub.connect(1, 2);
        let announced = announcement(0, "tcp://192.0.2.1:1");
        nodes[0].announce(&announced).await.unwrap();
        nodes[2].discover().next().await.unwrap().unwrap();
        let failed = DialOutcome::Failed {
            peer: Some(peer(0)),
        };
        for _ in 0..2 {
            nodes[2].report(&announced.addrs[0], &failed);
        }
        assert!(nodes[2].known().is_empty());
        nodes[0].announce(&announced).await.unwrap();
        nodes[2].discover().next().await.unwrap().unwrap();
    });
}

#[test]
fn peer_that_breaks_the_rules_is_reported() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let node = hub.join(0, Key::of(0), KeyVerifier);
        hub.attach(1);
        hub.connect(0, 1);
        hub.inject(1, 0, &[1]);
        hub.inject(1, 0, &[1, 200]);
        wait_for(&node, |stats| {
            stats.ignored.contains_key(&Ignored::AfterBreach)
        })
        .await;
        assert_eq!(*hub.reports.lock().unwrap(), [(peer(0), peer(1))]);
    });
}

#[test]
fn message_that_finds_no_room_goes_later() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let node = hub.join(0, Key::of(0), KeyVerifier);
        let other = hub.join(1, Key::of(1), KeyVerifier);
        hub.full.lock().unwrap().replace(2);
        node.announce(&announcement(0, "tcp://192.0.2.1:1"))
            .await
            .unwrap();
        hub.connect(0, 1);
        let found = other.discover().next().await.unwrap().unwrap();
        assert_eq!(found.peer, Some(peer(0)));
        let unsent = node.stats().unsent + other.stats().unsent;
        assert_eq!(unsent, 2);
    });
}

#[test]
fn search_ends_when_gossip_is_dropped() {
    rt::block_on(async {
        let hub = Arc::new(Hub::default());
        let node = hub.join(0, Key::of(0), KeyVerifier);
        let mut search = node.discover();
        assert!(futures::poll!(search.next()).is_pending());
        hub.nodes.lock().unwrap().clear();
        drop(node);
        assert!(search.next().await.is_none());
    });
}

fn announcement(number: u32, addr: &str) -> Announcement {
    Announcement {
        peer: peer(number),
        addrs: vec![addr.parse().unwrap()],
    }
}

async fn wait_for(node: &Gossip, fact: impl Fn(&Stats) -> bool) {
    while !fact(&node.stats()) {
        rt::yield_now().await;
    }
}

/// Signs for everybody.
struct Anybody(PeerId);

impl Signer for Anybody {
    fn peer_id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
        [7; SIGNATURE_LEN]
    }
}

impl Verifier for Anybody {
    fn verify(&self, _: &PeerId, _: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        *signature == [7; SIGNATURE_LEN]
    }
}

/// A discovery that the hub can look at too.
#[derive(Debug)]
struct Shared(Arc<Gossip>);

#[crust_core::async_trait]
impl Discovery for Shared {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn announce(
        &self,
        announcement: &Announcement,
    ) -> Result<(), crust_core::DiscoveryError> {
        self.0.announce(announcement).await
    }

    fn discover(&self) -> crust_core::FoundPeers {
        self.0.discover()
    }

    fn report(&self, addr: &crust_core::Addr, outcome: &DialOutcome) {
        self.0.report(addr, outcome);
    }
}

/// Sessions inside one process.
#[derive(Debug, Default)]
struct Hub {
    inboxes: Mutex<BTreeMap<PeerId, Sender<ControlEvent>>>,
    links: Mutex<Vec<(PeerId, PeerId)>>,
    nodes: Mutex<Vec<Arc<Gossip>>>,
    reports: Mutex<Vec<(PeerId, PeerId)>>,
    /// How many messages still find no room.
    full: Mutex<Option<usize>>,
}

impl Hub {
    fn join(
        self: &Arc<Self>,
        number: u32,
        signer: impl Signer + 'static,
        verifier: impl Verifier + 'static,
    ) -> Arc<Gossip> {
        let events = self.attach(number).boxed();
        let control = Control {
            hub: self.clone(),
            local: peer(number),
        };
        let gossip = Arc::new(Gossip::start(control, events, signer, verifier));
        self.nodes.lock().unwrap().push(gossip.clone());
        gossip
    }

    fn attach(&self, number: u32) -> mpsc::Receiver<ControlEvent> {
        let (sender, receiver) = mpsc::channel(1_000);
        self.inboxes.lock().unwrap().insert(peer(number), sender);
        receiver
    }

    fn connect(&self, a: u32, b: u32) {
        let (a, b) = (peer(a), peer(b));
        self.links.lock().unwrap().extend([(a, b), (b, a)]);
        self.deliver(&a, ControlEvent::Up { peer: b });
        self.deliver(&b, ControlEvent::Up { peer: a });
    }

    fn connect_all(&self, number: u32) {
        (100..number).for_each(|other| self.connect(other, number));
    }

    fn inject(&self, from: u32, to: u32, bytes: &[u8]) {
        let event = ControlEvent::Message {
            peer: peer(from),
            message: Bytes::copy_from_slice(bytes),
        };
        self.deliver(&peer(to), event);
    }

    fn deliver(&self, to: &PeerId, event: ControlEvent) {
        let mut inboxes = self.inboxes.lock().unwrap();
        let _ = inboxes.get_mut(to).unwrap().try_send(event);
    }

    fn searches(&self) -> usize {
        let nodes = self.nodes.lock().unwrap();
        nodes.iter().map(|node| node.stats().searches).sum()
    }
}

#[derive(Debug)]
struct Control {
    hub: Arc<Hub>,
    local: PeerId,
}

impl ControlChannel for Control {
    fn peers(&self) -> Vec<PeerId> {
        let links = self.hub.links.lock().unwrap();
        let own = links.iter().filter(|(from, _)| *from == self.local);
        own.map(|(_, to)| *to).collect()
    }

    fn try_send(&self, to: &PeerId, message: Bytes) -> Result<(), ControlError> {
        if !self.peers().contains(to) {
            return Err(ControlError::NotConnected { peer: *to });
        }
        if let Some(full) = self
            .hub
            .full
            .lock()
            .unwrap()
            .as_mut()
            .filter(|full| **full > 0)
        {
            *full -= 1;
            return Err(ControlError::Full { peer: *to });
        }
        let peer = self.local;
        self.hub
            .deliver(to, ControlEvent::Message { peer, message });
        Ok(())
    }

    fn report(&self, peer: &PeerId, _: &(dyn Error + Send + Sync + 'static)) {
        self.hub.reports.lock().unwrap().push((self.local, *peer));
    }
}
