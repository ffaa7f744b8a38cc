//! What this node is from outside: the external addresses of its ports, as peers and servers see them and as gateways give
//! them.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crust_core::{Addr, Reach, rt};
use crust_nat::{
    ExternalAddrs, ExternalObservation, LocalPort, NetworkChange, Prober, Protocol,
    gateway::{InternalPort, MappingReport, PortMapper, PortMapperConfig, PortRequest},
    network_changes,
    report::Lifetime,
    stun::{Request, Retransmission, Stun},
};
use futures::{
    StreamExt,
    future::{Either, join_all, select},
};

use crate::{
    node::{
        gate::prefix,
        inner::{Inner, ip_of},
        tasks::Running,
    },
    recent::Recent,
    sync::lock,
};

/// What a node does about the NATs in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// Whether it asks the gateways for its ports, by PCP, NAT-PMP and UPnP; yes.
    pub map_ports: bool,
    /// STUN servers that it asks how they see its UDP port; none. Peers tell it the same.
    pub servers: Vec<SocketAddr>,
}

impl Default for Nat {
    fn default() -> Self {
        Self {
            map_ports: true,
            servers: Vec::new(),
        }
    }
}

/// What is known of a node from outside.
#[derive(Debug)]
pub(crate) struct Outside {
    external: Mutex<ExternalAddrs>,
    mapper: Mutex<Option<PortMapper>>,
    /// What speaks STUN on the node's UDP ports.
    stun: Vec<Stun>,
    servers: Vec<SocketAddr>,
    /// Whether peers are asked by STUN, which everybody on the way can read.
    asks_peers: bool,
    /// Whom it has sent to.
    asked: Mutex<Recent<IpAddr, ()>>,
    /// Whether it is to measure for how long mappings live.
    is_measuring: bool,
    /// For how long they do at least.
    lifetime: Mutex<Option<Duration>>,
}

impl Outside {
    /// Begins to ask the gateways for the ports of `listening`, where it is to; returns at once. `nonce_key`: a secret of
    /// this node, the same in each run. `is_secret`: nobody without the network's key is to get a byte.
    pub(crate) fn start(
        nat: Option<Nat>,
        listening: &[Addr],
        stun: Vec<Stun>,
        (nonce_key, is_secret): ([u8; 32], bool),
    ) -> Self {
        let ports: Vec<_> = listening.iter().filter_map(internal_port).collect();
        let is_mapping = nat.as_ref().is_some_and(|nat| nat.map_ports) && !ports.is_empty();
        let mapper = is_mapping.then(|| {
            let config = PortMapperConfig::default().with_nonce_key(nonce_key);
            let mapper = PortMapper::start(config);
            for port in ports {
                if let Err(error) = mapper.add(PortRequest::new(port)) {
                    tracing::warn!(%error, "port not mapped");
                }
            }
            mapper
        });
        Self {
            external: Mutex::default(),
            mapper: Mutex::new(mapper),
            stun,
            asks_peers: nat.is_some() && !is_secret,
            asked: Mutex::new(Recent::new(MAX_ASKED)),
            is_measuring: nat.is_some(),
            servers: nat.map(|nat| nat.servers).unwrap_or_default(),
            lifetime: Mutex::default(),
        }
    }

    /// A peer at `remote` says that it sees `local` as `seen`. `is_bound`: `local` has a port that the node listens on,
    /// not one that the connection was given by chance.
    pub(crate) fn on_seen(&self, local: &Addr, remote: &Addr, seen: &Addr, is_bound: bool) {
        if let Some(observation) = observation(local, remote, seen, is_bound) {
            self.observe(&observation);
        }
    }

    /// Where the world sees a port that is bound to `local`, as far as peers agree.
    pub(crate) fn seen(&self, local: &Addr) -> Option<Addr> {
        let port = LocalPort {
            protocol: protocol(local)?,
            addr: local.socket_addr()?,
        };
        let external = lock(&self.external).external(&port)?;
        Some(Addr::from_socket_addr(local.scheme(), external))
    }

    /// Where a gateway says that a port that is bound to `local` is reached, as far as that can be true.
    pub(crate) fn mapped(&self, local: &Addr) -> Option<Addr> {
        let port = internal_port(local)?;
        let report = self.mappings()?;
        let mut mappings = report.of(port);
        let of_local = mappings
            .find(|mapping| Some(mapping.internal) == local.socket_addr() && mapping.is_credible());
        Some(Addr::from_socket_addr(local.scheme(), of_local?.external))
    }

    /// What the gateways say; `None` where they are not asked.
    pub(crate) fn mappings(&self) -> Option<Arc<MappingReport>> {
        Some(lock(&self.mapper).as_ref()?.report())
    }

    /// Deletes the mappings.
    pub(crate) async fn shutdown(&self) {
        let mapper = lock(&self.mapper).take();
        if let Some(mapper) = mapper {
            mapper.shutdown().await;
        }
    }

