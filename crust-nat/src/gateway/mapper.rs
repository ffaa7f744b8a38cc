//! Which port is to be mapped by which protocol, without I/O.

use std::{collections::BTreeMap, net::IpAddr, net::SocketAddr};

use super::{
    address::Gateway,
    event::Event,
    external_scope::ExternalScope,
    failure::MappingFailure,
    leases::Grant,
    port::{InternalPort, PortRequest},
    report::{
        Agreement, MappingProtocol, MappingReport, PortMapping, ProtocolReport, ProtocolStatus,
    },
};

/// What the clients of all gateways are to map, and what they have told.
///
/// At each gateway a port is asked for by the best protocol that is spoken, so that one is not mapped three times: whichever
/// answers first has it. When a better one is heard of later it is asked too, and once it has mapped the port the other is told
/// to delete its own. One that refuses is passed over, and asked on.
#[derive(Debug, Default)]
pub(crate) struct Mapper {
    requests: BTreeMap<InternalPort, PortRequest>,
    clients: BTreeMap<ClientId, View>,
    /// Where peers see this host, the latest first.
    observed: Vec<IpAddr>,
    is_listed: bool,
}

/// A client: one protocol at one gateway. Of a gateway's, the better ones are less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId {
    pub(crate) gateway: Gateway,
    pub(crate) protocol: MappingProtocol,
}

/// What is known of a client.
#[derive(Debug)]
struct View {
    status: ProtocolStatus,
    /// What it is to map, and how that goes.
    ports: BTreeMap<InternalPort, PortView>,
}

/// Asked for, unless one of them is there.
#[derive(Debug, Default)]
struct PortView {
    grant: Option<Grant>,
    failure: Option<MappingFailure>,
}

impl Mapper {
    /// Maps a port from now on; `false` where there are too many.
    pub(crate) fn add(&mut self, request: PortRequest) -> bool {
        if self.requests.len() >= MAX_PORTS && !self.requests.contains_key(&request.port) {
            return false;
        }
        self.requests.insert(request.port, request);
        self.settle();
        true
    }

    /// Maps a port no more.
    pub(crate) fn remove(&mut self, port: InternalPort) {
        self.requests.remove(&port);
        self.settle();
    }

    /// Replaces the clients there are. Those that stay keep what they have told.
    pub(crate) fn set_clients(&mut self, ids: impl IntoIterator<Item = ClientId>) {
        let mut old = std::mem::take(&mut self.clients);
        let clients = ids.into_iter().map(|id| {
            let new = || View {
                status: ProtocolStatus::Asking,
                ports: BTreeMap::new(),
            };
            (id, old.remove(&id).unwrap_or_else(new))
        });
        self.clients = clients.collect();
        self.is_listed = true;
        self.settle();
    }

    /// Peers see this host at `ip`.
    pub(crate) fn observe(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.observed.retain(|known| *known != ip);
        self.observed.insert(0, ip);
        self.observed.truncate(MAX_OBSERVED);
    }

    /// Forgets where peers see this host: the network has changed.
    pub(crate) fn forget_observed(&mut self) {
        self.observed.clear();
    }

    /// Takes what a client tells.
    pub(crate) fn handle_event(&mut self, id: ClientId, event: Event) {
        let Some(view) = self.clients.get_mut(&id) else {
            return;
        };
        match event {
            Event::Failed(failure) => view.status = ProtocolStatus::Failed(failure),
            Event::Found(found) => {
                view.status = ProtocolStatus::Speaks {
                    version: found.version.unwrap_or(match id.protocol {
                        MappingProtocol::Pcp => 2,
                        MappingProtocol::NatPmp | MappingProtocol::Upnp => 0,
                    }),
                    external_ip: found.external_ip,
                    epoch_s: found.epoch_s,
                };
            }
            Event::Lost { port } => {
                view.ports.entry(port).and_modify(|port| port.grant = None);
            }
            Event::Mapped { port, grant } => {
                view.ports.entry(port).and_modify(|port| {
                    *port = PortView {
                        grant: Some(grant),
                        failure: None,
                    };
                });
            }
            Event::Refused { port, failure } => {
                view.ports
                    .entry(port)
                    .and_modify(|port| port.failure = Some(failure));
            }
        }
        self.settle();
    }

