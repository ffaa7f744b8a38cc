//! At most one session between two nodes, whoever dials whom and whenever.

use std::{pin::pin, time::Duration};

use crust::{
    ConnectError, DisconnectReason, Identity, Node, PeerId, Session, Timeouts,
    core::{MemoryTransport, Role},
    rt,
};
use crust_tests::{
    Link, LinkTransport, Net, addr, all_events, connected, contact, events, eventually,
    message_text, run, soon, start, two_identities,
};
use futures::{future::join, poll};

#[test]
fn nodes_that_connect_to_each_other_at_once_have_one_session_over_tcp() {
    run(rounds_at_once(&Net::Tcp));
}

#[test]
fn nodes_that_connect_to_each_other_at_once_have_one_session_in_memory() {
    run(rounds_at_once(&Net::memory()));
}

async fn rounds_at_once(net: &Net) {
    for round in 0..200 {
        let [lower, higher] = two_identities();
        let (a, b) = if round % 2 == 0 {
            (lower, higher)
        } else {
            (higher, lower)
        };
        let a = start(net.builder().identity(a)).await;
        let b = start(net.builder().identity(b)).await;
        let both = join(a.connect(contact(&b)), b.connect(contact(&a)));
        let (to_b, to_a) = soon(both).await;
        assert_same(&a, &to_b.unwrap(), &b, &to_a.unwrap()).await;
    }
}

/// Each side has this session and no other, and the whole story of each is one session's.
async fn assert_same(a: &Node, to_b: &Session, b: &Node, to_a: &Session) {
    assert_eq!(a.sessions(), std::slice::from_ref(to_b));
    assert_eq!(b.sessions(), std::slice::from_ref(to_a));
    assert_eq!(to_b.local_addr(), to_a.remote_addr());
    assert_eq!(to_b.remote_addr(), to_a.local_addr());
    assert_eq!(to_b.role(), to_a.role().opposite());
    to_b.send("from a").await.unwrap();
    to_a.send("from b").await.unwrap();
    assert_eq!(events(a, 2).await, ["connected", "message from b"]);
    assert_eq!(events(b, 2).await, ["connected", "message from a"]);
    a.shutdown().await;
    to_a.closed().await;
    b.shutdown().await;
    assert_eq!(all_events(a).await, ["disconnected shutdown"]);
    assert_eq!(all_events(b).await, ["disconnected shutdown"]);
}

#[test]
fn many_connects_at_once_give_the_same_session() {
    for net in Net::each() {
        run(async {
            let (a, b) = (net.node().await, net.node().await);
            let forth = futures::future::join_all((0..8).map(|_| a.connect(contact(&b))));
            let back = futures::future::join_all((0..8).map(|_| b.connect(contact(&a))));
            let (forth, back) = soon(join(forth, back)).await;
            let forth: Vec<_> = forth.into_iter().map(Result::unwrap).collect();
            let back: Vec<_> = back.into_iter().map(Result::unwrap).collect();
            assert!(forth.iter().all(|session| *session == forth[0]));
            assert!(back.iter().all(|session| *session == back[0]));
            assert_same(&a, &forth[0], &b, &back[0]).await;
        });
    }
}

#[test]
fn node_does_not_connect_to_itself() {
    for net in Net::each() {
        run(async {
            let node = net.node().await;
            let by_address = soon(node.connect(contact(&node).addr)).await;
            assert!(
                matches!(by_address, Err(ConnectError::Oneself)),
                "{by_address:?}"
            );
            let by_id = soon(node.connect(node.id())).await;
            assert!(matches!(by_id, Err(ConnectError::Oneself)), "{by_id:?}");
            let by_both = soon(node.connect(contact(&node))).await;
            assert!(matches!(by_both, Err(ConnectError::Oneself)), "{by_both:?}");
            assert_eq!(node.sessions(), []);
            node.shutdown().await;
            assert_eq!(all_events(&node).await, [""; 0]);
        });
    }
}

