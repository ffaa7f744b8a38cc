//! A seeded datagram network in virtual time: no clock, no socket, no task.
//!
//! [`SimNet`] is a machine. Nodes are socket addresses; each direction between two of them is a [`Link`] with settings
//! of its own. The same seed and the same calls give the same outcome, to the nanosecond and the byte, and what
//! happens on one link does not change the dice of another.
//!
//! ```
//! use std::time::Duration;
//! use crust_core::{rt, simnet::{Link, SimNet}};
//!
//! let (a, b) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
//! let start = rt::now();
//! let mut net = SimNet::new(42, start);
//! net.set_link(a, b, Link::default().with_delay(Duration::from_millis(30)));
//! net.send(start, a, b, &b"hello"[..]);
//!
//! let arrival = net.poll_timeout().unwrap();
//! assert_eq!(arrival - start, Duration::from_millis(30));
//! net.handle_timeout(arrival);
//! assert_eq!(net.poll_output().unwrap().payload, &b"hello"[..]);
//! ```

mod line;
mod link;
mod rng;

use std::{collections::BTreeMap, net::SocketAddr, ops::Range, time::Instant};

use bytes::Bytes;

use self::line::Line;
pub use self::link::{Counters, Link, Loss};

/// A seeded datagram network in virtual time.
///
/// Drive it as any machine here: after each [`SimNet::send`] and [`SimNet::handle_timeout`] drain
/// [`SimNet::poll_output`], then go to [`SimNet::poll_timeout`]. A time before one that was told already counts as
/// that one.
#[derive(Debug)]
pub struct SimNet {
    seed: u64,
    now: Instant,
    default_link: Link,
    lines: BTreeMap<(SocketAddr, SocketAddr), Line>,
    /// By arrival, and among those of the same moment by sending.
    in_flight: BTreeMap<(Instant, u64), Delivery>,
    sent: u64,
}

impl SimNet {
    /// A network where every link is [`Link::default`]: nothing is late and nothing is lost.
    pub fn new(seed: u64, now: Instant) -> Self {
        Self {
            seed,
            now,
            default_link: Link::default(),
            lines: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Sets what links are that nothing was sent over and nothing was set about yet.
    pub fn set_default_link(&mut self, link: Link) {
        self.default_link = link;
    }

    /// Sets one direction, from now on. What is in flight arrives as it would have; what waits in the queue stays there.
    pub fn set_link(&mut self, from: SocketAddr, to: SocketAddr, link: Link) {
        self.line(from, to).set_link(link);
    }

    /// Sets both directions alike.
    pub fn set_links(&mut self, a: SocketAddr, b: SocketAddr, link: Link) {
        self.set_link(a, b, link.clone());
        self.set_link(b, a, link);
    }

    /// Loses everything that goes onto one direction at or after `when.start` and before `when.end`.
    ///
    /// Several may be set and may overlap. What is in flight at the start arrives.
    pub fn black_out(&mut self, from: SocketAddr, to: SocketAddr, when: Range<Instant>) {
        self.line(from, to).black_out(when);
    }

    /// Sends a datagram, which is lost where it is longer than the MTU.
    pub fn send<B: Into<Bytes>>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: B,
    ) {
        self.carry(now, from, to, payload.into(), false);
    }

    /// Sends a datagram that may be taken apart on its way: the MTU does not matter, and it is lost as a whole.
    pub fn send_in_fragments<B: Into<Bytes>>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: B,
    ) {
        self.carry(now, from, to, payload.into(), true);
    }

    fn carry(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        payload: Bytes,
        may_fragment: bool,
    ) {
        self.now = self.now.max(now);
        let now = self.now;
        let arrivals = self.line(from, to).carry(now, payload.len(), may_fragment);
        for arrival in arrivals.into_iter().flatten() {
            let payload = match arrival.flipped_bit {
                Some(bit) => flip(&payload, bit),
                None => payload.clone(),
            };
            self.sent += 1;
            let delivery = Delivery {
                at: arrival.at,
                from,
                to,
                payload,
            };
            self.in_flight.insert((arrival.at, self.sent), delivery);
        }
    }

    /// Goes forward to `now`: what arrives until then comes out of [`SimNet::poll_output`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The next datagram that has arrived, in the order of arrival.
    pub fn poll_output(&mut self) -> Option<Delivery> {
        let next = self.in_flight.first_entry()?;
        if next.key().0 > self.now {
            return None;
        }
        let delivery = next.remove();
        self.line(delivery.from, delivery.to).count_delivery();
        Some(delivery)
    }

    /// When the next datagram arrives; a moment that has passed where one waits for [`SimNet::poll_output`] already.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|(at, _)| *at)
    }

    /// The time it was told last.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What happened on all links.
    pub fn counters(&self) -> Counters {
        self.lines.values().map(Line::counters).sum()
    }

    /// What happened on one direction.
    pub fn link_counters(&self, from: SocketAddr, to: SocketAddr) -> Counters {
        let line = self.lines.get(&(from, to));
        line.map(Line::counters).unwrap_or_default()
    }

    fn line(&mut self, from: SocketAddr, to: SocketAddr) -> &mut Line {
        self.lines.entry((from, to)).or_insert_with(|| {
            let seed = rng::seed_of(self.seed, from, to);
            Line::new(seed, self.default_link.clone())
        })
    }
}

/// A datagram that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// When it arrives.
    pub at: Instant,
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it was sent to.
    pub to: SocketAddr,
    /// Its bytes, one bit of them flipped where the link corrupted it.
    pub payload: Bytes,
}

fn flip(payload: &Bytes, bit: usize) -> Bytes {
    let mut bytes = payload.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}
