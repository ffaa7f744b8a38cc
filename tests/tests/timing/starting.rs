//! Starting a node, and what a connect that fails tells.

use std::{net::TcpListener, time::Duration};

use crust::{
    Addr, AttemptError, ConnectError, Node, StartError, Timeouts,
    core::{MemoryTransport, Transport, TransportError},
    rt,
};
use crust_tests::{Net, addr, contact, run, soon, start};

#[test]
fn connect_that_fails_lists_each_attempt_with_its_reason() {
    run(async {
        let node = Net::Tcp.node().await;
        let other = Net::Tcp.node().await;
        let gone = contact(&other);
        other.shutdown().await;
        node.add_addr(other.id(), addr("nosuch://thing"));
        node.add_addr(other.id(), contact(&node).addr);
        let connect = soon(node.connect(gone.clone())).await;
        // Its own address comes from a book that anybody may have written into: no reason to give up.
        let Err(error @ ConnectError::Failed { .. }) = connect else {
            panic!("{connect:?}");
        };
        let text = error.to_string();
        let ConnectError::Failed { attempts, .. } = error else {
            unreachable!("looked at above");
        };
        assert_eq!(attempts.len(), 3, "{text}");
        for attempt in &attempts {
            assert!(text.contains(&attempt.to_string()), "{text}");
        }
        let of = |addr: &Addr| {
            let found = attempts.iter().find(|attempt| attempt.addr == *addr);
            &found.unwrap().error
        };
        assert!(matches!(
            of(&gone.addr),
            AttemptError::Transport(TransportError::Refused { .. })
        ));
        assert!(matches!(
            of(&addr("nosuch://thing")),
            AttemptError::Transport(TransportError::Unsupported { .. })
        ));
    });
}

#[test]
fn wrong_peer_at_an_address_is_named() {
    run(async {
        let (node, other, wanted) = (
            Net::Tcp.node().await,
            Net::Tcp.node().await,
            Net::Tcp.node().await,
        );
        let mut target = contact(&other);
        target.peer = Some(wanted.id());
        let connect = soon(node.connect(target)).await;
        let text = connect.unwrap_err().to_string();
        assert!(text.contains(&other.id().to_string()), "{text}");
        assert_eq!(other.sessions(), []);
    });
}

#[test]
fn nodes_of_different_networks_do_not_meet() {
    run(async {
        let node = start(Net::Tcp.builder().network("elsewhere")).await;
        let other = Net::Tcp.node().await;
        let connect = soon(node.connect(contact(&other))).await;
        let text = connect.unwrap_err().to_string();
        assert!(text.contains("network key may differ"), "{text}");
    });
}

#[test]
fn peer_of_which_no_address_is_known_is_an_error_that_says_so() {
    run(async {
        let (node, other) = (Net::Tcp.node().await, Net::Tcp.node().await);
        let connect = soon(node.connect(other.id())).await;
        assert!(matches!(connect, Err(ConnectError::NoAddress { peer }) if peer == other.id()));
        node.add_addr(other.id(), contact(&other).addr);
        soon(node.connect(other.id())).await.unwrap();
    });
}

#[test]
fn mute_listener_is_given_up_after_the_time_out() {
    run(async {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = addr(&format!("tcp://{}", mute.local_addr().unwrap()));
        let mut timeouts = Timeouts::default();
        timeouts.handshake = Duration::from_millis(300);
        let node = start(Net::Tcp.builder().timeouts(timeouts)).await;
        let started_at = rt::now();
        let connect = soon(node.connect(to)).await;
        let Err(ConnectError::Failed { attempts, .. }) = connect else {
            panic!("{connect:?}");
        };
        assert!(
            matches!(attempts[0].error, AttemptError::HandshakeTimeout { .. }),
            "{}",
            attempts[0]
        );
        assert!(rt::now() - started_at >= Duration::from_millis(300));
    });
}

#[test]
fn second_address_is_tried_while_the_first_says_nothing() {
    run(async {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let (node, other) = (Net::Tcp.node().await, Net::Tcp.node().await);
        let mut target = contact(&other);
        node.add_addr(other.id(), target.addr.clone());
        target.addr = addr(&format!("tcp://{}", mute.local_addr().unwrap()));
        let started_at = rt::now();
        let session = soon(node.connect(target)).await.unwrap();
        assert_eq!(session.peer(), other.id());
        let elapsed = rt::now() - started_at;
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    });
}

#[test]
fn busy_live_port_falls_back_to_another() {
    run(async {
        let busy = TcpListener::bind("[::]:0").unwrap();
        let port = busy.local_addr().unwrap().port();
        let node = start(Node::builder().port(port)).await;
        let bound = node.listening()[0].socket_addr().unwrap().port();
        assert_ne!(bound, port);
        let free = node.listening()[0].clone();
        node.shutdown().await;
        let again = start(Node::builder().port(bound)).await;
        assert_eq!(again.listening()[0], free);
        // All transports have the same number.
        let ports = again.listening().iter().filter_map(Addr::socket_addr);
        assert!(ports.map(|addr| addr.port()).all(|port| port == bound));
    });
}

#[test]
fn endpoints_are_never_loopback_or_unspecified() {
    run(async {
        let node = start(Node::builder()).await;
        let port = node.listening()[0].socket_addr().unwrap().port();
        for endpoint in node.endpoints() {
            for addr in [Some(endpoint.local), endpoint.external]
                .into_iter()
                .flatten()
            {
                let socket = addr.socket_addr().unwrap();
                let ip = socket.ip().to_canonical();
                assert_eq!(socket.port(), port);
                assert!(
                    !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast(),
                    "{addr}"
                );
            }
        }
        assert_eq!(Net::Tcp.node().await.endpoints(), []);
    });
}

#[test]
fn two_transports_of_one_scheme_are_refused() {
    run(async {
        let memory = MemoryTransport::new();
        let builder = Node::builder().transport(memory.clone()).transport(memory);
        let error = builder.start().await.unwrap_err();
        assert!(
            matches!(error, StartError::SchemeTwice { scheme: "memory" }),
            "{error}"
        );
    });
}

#[test]
fn no_transport_at_all_is_an_error() {
    run(async {
        let error = Node::builder()
            .without_built_in_transports()
            .start()
            .await
            .unwrap_err();
        assert!(matches!(error, StartError::NoTransport), "{error}");
    });
}

#[test]
fn address_of_no_transport_cannot_be_listened_on() {
    run(async {
        let error = Node::builder()
            .listen(addr("nosuch://thing"))
            .start()
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                StartError::Listen(TransportError::Unsupported { .. })
            ),
            "{error}"
        );
    });
}

#[test]
fn failed_start_frees_what_it_bound() {
    run(async {
        let memory = MemoryTransport::new();
        let builder = Net::Memory(memory.clone())
            .builder()
            .listen(addr("memory://a"))
            .listen(addr("memory://a"));
        assert!(builder.start().await.is_err());
        memory.listen(&addr("memory://a")).await.unwrap();
    });
}

#[test]
fn node_that_only_dials_has_no_contact_and_can_talk() {
    run(async {
        let other = Net::Tcp.node().await;
        let node = start(Node::builder().dial_only()).await;
        assert_eq!((node.contact(), node.listening()), (None, &[][..]));
        let session = soon(node.connect(contact(&other))).await.unwrap();
        session.send("hello").await.unwrap();
        crust_tests::connected(&other).await;
        assert_eq!(crust_tests::message_text(&other).await, "hello");
    });
}
