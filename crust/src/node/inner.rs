//! What all tasks of a node share.

use std::{
    net::IpAddr,
    ops::RangeInclusive,
    pin::pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use crust_core::{Addr, DialOutcome, Discovery, PeerId, Reach, Transport, TransportError, rt};
use crust_crypto::Keys;
use futures::{
    FutureExt,
    channel::oneshot,
    future::{Either, select},
};
use ipnet::IpNet;

#[cfg(feature = "nat")]
use crate::node::{outside::Outside, reach::Reaching};
use crate::{
    control::Switchboard,
    event::{AbuseKind, Event, hub::Hub},
    node::{
        NodeStats,
        book::Book,
        config::{Limits, Timeouts},
        contacts::Exchange,
        finders::Finders,
        gate::{Gate, Refusal, Slot},
        keep::wishes::Wishes,
        refusals::Refusals,
        registry::Registry,
        room::Room,
        tasks::Tasks,
        told::Clocks,
    },
    reason::DisconnectReason,
    session::{
        budget::Budget,
        send_side::Order,
        shared::{Held, Shared},
    },
    sync::lock,
    wire::hello::Hello,
};

/// A node, as its tasks see it.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: PeerId,
    pub(crate) instance: u64,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) transports: Vec<Arc<dyn Transport>>,
    pub(crate) discoveries: Vec<Arc<dyn Discovery>>,
    /// Those of them that are told where this node is; the beacon hears of it otherwise.
    pub(crate) announcing: Vec<Arc<dyn Discovery>>,
    pub(crate) finders: Finders,
    pub(crate) wishes: Wishes,
    pub(crate) registry: Registry,
    pub(crate) hub: Arc<Hub>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) tasks: Arc<Tasks>,
    /// Where the node listens, as bound.
    pub(crate) listening: Vec<Addr>,
    gate: Mutex<Gate>,
    /// Room for the sessions that are to be kept.
    pub(crate) room: Room,
    /// How often those are told something who find none.
    pub(crate) refusals: Refusals,
    pub(crate) exchange: Exchange,
    pub(super) clocks: Clocks,
    #[cfg(feature = "nat")]
    pub(super) outside: Outside,
    #[cfg(feature = "nat")]
    pub(super) reaching: Reaching,
    book: Mutex<Book>,
    counters: Counters,
    tokens: AtomicU64,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    stopped: Shutdown,
}

/// Ends when the node is shut down.
type Shutdown = futures::future::Shared<oneshot::Receiver<()>>;

#[derive(Debug, Default)]
struct Counters {
    handshakes_failed: AtomicU64,
    refused: AtomicU64,
    protocol_errors: AtomicU64,
}

/// A place among handshakes or sessions, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Weak: a session keeps its place while its messages are unread, and they can outlast the node.
    inner: Weak<Inner>,
    slot: Slot,
    ip: Option<IpAddr>,
}

/// What a builder gives.
pub(crate) struct Parts {
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) transports: Vec<Arc<dyn Transport>>,
    pub(crate) discoveries: Vec<Arc<dyn Discovery>>,
    pub(crate) announcing: Vec<Arc<dyn Discovery>>,
    pub(crate) finders: Finders,
    pub(crate) keep: Option<RangeInclusive<usize>>,
    pub(crate) listening: Vec<Addr>,
    pub(crate) seed: [u64; 2],
    pub(crate) switchboard: Arc<Switchboard>,
    #[cfg(feature = "nat")]
    pub(crate) outside: Outside,
}

