//! Which leaf a packet goes to: the longest prefix wins.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

/// A leaf of the lab's internet: a public host, or a router that is not behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LeafId(pub(super) u16);

/// The routing table of the core.
#[derive(Debug, Default)]
pub(super) struct Routes(BTreeMap<IpNet, LeafId>);

impl Routes {
    /// Sends what is for `net` to `leaf`.
    ///
    /// # Panics
    ///
    /// Where another leaf has the same.
    pub(super) fn add(&mut self, net: IpNet, leaf: LeafId) {
        let old = self.0.insert(net.trunc(), leaf);
        assert!(old.is_none_or(|old| old == leaf), "{net} is taken");
    }

    pub(super) fn remove(&mut self, net: IpNet) {
        self.0.remove(&net.trunc());
    }

    pub(super) fn remove_leaf(&mut self, leaf: LeafId) {
        self.0.retain(|_, other| *other != leaf);
    }

    pub(super) fn find(&self, ip: IpAddr) -> Option<LeafId> {
        let mut net = IpNet::from(ip);
        loop {
            if let Some(leaf) = self.0.get(&net) {
                return Some(*leaf);
            }
            net = net.supernet()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins() {
        let mut routes = Routes::default();
        for (net, leaf) in [("2d00:a::/32", 1), ("2d00:a:1::/48", 2), ("22.0.0.1/32", 3)] {
            routes.add(net.parse().unwrap(), LeafId(leaf));
        }
        let find = |ip: &str| routes.find(ip.parse().unwrap()).map(|leaf| leaf.0);
        assert_eq!(find("2d00:a:2::1"), Some(1));
        assert_eq!(find("2d00:a:1::1"), Some(2));
        assert_eq!(find("22.0.0.1"), Some(3));
        assert_eq!(find("22.0.0.2"), None);
    }

    #[test]
    #[should_panic(expected = "is taken")]
    fn address_has_one_leaf() {
        let mut routes = Routes::default();
        routes.add("22.0.0.1/32".parse().unwrap(), LeafId(1));
        routes.add("22.0.0.1/32".parse().unwrap(), LeafId(2));
    }
}
