//! The routed network in the middle: what becomes of each packet that a leaf sends.

use std::{
    collections::{BTreeSet, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

use bytes::Bytes;
use crust_core::simnet::{Counters, Delivery, Link, SimNet};

use super::{
    packet,
    routes::{LeafId, Routes},
};

/// The routed network in the middle. Each leaf has an uplink to its one router, with a [`Link`] in each direction.
///
/// A machine: after each `handle_*` drain [`Internet::poll_output`], then go to [`Internet::poll_timeout`].
#[derive(Debug)]
pub(super) struct Internet {
    links: SimNet,
    routes: Routes,
    cuts: BTreeSet<(LeafId, LeafId)>,
    arrived: VecDeque<(LeafId, Bytes)>,
    drops: Drops,
}

/// What the core did not forward, in packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// Was on its way between two leaves that are cut off from each other.
    pub cut: u64,
    /// Had no hop left.
    pub expired: u64,
    /// Was for its link alone: multicast, or from or to a link-local or no address (RFC 4291 §2.5.6, RFC 3927 §2.7). Kernels
    /// send such by themselves.
    pub link_local: u64,
    /// Was no IP packet.
    pub malformed: u64,
    /// Came from an address that its leaf does not have (RFC 2827): a router that did not translate.
    pub spoofed: u64,
    /// Was for an address that nobody has.
    pub unrouted: u64,
}

/// What happened to all packets that leaves sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// What the core did not forward.
    pub drops: Drops,
    /// What the links did, both directions of all uplinks together.
    pub links: Counters,
}

impl Internet {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self {
            links: SimNet::new(seed, now),
            routes: Routes::default(),
            cuts: BTreeSet::new(),
            arrived: VecDeque::new(),
            drops: Drops::default(),
        }
    }

    /// Takes what `leaf` sent.
    pub(super) fn handle_packet(&mut self, now: Instant, leaf: LeafId, packet: Bytes) {
        self.handle_timeout(now);
        self.links.send(now, end(leaf), CORE, packet);
    }

    /// Goes forward to `now`. What comes to the core goes on from when it came, however late this is called: so a packet that
    /// passes two links is late once.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.links.poll_timeout().filter(|at| *at <= now) {
            self.links.handle_timeout(at);
            while let Some(delivery) = self.links.poll_output() {
                if delivery.to == CORE {
                    self.forward(delivery);
                } else {
                    let leaf = LeafId(delivery.to.port());
                    self.arrived.push_back((leaf, delivery.payload));
                }
            }
        }
    }

    /// A packet that has arrived at a leaf.
    pub(super) fn poll_output(&mut self) -> Option<(LeafId, Bytes)> {
        self.arrived.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.links.poll_timeout()
    }

    pub(super) fn routes_mut(&mut self) -> &mut Routes {
        &mut self.routes
    }

    /// What `leaf` sends goes through `up`, what it gets through `down`.
    pub(super) fn set_links(&mut self, leaf: LeafId, up: Link, down: Link) {
        self.links.set_link(end(leaf), CORE, up);
        self.links.set_link(CORE, end(leaf), down);
    }

    /// Drops what two leaves send each other, or no longer.
    pub(super) fn set_cut(&mut self, a: LeafId, b: LeafId, is_cut: bool) {
        let pair = (a.min(b), a.max(b));
        if is_cut {
            self.cuts.insert(pair);
        } else {
            self.cuts.remove(&pair);
        }
    }

    /// What the links of `leaf` did, up and down.
    pub(super) fn counters(&self, leaf: LeafId) -> (Counters, Counters) {
        let link = |from, to| self.links.link_counters(from, to);
        (link(end(leaf), CORE), link(CORE, end(leaf)))
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            drops: self.drops,
            links: self.links.counters(),
        }
    }

    fn forward(&mut self, delivery: Delivery) {
        match self.route(&delivery) {
            Ok((leaf, packet)) => self.links.send(delivery.at, CORE, end(leaf), packet),
            Err(drop) => *drop += 1,
        }
    }

    /// Where it goes, with a hop taken; or what to count it as.
    fn route(&mut self, delivery: &Delivery) -> Result<(LeafId, Vec<u8>), &mut u64> {
        let sender = LeafId(delivery.from.port());
        let Some((from, to)) = packet::addresses(&delivery.payload) else {
            return Err(&mut self.drops.malformed);
        };
        if [from, to].into_iter().any(packet::is_link_local) {
            return Err(&mut self.drops.link_local);
        }
        if self.routes.find(from) != Some(sender) {
            return Err(&mut self.drops.spoofed);
        }
        let Some(leaf) = self.routes.find(to) else {
            return Err(&mut self.drops.unrouted);
        };
        if self.cuts.contains(&(sender.min(leaf), sender.max(leaf))) {
            return Err(&mut self.drops.cut);
        }
        let mut packet = delivery.payload.to_vec();
        if !packet::take_hop(&mut packet) {
            return Err(&mut self.drops.expired);
        }
        Ok((leaf, packet))
    }
}