impl Inner {
    pub(crate) fn new(parts: Parts) -> Self {
        let id = parts.keys.peer_id();
        let (stop, stopped) = oneshot::channel();
        Self {
            id,
            instance: parts.seed[0],
            keys: parts.keys,
            gate: Mutex::new(Gate::new(parts.limits.clone())),
            room: Room::new(parts.keep.as_ref()),
            refusals: Refusals::default(),
            exchange: Exchange::new(),
            clocks: Clocks::default(),
            #[cfg(feature = "nat")]
            outside: parts.outside,
            #[cfg(feature = "nat")]
            reaching: Reaching::new(parts.seed[1]),
            switchboard: parts.switchboard,
            budget: Arc::new(Budget::new(parts.limits.receive_total as u64)),
            limits: parts.limits,
            timeouts: parts.timeouts,
            transports: parts.transports,
            discoveries: parts.discoveries,
            announcing: parts.announcing,
            finders: parts.finders,
            wishes: Wishes::new(parts.keep),
            registry: Registry::new(id),
            hub: Arc::default(),
            tasks: Arc::default(),
            listening: parts.listening,
            book: Mutex::new(Book::new()),
            counters: Counters::default(),
            tokens: AtomicU64::new(parts.seed[1]),
            stop: Mutex::new(Some(stop)),
            stopped: stopped.shared(),
        }
    }

    /// Ends what [`Inner::until_stopped`] runs.
    pub(crate) fn stop(&self) {
        drop(lock(&self.stop).take());
    }

    /// Runs `work`, or drops it when the node is shut down.
    pub(crate) async fn until_stopped<F: Future>(&self, work: F) -> Option<F::Output> {
        match select(pin!(work), self.stopped.clone()).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }

    /// The transport that serves `addr`.
    pub(crate) fn transport(&self, addr: &Addr) -> Result<&Arc<dyn Transport>, TransportError> {
        let serves = |transport: &&Arc<dyn Transport>| transport.schemes().contains(&addr.scheme());
        self.transports
            .iter()
            .find(serves)
            .ok_or_else(|| TransportError::Unsupported { addr: addr.clone() })
    }

    /// Takes a place, or says why there is none.
    pub(crate) fn admit(
        self: &Arc<Self>,
        slot: Slot,
        ip: Option<IpAddr>,
    ) -> Result<Place, Refusal> {
        let admitted = lock(&self.gate).admit(slot, ip, rt::now());
        if let Err(refusal) = admitted {
            self.on_refused();
            if refusal == Refusal::Flood {
                self.on_offence(ip, AbuseKind::Flood);
            }
            return Err(refusal);
        }
        Ok(Place {
            inner: Arc::downgrade(self),
            slot,
            ip,
        })
    }

    /// Whether an inbound connection has a chance; asked before anything is spent on it.
    pub(crate) fn is_open(&self) -> bool {
        !self.hub.is_full() && lock(&self.gate).has_room(Slot::Session)
    }

    /// A connection was refused before a handshake.
    pub(crate) fn on_refused(&self) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// An inbound handshake came to nothing.
    pub(crate) fn on_handshake_failed(&self, ip: Option<IpAddr>, is_offence: bool) {
        self.counters
            .handshakes_failed
            .fetch_add(1, Ordering::Relaxed);
        if is_offence {
            self.on_offence(ip, AbuseKind::Handshake);
        }
    }

    /// A session ended because the peer broke the protocol.
    pub(crate) fn on_protocol_error(&self, ip: Option<IpAddr>) {
        self.counters
            .protocol_errors
            .fetch_add(1, Ordering::Relaxed);
        self.on_offence(ip, AbuseKind::Protocol);
    }

    fn on_offence(&self, ip: Option<IpAddr>, kind: AbuseKind) {
        let Some(source) = ip else { return };
        let offence = lock(&self.gate).on_offence(source, kind, rt::now());
        if let Some(offence) = offence {
            let (kind, count, refused) = (offence.kind, offence.count, offence.refused);
            self.hub.notify(Event::Abuse {
                source,
                kind,
                count,
                refused,
            });
        }
    }

    pub(crate) fn is_blocked_peer(&self, peer: &PeerId) -> bool {
        lock(&self.gate).is_blocked_peer(peer)
    }

