//! UDP, from fresh ports.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crust_core::{rt, udp::UdpPort};
use futures::{Stream, StreamExt, future::join_all, join, stream::FuturesUnordered};

use super::{Probed, any, by, external, local_ip};
use crate::{
    Protocol,
    behaviour::{self, Behaviour, Mapping, Observation},
    report::{PathReport, ServerReport, judge},
    stun::{Binding, Request, Retransmission, Stun, StunConfig, StunError},
};

/// What `servers`, all of one version of IP, tell of UDP.
pub(super) async fn probe(servers: &[SocketAddr], deadline: Instant) -> Probed {
    let Some(first) = servers.first() else {
        return Probed::default();
    };
    let family = first.ip();
    let Some(main) = Port::bind(family) else {
        return Probed::default();
    };
    let mut asked: FuturesUnordered<_> = servers
        .iter()
        .map(|server| ask(&main.stun, *server))
        .collect();
    let mut answers = first_answers(&mut asked).await;
    // One that has a second address tells the most.
    let has_other = |answer: &&Answer| answer.1.other_addr.is_some();
    let best = answers.iter().find(has_other).or_else(|| answers.first());
    let Some(&(server, binding)) = best else {
        return silent(servers);
    };
    let others = asked.filter_map(|(server, result)| {
        std::future::ready(result.ok().map(|binding| (server, binding)))
    });
    // In this order: what new mappings look like is seen before others are made.
    let (fresh, behaviour, others) = join!(
        by(deadline, fresh_ports(server, &binding)),
        by(deadline, behaviour::discover(&main.stun, server)),
        by(deadline, others.collect::<Vec<_>>()),
    );
    answers.extend(others.unwrap_or_default());
    let fresh = fresh.unwrap_or_default();
    let behaviour = behaviour.and_then(Result::ok).unwrap_or_default();
    let observations = observations(&main.stun, &answers, &behaviour);
    Probed {
        path: path(server, &observations, &behaviour, &fresh),
        servers: report_servers(servers, &answers),
    }
}

type Answer = (SocketAddr, Binding);

/// Waits for an answer of a server with a second address, or for any and then a moment longer.
async fn first_answers(
    asked: &mut (impl Stream<Item = (SocketAddr, Result<Binding, StunError>)> + Unpin),
) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    loop {
        let next = match answers.last() {
            None => asked.next().await,
            Some((_, binding)) if binding.other_addr.is_some() => return answers,
            Some(_) => rt::timeout(A_MOMENT, asked.next()).await.ok().flatten(),
        };
        match next {
            Some((server, Ok(binding))) => answers.push((server, binding)),
            Some(_) => {}
            None => return answers,
        }
    }
}

/// A fresh port that speaks STUN.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) stun: Stun,
    port: UdpPort,
    _driver: rt::Task<()>,
}