    /// What a client is to map.
    pub(crate) fn wishes(&self, id: ClientId) -> Vec<PortRequest> {
        let Some(view) = self.clients.get(&id) else {
            return Vec::new();
        };
        let ports = view.ports.keys();
        ports
            .filter_map(|port| self.requests.get(port).copied())
            .collect()
    }

    pub(crate) fn report(&self) -> MappingReport {
        let protocols = self.clients.iter().map(|(id, view)| ProtocolReport {
            gateway: id.gateway,
            protocol: id.protocol,
            status: view.status.clone(),
            refusals: view.refusals(),
        });
        let is_asking = |view: &View| view.status == ProtocolStatus::Asking;
        MappingReport {
            mappings: self.mappings(),
            protocols: protocols.collect(),
            is_complete: self.is_listed && !self.clients.values().any(is_asking),
        }
    }

    /// Decides anew what each client is to map.
    fn settle(&mut self) {
        let Self {
            requests, clients, ..
        } = self;
        for view in clients.values_mut() {
            view.ports.retain(|port, _| requests.contains_key(port));
        }
        for port in requests.keys() {
            let mut gateway = None;
            let mut better = Better::default();
            for (id, view) in &mut *clients {
                if gateway.replace(id.gateway) != Some(id.gateway) {
                    better = Better::default();
                }
                better = view.settle(*port, better);
            }
        }
    }

    fn mappings(&self) -> Vec<PortMapping> {
        let mut mappings: Vec<PortMapping> = Vec::new();
        for (id, view) in &self.clients {
            for (port, grant) in view.grants() {
                let is_there = |m: &PortMapping| m.port == port && m.gateway == id.gateway;
                if !mappings.iter().any(is_there) {
                    mappings.push(self.mapping(id, port, grant));
                }
            }
        }
        mappings
    }

    fn mapping(&self, id: &ClientId, port: InternalPort, grant: Grant) -> PortMapping {
        PortMapping {
            port,
            internal: SocketAddr::new(id.gateway.local, port.number.get()),
            external: grant.external,
            gateway: id.gateway,
            protocol: id.protocol,
            expires_at: grant.expires_at,
            external_scope: ExternalScope::of(grant.external.ip()),
            agreement: self.agreement(grant.external.ip()),
        }
    }

    fn agreement(&self, ip: IpAddr) -> Agreement {
        let is_v4 = ip.is_ipv4();
        let mut family = self.observed.iter().filter(|seen| seen.is_ipv4() == is_v4);
        match (self.observed.contains(&ip), family.next()) {
            (true, _) => Agreement::Confirmed,
            (false, Some(_)) => Agreement::Contradicted,
            (false, None) => Agreement::Unknown,
        }
    }
}

/// What the better protocols of a gateway do about a port.
#[derive(Debug, Clone, Copy, Default)]
struct Better {
    is_asking: bool,
    has_mapped: bool,
}

impl View {
    /// Decides whether this client is to map `port`.
    fn settle(&mut self, port: InternalPort, better: Better) -> Better {
        if better.has_mapped {
            self.ports.remove(&port);
            return better;
        }
        if !matches!(self.status, ProtocolStatus::Speaks { .. }) {
            // What it has mapped may last; yet the next one is asked.
            return better;
        }
        if !better.is_asking {
            self.ports.entry(port).or_default();
        }
        match self.ports.get(&port) {
            None => better,
            Some(view) => Better {
                has_mapped: view.grant.is_some(),
                is_asking: better.is_asking || view.failure.is_none(),
            },
        }
    }

    fn grants(&self) -> impl Iterator<Item = (InternalPort, Grant)> {
        let ports = self.ports.iter();
        ports.filter_map(|(port, view)| Some((*port, view.grant?)))
    }

    fn refusals(&self) -> Vec<(InternalPort, MappingFailure)> {
        let ports = self.ports.iter();
        let refused = ports.filter_map(|(port, view)| Some((*port, view.failure.clone()?)));
        refused.collect()
    }
}

/// Ports of one node; each is renewed at each gateway.
pub(crate) const MAX_PORTS: usize = 32;
/// A host with several lines and two families.
const MAX_OBSERVED: usize = 8;

#[cfg(test)]
mod tests;
