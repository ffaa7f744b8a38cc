//! TCP, from ports that listen too.

mod dialing;
mod ear;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Transport, rt};
use futures::{
    FutureExt, StreamExt,
    future::{join, join_all},
    join, select_biased,
    stream::FuturesUnordered,
};

use self::{
    dialing::{Asked, Dialing},
    ear::Ear,
};
use super::{Probed, by, local_ip};
use crate::{
    Protocol,
    behaviour::{Filtering, Mapping, Observation},
    report::{PathReport, ServerReport, judge},
    stun::{Change, TransactionId, tcp},
};

/// What `servers`, all of one version of IP, tell of TCP until `deadline`.
pub(super) async fn probe(
    transport: Option<&Arc<dyn Transport>>,
    servers: &[SocketAddr],
    deadline: Instant,
) -> Probed {
    let (Some(transport), Some(first)) = (transport, servers.first()) else {
        return Probed::default();
    };
    // Two ports: one sends to every place, the other to one alone, so that others are strangers to it.
    let open = || Ear::open(transport, first.ip());
    let (Some(mut main), Some(mut strict)) = join(open(), open()).await else {
        return Probed::default();
    };
    let dialing = Dialing::new(transport.clone());
    let mut answers = ask_all(&dialing, &main, servers).await;
    let has_other = |asked: &Asked| asked.binding.other_addr.is_some();
    let best = answers.iter().position(has_other).unwrap_or(0);
    let Some(best) = answers.get(best) else {
        return Probed {
            servers: report_servers(servers, &[]),
            ..Probed::default()
        };
    };
    let (server, binding) = (best.server, best.binding);
    let other = binding.other_addr_of(server);
    // In this order: what new mappings look like is seen before others are made.
    let (ports, elsewhere, heard) = join!(
        by(deadline, fresh_ports(&dialing, server)),
        by(deadline, ask_places(&dialing, &main, server, other)),
        strangers(&dialing, &mut strict, (server, other), deadline),
    );
    answers.extend(elsewhere.unwrap_or_default());
    let ports = ports.unwrap_or_default();
    let observations: Vec<_> = answers.iter().filter_map(Asked::observation).collect();
    let is_translated = observations.iter().any(|it| it.local != it.observed_addr);
    let path = PathReport {
        is_blocked: Some(false),
        local: Some(local_ip(server)),
        external: super::external(&observations),
        is_translated: Some(is_translated),
        is_one_port: judge::is_one_port(&observations),
        mapping: Mapping::of(&observations).filter(|_| is_translated),
        filtering: heard.and_then(|heard| heard.verdict(&observations, server, other)),
        allocation: judge::allocation(&ports).filter(|_| is_translated),
        lifetime: None,
        hairpin: match is_translated {
            true => Some(hairpin(&dialing, &mut main, binding.observed_addr).await),
            false => None,
        },
    };
    Probed {
        path,
        servers: report_servers(servers, &answers),
    }
}

/// Asks every server, and waits for all but those that take much longer than the first.
async fn ask_all(dialing: &Dialing, main: &Ear, servers: &[SocketAddr]) -> Vec<Asked> {
    let asking = servers
        .iter()
        .map(|server| dialing.ask(Some(&main.addr), *server));
    let mut asking: FuturesUnordered<_> = asking.collect();
    let mut answers: Vec<Asked> = Vec::new();
    loop {
        let next = match answers.first() {
            None => asking.next().await,
            Some(_) => rt::timeout(A_MOMENT, asking.next()).await.ok().flatten(),
        };
        match next {
            Some(asked) => answers.extend(asked),
            None => return answers,
        }
    }
}

/// Internal and external port of new mappings, in the order in which they were made.
async fn fresh_ports(dialing: &Dialing, server: SocketAddr) -> Vec<(u16, u16)> {
    let asked = join_all((0..MAPPINGS).map(|_| dialing.ask(None, server))).await;
    let ports = |asked: Option<Asked>| {
        let asked = asked?;
        Some((asked.local()?.port(), asked.binding.observed_addr.port()))
    };
    asked.into_iter().filter_map(ports).collect()
}

/// Asks the server at its other places.
async fn ask_places(
    dialing: &Dialing,
    main: &Ear,
    server: SocketAddr,
    other: Option<SocketAddr>,
) -> Vec<Asked> {
    let places = other.map(|other| places(server, other)).unwrap_or_default();
    let asking = places
        .iter()
        .map(|place| dialing.ask(Some(&main.addr), *place));
    join_all(asking).await.into_iter().flatten().collect()
}

