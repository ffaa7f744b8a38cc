//! Where a gateway is.

use std::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV6},
};

/// A gateway as one of this host's interfaces sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Gateway {
    /// The address of this host towards it: what ports are mapped to.
    pub local: IpAddr,
    /// Its own address on that link, of the same family.
    pub addr: IpAddr,
    /// The interface's index, for a link-local IPv6 address; else 0.
    pub scope_id: u32,
    /// Its port of NAT-PMP and PCP: 5351 (RFC 6886 §3.1, RFC 6887 §19.1).
    pub mapping_port: u16,
    /// Its port of SSDP: 1900 (UDA 1.1 §1.3.2).
    pub ssdp_port: u16,
}

impl Gateway {
    /// The gateway `addr`, towards which this host is `local`.
    pub const fn new(local: IpAddr, addr: IpAddr) -> Self {
        Self {
            local,
            addr,
            scope_id: 0,
            mapping_port: 5351,
            ssdp_port: 1900,
        }
    }

    /// The same on the interface of this index.
    #[must_use]
    pub const fn with_scope_id(mut self, scope_id: u32) -> Self {
        self.scope_id = scope_id;
        self
    }

    /// The same with other ports: for a gateway in a test, on a port of its own.
    #[must_use]
    pub const fn with_ports(mut self, mapping_port: u16, ssdp_port: u16) -> Self {
        self.mapping_port = mapping_port;
        self.ssdp_port = ssdp_port;
        self
    }

    /// Whether what is at `ip` may be taken for the gateway: over IPv6 it has several addresses on the link.
    pub(crate) fn is_itself(&self, ip: IpAddr) -> bool {
        match (ip, self.local) {
            (IpAddr::V6(ip), IpAddr::V6(local)) => {
                let is_on_link = ip.octets()[..8] == local.octets()[..8];
                IpAddr::V6(ip) == self.addr || is_on_link
            }
            _ => ip == self.addr,
        }
    }

    /// Where its port `port` is.
    pub(crate) fn socket_addr(&self, port: u16) -> SocketAddr {
        match self.addr {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, self.scope_id).into(),
        }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}
