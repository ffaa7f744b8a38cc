//! A LAN of beacons in simulated time: what one says to everybody, all hear a fifth of a millisecond later.

mod forge;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Announcement, PeerId};

use super::super::*;
use crate::{counters::Counters, interface::Interface};

pub(super) struct Lan {
    nodes: Vec<Node>,
    start: Instant,
    now: Instant,
    queue: BTreeMap<(Instant, u64), Event>,
    last_id: u64,
    is_filtered: bool,
    recorded: Vec<Datagram>,
    sent: BTreeMap<u8, usize>,
}

struct Node {
    machine: Machine,
    host: u8,
    clock_off_ms: i64,
    is_plugged: bool,
    hears: bool,
    timer: Option<Instant>,
    sent: usize,
    sent_before: usize,
    taken_before: u64,
}

enum Event {
    Timer(usize),
    Arrives(Datagram),
}

#[derive(Clone)]
pub(super) struct Datagram {
    from: usize,
    source: SocketAddr,
    to: Destination,
    stamp: u64,
    message: Arc<Message>,
}

impl Lan {
    pub(super) fn new(count: usize) -> Self {
        let start = crust_core::rt::now();
        let mut lan = Self {
            nodes: Vec::new(),
            start,
            now: start,
            queue: BTreeMap::new(),
            last_id: 0,
            is_filtered: false,
            recorded: Vec::new(),
            sent: BTreeMap::new(),
        };
        for index in 0..count {
            lan.nodes.push(Node {
                machine: machine(index),
                host: 0,
                clock_off_ms: 0,
                is_plugged: true,
                hears: true,
                timer: None,
                sent: 0,
                sent_before: 0,
                taken_before: 0,
            });
            lan.set_link(index);
        }
        lan
    }

    pub(super) fn start(&mut self, node: usize) {
        self.announce(node);
        self.search(node);
    }

    pub(super) fn announce(&mut self, node: usize) {
        let announcement = Announcement {
            peer: peer(node),
            addrs: vec!["tcp://[::]:5483".parse().unwrap()],
        };
        self.with(node, |machine, now| machine.announce(now, &announcement));
    }

    pub(super) fn search(&mut self, node: usize) {
        self.with(node, |machine, now| machine.set_searching(now, true));
    }

    pub(super) fn stop(&mut self, node: usize) {
        self.with(node, |machine, now| {
            machine.set_searching(now, false);
            machine.goodbye(now);
        });
    }

    /// As [`restart`](Self::restart), with another address.
    pub(super) fn restart_at(&mut self, node: usize, host: u8) {
        self.nodes[node].host = host;
        self.restart(node);
    }

    /// As after a crash: nothing is remembered, and nobody was told.
    pub(super) fn restart(&mut self, node: usize) {
        self.nodes[node].machine = machine(node);
        self.set_link(node);
        self.start(node);
    }

    pub(super) fn probe(&mut self, node: usize, others: &[usize]) {
        let hosts: Vec<_> = others.iter().map(|other| ip(*other, 0)).collect();
        self.with(node, |machine, now| machine.set_probes(now, &hosts));
    }

    pub(super) fn set_clock(&mut self, node: usize, off_ms: i64) {
        self.nodes[node].clock_off_ms = off_ms;
    }

    pub(super) fn move_to(&mut self, node: usize, host: u8) {
        self.nodes[node].host = host;
        self.set_link(node);
    }

    pub(super) fn deafen(&mut self, node: usize) {
        self.nodes[node].hears = false;
        self.set_link(node);
    }

    pub(super) fn unplug(&mut self, node: usize) {
        self.nodes[node].is_plugged = false;
    }

    pub(super) fn plug(&mut self, node: usize) {
        self.nodes[node].is_plugged = true;
    }

    pub(super) fn filter_broadcasts(&mut self) {
        self.is_filtered = true;
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end
        {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            match event {
                Event::Timer(node) => self.on_timer(node),
                Event::Arrives(datagram) => self.deliver(&datagram),
            }
        }
        self.now = end;
    }

    pub(super) fn known(&self, node: usize) -> Vec<usize> {
        let list = self.nodes[node].machine.neighbours().list();
        list.iter().map(|known| node_of(known.peer)).collect()
    }

