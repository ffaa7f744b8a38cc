//! Many sessions at once, and what is left of them.

use crust::{Limits, core::MemoryTransport};
use crust_tests::{
    Link, LinkTransport, Net, addr, builder_from, contact, eventually, run, soon, start,
};
use futures::{StreamExt, stream};

#[test]
fn thousand_sessions_leave_nothing_behind() {
    run(async {
        let memory = MemoryTransport::new();
        let link = Link::default();
        let hub = crust::Node::builder()
            .without_built_in_transports()
            .transport(LinkTransport::new(memory.clone(), link.clone()))
            .listen(addr("memory://hub"));
        let hub = start(hub).await;
        let peers: Vec<_> = stream::iter(0..1_000)
            .map(|_| async {
                let peer = Net::Memory(memory.clone()).node().await;
                let session = soon(peer.connect(contact(&hub))).await.unwrap();
                session.send("hello").await.unwrap();
                peer
            })
            .buffer_unordered(64)
            .collect()
            .await;
        eventually(|| hub.stats().sessions == 1_000).await;
        for session in hub.sessions() {
            assert_eq!(soon(session.recv()).await.unwrap().data, "hello");
        }
        stream::iter(&peers)
            .for_each_concurrent(64, |peer| async {
                assert!(soon(peer.disconnect(&hub.id())).await);
            })
            .await;
        eventually(|| hub.stats().sessions == 0).await;
        assert_eq!(hub.sessions(), []);
        hub.shutdown().await;
        drop(hub);
        eventually(|| link.holders() == 1).await;
    });
}

#[test]
fn place_of_a_session_is_given_back_when_it_ends() {
    run(async {
        let mut limits = Limits::default();
        limits.sessions_per_address = 2;
        limits.handshakes_per_address = 2;
        let node = start(Net::Tcp.builder().limits(limits)).await;
        let peer = start(builder_from("127.0.0.2")).await;
        for _ in 0..50 {
            let session = soon(peer.connect(contact(&node))).await.unwrap();
            soon(session.close("")).await;
            eventually(|| node.stats().sessions == 0).await;
        }
    });
}
