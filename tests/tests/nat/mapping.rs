//! Ports mapped on real gateways, and reached from outside.

mod faults;
mod many;
mod program;
mod protocols;
mod refusals;
mod stranger;
mod tools;

use crust_tests::netlab::{Host, IgdConfig, Lab, MINIUPNPD, Router};

use self::{program::Program, stranger::Stranger};

/// A home: its router has a port mapping server.
#[derive(Debug)]
struct Home {
    host: Host,
    router: Router,
    stranger: Stranger,
    _lab: Lab,
}

impl Home {
    /// `None` where the test is skipped.
    fn open(config: IgdConfig) -> Option<Self> {
        Some(Self::new(Lab::open_with(&[MINIUPNPD])?, config))
    }

    fn new(lab: Lab, config: IgdConfig) -> Self {
        let router = lab.router("22.0.0.1").with_igd(config).build();
        Self {
            host: router.host(),
            stranger: Stranger::new(&lab),
            router,
            _lab: lab,
        }
    }

    /// Maps [`PORTS`] on its host, by one protocol alone or by all.
    fn program(&self, only: Option<&str>) -> Program {
        let only = only.map(|only| format!("only={only}"));
        let args: Vec<&str> = only.iter().map(String::as_str).chain(PORTS).collect();
        Program::start(&self.host, &args)
    }

    /// Who is at each of its ports.
    fn names(&self) -> Vec<String> {
        vec![self.host.ip().to_string(); PORTS.len()]
    }
}

const PORTS: [&str; 2] = ["tcp:7000", "udp:7000"];