    pub(super) fn addrs_of(&self, node: usize, other: usize) -> Vec<String> {
        let list = self.nodes[node].machine.neighbours().list();
        let known = list.iter().find(|known| known.peer == peer(other)).unwrap();
        known.addrs.iter().map(ToString::to_string).collect()
    }

    pub(super) fn counters(&self, node: usize) -> Counters {
        self.nodes[node].machine.counters()
    }

    pub(super) fn sent_by(&self, node: usize) -> usize {
        self.nodes[node].sent
    }

    pub(super) fn sent(&self, kind: Kind) -> usize {
        self.sent.get(&(kind as u8)).copied().unwrap_or(0)
    }

    pub(super) fn sent_since(&self) -> usize {
        self.sent.values().sum()
    }

    /// Sent and taken by whoever sent or took the most.
    pub(super) fn most_in_a_second(&self) -> (usize, usize) {
        let sent = self.nodes.iter().map(|node| node.sent - node.sent_before);
        let taken = self.nodes.iter();
        let taken = taken.map(|node| node.machine.counters().taken - node.taken_before);
        let taken = usize::try_from(taken.max().unwrap()).unwrap();
        (sent.max().unwrap(), taken)
    }

    pub(super) fn forget_traffic(&mut self) {
        self.sent.clear();
        for node in &mut self.nodes {
            node.sent_before = node.sent;
            node.taken_before = node.machine.counters().taken;
        }
    }

    /// As after a restart of the link.
    pub(super) fn forget_replays(&mut self, node: usize) {
        self.with(node, |machine, now| machine.set_links(now, Vec::new()));
        self.set_link(node);
    }

    pub(super) fn own_in_table(&self) -> usize {
        let all = 0..self.nodes.len();
        all.filter(|node| self.known(*node).contains(node)).count()
    }

    pub(super) fn recorded(&self) -> Vec<Datagram> {
        self.recorded.clone()
    }

    pub(super) fn replay(&mut self, node: usize, datagram: &Datagram) {
        self.hear(node, datagram);
    }

    pub(super) fn admit_from(&mut self, node: usize, from: &str) -> bool {
        let arrival = Arrival {
            link: LINK,
            from: from.parse().unwrap(),
            stamp: 1,
        };
        let now = self.time_of(node);
        self.nodes[node].machine.admit(now, arrival)
    }

    /// `count` fresh announcements of as many peers, spread over `duration`.
    pub(super) fn flood(&mut self, from: usize, count: u32, duration: Duration) {
        for index in 0..count {
            self.last_id += 1;
            let other = usize::try_from(self.last_id).unwrap() + 10_000;
            let message = announcement_of(other, self.time_of(from).unix_ms, self.last_id);
            let datagram = Datagram {
                from,
                source: SocketAddr::new(ip(from, 0), 1),
                to: Destination::Everybody,
                stamp: self.last_id,
                message: Arc::new(message),
            };
            let at = self.now + duration * index / count;
            self.push(at, Event::Arrives(datagram));
        }
        self.run(duration);
    }

    fn set_link(&mut self, node: usize) {
        let address = ip(node, self.nodes[node].host);
        let interface = Interface {
            index: LINK,
            name: "eth0".into(),
            nets: vec![format!("{address}/8").parse().unwrap()],
        };
        let hears = self.nodes[node].hears;
        self.with(node, |machine, now| {
            machine.set_links(now, vec![(interface, hears)]);
        });
    }

    fn on_timer(&mut self, node: usize) {
        if self.nodes[node].timer.is_some_and(|at| at <= self.now) {
            self.nodes[node].timer = None;
            self.with(node, |machine, now| machine.handle_timeout(now));
        }
    }

    fn deliver(&mut self, datagram: &Datagram) {
        for node in 0..self.nodes.len() {
            let is_for_it = match datagram.to {
                Destination::One(to) => to.ip() == self.ip_of(node),
                _ => node != datagram.from && self.nodes[node].hears && !self.is_filtered,
            };
            if is_for_it && self.nodes[node].is_plugged {
                self.hear(node, datagram);
            }
        }
    }

