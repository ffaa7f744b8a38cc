//! What a node says to those who ask on its UDP port without being its peers.

use std::{net::UdpSocket, time::Duration};

use crust::{Node, NodeBuilder};
use crust_nat::stun::{
    Request, TransactionId,
    wire::{Class, Message},
};
use crust_tests::run;

/// What a node answers to a STUN request; `None` for nothing, where something else that nobody answers comes after it.
fn answered(builder: NodeBuilder) -> Option<Vec<u8>> {
    run(async {
        let listen = "utp://127.0.0.1:0".parse().unwrap();
        let node = builder.listen(listen).start().await.unwrap();
        let port = node.listening()[0].socket_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(SILENCE)).unwrap();
        let request = Request::new(port).encode(TransactionId::new([7; 12]));
        socket.send_to(&request, port).unwrap();
        let mut answer = vec![0; 2_048];
        let received = socket.recv(&mut answer).ok();
        node.shutdown().await;
        received.map(|len| answer[..len].to_vec())
    })
}

#[test]
fn node_tells_whoever_asks_by_stun_where_it_sees_him() {
    let answer = answered(Node::builder()).expect("it answers");
    let message = Message::decode(&answer).unwrap();
    assert_eq!(message.class(), Class::Success);
}

#[test]
fn node_of_a_network_with_a_key_answers_nobody_by_stun() {
    assert_eq!(answered(Node::builder().network_key([7; 32])), None);
}

/// On loopback an answer takes a millisecond.
const SILENCE: Duration = Duration::from_millis(500);
