//! A host, perhaps behind a NAT, and a server of four places, 50 ms away.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crust_core::simnet::{Link, Loss, SimNet};
use crust_nat::{
    behaviour::{Behaviour, Discovery, DiscoveryOutput, Probe, ProbePort},
    stun::{
        Arrival, Carrier, Client, ClientOutput, Place, Places, Request, Retransmission, Server,
        ServerConfig, TransactionId, wire::Message,
    },
};

use crate::nat::Nat;

pub(crate) struct World {
    net: SimNet,
    now: Instant,
    nat: Option<Nat>,
    server: Server,
    is_second_address_dead: bool,
    discovery: Discovery,
    /// By local port, main and fresh, and what each of their transactions is for.
    clients: [(SocketAddr, Client); 2],
    probes: BTreeMap<TransactionId, Probe>,
}

impl World {
    pub(crate) fn new(seed: u64, loss: f64, nat: Option<Nat>) -> Self {
        let now = crust_core::rt::now();
        let mut net = SimNet::new(seed, now);
        let link = Link::default()
            .with_delay(Duration::from_millis(25))
            .with_loss(Loss::Random(loss));
        net.set_default_link(link);
        let [main, fresh] = [addr("10.0.0.2:4000"), addr("10.0.0.2:5000")];
        Self {
            net,
            now,
            nat,
            server: Server::new(ServerConfig::default(), now).with_places(places()),
            is_second_address_dead: false,
            discovery: Discovery::new(places().addr(Place::PRIMARY)),
            clients: [(main, Client::new()), (fresh, Client::new())],
            probes: BTreeMap::new(),
        }
    }

    pub(crate) fn kill_second_address(&mut self) {
        self.is_second_address_dead = true;
    }

    /// Gives what was found out, and how long it took.
    pub(crate) fn discover(&mut self) -> (Behaviour, Duration) {
        let start = self.now;
        loop {
            if let Some(behaviour) = self.act() {
                return (behaviour, self.now - start);
            }
            let timers = self.clients.iter().map(|(_, client)| client.poll_timeout());
            let next = timers.chain([self.net.poll_timeout()]).flatten().min();
            self.now = self.now.max(next.expect("something is to come"));
            for (_, client) in &mut self.clients {
                client.handle_timeout(self.now);
            }
            self.net.handle_timeout(self.now);
            while let Some(delivery) = self.net.poll_output() {
                self.deliver(delivery.from, delivery.to, &delivery.payload);
            }
        }
    }

    /// Does what the machines want until they want nothing more.
    fn act(&mut self) -> Option<Behaviour> {
        loop {
            while let Some(output) = self.discovery.poll_output() {
                match output {
                    DiscoveryOutput::Finished(behaviour) => return Some(behaviour),
                    DiscoveryOutput::Probe(probe) => self.ask(probe),
                    other => panic!("{other:?}"),
                }
            }
            let mut outputs = Vec::new();
            for (local, client) in &mut self.clients {
                while let Some(output) = client.poll_output() {
                    outputs.push((*local, output));
                }
            }
            if outputs.is_empty() {
                return None;
            }
            for (local, output) in outputs {
                self.on_output(local, output);
            }
        }
    }

    fn ask(&mut self, probe: Probe) {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.probes.len().to_be_bytes());
        let id = TransactionId::new(id);
        self.probes.insert(id, probe);
        let request = Request::new(probe.destination)
            .with_change(probe.change)
            .with_retransmission(Retransmission::QUICK);
        let (_, client) = match probe.port {
            ProbePort::Main => &mut self.clients[0],
            ProbePort::Fresh => &mut self.clients[1],
        };
        client.request(self.now, id, request).unwrap();
    }

    fn on_output(&mut self, local: SocketAddr, output: ClientOutput) {
        match output {
            ClientOutput::Transmit { to, data, .. } => {
                let from = match &mut self.nat {
                    Some(nat) => nat.outward(local, to),
                    None => local,
                };
                self.net.send(self.now, from, to, data);
            }
            ClientOutput::Finished { id, result } => {
                let probe = self.probes[&id];
                self.discovery.handle_result(probe, local, &result);
            }
            other => panic!("{other:?}"),
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let message = Message::decode(payload).unwrap();
        let is_place = |place: &Place| places().addr(*place) == to;
        if let Some(at) = Place::ALL.into_iter().find(is_place) {
            return self.serve(from, at, &message);
        }
        let local = match &self.nat {
            Some(nat) => nat.inward(from, to),
            None => Some(to),
        };
        let client = self.clients.iter_mut().find(|(at, _)| Some(*at) == local);
        if let Some((_, client)) = client {
            client.handle_message(self.now, from, &message);
        }
    }

    fn serve(&mut self, from: SocketAddr, at: Place, message: &Message<'_>) {
        let arrival = Arrival {
            from,
            at,
            carrier: Carrier::Datagram,
        };
        let is_dead = |place: Place| place.has_second_ip && self.is_second_address_dead;
        if is_dead(at) {
            return;
        }
        let answer = self.server.handle_message(self.now, arrival, message);
        if let Some(answer) = answer.filter(|it| !is_dead(it.from)) {
            let origin = places().addr(answer.from);
            self.net.send(self.now, origin, answer.to, answer.data);
        }
    }
}

fn places() -> Places {
    Places::new(
        [addr("192.0.2.1:0").ip(), addr("192.0.2.2:0").ip()],
        [3478, 3479],
    )
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