/// What stands for a leaf's end of its uplink: ports are numbers enough.
fn end(leaf: LeafId) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, leaf.0).into()
}

/// The other end of all uplinks. No leaf has number zero.
const CORE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crust_core::rt;

    use super::*;

    const A: LeafId = LeafId(1);
    const B: LeafId = LeafId(2);

    fn internet(now: Instant) -> Internet {
        let mut internet = Internet::new(1, now);
        for (net, leaf) in [("11.0.0.1/32", A), ("22.0.0.1/32", B)] {
            internet.routes_mut().add(net.parse().unwrap(), leaf);
        }
        internet
    }

    fn packet(from: [u8; 4], to: [u8; 4], ttl: u8) -> Bytes {
        let head = [0x45, 0, 0, 20, 0, 0, 0, 0, ttl, 17, 0, 0];
        [&head[..], &from, &to].concat().into()
    }

    fn a_to_b(ttl: u8) -> Bytes {
        packet([11, 0, 0, 1], [22, 0, 0, 1], ttl)
    }

    #[test]
    fn packet_that_is_looked_after_late_is_late_once() {
        let start = rt::now();
        let mut internet = internet(start);
        let link = |ms| Link::default().with_delay(Duration::from_millis(ms));
        internet.set_links(A, link(10), link(0));
        internet.set_links(B, link(0), link(10));
        internet.handle_packet(start, A, a_to_b(64));
        internet.handle_timeout(start + Duration::from_millis(19));
        assert_eq!(
            internet.poll_timeout(),
            Some(start + Duration::from_millis(20))
        );
    }

    fn outcome(internet: &mut Internet, now: Instant, packet: Bytes) -> Option<LeafId> {
        internet.handle_packet(now, A, packet);
        internet.handle_timeout(now);
        internet.poll_output().map(|(leaf, _)| leaf)
    }

    #[test]
    fn packet_arrives_after_both_links_with_a_hop_less() {
        let start = rt::now();
        let mut internet = internet(start);
        let link = |ms| Link::default().with_delay(Duration::from_millis(ms));
        internet.set_links(A, link(10), link(0));
        internet.set_links(B, link(0), link(15));
        internet.handle_packet(start, A, a_to_b(64));
        internet.handle_timeout(start + Duration::from_millis(24));
        assert_eq!(internet.poll_output(), None);
        let last = internet.poll_timeout().unwrap();
        internet.handle_timeout(last);
        let (leaf, packet) = internet.poll_output().unwrap();
        assert_eq!((leaf, packet[8]), (B, 63));
        assert_eq!(last - start, Duration::from_millis(25));
    }

    #[test]
    fn each_drop_is_counted_as_what_it_is() {
        let now = rt::now();
        let mut internet = internet(now);
        internet
            .routes_mut()
            .add("33.0.0.1/32".parse().unwrap(), LeafId(3));
        internet.set_cut(LeafId(3), A, true);
        let packets = [
            packet([11, 0, 0, 1], [33, 0, 0, 1], 64),
            a_to_b(1),
            Bytes::from_static(b"junk"),
            packet([192, 168, 1, 2], [22, 0, 0, 1], 64),
            packet([11, 0, 0, 1], [224, 0, 0, 251], 64),
            packet([11, 0, 0, 1], [44, 0, 0, 1], 64),
        ];
        for packet in packets {
            assert_eq!(outcome(&mut internet, now, packet), None);
        }
        let expected = Drops {
            cut: 1,
            expired: 1,
            link_local: 1,
            malformed: 1,
            spoofed: 1,
            unrouted: 1,
        };
        assert_eq!(internet.traffic().drops, expected);
    }

    #[test]
    fn cut_ends_when_it_is_mended() {
        let now = rt::now();
        let mut internet = internet(now);
        internet.set_cut(A, B, true);
        assert_eq!(outcome(&mut internet, now, a_to_b(64)), None);
        internet.set_cut(B, A, false);
        assert_eq!(outcome(&mut internet, now, a_to_b(64)), Some(B));
    }
}