/// Where else a server is: at its other port, and at its other address with either port.
fn places(server: SocketAddr, other: SocketAddr) -> Vec<SocketAddr> {
    let mut places = vec![
        SocketAddr::new(server.ip(), other.port()),
        SocketAddr::new(other.ip(), server.port()),
        other,
    ];
    places.retain(|place| *place != server);
    places.dedup();
    places
}

/// Which strangers were heard.
#[derive(Debug, Default)]
struct Strangers {
    other_ip: bool,
    other_port: bool,
    /// How often both were asked to come.
    rounds: u32,
}

impl Strangers {
    /// Silence counts where who was asked to come is there, and was asked often enough.
    fn verdict(
        &self,
        observations: &[Observation],
        server: SocketAddr,
        other: Option<SocketAddr>,
    ) -> Option<Filtering> {
        let other = other?;
        let is_there = |place: SocketAddr| observations.iter().any(|it| it.destination == place);
        let is_asked = self.rounds >= LEAST_ROUNDS;
        if other.ip() == server.ip() || other.port() == server.port() {
            return None;
        }
        match (self.other_ip, self.other_port) {
            (true, _) => Some(Filtering::EndpointIndependent),
            _ if !is_asked || !is_there(other) => None,
            (false, true) => Some(Filtering::AddressDependent),
            _ if !is_there(SocketAddr::new(server.ip(), other.port())) => None,
            (false, false) => Some(Filtering::AddressAndPortDependent),
        }
    }
}

/// Has the server open connections from its other port and its other address to a port that knows neither. `None` where it
/// does not do that.
async fn strangers(
    dialing: &Dialing,
    strict: &mut Ear,
    (server, other): (SocketAddr, Option<SocketAddr>),
    deadline: Instant,
) -> Option<Strangers> {
    let other = other?;
    let mut asked = dialing.ask(Some(&strict.addr), server).await?;
    let mut strangers = Strangers::default();
    let mut ids: Vec<TransactionId> = Vec::new();
    let mut next_round = rt::now();
    loop {
        let until = next_round.min(deadline);
        select_biased! {
            heard = strict.hear().fuse() => {
                let is_ours = ids.contains(&heard.id);
                strangers.other_ip |= is_ours && heard.from.ip() == other.ip();
                strangers.other_port |= is_ours && heard.from.ip() == server.ip();
                if strangers.other_ip {
                    return Some(strangers);
                }
            }
            // Whoever answers this way does not come the other way.
            _ = tcp::next_byte(&mut asked.connection).fuse() => return None,
            () = rt::sleep_until(until).fuse() => {
                if rt::now() >= deadline || strangers.rounds >= ROUNDS {
                    return Some(strangers);
                }
                strangers.rounds += 1;
                next_round = rt::now() + ROUND_EVERY;
                for change in [Change::BOTH, Change::PORT] {
                    ids.push(tcp::send_request(&mut asked.connection, change).await.ok()?);
                }
            }
        }
    }
}

/// Whether the port of `main` hears a connection from inside to its external address.
async fn hairpin(dialing: &Dialing, main: &mut Ear, external: SocketAddr) -> bool {
    let heard = rt::timeout(HAIRPIN_WITHIN, is_heard(dialing, main, external));
    heard.await.unwrap_or(false)
}

async fn is_heard(dialing: &Dialing, main: &mut Ear, external: SocketAddr) -> bool {
    let knock = async {
        let mut connection = dialing.connect(None, external).await?;
        let id = tcp::send_request(&mut connection, Change::NONE)
            .await
            .ok()?;
        Some((id, connection))
    };
    let Some((id, _connection)) = knock.await else {
        return false;
    };
    loop {
        if main.hear().await.id == id {
            return true;
        }
    }
}

fn report_servers(servers: &[SocketAddr], answers: &[Asked]) -> Vec<ServerReport> {
    let report = |server: &SocketAddr| {
        let mut of_server = answers.iter().filter(|asked| asked.server == *server);
        ServerReport {
            server: *server,
            protocol: Protocol::Tcp,
            rtt: of_server.find_map(|asked| asked.binding.rtt),
        }
    };
    servers.iter().map(report).collect()
}

pub(super) const SCHEME: &str = "tcp";
/// Servers that are about as far away have answered by then.
const A_MOMENT: Duration = Duration::from_millis(250);
/// Enough to tell a rule from chance.
const MAPPINGS: usize = 6;
/// Two round trips within the house take a few milliseconds.
const HAIRPIN_WITHIN: Duration = Duration::from_millis(300);
/// How often strangers are asked to come. Each time they come at 2 % of loss each way with nine chances in ten.
const ROUNDS: u32 = 6;
/// Less than that tells nothing.
const LEAST_ROUNDS: u32 = 4;
/// Between two rounds: longer than a server waits before it dials once more.
const ROUND_EVERY: Duration = Duration::from_millis(400);
