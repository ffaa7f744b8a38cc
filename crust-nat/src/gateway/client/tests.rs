//! Clients and gateways in virtual time.

mod lives;

use std::num::NonZeroU16;

use super::*;
use crate::gateway::{
    leases::Grant,
    nat_pmp::{self, NatPmp},
    pcp::{self, Nonces, Pcp},
};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);
const SERVER: ([u8; 4], u16) = ([192, 168, 1, 1], 5351);

fn port() -> InternalPort {
    InternalPort::udp(NonZeroU16::new(4_000).unwrap())
}

/// A client, the time, and what it has done since it was looked at.
struct Scene<D> {
    client: Client<D>,
    now: Instant,
    started_at: Instant,
    sent: Vec<(Duration, Vec<u8>)>,
    events: Vec<Event>,
}

impl Scene<NatPmp> {
    fn nat_pmp() -> Self {
        Self::new(|_| NatPmp)
    }

    /// The gateway answers that it has been up for `epoch_s`.
    fn nat_pmp_answer(&mut self, epoch_s: u32, answer: nat_pmp::Answer) {
        let response = nat_pmp::Response { epoch_s, answer };
        self.receive(&response.encode());
    }

    fn address(&mut self, epoch_s: u32, ip: [u8; 4]) {
        self.nat_pmp_answer(epoch_s, nat_pmp::Answer::ExternalAddress(ip.into()));
    }

    fn map(&mut self, epoch_s: u32, external_port: u16, lifetime_s: u32) {
        self.nat_pmp_answer(
            epoch_s,
            nat_pmp::Answer::Map {
                port: port(),
                external_port,
                lifetime_s,
            },
        );
    }

    /// One that has a mapping of two hours on port 9 of 22.0.0.1, with an epoch of 1000.
    fn mapped() -> Self {
        let mut scene = Self::nat_pmp();
        scene.address(1_000, [22, 0, 0, 1]);
        scene.want();
        scene.map(1_000, 9, 7_200);
        assert!(matches!(scene.events.last(), Some(Event::Mapped { .. })));
        scene.sent.clear();
        scene.events.clear();
        scene
    }

    fn asked(&self) -> Vec<nat_pmp::Request> {
        let read = |(_, bytes): &(Duration, Vec<u8>)| nat_pmp::Request::decode(bytes).unwrap();
        self.sent.iter().map(read).collect()
    }
}

impl Scene<Pcp> {
    fn pcp() -> Self {
        let nonces = Nonces::new(&[7; 32]);
        Self::new(|_| Pcp::new(SERVER.into(), [192, 168, 1, 2].into(), nonces))
    }

    fn pcp_answer(&mut self, epoch_s: u32, lifetime_s: u32, answer: pcp::Answer) {
        let response = pcp::Response {
            epoch_s,
            lifetime_s,
            answer,
        };
        self.receive(&response.encode());
    }

    /// One that was found, with an epoch of 1000, and asks for a mapping; what it asks for.
    fn asking() -> (Self, pcp::Map) {
        let mut scene = Self::pcp();
        scene.pcp_answer(1_000, 0, pcp::Answer::Announce);
        scene.want();
        let map = scene.asked_map();
        (scene, map)
    }

    fn asked_map(&self) -> pcp::Map {
        let (_, bytes) = self.sent.last().unwrap();
        match pcp::Request::decode(bytes).unwrap().body {
            pcp::RequestBody::Map { map, .. } => map,
            pcp::RequestBody::Announce => panic!("a mapping was to be asked for"),
        }
    }

    fn grant(&mut self, epoch_s: u32, map: pcp::Map) {
        let granted = pcp::Map {
            external_port: 9,
            external_ip: [22, 0, 0, 1].into(),
            ..map
        };
        self.pcp_answer(epoch_s, 7_200, pcp::Answer::Map(granted));
    }
}

impl<D: Dialect> Scene<D> {
    fn new(dialect: impl FnOnce(()) -> D) -> Self {
        let now = crust_core::rt::now();
        let client = Client::new(dialect(()), SERVER.into(), 2 * HOUR, 7, now);
        let mut scene = Self {
            client,
            now,
            started_at: now,
            sent: Vec::new(),
            events: Vec::new(),
        };
        scene.drain();
        scene
    }

    fn want(&mut self) {
        self.client.want(self.now, &PortRequest::new(port()));
        self.drain();
    }

    fn unwant(&mut self) {
        self.client.unwant(self.now, port());
        self.drain();
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.receive_from(SERVER.into(), bytes);
    }

    fn receive_from(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.client.handle_datagram(self.now, from, bytes);
        self.drain();
    }

    /// Lets time pass; the network is silent.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.client.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Transmit(bytes) => self.sent.push((self.now - self.started_at, bytes)),
            }
        }
    }

    fn lost(&self) -> bool {
        self.events.contains(&Event::Lost { port: port() })
    }

    fn grants(&self) -> Vec<Grant> {
        let grants = self.events.iter().filter_map(|event| match event {
            Event::Mapped { grant, .. } => Some(*grant),
            _ => None,
        });
        grants.collect()
    }

    fn refusals(&self) -> Vec<MappingFailure> {
        let refusals = self.events.iter().filter_map(|event| match event {
            Event::Refused { failure, .. } => Some(failure.clone()),
            _ => None,
        });
        refusals.collect()
    }
}

