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
        }
    }
}

impl Behaviour {
    /// The rules that translate to `wan`.
    pub(super) fn translation(&self, wan: Ipv4Addr) -> String {
        rules::nat(wan, self.nat, self.lifetimes)
    }

    /// The rules that filter.
    pub(super) fn filter(&self) -> String {
        rules::filter(self.unsolicited, self.egress)
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
