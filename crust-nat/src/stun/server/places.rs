//! The two addresses and two ports of a server (RFC 5780 §6).

use std::net::{IpAddr, SocketAddr};

use crate::stun::wire::Change;

/// One of the four: which address, and which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whether it has the second address.
    pub has_second_ip: bool,
    /// Whether it has the second port.
    pub has_second_port: bool,
}

impl Place {
    /// All four, the primary one first.
    pub const ALL: [Self; 4] = [
        Self::PRIMARY,
        Self::new(false, true),
        Self::new(true, false),
        Self::new(true, true),
    ];
    /// The first address with the first port.
    pub const PRIMARY: Self = Self::new(false, false);

    const fn new(has_second_ip: bool, has_second_port: bool) -> Self {
        Self {
            has_second_ip,
            has_second_port,
        }
    }

    /// The place that is another in what `change` says.
    #[must_use]
    pub const fn changed(self, change: Change) -> Self {
        Self::new(
            self.has_second_ip ^ change.ip,
            self.has_second_port ^ change.port,
        )
    }
}

/// The addresses of a server that has two with two ports each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    ips: [IpAddr; 2],
    ports: [u16; 2],
}

impl Places {
    /// Each of `ips` with each of `ports`; they are those that clients see.
    #[must_use]
    pub const fn new(ips: [IpAddr; 2], ports: [u16; 2]) -> Self {
        Self { ips, ports }
    }

    /// The address of a place.
    #[must_use]
    pub const fn addr(&self, place: Place) -> SocketAddr {
        SocketAddr::new(
            self.ips[place.has_second_ip as usize],
            self.ports[place.has_second_port as usize],
        )
    }
}