#[test]
fn silent_gateway_is_asked_as_rfc_6886_says_and_then_seldom() {
    let mut scene = Scene::nat_pmp();
    scene.pass(128 * SECOND);
    let at: Vec<u128> = scene.sent.iter().map(|(at, _)| at.as_millis()).collect();
    let expected = [0, 250, 750, 1_750, 3_750, 7_750, 15_750, 31_750, 63_750];
    assert_eq!(at[..9], expected);
    scene.sent.clear();
    scene.pass(10 * HOUR);
    assert!(scene.sent.len() < 400, "{}", scene.sent.len());
}

#[test]
fn silence_is_told_within_two_seconds() {
    for mut events in [
        {
            let mut scene = Scene::nat_pmp();
            scene.pass(2 * SECOND);
            scene.events
        },
        {
            let mut scene = Scene::pcp();
            scene.pass(2 * SECOND);
            scene.events
        },
    ] {
        let failed = Event::Failed(MappingFailure::NoAnswer);
        assert_eq!(events.pop(), Some(failed));
    }
}

#[test]
fn port_is_mapped_by_nat_pmp() {
    let mut scene = Scene::nat_pmp();
    scene.address(1_000, [22, 0, 0, 1]);
    scene.want();
    let request = nat_pmp::Request::Map {
        port: port(),
        external_port: 4_000,
        lifetime_s: 7_200,
    };
    assert_eq!(scene.asked()[1], request);
    scene.map(1_000, 9, 3_600);
    let grant = Grant {
        external: ([22, 0, 0, 1], 9).into(),
        expires_at: Some(scene.now + HOUR),
    };
    assert_eq!(scene.grants(), [grant]);
}

#[test]
fn port_is_mapped_by_pcp() {
    let (mut scene, map) = Scene::asking();
    assert_eq!((map.external_port, map.port), (4_000, port()));
    scene.grant(1_000, map);
    assert_eq!(scene.grants()[0].external, ([22, 0, 0, 1], 9).into());
}

#[test]
fn lost_request_is_sent_again_and_its_late_answer_taken() {
    let (mut scene, map) = Scene::asking();
    let before = scene.sent.len();
    scene.pass(SECOND);
    assert!(scene.sent.len() > before);
    scene.grant(1_001, map);
    assert_eq!(scene.grants().len(), 1);
}

#[test]
fn second_answer_changes_nothing() {
    let (mut scene, map) = Scene::asking();
    scene.grant(1_000, map);
    let events = scene.events.len();
    scene.grant(1_000, map);
    assert_eq!(scene.events.len(), events);
}

#[test]
fn answer_from_another_address_or_port_changes_nothing() {
    for from in [([192, 168, 1, 66], 5351), ([192, 168, 1, 1], 5352)] {
        let mut scene = Scene::nat_pmp();
        let answer = nat_pmp::Answer::ExternalAddress([6, 6, 6, 6].into());
        let response = nat_pmp::Response { epoch_s: 1, answer };
        scene.receive_from(from.into(), &response.encode());
        assert_eq!(scene.events, []);
    }
}

#[test]
fn answer_with_another_nonce_changes_nothing() {
    let (mut scene, map) = Scene::asking();
    let events = scene.events.len();
    let nonce = [0; 12];
    scene.grant(1_000, pcp::Map { nonce, ..map });
    assert_eq!(scene.events.len(), events);
    scene.grant(1_000, map);
    assert_eq!(scene.grants().len(), 1);
}

#[test]
fn answer_about_another_port_changes_nothing() {
    let mut scene = Scene::mapped();
    scene.client.want(
        scene.now,
        &PortRequest::new(InternalPort::tcp(port().number)),
    );
    scene.drain();
    scene.map(1_000, 66, 7_200);
    assert_eq!(scene.grants(), []);
}

#[test]
fn unasked_answer_changes_nothing() {
    let mut scene = Scene::mapped();
    scene.address(1, [6, 6, 6, 6]);
    assert_eq!(scene.events, []);
}

#[test]
fn epoch_that_goes_back_has_the_mapping_made_again_at_once() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL);
    assert_eq!(scene.asked(), [nat_pmp::Request::ExternalAddress]);
    scene.address(5, [22, 0, 0, 1]);
    assert!(scene.lost());
    let again = nat_pmp::Request::Map {
        port: port(),
        external_port: 9,
        lifetime_s: 7_200,
    };
    assert_eq!(scene.asked().last(), Some(&again));
}

#[test]
fn epoch_of_pcp_that_goes_back_has_the_mapping_made_again_at_once() {
    let (mut scene, map) = Scene::asking();
    scene.grant(1_000, map);
    scene.pass(CHECK_INTERVAL);
    scene.pcp_answer(2, 0, pcp::Answer::Announce);
    assert!(scene.lost());
    let again = scene.asked_map();
    assert_eq!((again.external_port, again.nonce), (9, map.nonce));
    assert_eq!(again.external_ip, IpAddr::from([22, 0, 0, 1]));
}

#[test]
fn epoch_that_keeps_pace_loses_nothing() {
    let mut scene = Scene::mapped();
    for minute in 1..10 {
        scene.pass(CHECK_INTERVAL);
        scene.address(1_000 + minute * 60, [22, 0, 0, 1]);
    }
    assert!(!scene.lost());
}