    fn hear(&mut self, node: usize, datagram: &Datagram) {
        let arrival = Arrival {
            link: LINK,
            from: datagram.source,
            stamp: datagram.stamp,
        };
        let now = self.time_of(node);
        let machine = &mut self.nodes[node].machine;
        let over_limit = machine.counters().over_limit;
        if !machine.admit(now, arrival) {
            return;
        }
        machine.handle_message(now, arrival, &datagram.message);
        if machine.counters().over_limit == over_limit {
            self.with(node, |_, _| {});
        }
    }

    /// Calls the machine of `node`, sends what it says and sets its timer.
    fn with(&mut self, node: usize, call: impl FnOnce(&mut Machine, Now)) {
        let now = self.time_of(node);
        call(&mut self.nodes[node].machine, now);
        while let Some(transmit) = self.nodes[node].machine.poll_transmit() {
            self.transmit(node, now, transmit);
        }
        let timeout = self.nodes[node].machine.poll_timeout();
        if let Some(at) = timeout
            && self.nodes[node].timer.is_none_or(|timer| at < timer)
        {
            self.nodes[node].timer = Some(at);
            self.push(at, Event::Timer(node));
        }
    }

    fn transmit(&mut self, node: usize, now: Now, transmit: Transmit) {
        if !self.nodes[node].is_plugged {
            return;
        }
        self.last_id += 1;
        let stamp = self.last_id;
        let machine = &mut self.nodes[node].machine;
        machine.handle_sent(now, LINK, Some(stamp));
        self.nodes[node].sent += 1;
        *self.sent.entry(transmit.message.kind as u8).or_default() += 1;
        let datagram = Datagram {
            from: node,
            source: SocketAddr::new(self.ip_of(node), 40_000),
            to: transmit.to,
            stamp,
            message: Arc::new(transmit.message),
        };
        if self.nodes.len() == 2 {
            self.recorded.push(datagram.clone());
        }
        self.push(self.now + DELAY, Event::Arrives(datagram));
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.last_id += 1;
        self.queue.insert((at, self.last_id), event);
    }

    fn time_of(&self, node: usize) -> Now {
        let elapsed = self.now - self.start;
        let unix_ms = u64::try_from(elapsed.as_millis()).unwrap() + EPOCH_MS;
        Now {
            at: self.now,
            unix_ms: unix_ms.saturating_add_signed(self.nodes[node].clock_off_ms),
        }
    }

    pub(super) fn ip_of(&self, node: usize) -> IpAddr {
        ip(node, self.nodes[node].host)
    }
}

fn machine(node: usize) -> Machine {
    Machine::new(Config {
        port: 5483,
        seed: node as u64,
        ..Config::default()
    })
}

fn peer(node: usize) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(node as u64).to_be_bytes());
    PeerId::from_bytes(bytes)
}

fn node_of(peer: PeerId) -> usize {
    let bytes = peer.as_bytes().first_chunk().unwrap();
    usize::try_from(u64::from_be_bytes(*bytes)).unwrap()
}

/// 10.0.x.y, and 10.9.0.`host` for one that moved.
fn ip(node: usize, host: u8) -> IpAddr {
    if host > 0 {
        return Ipv4Addr::new(10, 9, 0, host).into();
    }
    let node = u16::try_from(node).unwrap() + 257;
    let [high, low] = node.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low).into()
}

fn announcement_of(node: usize, time_ms: u64, token: u64) -> Message {
    let record = crust_core::PeerRecord {
        peer: peer(node),
        addrs: vec!["tcp://10.1.2.3:1".parse().unwrap()],
        seq: time_ms,
        expires: time_ms + 1_000,
    };
    Message {
        kind: Kind::Announce,
        flags: Flags::default(),
        time_ms,
        token,
        echo: None,
        record: Some(record.sign(&Zeros).unwrap()),
        asked: None,
    }
}

struct Zeros;

impl Signer for Zeros {
    fn peer_id(&self) -> PeerId {
        peer(0)
    }

    fn sign(&self, _: &[u8]) -> [u8; crust_core::SIGNATURE_LEN] {
        [0; crust_core::SIGNATURE_LEN]
    }
}

const LINK: u32 = 1;
const DELAY: Duration = Duration::from_micros(200);
/// Some day in 2026.
const EPOCH_MS: u64 = 1_790_000_000_000;
pub(super) const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