impl Port {
    /// `family`: any address of the version of IP.
    pub(super) fn bind(family: IpAddr) -> Option<Self> {
        let (port, driver) = UdpPort::bind(SocketAddr::new(any(family), 0)).ok()?;
        // It answers: two of them look for each other from outside.
        let stun = Stun::new(&port, StunConfig::default()).ok()?;
        Some(Self {
            stun,
            port,
            _driver: rt::spawn(driver.run()),
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.close();
    }
}

async fn ask(stun: &Stun, server: SocketAddr) -> (SocketAddr, Result<Binding, StunError>) {
    let request = Request::new(server).with_retransmission(Retransmission::QUICK);
    (server, stun.request(request).await)
}

/// What new mappings look like.
#[derive(Debug, Default)]
struct Fresh {
    /// Internal and external port, in the order in which they were made.
    ports: Vec<(u16, u16)>,
    hairpin: Option<bool>,
}

/// Sends from several fresh ports at once: the mappings are made in that order, and nothing else comes between that this
/// machine could prevent.
async fn fresh_ports(server: SocketAddr, seen: &Binding) -> Fresh {
    let ports = (0..MAPPINGS).filter_map(|_| Port::bind(server.ip()));
    let ports: Vec<_> = ports.collect();
    let asked = ports.iter().map(|port| ask(&port.stun, server));
    let answers = join_all(asked).await;
    let seen_at: Vec<_> = ports
        .iter()
        .zip(answers)
        .filter_map(|(port, (_, result))| Some((port, result.ok()?.observed_addr)))
        .collect();
    let hairpin = match &seen_at[..] {
        [one, other, ..] if is_translated(server, seen, &seen_at) => {
            Some(hairpin((one.0, one.1), (other.0, other.1)).await)
        }
        _ => None,
    };
    Fresh {
        ports: seen_at
            .iter()
            .map(|(port, at)| (port.stun.local_addr().port(), at.port()))
            .collect(),
        hairpin,
    }
}

/// Whether one of two ports hears the other that sends to it from inside by its external address.
async fn hairpin(one: (&Port, SocketAddr), other: (&Port, SocketAddr)) -> bool {
    let knock = |from: &Port, at: SocketAddr| {
        let request = Request::new(at).with_retransmission(KNOCKS);
        let stun = from.stun.clone();
        async move { stun.request(request).await.is_ok() }
    };
    // Each sends to the other, so that a filter that goes by who was sent to lets both in.
    let (heard, heard_too) = join!(knock(one.0, other.1), knock(other.0, one.1));
    let is_asked = |port: &Port| port.stun.stats().server.answered > 0;
    heard || heard_too || is_asked(one.0) || is_asked(other.0)
}

fn is_translated(server: SocketAddr, seen: &Binding, fresh: &[(&Port, SocketAddr)]) -> bool {
    local_ip(server) != seen.observed_addr.ip()
        || fresh
            .iter()
            .any(|(port, at)| port.stun.local_addr().port() != at.port())
}

fn observations(stun: &Stun, answers: &[Answer], behaviour: &Behaviour) -> Vec<Observation> {
    let local = stun.local_addr().port();
    let of_main = answers.iter().map(|(server, binding)| Observation {
        local: SocketAddr::new(local_ip(*server), local),
        destination: *server,
        observed_addr: binding.observed_addr,
    });
    of_main
        .chain(behaviour.observations.iter().copied())
        .collect()
}

fn path(
    server: SocketAddr,
    observations: &[Observation],
    behaviour: &Behaviour,
    fresh: &Fresh,
) -> PathReport {
    let external = external(observations);
    let is_kept = |it: &Observation| it.local == it.observed_addr;
    let is_translated = observations.iter().any(|it| !is_kept(it));
    PathReport {
        is_blocked: Some(false),
        local: Some(local_ip(server)),
        external,
        is_translated: Some(is_translated),
        is_one_port: judge::is_one_port(observations),
        mapping: Mapping::of(observations).filter(|_| is_translated),
        filtering: behaviour.filtering,
        allocation: judge::allocation(&fresh.ports).filter(|_| is_translated),
        lifetime: None,
        hairpin: fresh.hairpin,
    }
}

fn silent(servers: &[SocketAddr]) -> Probed {
    Probed {
        path: PathReport::default(),
        servers: report_servers(servers, &[]),
    }
}

fn report_servers(servers: &[SocketAddr], answers: &[Answer]) -> Vec<ServerReport> {
    let report = |server: &SocketAddr| {
        let mut of_server = answers.iter().filter(|(other, _)| other == server);
        ServerReport {
            server: *server,
            protocol: Protocol::Udp,
            rtt: of_server.find_map(|(_, binding)| binding.rtt),
        }
    };
    servers.iter().map(report).collect()
}

/// Servers that are about as far away have answered by then.
const A_MOMENT: Duration = Duration::from_millis(150);
/// Enough to tell a rule from chance.
const MAPPINGS: usize = 6;
/// For a way of two hops in one's own house.
const KNOCKS: Retransmission = Retransmission {
    rto: Duration::from_millis(60),
    max_requests: 4,
    last_wait: 4,
};