#[test]
fn connect_to_a_peer_that_is_connected_gives_its_session() {
    run(async {
        let pair = Net::memory().pair().await;
        let again = pair.near.connect(pair.far.id()).await.unwrap();
        assert_eq!(again, pair.to_far);
        let back = pair.far.connect(pair.near.id()).await.unwrap();
        assert_eq!(back, pair.to_near);
        let by_address = soon(pair.near.connect(contact(&pair.far).addr)).await;
        assert_eq!(by_address.unwrap(), pair.to_far);
    });
}

#[test]
fn restarted_peer_replaces_its_session_that_vanished_without_a_word() {
    for vanished_is_lower in [true, false] {
        run(vanish_and_return(vanished_is_lower, Role::Dialer));
        run(vanish_and_return(vanished_is_lower, Role::Listener));
    }
}

/// `role` is the one that the vanished node had.
async fn vanish_and_return(vanished_is_lower: bool, role: Role) {
    let memory = MemoryTransport::new();
    let link = Link::default();
    let (stays, vanishes, returns) = triple(&memory, &link, vanished_is_lower, role).await;
    let first = match role {
        Role::Dialer => vanishes.connect(contact(&stays)).await.unwrap(),
        Role::Listener => {
            stays.connect(contact(&vanishes)).await.unwrap();
            connected(&vanishes).await
        }
    };
    connected(&stays).await;
    first.send("first life").await.unwrap();
    assert_eq!(message_text(&stays).await, "first life");
    link.cut();

    let started_at = rt::now();
    let again = match role {
        Role::Dialer => {
            link.mend();
            soon(returns.connect(contact(&stays))).await.unwrap()
        }
        Role::Listener => soon(returns.connect(contact(&stays))).await.unwrap(),
    };
    let elapsed = rt::now() - started_at;
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    again.send("second life").await.unwrap();
    assert_eq!(
        events(&stays, 3).await,
        ["disconnected replaced", "connected", "message second life"]
    );
    assert_eq!(stays.sessions().len(), 1);
    drop(vanishes);
}

/// A node that stays, one with a link that will be cut, and the latter's second life.
async fn triple(
    memory: &MemoryTransport,
    link: &Link,
    vanished_is_lower: bool,
    role: Role,
) -> (Node, Node, Node) {
    let [lower, higher] = two_identities();
    let (vanishing, staying) = if vanished_is_lower {
        (lower, higher)
    } else {
        (higher, lower)
    };
    let (once, again) = twice(vanishing);
    let linked = || LinkTransport::new(memory.clone(), link.clone());
    let plain = || LinkTransport::new(memory.clone(), Link::default());
    let (for_staying, for_vanishing) = match role {
        Role::Dialer => (plain(), linked()),
        Role::Listener => (linked(), plain()),
    };
    let builder = |identity, transport| {
        Node::builder()
            .without_built_in_transports()
            .identity(identity)
            .transport(transport)
            .listen(addr("memory://0"))
    };
    (
        start(builder(staying, for_staying)).await,
        start(builder(once, for_vanishing)).await,
        start(builder(again, plain())).await,
    )
}

/// The same identity, for two lives.
fn twice(identity: Identity) -> (Identity, Identity) {
    (identity.clone(), identity)
}

#[test]
fn closing_and_connecting_again_at_once_never_fails_over_tcp() {
    run(reconnects(&Net::Tcp, 500));
}

#[test]
fn closing_and_connecting_again_at_once_never_fails_in_memory() {
    run(reconnects(&Net::memory(), 500));
}

