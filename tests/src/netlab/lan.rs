//! A router's inner side: the bridge, and the cables to what is behind it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use ipnet::{Ipv4Net, Ipv6Net};

use super::{netns::Netns, shell, uplink::Uplink};

/// A router's inner side.
#[derive(Debug)]
pub(super) struct Lan {
    pub(super) netns: Netns,
    pub(super) uplink: Arc<Uplink>,
    /// What the router itself is behind.
    pub(super) outer: Option<Arc<Self>>,
    pub(super) v4: Ipv4Net,
    pub(super) v6: Option<Ipv6Net>,
    last: AtomicU16,
}

impl Lan {
    pub(super) fn new(
        netns: Netns,
        uplink: Arc<Uplink>,
        outer: Option<Arc<Self>>,
        v4: Ipv4Net,
        v6: Option<Ipv6Net>,
    ) -> Self {
        Self {
            netns,
            uplink,
            outer,
            v4,
            v6,
            last: AtomicU16::new(ROUTER),
        }
    }

    /// The lines of `ip` that make the bridge.
    pub(super) fn bridge(v4: Ipv4Net, v6: Option<Ipv6Net>) -> String {
        let v4 = at(v4, ROUTER);
        let mut lines = format!("link add lan type bridge\naddr add {v4} dev lan\n");
        if let Some(v6) = v6 {
            lines += &format!("addr add {} dev lan nodad\n", at6(v6, ROUTER));
        }
        lines + "link set lan up\n"
    }

    /// Lays a cable to `netns`, where it ends as `interface`.
    pub(super) fn plug(&self, netns: &Netns, interface: &str) -> Plug {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let path = netns.path();
        let cable = format!(
            "link add h{number} type veth peer name {interface} netns {path}\n\
             link set h{number} master lan up\n"
        );
        self.netns.run(|| shell::ip(cable));
        let v4 = at(self.v4, number);
        let mut lines = format!(
            "addr add {v4} dev {interface}\nlink set {interface} up\nroute add default via {} src {}\n",
            at(self.v4, ROUTER).addr(),
            v4.addr(),
        );
        let v6 = self.v6.map(|net| at6(net, number));
        if let (Some(net), Some(v6)) = (self.v6, v6) {
            lines += &format!("addr add {v6} dev {interface} nodad\n");
            lines += &format!("route add ::/0 via {}\n", at6(net, ROUTER).addr());
        }
        Plug {
            v4: v4.addr(),
            v6: v6.map(|v6| v6.addr()),
            lines,
        }
    }

    /// Waits until it and all it is behind can carry packets.
    pub(super) fn wait_running(&self) {
        self.netns.wait_running();
        if let Some(outer) = &self.outer {
            outer.wait_running();
        }
    }
}

/// What the other end of a cable needs.
#[derive(Debug)]
pub(super) struct Plug {
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Option<Ipv6Addr>,
    /// For `ip`, in the other namespace.
    pub(super) lines: String,
}

impl Plug {
    /// IPv4 first.
    pub(super) fn ips(&self) -> Vec<IpAddr> {
        let v6 = self.v6.map(IpAddr::V6);
        [self.v4.into()].into_iter().chain(v6).collect()
    }
}

fn at(net: Ipv4Net, number: u16) -> Ipv4Net {
    let ip = Ipv4Addr::from_bits(net.network().to_bits() + u32::from(number));
    assert!(net.contains(&ip), "{net} is full");
    Ipv4Net::new(ip, net.prefix_len()).expect("it is the same length")
}

fn at6(net: Ipv6Net, number: u16) -> Ipv6Net {
    let ip = Ipv6Addr::from_bits(net.network().to_bits() + u128::from(number));
    Ipv6Net::new(ip, net.prefix_len()).expect("it is the same length")
}

/// A router has the first address.
const ROUTER: u16 = 1;
