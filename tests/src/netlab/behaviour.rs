//! All that a router does to packets.

use std::{net::Ipv4Addr, time::Duration};

use super::{
    nat::{Egress, Nat, Unsolicited},
    netns::sysctl,
    rules::{self, Lifetimes},
};

/// All that a router does to packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behaviour {
    pub(super) nat: Nat,
    pub(super) unsolicited: Unsolicited,
    pub(super) egress: Egress,
    pub(super) lifetimes: Lifetimes,
    /// Whether a port mapping server has chains of its own.
    pub(super) has_igd: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        let lifetimes = Lifetimes {
            udp: UDP_LIFETIME,
            tcp: TCP_LIFETIME,
        };
        Self {
            nat: Nat::PORT_RESTRICTED,
            unsolicited: Unsolicited::default(),
            egress: Egress::default(),
            lifetimes,
            has_igd: false,
        }
    }
}

impl Behaviour {
    /// All rules of a router that knows nothing yet.
    pub(super) fn rules(&self, wan: Ipv4Addr) -> String {
        let igd = if self.has_igd {
            rules::igd()
        } else {
            String::new()
        };
        self.translation(wan) + &self.filter() + &igd
    }

    /// The rules that translate to `wan`.
    pub(super) fn translation(&self, wan: Ipv4Addr) -> String {
        rules::nat(wan, self.nat, self.lifetimes)
    }

    /// The rules that filter, but for those of a port mapping server.
    pub(super) fn filter(&self) -> String {
        rules::filter(self.unsolicited, self.egress, self.has_igd)
    }

    /// Sets the variables of the namespace that the calling thread is in.
    pub(super) fn set_variables(&self) {
        let seconds = |lifetime: Duration| lifetime.as_secs().max(1);
        let Lifetimes { udp, tcp } = self.lifetimes;
        sysctl("net/netfilter/nf_conntrack_udp_timeout", seconds(udp));
        sysctl(
            "net/netfilter/nf_conntrack_udp_timeout_stream",
            seconds(udp),
        );
        sysctl(
            "net/netfilter/nf_conntrack_tcp_timeout_established",
            seconds(tcp),
        );
        sysctl("net/ipv4/ip_forward", 1);
        sysctl("net/ipv6/conf/all/forwarding", 1);
        // A host that talks to another by external addresses is not to be told of the shorter way.
        sysctl("net/ipv4/conf/all/send_redirects", 0);
        sysctl("net/ipv4/conf/default/send_redirects", 0);
        // Else frames between two hosts of the LAN would be translated.
        for family in ["iptables", "ip6tables", "arptables"] {
            sysctl(&format!("net/bridge/bridge-nf-call-{family}"), 0);
        }
    }
}

/// What RFC 4787 REQ-5 asks for at least.
const UDP_LIFETIME: Duration = Duration::from_secs(120);
/// What RFC 5382 REQ-5 asks for at least.
const TCP_LIFETIME: Duration = Duration::from_secs(7_440);