    fn observe(&self, observation: &ExternalObservation) {
        let interface = observation.port.addr.ip();
        let mut external = lock(&self.external);
        let ip_before = external.ip(interface);
        let change = external.observe(observation);
        let ip = external.ip(interface).filter(|ip| Some(*ip) != ip_before);
        drop(external);
        if let (Some(ip), Some(mapper)) = (ip, &*lock(&self.mapper)) {
            mapper.observe(ip);
        }
        if let Some(change) = change {
            let (protocol, local) = (change.port.protocol, change.port.addr);
            match change.external {
                Some(external) => {
                    tracing::info!(%protocol, %local, %external, "external address");
                }
                None => tracing::info!(%protocol, %local, "external address no longer holds"),
            }
        }
    }

    /// Two peers that agree are enough; others are left as strangers, to dial back. Where two did not do, more are asked.
    fn peers_to_ask(&self) -> usize {
        let is_known = lock(&self.external).iter().next().is_some();
        let has_tried = lock(&self.asked).len() >= FEW_PEERS;
        if has_tried && !is_known {
            MANY_PEERS
        } else {
            FEW_PEERS
        }
    }

    /// How often something is to be sent over a mapping: a quarter before it would be forgotten, so that one packet may be lost.
    fn keepalive(&self) -> Duration {
        let lifetime = *lock(&self.lifetime);
        lifetime.map_or(KEEPALIVE, |lifetime| (lifetime * 3 / 4).max(LOOK_EVERY))
    }

    /// Whether a NAT is known to stand before a UDP port.
    fn is_translated(&self) -> bool {
        let external = lock(&self.external);
        external
            .iter()
            .any(|(port, external)| port.protocol == Protocol::Udp && port.addr != external)
    }

    /// What was seen before no longer holds.
    fn on_network_change(&self, _: NetworkChange) {
        *lock(&self.lifetime) = None;
        lock(&self.external).clear();
        if let Some(mapper) = &*lock(&self.mapper) {
            mapper.refresh();
        }
    }

    /// Whether something was sent to this address by STUN, as far as that is remembered.
    pub(crate) fn has_asked(&self, ip: IpAddr) -> bool {
        lock(&self.asked).get(&ip.to_canonical()).is_some()
    }

    /// Asks `server` how it sees the UDP ports.
    async fn ask(&self, server: SocketAddr) {
        lock(&self.asked).insert(server.ip().to_canonical(), ());
        let asked = self.stun.iter().map(|stun| async move {
            let request = Request::new(server).with_retransmission(Retransmission::QUICK);
            let binding = stun.request(request).await;
            let local = crust_core::source_towards(server);
            if let (Ok(binding), Ok(local)) = (binding, local) {
                self.observe(&ExternalObservation {
                    port: LocalPort {
                        protocol: Protocol::Udp,
                        addr: SocketAddr::new(local, stun.local_addr().port()),
                    },
                    observer: server.ip(),
                    observed_addr: binding.observed_addr,
                });
            }
        });
        join_all(asked).await;
    }
}

/// Keeps what is known of the node from outside up to date, until it is dropped.
pub(crate) async fn watch_network(inner: Arc<Inner>, _running: Running) {
    let mut changes = network_changes();
    loop {
        let asking = async {
            futures::join!(keep_asking(&inner), measure_lifetime(&inner));
        };
        match select(changes.next(), std::pin::pin!(asking)).await {
            Either::Left((Some(change), _)) => {
                inner.outside.on_network_change(change);
                inner.reaching.forget();
            }
            Either::Left((None, _)) | Either::Right(_) => return,
        }
    }
}

/// Asks servers and peers again and again; soon those that are new.
async fn keep_asking(inner: &Inner) {
    let mut asked = Recent::<SocketAddr, Instant>::new(MAX_ASKED);
    let mut last = rt::now();
    loop {
        let now = rt::now();
        let servers = servers(inner);
        let is_new = |server: &&SocketAddr| asked.get(server).is_none();
        let mut due: Vec<_> = servers.iter().filter(is_new).copied().collect();
        if due.is_empty() && now.saturating_duration_since(last) >= inner.outside.keepalive() {
            // One packet keeps the mapping; they take turns.
            let oldest = servers
                .into_iter()
                .min_by_key(|server| asked.get(server).copied());
            due.extend(oldest);
        }
        if !due.is_empty() {
            last = now;
        }
        for server in &due {
            asked.insert(*server, now);
        }
        join_all(due.iter().map(|server| inner.outside.ask(*server))).await;
        rt::sleep(LOOK_EVERY).await;
    }
}

/// Measures once for how long a mapping lives, so that no more is sent for it than it needs.
async fn measure_lifetime(inner: &Inner) {
    if !inner.outside.is_measuring {
        return;
    }
    loop {
        let peers = servers(inner);
        if inner.outside.is_translated() && !peers.is_empty() {
            let prober = Prober::new([]).with_peers(peers);
            let measured = prober.lifetime(LIVES_AT_MOST, |_| {}).await;
            if let Some(Lifetime { at_least_s, .. }) = measured {
                tracing::info!(at_least_s, "lifetime of mappings");
                let at_least = Duration::from_secs(at_least_s.into());
                *lock(&inner.outside.lifetime) = Some(at_least);
                return;
            }
        }
        rt::sleep(MEASURE_AGAIN).await;
    }
}

