//! Which questions are asked, and what follows from the answers.

mod tests_of_filtering;

use std::{collections::VecDeque, net::SocketAddr};

use serde::{Deserialize, Serialize};

pub use self::tests_of_filtering::FilterTests;
use super::{filtering::Filtering, mapping::Mapping, observation::Observation};
use crate::stun::{Binding, Change, StunError};

/// How a NAT behaves, as far as it could be measured. `None` is unknown, never a guess.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Behaviour {
    /// Whether others see the port at another address than its own. `Some(false)`: there is no NAT.
    pub is_translated: Option<bool>,
    /// How it maps.
    pub mapping: Option<Mapping>,
    /// How it filters, or a firewall where there is no NAT.
    pub filtering: Option<Filtering>,
    /// Who saw which port where, the fresh port included.
    pub observations: Vec<Observation>,
    /// What the tests of filtering gave.
    pub filter_tests: FilterTests,
}

/// The tests for one server, as a machine: it says what is to be asked, and is told what was answered.
///
/// After each [`Discovery::handle_result`], and at the beginning, drain [`Discovery::poll_output`]. It has no time of its
/// own: each question ends by itself.
#[derive(Debug)]
pub struct Discovery {
    server: SocketAddr,
    outputs: VecDeque<Probe>,
    /// Probes of the port in question that have no result yet.
    pending: usize,
    other: Option<SocketAddr>,
    observations: Vec<(ProbePort, Observation)>,
    tests: tests_of_filtering::Tests,
    is_told: bool,
}

/// The port that a question is asked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbePort {
    /// One that has sent nothing to anybody before.
    Fresh,
    /// The one whose mapping is in question.
    Main,
}

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Probe {
    /// The port that it is asked from.
    pub port: ProbePort,
    /// Whom it goes to.
    pub destination: SocketAddr,
    /// From where the answer is to come.
    pub change: Change,
}

/// What a [`Discovery`] wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryOutput {
    /// All is known that will be; questions without an answer may be given up. Told once.
    Finished(Behaviour),
    /// A question is to be asked, at once and beside the others.
    Probe(Probe),
}

impl Discovery {
    /// Asks `server`.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        let mut discovery = Self {
            server,
            outputs: VecDeque::new(),
            pending: 0,
            other: None,
            observations: Vec::new(),
            tests: tests_of_filtering::Tests::default(),
            is_told: false,
        };
        discovery.ask_main(server);
        for change in discovery.tests.begin() {
            discovery.outputs.push_back(Probe {
                port: ProbePort::Fresh,
                destination: server,
                change,
            });
        }
        discovery
    }

    /// Takes what came of a question, which was asked from `local`; its IP address may be unspecified.
    ///
    /// A port of all addresses has another of them towards each destination, perhaps: so it is told each time.
    pub fn handle_result(
        &mut self,
        probe: Probe,
        local: SocketAddr,
        result: &Result<Binding, StunError>,
    ) {
        if let (Ok(binding), Change::NONE) = (result, probe.change) {
            let observation = Observation {
                local,
                destination: probe.destination,
                observed_addr: binding.observed_addr,
            };
            self.observations.push((probe.port, observation));
        }
        match probe.port {
            ProbePort::Fresh => self.tests.handle_result(probe.change, result),
            ProbePort::Main => {
                self.pending = self.pending.saturating_sub(1);
                if let Ok(binding) = result
                    && probe.destination == self.server
                {
                    self.on_server(binding);
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<DiscoveryOutput> {
        if let Some(probe) = self.outputs.pop_front() {
            return Some(DiscoveryOutput::Probe(probe));
        }
        if self.is_told || !self.is_finished() {
            return None;
        }
        self.is_told = true;
        Some(DiscoveryOutput::Finished(self.behaviour()))
    }

    /// What is known so far.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        let filter_tests = self.filter_tests();
        let observations: Vec<_> = self.observations.iter().map(|(_, it)| *it).collect();
        Behaviour {
            is_translated: self.of_main().next().and_then(is_translated),
            mapping: Mapping::of(&observations),
            filtering: filter_tests.verdict(),
            observations,
            filter_tests,
        }
    }

    /// The server says where else it is.
    fn on_server(&mut self, binding: &Binding) {
        let server = self.server;
        self.other = binding.other_addr_of(server);
        let Some(other) = self.other else { return };
        let mut places = vec![
            other,
            SocketAddr::new(server.ip(), other.port()),
            SocketAddr::new(other.ip(), server.port()),
        ];
        places.retain(|place| *place != server);
        // It may have two addresses or two ports alone: two of them are the same then, side by side.
        places.dedup();
        for place in places {
            self.ask_main(place);
        }
    }

    fn ask_main(&mut self, destination: SocketAddr) {
        self.pending += 1;
        self.outputs.push_back(Probe {
            port: ProbePort::Main,
            destination,
            change: Change::NONE,
        });
    }

    fn is_finished(&self) -> bool {
        // Without another place of the server, nothing follows from its silence.
        self.pending == 0 && (self.other.is_none() || self.tests.is_decided())
    }

    /// Silence counts where the place that should have answered is there.
    fn filter_tests(&self) -> FilterTests {
        let Some(other) = self.other else {
            return FilterTests::default();
        };
        let other_port = SocketAddr::new(self.server.ip(), other.port());
        let answers = |place: SocketAddr| self.of_main().any(|it| it.destination == place);
        FilterTests {
            is_heard_from_other_ip: (other.ip() != self.server.ip())
                .then(|| self.tests.heard_from(Change::BOTH, other, answers(other)))
                .flatten(),
            is_heard_from_other_port: (other_port != self.server)
                .then(|| {
                    let answers = answers(other_port);
                    self.tests.heard_from(Change::PORT, other_port, answers)
                })
                .flatten(),
        }
    }

    /// What others saw of the port in question, the server first.
    fn of_main(&self) -> impl Iterator<Item = &Observation> {
        let of_main = |(port, _): &&(ProbePort, Observation)| *port == ProbePort::Main;
        self.observations.iter().filter(of_main).map(|(_, it)| it)
    }
}

fn is_translated(observation: &Observation) -> Option<bool> {
    let Observation {
        local,
        observed_addr,
        ..
    } = observation;
    if local.port() != observed_addr.port() {
        return Some(true);
    }
    let is_known = !local.ip().is_unspecified();
    is_known.then(|| local.ip() != observed_addr.ip())
}

#[cfg(test)]
mod tests;
