//! A node that finds its network and keeps itself connected.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crust::{
    BootstrapError, ConnectError, DisconnectReason, Event, Identity, Node, Timeouts,
    core::{
        Addr, Connection, DialOpts, DialOutcome, FoundPeer, Listener, Transport, TransportError,
        async_trait,
    },
};
use crust_tests::{Finds, Net, addr, contact, eventually, find, find_addr, run, soon, start};

#[test]
fn bootstrap_gives_the_first_session() {
    for net in Net::each() {
        run(async {
            let far = net.node().await;
            let finds = Finds::new([find_addr(&addr("tcp://127.0.0.1:1")), find(&far)]);
            let node = start(net.builder().discovery(finds)).await;
            let session = soon(node.bootstrap()).await.unwrap();
            assert_eq!(session.peer(), far.id());
            assert_eq!(soon(node.bootstrap()).await.unwrap(), session);
        });
    }
}

#[test]
fn bootstrap_in_vain_tells_everything_that_was_tried() {
    run(async {
        let dead = [addr("tcp://127.0.0.1:1"), addr("tcp://127.0.0.1:2")];
        let finds = Finds::new(dead.iter().map(find_addr));
        let node = start(Net::Tcp.builder().discovery(finds)).await;
        let error = soon(node.bootstrap()).await.unwrap_err();
        let text = error.to_string();
        let BootstrapError::Failed { attempts, searches } = error else {
            panic!("{text}");
        };
        assert_eq!((searches[0].source, searches[0].found), ("finds", 2));
        for dead in &dead {
            assert!(attempts.iter().any(|attempt| attempt.addr == *dead));
            assert!(text.contains(&dead.to_string()), "{text}");
        }
    });
}

#[test]
fn bootstrap_without_any_discovery_says_so() {
    run(async {
        let node = Net::memory().node().await;
        let error = soon(node.bootstrap()).await.unwrap_err();
        assert!(matches!(error, BootstrapError::NoDiscovery));
    });
}

#[test]
fn bootstrap_may_be_asked_again() {
    run(async {
        let net = Net::memory();
        let finds = Finds::default();
        let node = start(net.builder().discovery(finds.clone())).await;
        assert!(soon(node.bootstrap()).await.is_err());
        let far = net.node().await;
        finds.set([find(&far)]);
        assert_eq!(soon(node.bootstrap()).await.unwrap().peer(), far.id());
    });
}

#[test]
fn shutdown_ends_a_bootstrap() {
    run(async {
        let finds = Finds::new([find_addr(&addr("memory://nobody"))]);
        let node = start(Net::memory().builder().discovery(finds)).await;
        let asked = crust::rt::spawn({
            let node = node.clone();
            async move { node.bootstrap().await }
        });
        node.shutdown().await;
        assert!(soon(asked).await.unwrap().is_err());
    });
}

#[test]
fn node_has_as_many_sessions_as_it_is_to_keep() {
    for net in Net::each() {
        run(async {
            let mut far = Vec::new();
            for _ in 0..8 {
                far.push(net.node().await);
            }
            let finds = Finds::new(far.iter().map(find));
            let node = start(net.builder().discovery(finds).keep(5..=6)).await;
            eventually(|| node.sessions().len() == 5).await;
            // One of them goes: another takes its place.
            let gone = node.sessions()[0].peer();
            let gone = far.iter().position(|far| far.id() == gone).unwrap();
            far.remove(gone).shutdown().await;
            eventually(|| node.sessions().len() == 5).await;
        });
    }
}

#[test]
fn node_that_is_to_keep_a_few_lets_no_more_in() {
    run(async {
        let net = Net::memory();
        let node = start(net.builder().keep(0..=3)).await;
        let mut inside = Vec::new();
        for _ in 0..10 {
            let peer = net.node().await;
            match peer.connect(contact(&node)).await {
                Ok(_) => inside.push(peer),
                Err(error) => assert!(error.to_string().contains("as many sessions"), "{error}"),
            }
        }
        assert_eq!((inside.len(), node.sessions().len()), (3, 3));
        // What the application itself wants is made all the same, and costs one of the others.
        let wanted = net.node().await;
        let session = node.connect(contact(&wanted)).await.unwrap();
        let inside = || inside.iter().filter(|peer| !peer.sessions().is_empty());
        eventually(|| inside().count() == 2 && node.sessions().len() == 3).await;
        assert!(node.sessions().contains(&session));
    });
}