/// Whom to ask: the servers that were named, and the UDP ports of a few peers, each in another network.
///
/// A peer is asked where it is seen, and nowhere else: what it says of itself could have this node send to others, or one speak
/// with many voices.
fn servers(inner: &Inner) -> Vec<SocketAddr> {
    let outside = &inner.outside;
    if outside.stun.is_empty() {
        return Vec::new();
    }
    let mut servers = outside.servers.clone();
    if !outside.asks_peers {
        return servers;
    }
    let mut networks = BTreeSet::new();
    let sessions = inner.registry.sessions();
    let peers = sessions.iter().take(PEERS_LOOKED_AT).filter_map(|session| {
        let ip = ip_of(&session.remote).filter(|ip| Reach::of_ip(*ip) == Reach::Everywhere)?;
        let mut addrs = inner.addrs(&session.peer).into_iter();
        let addr = addrs.find(|addr| addr.scheme() == "utp" && ip_of(addr) == Some(ip))?;
        let is_new = networks.insert(prefix(ip));
        addr.socket_addr().filter(|_| is_new)
    });
    servers.extend(peers.take(outside.peers_to_ask()));
    servers
}

fn observation(
    local: &Addr,
    remote: &Addr,
    seen: &Addr,
    is_bound: bool,
) -> Option<ExternalObservation> {
    let addr = local.socket_addr()?;
    let port = if is_bound { addr.port() } else { 0 };
    Some(ExternalObservation {
        port: LocalPort {
            protocol: protocol(local)?,
            addr: SocketAddr::new(addr.ip().to_canonical(), port),
        },
        observer: remote.socket_addr()?.ip(),
        observed_addr: seen.socket_addr()?,
    })
}

/// The protocol that a NAT sees; none for transports that have no ports of their own.
fn protocol(addr: &Addr) -> Option<Protocol> {
    match addr.scheme() {
        "tcp" => Some(Protocol::Tcp),
        "utp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// The port to map for a listener; none where it hears this host alone.
fn internal_port(addr: &Addr) -> Option<InternalPort> {
    let socket = addr.socket_addr().filter(|addr| !addr.ip().is_loopback())?;
    let number = NonZeroU16::new(socket.port())?;
    Some(match protocol(addr)? {
        Protocol::Tcp => InternalPort::tcp(number),
        Protocol::Udp => InternalPort::udp(number),
    })
}

/// How often something is sent over a mapping of which it is not known for how long it lives: what is customary for UDP
/// (RFC 8445 §11).
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A mapping that lives so long costs next to nothing.
const LIVES_AT_MOST: Duration = Duration::from_secs(300);
/// Until it is looked again for somebody who helps to measure.
const MEASURE_AGAIN: Duration = Duration::from_secs(10);
/// How soon somebody new is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Two that agree are enough.
const FEW_PEERS: usize = 2;
/// One may be silent and one may lie.
const MANY_PEERS: usize = 4;
/// Of a node with many sessions the first ones are looked at; some of them are in the world.
const PEERS_LOOKED_AT: usize = 32;
/// Whom it is remembered of that they were asked: more than are asked in the time after which they are again.
const MAX_ASKED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn outside() -> Outside {
        Outside::start(None, &[], Vec::new(), ([0; 32], false))
    }

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    fn seen(outside: &Outside, local: &str) -> Option<String> {
        let seen = outside.seen(&addr(local));
        seen.map(|seen| seen.to_string())
    }

    fn seen_by_two(outside: &Outside, is_bound: bool) {
        for remote in ["utp://11.0.0.1:5483", "utp://21.0.0.1:5483"] {
            let (local, seen) = (addr("utp://192.168.1.2:5483"), addr("utp://22.0.0.1:7"));
            outside.on_seen(&local, &addr(remote), &seen, is_bound);
        }
    }

    #[test]
    fn port_that_two_networks_see_alike_has_an_external_address_until_the_network_changes() {
        let outside = outside();
        seen_by_two(&outside, true);
        let believed = || seen(&outside, "utp://192.168.1.2:5483");
        assert_eq!(believed().as_deref(), Some("utp://22.0.0.1:7"));
        assert_eq!(seen(&outside, "tcp://192.168.1.2:5483"), None);
        outside.on_network_change(NetworkChange::Woke);
        assert_eq!(believed(), None);
    }

    #[test]
    fn port_given_by_chance_tells_nothing_of_the_one_that_listens() {
        let outside = outside();
        seen_by_two(&outside, false);
        assert_eq!(seen(&outside, "utp://192.168.1.2:5483"), None);
    }

    #[test]
    fn listeners_of_this_host_alone_are_not_mapped() {
        assert_eq!(internal_port(&addr("tcp://127.0.0.1:5483")), None);
        assert_eq!(internal_port(&addr("memory://a")), None);
        let port = internal_port(&addr("utp://[::]:5483")).unwrap();
        assert_eq!(port.to_string(), "UDP 5483");
    }
}
