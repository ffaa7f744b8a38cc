//! A leaf's way to the lab's internet.

use std::{net::IpAddr, sync::Arc};

use crust_core::simnet::{Counters, Link};
use ipnet::IpNet;
use tun_rs::DeviceBuilder;

use super::{fabric::Fabric, netns::Netns, routes::LeafId};

/// A leaf's way to the lab's internet: of a public host, of a router and of all behind it.
#[derive(Debug)]
pub struct Uplink {
    fabric: Arc<Fabric>,
    leaf: LeafId,
}

impl Uplink {
    /// Makes the device `wan` in `netns`, down and without addresses, and routes `ips` there.
    pub(super) fn new(fabric: Arc<Fabric>, netns: &Netns, ips: &[IpAddr], link: Link) -> Self {
        let device = netns.run(|| {
            let device = DeviceBuilder::new().name("wan").enable(false);
            let device = device.build_sync().expect("a TUN device can be made");
            // Closing one that is not kept takes 35 ms. This one goes with its namespace.
            device.persist().expect("a TUN device can be kept");
            device
        });
        let leaf = fabric.add_leaf(device, ips, link);
        let leaf = leaf.expect("the lab takes another leaf");
        Self { fabric, leaf }
    }

    /// The lines of `ip` that give the device these addresses and bring it up.
    pub(super) fn ip_lines(ips: &[IpAddr]) -> String {
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = ips.iter().partition(|ip| ip.is_ipv4());
        let mut lines = String::new();
        for ip in &v4 {
            lines += &format!("addr add {ip}/32 dev wan\n");
        }
        for ip in &v6 {
            lines += &format!("addr add {ip}/128 dev wan nodad\n");
        }
        // Not when the device is made: that call is for the machine's own root.
        lines += &format!("link set wan multicast off txqueuelen {QUEUE} up\n");
        if let Some(first) = v4.first() {
            lines += &format!("route add default dev wan src {first}\n");
        }
        if let Some(first) = v6.first() {
            lines += &format!("route add ::/0 dev wan src {first}\n");
        }
        lines
    }

    /// Changes what the link does, alike in both directions, from now on.
    pub fn set_link(&self, link: Link) {
        self.set_links(link.clone(), link);
    }

    /// The same, with what is sent going through `up` and what is received through `down`.
    pub fn set_links(&self, up: Link, down: Link) {
        self.fabric
            .change(|internet| internet.set_links(self.leaf, up, down));
    }

    /// Drops what this and `other` send each other, and nothing else, until [`Uplink::mend`].
    pub fn cut(&self, other: &Self) {
        self.fabric
            .change(|internet| internet.set_cut(self.leaf, other.leaf, true));
    }

    /// Ends [`Uplink::cut`].
    pub fn mend(&self, other: &Self) {
        self.fabric
            .change(|internet| internet.set_cut(self.leaf, other.leaf, false));
    }

    /// What became of what was sent, on this link alone.
    pub fn up_counters(&self) -> Counters {
        self.fabric.look(|internet| internet.counters(self.leaf)).0
    }

    /// What became of what was to be received, on this link alone.
    pub fn down_counters(&self) -> Counters {
        self.fabric.look(|internet| internet.counters(self.leaf)).1
    }

    pub(super) fn add_route(&self, net: IpNet) {
        self.fabric
            .change(|internet| internet.routes_mut().add(net, self.leaf));
    }

    pub(super) fn remove_route(&self, net: IpNet) {
        self.fabric
            .change(|internet| internet.routes_mut().remove(net));
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.fabric.remove_leaf(self.leaf);
    }
}

/// Packets that may wait for the lab's thread while others have the processor.
const QUEUE: u32 = 5_000;