#[test]
fn least_useful_session_goes_and_pinned_ones_stay() {
    run(async {
        let net = Net::memory();
        let node = start(net.builder().keep(0..=3)).await;
        let (pinned, useful, idle) = (net.node().await, net.node().await, net.node().await);
        for peer in [&pinned, &useful, &idle] {
            peer.connect(contact(&node)).await.unwrap();
            eventually(|| node.session(&peer.id()).is_some()).await;
        }
        node.session(&pinned.id()).unwrap().pin();
        let session = node.session(&useful.id()).unwrap();
        session.send("of use").await.unwrap();
        eventually(|| session.stats().messages_out == 1).await;
        let wanted = net.node().await;
        node.connect(contact(&wanted)).await.unwrap();
        eventually(|| node.session(&idle.id()).is_none()).await;
        eventually(|| node.sessions().len() == 3).await;
        let reason = loop {
            if let Event::Disconnected { reason, .. } = soon(idle.next_event()).await.unwrap() {
                break reason;
            }
        };
        assert_eq!(reason, DisconnectReason::Limit);
    });
}

#[test]
fn node_that_lost_every_session_begins_anew() {
    run(async {
        let net = Net::memory();
        let first = net.node().await;
        let finds = Finds::new([find(&first)]);
        let node = start(net.builder().discovery(finds.clone()).keep(1..=4)).await;
        eventually(|| node.session(&first.id()).is_some()).await;
        let second = net.node().await;
        finds.set([find(&second)]);
        first.shutdown().await;
        eventually(|| node.session(&second.id()).is_some()).await;
    });
}

#[test]
fn node_never_has_a_session_with_itself() {
    for net in Net::each() {
        run(async {
            let identity = Identity::generate();
            let id = identity.peer_id();
            let finds = Finds::default();
            let builder = net.builder().identity(identity).discovery(finds.clone());
            let node = start(builder.keep(2..=4)).await;
            let own = contact(&node).addr;
            let lie = FoundPeer {
                peer: Some(net.node().await.id()),
                ..find_addr(&own)
            };
            finds.set([find(&node), find_addr(&own), lie]);
            let searches = finds.searches();
            eventually(|| finds.searches() > searches).await;
            assert!(soon(node.bootstrap()).await.is_err());
            assert!(node.session(&id).is_none() && node.sessions().is_empty());
        });
    }
}

#[test]
fn peer_is_reached_by_its_name_alone() {
    for net in Net::each() {
        run(async {
            let (other, far) = (net.node().await, net.node().await);
            let finds = Finds::new([find(&other), find(&far)]);
            let node = start(net.builder().discovery(finds)).await;
            assert_eq!(soon(node.connect(far.id())).await.unwrap().peer(), far.id());
            let stranger = Identity::generate().peer_id();
            let error = soon(node.connect(stranger)).await.unwrap_err();
            assert!(matches!(error, ConnectError::NoAddress { peer } if peer == stranger));
        });
    }
}

#[test]
fn search_that_never_ends_has_its_time() {
    run(async {
        let mut timeouts = Timeouts::default();
        timeouts.search = Duration::from_millis(100);
        let discovery = crust::core::MemoryDiscovery::new();
        let node = start(
            Net::memory()
                .builder()
                .discovery(discovery)
                .timeouts(timeouts),
        )
        .await;
        let error = soon(node.bootstrap()).await.unwrap_err();
        assert!(matches!(error, BootstrapError::Failed { .. }), "{error}");
        let stranger = Identity::generate().peer_id();
        let error = soon(node.connect(stranger)).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoAddress { .. }), "{error}");
    });
}

#[test]
fn discoveries_learn_how_dials_went() {
    run(async {
        let net = Net::memory();
        let far = net.node().await;
        let dead = addr("memory://nobody");
        let finds = Finds::new([find_addr(&dead), find(&far)]);
        let node = start(net.builder().discovery(finds.clone()).keep(2..=4)).await;
        eventually(|| finds.reports().len() >= 2).await;
        let reports = finds.reports();
        let failed = DialOutcome::Failed { peer: None };
        assert!(reports.contains(&(dead, failed)), "{reports:?}");
        assert!(reports.iter().any(|(addr, outcome)| {
            *addr == contact(&far).addr
                && matches!(outcome, DialOutcome::Connected { peer, .. } if *peer == far.id())
        }));
        drop(node);
    });
}

#[test]
fn application_hears_once_of_each_peer_that_is_found() {
    run(async {
        let net = Net::memory();
        let far = net.node().await;
        let finds = Finds::new([find(&far), find(&far)]);
        let node = start(net.builder().discovery(finds).keep(1..=4)).await;
        let mut discovered = 0;
        eventually(|| node.sessions().len() == 1).await;
        node.shutdown().await;
        while let Some(event) = soon(Node::next_event(&node)).await {
            if let Event::Discovered { peer, source } = event {
                assert_eq!((peer, source), (far.id(), "finds"));
                discovered += 1;
            }
        }
        assert_eq!(discovered, 1);
    });
}

