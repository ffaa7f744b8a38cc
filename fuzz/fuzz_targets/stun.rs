//! Any datagrams as STUN messages, to a client with open requests and to servers: what is read is written the same, answers
//! are short, and whatever comes, each request ends once.
#![no_main]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crust_core::rt;
use crust_nat::stun::{
    Arrival, Carrier, Change, Client, ClientOutput, Place, Places, Request, Server, ServerConfig,
    TransactionId,
    wire::{Attribute, Class, MAX_LEN, Message, MessageWriter, Method, message_len},
};
use libfuzzer_sys::fuzz_target;

/// What happens, a number for it, and bytes.
type Step<'a> = (u8, u16, &'a [u8]);

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut world = World::new();
    for step in &steps {
        world.step(step);
    }
    world.end();
});

struct World {
    now: Instant,
    client: Client,
    servers: [Server; 2],
    requested: u8,
    finished: u8,
}

impl World {
    fn new() -> Self {
        let now = rt::now();
        let config = ServerConfig::default();
        let places = Places::new([[192, 0, 2, 1].into(), [192, 0, 2, 2].into()], [1, 2]);
        let plain = Server::new(config, now);
        Self {
            now,
            client: Client::new(),
            servers: [plain, Server::new(config, now).with_places(places)],
            requested: 0,
            finished: 0,
        }
    }

    fn step(&mut self, &(kind, number, bytes): &Step<'_>) {
        match kind % 6 {
            0 => self.datagram(number, bytes),
            1 => self.datagram(number, &framed(kind, number, bytes, false)),
            2 => self.datagram(number, &framed(kind, number, bytes, true)),
            3 => self.request(number),
            4 => self.now += Duration::from_millis(number.into()),
            _ => self
                .client
                .cancel(id(u8::try_from(number % 256).unwrap_or(0))),
        }
        self.client.handle_timeout(self.now);
        self.drain();
    }

    fn request(&mut self, number: u16) {
        let Some(next) = self.requested.checked_add(1) else {
            return;
        };
        let change = [Change::NONE, Change::PORT, Change::BOTH][usize::from(number % 3)];
        let request = Request::new(addr(number)).with_change(change);
        let begun = self.client.request(self.now, id(next), request);
        begun.expect("there are less than 256");
        self.requested = next;
    }

    fn datagram(&mut self, number: u16, bytes: &[u8]) {
        let _ = message_len(bytes);
        let Ok(message) = Message::decode(bytes) else {
            return;
        };
        check(&message);
        self.client.handle_message(self.now, addr(number), &message);
        for (server, growth) in self.servers.iter_mut().zip([24, 72]) {
            let arrival = Arrival {
                from: addr(number),
                at: Place::ALL[usize::from(number / 8 % 4)],
                carrier: [Carrier::Datagram, Carrier::Stream][usize::from(number / 32 % 2)],
            };
            let answer = server.handle_message(self.now, arrival, &message);
            if let Some(answer) = answer {
                assert!(answer.data.len() <= bytes.len() + growth);
                assert_eq!(answer.to.ip(), arrival.from.ip());
                let message = Message::decode(&answer.data).expect("what is sent can be read");
                assert!(matches!(message.class(), Class::Success | Class::Error));
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                ClientOutput::Finished { .. } => self.finished += 1,
                ClientOutput::Transmit { data, .. } => {
                    Message::decode(&data).expect("what is sent can be read");
                }
                _ => {}
            }
        }
    }

    fn end(&mut self) {
        while let Some(at) = self.client.poll_timeout() {
            self.client.handle_timeout(at);
            self.drain();
        }
        assert!(self.finished <= self.requested, "each ends once");
    }
}

/// What is written of a message is read the same.
fn check(message: &Message<'_>) {
    let id = message.transaction_id();
    let attributes: Vec<_> = message.attributes().collect();
    let mut writer = MessageWriter::new(message.class(), message.method(), id);
    for attribute in &attributes {
        writer = match attribute {
            Attribute::Fingerprint(_) => writer.with_fingerprint(),
            other => writer.with(other),
        };
    }
    let again = Message::decode(writer.as_bytes()).expect("what is written can be read");
    let is_mark = |it: &&Attribute<'_>| !matches!(it, Attribute::Fingerprint(_));
    let rest: Vec<_> = again.attributes().collect();
    assert!(
        attributes
            .iter()
            .filter(is_mark)
            .eq(rest.iter().filter(is_mark))
    );
    assert_eq!(message.has_fingerprint(), again.has_fingerprint());
    assert!(message.verify_integrity(b"key").is_err() || message.verify_integrity(b"yek").is_err());
}

/// `bytes` as the attributes of a message with a right header, and a right fingerprint.
fn framed(kind: u8, number: u16, bytes: &[u8], has_fingerprint: bool) -> Vec<u8> {
    let classes = [
        Class::Request,
        Class::Success,
        Class::Error,
        Class::Indication,
    ];
    let class = classes[usize::from(kind / 6 % 4)];
    let id = id(u8::try_from(number % 256).unwrap_or(0));
    let mut writer = MessageWriter::new(class, Method::BINDING, id);
    let mut rest = bytes;
    while let Some(([k0, k1, len], after)) = rest.split_first_chunk() {
        let (value, after) = after.split_at(after.len().min(usize::from(*len)));
        if writer.as_bytes().len() + value.len() + 16 > MAX_LEN {
            break;
        }
        let kind = u16::from_be_bytes([*k0, *k1]);
        writer = writer.with(&Attribute::Unknown { kind, value });
        rest = after;
    }
    if has_fingerprint {
        writer = writer.with_fingerprint();
    }
    writer.into_bytes()
}

fn id(number: u8) -> TransactionId {
    TransactionId::new([number; 12])
}

fn addr(number: u16) -> SocketAddr {
    let [_, low] = number.to_be_bytes();
    if low % 2 == 0 {
        ([192, 0, 2, low % 8], number % 4).into()
    } else {
        (
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(low % 8)],
            number % 4,
        )
            .into()
    }
}