/// Each round either end dials, sends, and closes.
async fn reconnects(net: &Net, rounds: usize) {
    let (a, b) = (net.node().await, net.node().await);
    let dial = async {
        for round in 0..rounds {
            let (from, to) = if round % 4 < 2 { (&a, &b) } else { (&b, &a) };
            let session = soon(from.connect(contact(to))).await;
            let session = session.unwrap_or_else(|error| panic!("round {round}: {error}"));
            let text = format!("round {round} of {}", name(from.id(), &a));
            session.send(text).await.unwrap();
            soon(session.close("done")).await;
            assert_eq!(session.closed().await, DisconnectReason::Closed);
        }
        join(a.shutdown(), b.shutdown()).await;
    };
    let (_, (told_a, told_b)) = join(dial, join(all_events(&a), all_events(&b))).await;
    let mut expected_a = Vec::new();
    let mut expected_b = Vec::new();
    for round in 0..rounds {
        let (dialer, listener, name) = if round % 4 < 2 {
            (&mut expected_a, &mut expected_b, "a")
        } else {
            (&mut expected_b, &mut expected_a, "b")
        };
        dialer.extend(["connected".into(), "disconnected closed".into()]);
        listener.push("connected".into());
        listener.push(format!("message round {round} of {name}"));
        listener.push("disconnected closed_by_peer".into());
    }
    assert_same_story(&told_a, &expected_a);
    assert_same_story(&told_b, &expected_b);
}

/// Shows where two long stories part, and not the whole of them.
fn assert_same_story(told: &[String], expected: &[String]) {
    let at = told
        .iter()
        .zip(expected)
        .position(|(told, expected)| told != expected);
    let at = at.unwrap_or_else(|| told.len().min(expected.len()));
    let from = |story: &[String]| story[at..].iter().take(6).cloned().collect::<Vec<_>>();
    assert_eq!(from(told), from(expected), "at event {at}");
}

fn name(id: PeerId, a: &Node) -> &'static str {
    if id == a.id() { "a" } else { "b" }
}

#[test]
fn connect_during_a_close_gives_a_session_that_can_be_used() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let mut session = pair.to_far.clone();
            for round in 0..50 {
                // The order is given with the first poll; a session ends all the same where nobody waits for it.
                let _ = poll!(pin!(session.close("again")));
                session = if round % 2 == 0 {
                    soon(pair.near.connect(contact(&pair.far))).await.unwrap()
                } else {
                    soon(pair.near.connect(contact(&pair.far).addr))
                        .await
                        .unwrap()
                };
                let text = format!("{round}");
                session.send(text.clone()).await.unwrap();
                assert_eq!(
                    events(&pair.far, 3).await,
                    [
                        "disconnected closed_by_peer".into(),
                        "connected".into(),
                        format!("message {text}")
                    ]
                );
            }
        });
    }
}

#[test]
fn peer_that_never_heard_the_confirmation_connects_at_once() {
    run(async {
        let (memory, link) = (MemoryTransport::new(), Link::default());
        let [lower, higher] = two_identities();
        let arbiter = Node::builder()
            .without_built_in_transports()
            .identity(lower)
            .transport(LinkTransport::new(memory.clone(), link.clone()))
            .listen(addr("memory://arbiter"));
        let arbiter = start(arbiter).await;
        let mut timeouts = Timeouts::default();
        // Over the second that the old connection has, to give what it holds.
        timeouts.handshake = Duration::from_millis(2_500);
        let peer = Net::Memory(memory).builder().identity(higher);
        let peer = start(peer.timeouts(timeouts)).await;

        // Two writes are the handshake and the hello; the third confirms the session.
        link.cut_at_write(3);
        let session = soon(arbiter.connect(contact(&peer))).await.unwrap();
        eventually(|| peer.stats().handshakes_failed == 1).await;
        assert_eq!(arbiter.sessions(), std::slice::from_ref(&session));
        assert_eq!(peer.sessions(), []);

        let again = soon(peer.connect(contact(&arbiter))).await.unwrap();
        again.send("here I am").await.unwrap();
        assert_eq!(
            events(&arbiter, 4).await,
            [
                "connected",
                "disconnected replaced",
                "connected",
                "message here I am"
            ]
        );
    });
}
