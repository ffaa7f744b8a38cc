//! What all ports of a server share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crust_core::udp::UdpPort;

use crate::stun::server::{Place, Server};

/// The server, and from where it sends.
#[derive(Debug)]
pub(super) struct Shared {
    server: Mutex<Server>,
    pub(super) ports: Vec<(Place, UdpPort)>,
}

impl Shared {
    pub(super) const fn new(server: Server, ports: Vec<(Place, UdpPort)>) -> Self {
        Self {
            server: Mutex::new(server),
            ports,
        }
    }

    pub(super) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn port(&self, place: Place) -> Option<&UdpPort> {
        let mut ports = self.ports.iter();
        ports.find_map(|(at, port)| (*at == place).then_some(port))
    }
}
