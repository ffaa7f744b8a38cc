//! How this gateway is told what to map, as far as it has taught that.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    attempt::{Attempt, Next},
    state::Step,
};
use crate::gateway::{
    leases::Job,
    port::InternalPort,
    upnp::{
        action::Action,
        service::{Service, ServiceKind},
    },
};

/// What the actions of a client depend on.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) local: IpAddr,
    description: String,
    /// How pinholes are known to the gateway.
    pinholes: BTreeMap<InternalPort, u16>,
    only_permanent: bool,
}

impl Ways {
    pub(crate) const fn new(local: IpAddr, description: String) -> Self {
        Self {
            local,
            description,
            pinholes: BTreeMap::new(),
            only_permanent: false,
        }
    }

    /// The action that does `job`; `None` where there is nothing to delete.
    pub(crate) fn plan(&self, service: &Service, job: &Job) -> Option<(Step, Action)> {
        let port = job.port();
        let pinhole = self.pinholes.get(&port).copied();
        let is_firewall = service.kind == ServiceKind::WanIpv6FirewallControl;
        match *job {
            Job::Delete { .. } if is_firewall => {
                pinhole.map(|id| (Step::Delete(port), Action::DeletePinhole { id }))
            }
            Job::Delete { external_port, .. } => {
                let action = Action::DeleteMapping {
                    port,
                    external_port,
                };
                Some((Step::Delete(port), action))
            }
            Job::Make {
                external_port,
                lifetime,
                ..
            } => {
                let lifetime = (!self.only_permanent || is_firewall).then_some(lifetime);
                Some(self.make(match self.local {
                    IpAddr::V6(ip) if is_firewall => Attempt::pinhole(port, ip, pinhole, lifetime),
                    ip => Attempt::mapping(port, ip, external_port, lifetime),
                }))
            }
        }
    }

    pub(crate) fn make(&self, attempt: Attempt) -> (Step, Action) {
        let action = attempt.action(&self.description);
        (Step::Make(attempt), action)
    }

    /// Learns from what came of an attempt to map `port`.
    pub(crate) fn learn(&mut self, port: InternalPort, next: &Next) {
        match next {
            Next::Again(again) => {
                self.only_permanent |= again.is_permanent();
                if again.is_new_pinhole() {
                    self.pinholes.remove(&port);
                }
            }
            Next::Made { pinhole, .. } => {
                let pinhole = pinhole.map(|id| (port, id));
                self.pinholes.extend(pinhole);
            }
            Next::Refused(_) => {}
        }
    }

    pub(crate) fn on_deleted(&mut self, port: InternalPort) {
        self.pinholes.remove(&port);
    }
}