#[test]
fn range_of_sessions_with_nothing_in_it_is_refused() {
    run(async {
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        for keep in [5..=3, 0..=0] {
            let error = Net::memory()
                .builder()
                .keep(keep)
                .start()
                .await
                .unwrap_err();
            assert!(error.to_string().contains("cannot keep"), "{error}");
        }
    });
}

#[test]
fn connections_that_say_nothing_take_no_room() {
    run(async {
        let node = start(Net::Tcp.builder().keep(0..=2)).await;
        let tcp = crust_tcp::TcpTransport::new();
        let (addr, opts) = (contact(&node).addr, DialOpts::default());
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(soon(tcp.dial(&addr, &opts)).await.unwrap());
        }
        let peers = [Net::Tcp.node().await, Net::Tcp.node().await];
        for peer in &peers {
            soon(peer.connect(contact(&node))).await.unwrap();
        }
        drop(silent);
    });
}

#[test]
fn node_without_room_says_so_and_takes_back_who_was_there() {
    run(async {
        let net = Net::memory();
        let (full, other) = (start(net.builder().keep(0..=1)).await, net.node().await);
        other.connect(contact(&full)).await.unwrap();
        let newcomer = net.node().await;
        let error = newcomer.connect(contact(&full)).await.unwrap_err();
        assert!(error.to_string().contains("as many sessions"), "{error}");
        // Whoever has a session already is let in again: it may have restarted.
        other.disconnect(&full.id()).await;
        other.connect(contact(&full)).await.unwrap();
    });
}

#[test]
fn whoever_bootstraps_again_and_again_is_answered_once_a_second() {
    run(async {
        let dead = addr("tcp://127.0.0.1:1");
        let finds = Finds::new([find_addr(&dead)]);
        let node = start(Net::Tcp.builder().discovery(finds.clone())).await;
        let begin = crust::rt::now();
        let mut asked = 0_u32;
        while begin.elapsed() < Duration::from_millis(2_500) {
            let error = soon(node.bootstrap()).await.unwrap_err();
            assert!(error.to_string().contains(dead.as_str()), "{error}");
            asked += 1;
        }
        assert!(asked <= 4, "{asked} times in 2.5 s");
        assert!(finds.reports().len() <= 16, "as often as patience has it");
    });
}

#[test]
fn those_who_fill_a_node_from_outside_leave_room_for_those_it_dials() {
    run(async {
        let net = Net::Tcp;
        let finds = Finds::default();
        let node = start(net.builder().discovery(finds.clone()).keep(2..=4)).await;
        let mut strangers = Vec::new();
        for _ in 0..6 {
            let stranger = net.node().await;
            let _ = stranger.connect(contact(&node)).await;
            strangers.push(stranger);
        }
        assert_eq!(node.sessions().len(), 3);
    });
}

/// Dials to it never end.
#[derive(Debug, Default, Clone)]
struct Tar(Arc<AtomicUsize>);

#[async_trait]
impl Transport for Tar {
    fn schemes(&self) -> &[&'static str] {
        &["tar"]
    }

    async fn dial(&self, _: &Addr, _: &DialOpts) -> Result<Connection, TransportError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        Err(TransportError::Unsupported { addr: addr.clone() })
    }
}

#[test]
fn sixteen_addresses_are_dialed_at_a_time_however_many_are_told() {
    run(async {
        let tar = Tar::default();
        let found = (0..32_u8).map(|host| FoundPeer {
            peer: Some(Identity::generate().peer_id()),
            addrs: (1..=16)
                .map(|port| addr(&format!("tar://192.0.2.{host}:{port}")))
                .collect(),
            source: "finds",
        });
        let builder = Node::builder().dial_only().transport(tar.clone());
        let mut timeouts = Timeouts::default();
        timeouts.stagger = Duration::from_millis(1);
        let builder = builder.timeouts(timeouts).keep(16..=20);
        let node = start(builder.discovery(Finds::new(found))).await;
        let dials = || tar.0.load(Ordering::SeqCst);
        eventually(|| dials() == 16).await;
        crust::rt::sleep(Duration::from_millis(200)).await;
        assert_eq!(dials(), 16);
        node.shutdown().await;
    });
}

#[test]
fn address_heard_of_during_a_dial_is_tried() {
    run(async {
        let net = Net::Tcp;
        let far = net.node().await;
        let tar = Tar::default();
        let mut moved = find(&far);
        moved.addrs = vec![addr("tar://192.0.2.1:1")];
        let finds = Finds::new([moved]);
        let builder = net.builder().transport(tar).discovery(finds.clone());
        let node = start(builder.keep(1..=4)).await;
        eventually(|| finds.searches() == 1).await;
        finds.set([find(&far)]);
        eventually(|| node.sessions().len() == 1).await;
    });
}
