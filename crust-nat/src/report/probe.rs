//! Measures what stands between this machine and the world.

mod gateways;
mod lifetime;
mod tcp;
mod udp;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Transport, rt, source_towards};
use futures::join;

use super::{NatCount, NatReport, PathReport};
use crate::{Protocol, behaviour::Observation, gateway::PortMapperConfig};

/// Makes reports of what stands between this machine and the world.
///
/// It asks STUN servers or peers, at least two at different addresses for most of what it tells; how a NAT filters is told by
/// a server that has two addresses itself (RFC 5780). All is measured from fresh ports, and at once:
///
/// ```no_run
/// # async fn tell() {
/// let servers = ["192.0.2.1:3478", "198.51.100.1:3478"].map(|server| server.parse().unwrap());
/// let report = crust_nat::Prober::new(servers).report().await;
/// print!("{report}");
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a prober measures nothing until it is asked for a report"]
pub struct Prober {
    servers: Vec<SocketAddr>,
    peers: Vec<SocketAddr>,
    tcp: Option<Arc<dyn Transport>>,
    gateways: Option<PortMapperConfig>,
}

impl Prober {
    /// Servers that are asked; of more the first ones.
    pub const MAX_SERVERS: usize = 8;

    /// Asks `servers`, over UDP.
    pub fn new(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut prober = Self {
            servers: Vec::new(),
            peers: Vec::new(),
            tcp: None,
            gateways: Some(PortMapperConfig::default()),
        };
        add(&mut prober.servers, servers);
        prober
    }

    /// Asks these too: UDP ports of Crust nodes, which answer as servers of one address do. Of more than
    /// [`MAX_SERVERS`](Self::MAX_SERVERS) the first ones.
    pub fn with_peers(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        add(&mut self.peers, peers);
        self
    }

    /// Asks the same servers over TCP too. `transport` serves the scheme `tcp`, and dials from the port that it listens on.
    pub fn with_tcp(mut self, transport: Arc<dyn Transport>) -> Self {
        self.tcp = Some(transport);
        self
    }

    /// Asks the gateways as `config` says, which maps nothing; with `None` not at all. By default it asks all there are.
    pub fn with_gateways(mut self, config: Option<PortMapperConfig>) -> Self {
        self.gateways = config;
        self
    }

    /// Measures, for 3 s at most. What was not measured by then, or could not be, is `None`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future frees all ports.
    pub async fn report(&self) -> NatReport {
        let started_at = rt::now();
        let of_family = |all: &[SocketAddr], is_v4: bool| {
            let of_family = all.iter().filter(|it| it.is_ipv4() == is_v4);
            of_family.copied().collect::<Vec<_>>()
        };
        let all = [&self.servers[..], &self.peers[..]].concat();
        let (udp_v4, udp_v6) = (of_family(&all, true), of_family(&all, false));
        let (tcp_v4, tcp_v6) = (
            of_family(&self.servers, true),
            of_family(&self.servers, false),
        );
        let tcp = self.tcp.as_ref();
        let deadline = started_at + LONGEST;
        let (gateways, udp, tcp, udp_v6, tcp_v6) = join!(
            gateways::probe(self.gateways.clone()),
            udp::probe(&udp_v4, deadline),
            tcp::probe(tcp, &tcp_v4, deadline),
            udp::probe(&udp_v6, deadline),
            tcp::probe(tcp, &tcp_v6, deadline),
        );
        let mut report = NatReport {
            servers: [udp.servers, tcp.servers, udp_v6.servers, tcp_v6.servers].concat(),
            udp: udp.path,
            tcp: tcp.path,
            udp_v6: udp_v6.path,
            tcp_v6: tcp_v6.path,
            gateways,
            elapsed: rt::now().saturating_duration_since(started_at),
            ..NatReport::default()
        };
        let is_asked = |is_v4: bool| {
            let mut servers = report.servers.iter();
            servers.any(|it| it.protocol == Protocol::Udp && it.server.is_ipv4() == is_v4)
        };
        let is_asked = [is_asked(true), is_asked(false)];
        tell_blocked(&mut report.udp, &report.tcp, is_asked[0]);
        tell_blocked(&mut report.udp_v6, &report.tcp_v6, is_asked[1]);
        report.nats = nats(&report);
        report
    }
}

/// Adds those that are new, while there is room.
fn add(all: &mut Vec<SocketAddr>, more: impl IntoIterator<Item = SocketAddr>) {
    for addr in more {
        if !all.contains(&addr) && all.len() < Prober::MAX_SERVERS {
            all.push(addr);
        }
    }
}

/// What was found out on one path, and of whom.
#[derive(Debug, Default)]
struct Probed {
    path: PathReport,
    servers: Vec<super::ServerReport>,
}

/// Silence over UDP is a block where the same servers answer over TCP. The other way round it is none: many servers do not
/// speak TCP.
fn tell_blocked(udp: &mut PathReport, tcp: &PathReport, is_asked: bool) {
    if tcp.is_open() && !udp.is_open() && is_asked {
        udp.is_blocked = Some(true);
    }
}

/// Where something is translated, a gateway whose external address the world sees is the only one that does it; one that
/// has another is behind a further one.
fn nats(report: &NatReport) -> Option<NatCount> {
    let paths = [&report.udp, &report.tcp];
    let is_translated = paths.iter().find_map(|path| path.is_translated)?;
    if !is_translated {
        return Some(NatCount::Exactly(0));
    }
    let mut seen = paths.iter().flat_map(|path| &path.external);
    // Those that packets to the servers go through: a machine may have others.
    let is_on_path = |local: IpAddr| paths.iter().any(|path| path.local == Some(local));
    let on_path = report
        .gateways
        .iter()
        .filter(|gateway| is_on_path(gateway.local));
    let protocols = on_path.flat_map(|gateway| &gateway.protocols);
    let claimed: Vec<_> = protocols
        .filter_map(|protocol| protocol.external)
        .filter(IpAddr::is_ipv4)
        .collect();
    Some(if claimed.is_empty() {
        NatCount::AtLeast(1)
    } else if seen.any(|ip| claimed.contains(ip)) {
        NatCount::Exactly(1)
    } else {
        NatCount::AtLeast(2)
    })
}

/// What `work` gives, if it does so in time.
async fn by<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    let left = deadline.saturating_duration_since(rt::now());
    rt::timeout(left, work).await.ok()
}

/// The external addresses that were seen, each once.
fn external(observations: &[Observation]) -> Vec<IpAddr> {
    let seen = observations.iter().map(|it| it.observed_addr.ip());
    let mut external: Vec<_> = seen.collect();
    external.sort_unstable();
    external.dedup();
    external
}

/// This machine's address on the way to `server`; unspecified where it has none.
fn local_ip(server: SocketAddr) -> IpAddr {
    source_towards(server).unwrap_or_else(|_| any(server.ip()))
}

/// The unspecified address of a version of IP.
const fn any(family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// A person waits for a report, for three seconds.
const LONGEST: Duration = Duration::from_millis(2_600);
