//! A NAT of any kind that RFC 4787 has.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use crust_nat::behaviour::{Filtering, Mapping};

/// One without time-outs, whose external ports are spread over the numbers.
#[derive(Debug)]
pub(crate) struct Nat {
    mapping: Mapping,
    filtering: Filtering,
    next_port: u16,
    /// External ports by local address and what of the destination they depend on.
    mapped: BTreeMap<(SocketAddr, Option<IpAddr>, Option<u16>), u16>,
    /// Who was sent to from an external port.
    contacted: BTreeSet<(u16, SocketAddr)>,
}

impl Nat {
    pub(crate) fn new(mapping: Mapping, filtering: Filtering, seed: u64) -> Self {
        Self {
            mapping,
            filtering,
            next_port: 20_000 + u16::try_from(seed % 10_000).unwrap(),
            mapped: BTreeMap::new(),
            contacted: BTreeSet::new(),
        }
    }

    /// Where a datagram comes from, for the world.
    pub(crate) fn outward(&mut self, local: SocketAddr, to: SocketAddr) -> SocketAddr {
        let (ip, port) = match self.mapping {
            Mapping::EndpointIndependent => (None, None),
            Mapping::AddressDependent => (Some(to.ip()), None),
            Mapping::AddressAndPortDependent => (Some(to.ip()), Some(to.port())),
        };
        let next = &mut self.next_port;
        let external = *self.mapped.entry((local, ip, port)).or_insert_with(|| {
            *next += 7;
            *next
        });
        self.contacted.insert((external, to));
        SocketAddr::new(EXTERNAL, external)
    }

    /// Whom a datagram from the world is for, if it is let in.
    pub(crate) fn inward(&self, from: SocketAddr, external: SocketAddr) -> Option<SocketAddr> {
        let is_let_in = |to: &SocketAddr| match self.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => to.ip() == from.ip(),
            Filtering::AddressAndPortDependent => *to == from,
        };
        let mut contacted = self.contacted.iter();
        contacted.find(|(port, to)| *port == external.port() && is_let_in(to))?;
        let mut mapped = self.mapped.iter();
        let ((local, ..), _) = mapped.find(|(_, port)| **port == external.port())?;
        Some(*local)
    }
}

/// The NAT's own address.
const EXTERNAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));
