//! Where a node is, as far as it knows itself, and what it tells of that.

use crust_core::Addr;

#[cfg(feature = "nat")]
use crate::node::reach::{Reachability, asker::CandidateKind};
use crate::node::{
    endpoints::{self, Endpoint},
    inner::Inner,
};

impl Inner {
    /// The ways to reach this node from elsewhere.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let endpoints = endpoints::endpoints(&self.listening);
        #[cfg(feature = "nat")]
        let endpoints = endpoints.into_iter().map(|mut endpoint| {
            // The one by which it is reached best; among equals the first.
            let mut externals: Vec<_> = self.externals(&endpoint).into_iter().collect();
            let reachability =
                |(addr, _): &(Addr, CandidateKind)| self.reaching.reachability_at(addr);
            externals.sort_by_key(|external| std::cmp::Reverse(reachability(external)));
            if let Some(best) = externals.into_iter().next() {
                endpoint.reachability = reachability(&best);
                endpoint.external = Some(best.0);
            }
            endpoint
        });
        endpoints.into_iter().collect()
    }

    /// The addresses at which the world may find an endpoint, and whence they are known.
    #[cfg(feature = "nat")]
    pub(crate) fn externals(
        &self,
        endpoint: &Endpoint,
    ) -> impl IntoIterator<Item = (Addr, CandidateKind)> {
        let own = endpoint
            .external
            .clone()
            .map(|addr| (addr, CandidateKind::Host));
        let elsewhere = own.is_none();
        let local = || Some(&endpoint.local).filter(|_| elsewhere);
        let mapped = local().and_then(|local| self.outside.mapped(local));
        let seen = local().and_then(|local| self.outside.seen(local));
        let seen = seen.filter(|seen| mapped.as_ref() != Some(seen));
        let mapped = mapped.map(|addr| (addr, CandidateKind::Mapped));
        let seen = seen.map(|addr| (addr, CandidateKind::ServerReflexive));
        own.into_iter().chain(mapped).chain(seen)
    }

    /// Where others may dial this node, those addresses first that the whole world can. An external address that is not an
    /// interface's own is told once a peer has come through there.
    pub(crate) fn addrs_to_tell(&self) -> Vec<Addr> {
        let mut endpoints = self.endpoints();
        endpoints.sort_by_key(|endpoint| endpoint.external.is_none());
        #[cfg(feature = "nat")]
        let verified = {
            let is_verified = |endpoint: &&Endpoint| {
                endpoint.external.as_ref() != Some(&endpoint.local)
                    && endpoint.reachability >= Reachability::Mapped
            };
            let verified = endpoints.iter().filter(is_verified);
            verified
                .filter_map(|endpoint| endpoint.external.clone())
                .collect::<Vec<_>>()
        };
        #[cfg(not(feature = "nat"))]
        let verified = Vec::new();
        let locals = endpoints.into_iter().map(|endpoint| endpoint.local);
        verified.into_iter().chain(locals).collect()
    }

    /// Hears where a peer sees this end of a connection.
    #[cfg_attr(
        not(feature = "nat"),
        expect(unused_variables, reason = "nobody wants to know")
    )]
    pub(crate) fn on_seen(&self, local: &Addr, remote: &Addr, seen: &Addr) {
        #[cfg(feature = "nat")]
        {
            let port = |addr: &Addr| addr.socket_addr().map(|addr| addr.port());
            let is_bound = self
                .listening
                .iter()
                .any(|bound| bound.scheme() == local.scheme() && port(bound) == port(local));
            self.outside.on_seen(local, remote, seen, is_bound);
        }
    }
}
