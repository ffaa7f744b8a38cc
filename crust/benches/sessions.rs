//! Sessions between two nodes of one process: what `crust perf` measures between two, in small.

use std::sync::Arc;

use crust::{Bytes, Contact, Node, Session, rt};
use divan::{Bencher, counter::BytesCount, counter::ItemsCount};

fn main() {
    divan::main();
}

/// A message there and back.
#[divan::bench(args = [100, 64 << 10])]
fn ping_pong(bencher: Bencher<'_, '_>, len: usize) {
    let pair = Pair::new();
    let far = pair.far.clone();
    let _echo = rt::spawn(async move {
        while let Some(message) = far.recv().await {
            if far.send(message.data).await.is_err() {
                break;
            }
        }
    });
    let message = Bytes::from(vec![0; len]);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        rt::block_on(async {
            pair.near.send(message.clone()).await.unwrap();
            pair.near.recv().await.unwrap().data.len()
        })
    });
}

/// A batch of messages one way, until the last has come.
#[divan::bench(args = [100, 64 << 10])]
fn one_way(bencher: Bencher<'_, '_>, len: usize) {
    let pair = Arc::new(Pair::new());
    let message = Bytes::from(vec![0; len]);
    let count = (16 << 20) / len.max(1_000);
    bencher
        .counter(BytesCount::new(count * len))
        .counter(ItemsCount::new(count))
        .bench(|| {
            let (near, message) = (pair.near.clone(), message.clone());
            let sending = rt::spawn(async move {
                for _ in 0..count {
                    near.send(message.clone()).await.unwrap();
                }
            });
            rt::block_on(async {
                for _ in 0..count {
                    pair.far.recv().await.unwrap();
                }
                sending.await.unwrap();
            });
        });
}

/// Dial, handshake, hello, and close.
#[divan::bench]
fn set_up(bencher: Bencher<'_, '_>) {
    let pair = Pair::new();
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        rt::block_on(async {
            let dialer = Node::builder().dial_only().start().await.unwrap();
            let session = dialer.connect(&pair.contact).await.unwrap();
            session.close("").await;
        })
    });
}

/// Two nodes and both ends of their session.
struct Pair {
    near: Session,
    far: Session,
    contact: Contact,
    _nodes: [Node; 2],
}

impl Pair {
    fn new() -> Self {
        rt::block_on(async {
            let loopback = "tcp://127.0.0.1:0".parse().unwrap();
            let bob = Node::builder().listen(loopback).start().await.unwrap();
            let alice = Node::builder().dial_only().start().await.unwrap();
            let contact = bob.contact().unwrap();
            let near = alice.connect(&contact).await.unwrap();
            near.claim();
            let far = bob.accept().await.unwrap();
            Self {
                near,
                far,
                contact,
                _nodes: [alice, bob],
            }
        })
    }
}
