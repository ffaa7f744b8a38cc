//! Urgent messages overtake long ones.

use crust::{Node, Priority, core::MemoryTransport};
use crust_crypto::{MAX_PLAINTEXT, RECORD_OVERHEAD};
use crust_tests::{Link, LinkTransport, Net, Pair, eventually, run, soon, start};

#[test]
fn urgent_message_waits_for_one_record_of_a_long_one() {
    run(async {
        let memory = MemoryTransport::new();
        let link = Link::default();
        let far = start(Net::Memory(memory.clone()).builder()).await;
        let near = Node::builder()
            .without_built_in_transports()
            .transport(LinkTransport::new(memory, link.clone()))
            .dial_only();
        let pair = Pair::new(start(near).await, far).await;
        let before = link.written();
        link.allow(STALLED_AT);
        let long = vec![0; 4 << 20];
        pair.to_far.send_with(long, Priority::LOWEST).await.unwrap();
        eventually(|| link.written() == before + STALLED_AT as u64).await;
        pair.to_far
            .send_with(vec![1; 100], Priority::HIGHEST)
            .await
            .unwrap();
        // The rest of the record that is on its way, and the urgent message's own.
        link.allow(2 * (MAX_PLAINTEXT + RECORD_OVERHEAD));
        assert_eq!(soon(pair.to_near.recv()).await.unwrap().data.len(), 100);
        link.allow(usize::MAX);
        assert_eq!(soon(pair.to_near.recv()).await.unwrap().data.len(), 4 << 20);
    });
}

/// Somewhere within a record of a message that began long before.
const STALLED_AT: usize = 256 * 1024 + 123;

#[test]
fn messages_that_wait_go_in_the_order_of_their_priority() {
    run(async {
        let pair = Net::memory().pair().await;
        let fit = (WINDOW / (LEN + OVERHEAD)) as u64;
        for _ in 0..fit {
            pair.to_far.send(vec![9; LEN]).await.unwrap();
        }
        eventually(|| pair.to_near.stats().messages_in == fit).await;
        // The window has no room for any of these, and the queue has room for all.
        for level in 0..8 {
            let priority = Priority::new(level).unwrap();
            let message = vec![level; LEN];
            pair.to_far.try_send_with(message, priority).unwrap();
        }
        let mut levels = Vec::new();
        for _ in 0..fit + 8 {
            let message = soon(pair.to_near.recv()).await.unwrap();
            levels.push(message.data[0]);
        }
        assert_eq!(
            levels[usize::try_from(fit).unwrap()..],
            [7, 6, 5, 4, 3, 2, 1, 0]
        );
    });
}

const LEN: usize = 64 * 1024;
/// Two of the longest messages, which is a little more than 8 MiB.
const WINDOW: usize = 2 * ((4 << 20) + OVERHEAD);
const OVERHEAD: usize = 64;
