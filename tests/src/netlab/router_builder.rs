//! What a router is to be like, and the making of it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use crust_core::simnet::Link;
use ipnet::{Ipv4Net, Ipv6Net};

use super::{
    behaviour::Behaviour,
    fabric::Fabric,
    igd::IgdConfig,
    lan::Lan,
    nat::{Egress, Nat, Unsolicited},
    netns::Netns,
    router::Router,
    shell::{self, Running},
    uplink::Uplink,
};

/// What a router is to be like. By default it is [`Nat::PORT_RESTRICTED`], drops what was not asked for, lets everything out,
/// keeps UDP mappings for 2 minutes (RFC 4787 REQ-5) and TCP ones for 2 hours and 4 minutes (RFC 5382 REQ-5), and has
/// neither IPv6 nor a port mapping server.
#[derive(Debug, Clone)]
#[must_use = "there is no router before `build`"]
pub struct RouterBuilder {
    outer: Outer,
    behaviour: Behaviour,
    v4: Ipv4Net,
    v6: Option<Ipv6Net>,
    igd: Option<IgdConfig>,
}

#[derive(Debug, Clone)]
enum Outer {
    Internet {
        fabric: Arc<Fabric>,
        wan: Ipv4Addr,
        link: Link,
    },
    Router(Arc<Lan>),
}

impl RouterBuilder {
    pub(super) fn at(fabric: Arc<Fabric>, wan: Ipv4Addr, link: Link) -> Self {
        Self::new(Outer::Internet { fabric, wan, link })
    }

    pub(super) fn behind(router: &Router) -> Self {
        Self::new(Outer::Router(router.lan().clone()))
    }

    fn new(outer: Outer) -> Self {
        Self {
            outer,
            behaviour: Behaviour::default(),
            v4: LAN.parse().expect("it is a network"),
            v6: None,
            igd: None,
        }
    }

    /// Translates like this.
    pub const fn with_nat(mut self, nat: Nat) -> Self {
        self.behaviour.nat = nat;
        self
    }

    /// Does this with packets from outside that belong to nothing.
    pub const fn with_unsolicited(mut self, unsolicited: Unsolicited) -> Self {
        self.behaviour.unsolicited = unsolicited;
        self
    }

    /// Lets no more out than this, over IPv4 and IPv6.
    pub const fn with_egress(mut self, egress: Egress) -> Self {
        self.behaviour.egress = egress;
        self
    }

    /// Forgets mappings, of UDP and TCP, that nothing went through for `lifetime`, which has whole seconds.
    pub const fn with_mapping_lifetime(mut self, lifetime: Duration) -> Self {
        self.behaviour.lifetimes.udp = lifetime;
        self.behaviour.lifetimes.tcp = lifetime;
        self
    }

    /// Has these addresses inside; 192.168.1.0/24 by default. For a provider's NAT, 100.64.0.0/10 is due (RFC 6598).
    ///
    /// # Panics
    ///
    /// Where it is no network.
    pub fn with_lan(mut self, net: &str) -> Self {
        self.v4 = net.parse().expect("a network, as in 10.0.0.0/24");
        self
    }

    /// Has this IPv6 prefix inside, without translation, and lets in only what was asked for (RFC 6092).
    ///
    /// # Panics
    ///
    /// Where it is no network, or the router is behind another.
    pub fn with_v6(mut self, prefix: &str) -> Self {
        let is_outermost = matches!(self.outer, Outer::Internet { .. });
        assert!(is_outermost, "a router behind another has no prefix");
        self.v6 = Some(prefix.parse().expect("a network, as in 2d00:a::/64"));
        self
    }

    /// Has a port mapping server, which needs [`MINIUPNPD`](super::MINIUPNPD). With an IPv6 prefix it opens pinholes too.
    pub const fn with_igd(mut self, config: IgdConfig) -> Self {
        self.igd = Some(config);
        self.behaviour.has_igd = true;
        self
    }

    /// Makes it.
    ///
    /// # Panics
    ///
    /// Where another leaf has its address.
    pub fn build(self) -> Router {
        let netns = Netns::new();
        let way = self.outer.join(&netns, self.v6);
        let lines = format!(
            "link set lo up\n{}{}",
            Lan::bridge(self.v4, self.v6),
            way.lines
        );
        let rules = self.behaviour.rules(way.wan);
        netns.run(|| {
            // Each takes as long as the other.
            let nft = Running::nft(rules);
            shell::ip(lines);
            nft.wait();
            // Once `wan` has no multicast: those that forward join groups of routers, and tell.
            self.behaviour.set_variables();
        });
        let lan = Arc::new(Lan::new(netns, way.uplink, way.outer, self.v4, self.v6));
        Router::new(lan, way.wan, self.behaviour, self.igd)
    }
}

impl Outer {
    fn join(self, netns: &Netns, v6: Option<Ipv6Net>) -> Way {
        match self {
            Self::Internet { fabric, wan, link } => {
                let uplink = Uplink::new(fabric, netns, &[wan.into()], link);
                let mut lines = Uplink::ip_lines(&[wan.into()]);
                if let Some(v6) = v6 {
                    uplink.add_route(v6.into());
                    lines += "route add ::/0 dev wan\n";
                }
                Way {
                    uplink: Arc::new(uplink),
                    outer: None,
                    wan,
                    lines,
                }
            }
            Self::Router(outer) => {
                let plug = outer.plug(netns, "wan");
                Way {
                    uplink: outer.uplink.clone(),
                    wan: plug.v4,
                    lines: plug.lines,
                    outer: Some(outer),
                }
            }
        }
    }
}

/// A router's way out.
#[derive(Debug)]
struct Way {
    uplink: Arc<Uplink>,
    outer: Option<Arc<Lan>>,
    wan: Ipv4Addr,
    /// For `ip`, in the router's namespace.
    lines: String,
}

/// What home routers have: that many have the same is part of the lab.
const LAN: &str = "192.168.1.0/24";