    pub(crate) fn is_blocked_addr(&self, addr: &Addr) -> bool {
        ip_of(addr).is_some_and(|ip| lock(&self.gate).is_blocked_ip(ip))
    }

    pub(crate) fn block_peer(&self, peer: PeerId) {
        lock(&self.gate).block_peer(peer);
        self.cut(|session| session.peer == peer);
    }

    pub(crate) fn unblock_peer(&self, peer: &PeerId) -> bool {
        lock(&self.gate).unblock_peer(peer)
    }

    pub(crate) fn block_net(&self, net: IpNet) {
        lock(&self.gate).block_net(net);
        self.cut(|session| ip_of(&session.remote).is_some_and(|ip| net.contains(&ip)));
    }

    pub(crate) fn unblock_net(&self, net: IpNet) -> bool {
        lock(&self.gate).unblock_net(net)
    }

    fn cut(&self, matches: impl Fn(&Shared) -> bool) {
        let sessions = self.registry.sessions();
        for session in sessions.iter().filter(|session| matches(session)) {
            session.order(Order::Cut(DisconnectReason::Blocked));
        }
    }

    /// What to say to `peer`, seen at `observed`.
    pub(crate) fn hello(&self, peer: &PeerId, observed: &Addr) -> Hello {
        let mut addrs = self.addrs_to_tell();
        addrs.truncate(Hello::MAX_ADDRS);
        Hello {
            version: Hello::VERSION,
            instance: self.instance,
            // Any two differ; that is all a token is for.
            token: self
                .tokens
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed),
            ended: self.registry.last_ended(peer),
            addrs,
            observed: observed.clone(),
            max_message: u32::try_from(self.limits.max_message).unwrap_or(u32::MAX),
            window: self.window(),
        }
    }

    /// What messages may cost that the application has not read; two of the longest always fit.
    pub(crate) fn window(&self) -> u64 {
        let least = 2 * crate::message::cost(self.limits.max_message);
        least.max(self.limits.receive_window as u64)
    }

    /// Remembers where `peer` says it is, as far as others can make use of that.
    pub(crate) fn on_told(&self, peer: PeerId, addrs: &[Addr]) {
        let addrs: Vec<_> = shared(addrs).cloned().collect();
        lock(&self.book).tell(peer, &addrs);
    }

    /// Remembers where a discovery says that `peer` is.
    pub(crate) fn on_heard(&self, peer: PeerId, addrs: &[Addr]) {
        lock(&self.book).hear(peer, addrs);
    }

    /// Tells the discoveries how a dial went.
    pub(crate) fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        for discovery in &self.discoveries {
            discovery.report(addr, outcome);
        }
    }

    /// Remembers where the application says `peer` is.
    pub(crate) fn on_given(&self, peer: PeerId, addr: Addr) {
        lock(&self.book).give(peer, addr);
    }

    /// Where `peer` may be.
    pub(crate) fn addrs(&self, peer: &PeerId) -> Vec<Addr> {
        lock(&self.book).addrs(peer)
    }

    pub(crate) fn stats(&self) -> NodeStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NodeStats {
            sessions: self.registry.sessions().len(),
            handshakes_failed: read(&self.counters.handshakes_failed),
            refused: read(&self.counters.refused),
            protocol_errors: read(&self.counters.protocol_errors),
        }
    }
}

impl Held for Place {}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            lock(&inner.gate).release(self.slot, self.ip);
        }
    }
}

/// Those of a peer's addresses that are not this host's own, where it has no business to point.
pub(super) fn shared(addrs: &[Addr]) -> impl Iterator<Item = &Addr> {
    addrs.iter().filter(|addr| Reach::of(addr).is_shared())
}

/// The IP address in a transport's address, where there is one.
pub(crate) fn ip_of(addr: &Addr) -> Option<IpAddr> {
    addr.socket_addr().map(|addr| addr.ip().to_canonical())
}
