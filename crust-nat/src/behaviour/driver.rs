//! The tests over real ports.

use std::net::SocketAddr;

use crust_core::{
    rt, source_towards,
    udp::{BindError, RegisterError, UdpPort},
};
use futures::{StreamExt, stream::FuturesUnordered};
use thiserror::Error;

use super::discovery::{Behaviour, Discovery, DiscoveryOutput, Probe, ProbePort};
use crate::stun::{Request, Retransmission, Stun, StunConfig};

/// Finds out how the NAT between the port of `stun` and `server` behaves.
///
/// It takes two round trips where everybody is let in, and 2.1 s where somebody is not: that is when silence is taken for
/// an answer. Lost packets add some tenths of a second, and 2.1 s at worst. What could not be measured is `None` in what it
/// gives: all of it where `server` does not answer.
///
/// # Errors
///
/// [`DiscoverError`] where there is no fresh port for the tests of filtering.
///
/// # Cancel safety
///
/// Dropping the future gives all tests up, and frees the fresh port.
pub async fn discover(stun: &Stun, server: SocketAddr) -> Result<Behaviour, DiscoverError> {
    let (port, driver) = UdpPort::bind(SocketAddr::new(stun.local_addr().ip(), 0))?;
    let fresh = Stun::new(&port, StunConfig::default().with_server(None))?;
    let _driver = rt::spawn(driver.run());
    let mut discovery = Discovery::new(server);
    let mut asked = FuturesUnordered::new();
    loop {
        match discovery.poll_output() {
            Some(DiscoveryOutput::Finished(behaviour)) => return Ok(behaviour),
            Some(DiscoveryOutput::Probe(probe)) => {
                let port = match probe.port {
                    ProbePort::Fresh => &fresh,
                    ProbePort::Main => stun,
                };
                let local = local_addr(port.local_addr(), probe.destination);
                asked.push(async move { (probe, local, port.request(request(probe)).await) });
            }
            None => match asked.next().await {
                Some((probe, local, result)) => discovery.handle_result(probe, local, &result),
                None => return Ok(discovery.behaviour()),
            },
        }
    }
}

/// Why nothing could be found out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// A fresh port could not be bound.
    #[error("no port for the tests of filtering")]
    Bind(#[from] BindError),
    /// The fresh port does not take STUN.
    #[error("the port for the tests of filtering takes no protocol")]
    Register(#[from] RegisterError),
}

const fn request(probe: Probe) -> Request {
    Request::new(probe.destination)
        .with_change(probe.change)
        .with_retransmission(Retransmission::QUICK)
}

/// `bound`, with the address that this host has on its way to `remote` where it is bound to all.
fn local_addr(bound: SocketAddr, remote: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    let source = source_towards(remote);
    source.map_or(bound, |ip| SocketAddr::new(ip, bound.port()))
}
