//! What this node is from outside: the external addresses of its ports, as peers see them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use crust_core::Addr;
use crust_nat::{ExternalAddrs, LocalPort, NetworkChange, Observation, Protocol, network_changes};
use futures::StreamExt;

use crate::{
    node::{inner::Inner, tasks::Running},
    sync::lock,
};

/// What peers say of this node's addresses, and what of it is believed.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    external: Mutex<ExternalAddrs>,
}

impl Outside {
    /// A peer at `remote` says that it sees `local` as `seen`. `is_bound`: `local` has a port that the node listens on,
    /// not one that the connection was given by chance.
    pub(crate) fn on_seen(&self, local: &Addr, remote: &Addr, seen: &Addr, is_bound: bool) {
        let observation = observation(local, remote, seen, is_bound);
        let change = observation.and_then(|observation| lock(&self.external).observe(&observation));
        if let Some(change) = change {
            let (protocol, local) = (change.port.protocol, change.port.addr);
            match change.external {
                Some(external) => {
                    tracing::info!(%protocol, %local, %external, "external address");
                }
                None => tracing::info!(%protocol, %local, "external address no longer holds"),
            }
        }
    }

    /// Where the world sees a port that is bound to `local`, as far as peers agree.
    pub(crate) fn external(&self, local: &Addr) -> Option<Addr> {
        let port = LocalPort {
            protocol: protocol(local)?,
            addr: local.socket_addr()?,
        };
        let external = lock(&self.external).external(&port)?;
        Some(Addr::from_socket_addr(local.scheme(), external))
    }

    /// What was seen before no longer holds.
    fn on_network_change(&self, _: NetworkChange) {
        lock(&self.external).clear();
    }
}

/// Notices changes of the network until it is dropped.
pub(crate) async fn watch_network(inner: Arc<Inner>, _running: Running) {
    let mut changes = network_changes();
    while let Some(change) = changes.next().await {
        inner.outside.on_network_change(change);
        inner.reaching.forget();
    }
}

fn observation(local: &Addr, remote: &Addr, seen: &Addr, is_bound: bool) -> Option<Observation> {
    let addr = local.socket_addr()?;
    let port = if is_bound { addr.port() } else { 0 };
    Some(Observation {
        port: LocalPort {
            protocol: protocol(local)?,
            addr: SocketAddr::new(addr.ip().to_canonical(), port),
        },
        observer: remote.socket_addr()?.ip(),
        seen: seen.socket_addr()?,
    })
}

/// The protocol that a NAT sees; none for transports that have no ports of their own.
fn protocol(addr: &Addr) -> Option<Protocol> {
    match addr.scheme() {
        "tcp" => Some(Protocol::Tcp),
        "utp" => Some(Protocol::Udp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    fn external(outside: &Outside, local: &str) -> Option<String> {
        let external = outside.external(&addr(local));
        external.map(|external| external.to_string())
    }

    fn seen_by_two(outside: &Outside, is_bound: bool) {
        for remote in ["utp://11.0.0.1:5483", "utp://21.0.0.1:5483"] {
            let (local, seen) = (addr("utp://192.168.1.2:5483"), addr("utp://22.0.0.1:7"));
            outside.on_seen(&local, &addr(remote), &seen, is_bound);
        }
    }

    #[test]
    fn port_that_two_networks_see_alike_has_an_external_address_until_the_network_changes() {
        let outside = Outside::default();
        seen_by_two(&outside, true);
        let believed = || external(&outside, "utp://192.168.1.2:5483");
        assert_eq!(believed().as_deref(), Some("utp://22.0.0.1:7"));
        assert_eq!(external(&outside, "tcp://192.168.1.2:5483"), None);
        outside.on_network_change(NetworkChange::Woke);
        assert_eq!(believed(), None);
    }

    #[test]
    fn port_given_by_chance_tells_nothing_of_the_one_that_listens() {
        let outside = Outside::default();
        seen_by_two(&outside, false);
        assert_eq!(external(&outside, "utp://192.168.1.2:5483"), None);
    }
}
