//! The nftables rules that make a router of each kind.
//!
//! Connection tracking translates; the rules only choose ports and let packets in. Behind the translation, where the port
//! that the kernel took can be seen, a filter chain learns both directions of a mapping:
//!
//! | name   | says                                                          | used by                                     |
//! |--------|---------------------------------------------------------------|---------------------------------------------|
//! | `eim`  | internal endpoint -> external port                            | an endpoint-independent mapping             |
//! | `adm`  | internal endpoint, remote address -> external port            | an address-dependent mapping                |
//! | `rev`  | external port -> internal endpoint                            | filtering that lets others in, and hairpin  |
//! | `perm` | remote address, external port                                 | address-dependent filtering                 |
//! | `used` | external port                                                 | preserving ports, without two hosts on one  |

use std::{fmt::Write, net::Ipv4Addr, time::Duration};

use super::nat::{Allocation, Egress, Filtering, Mapping, Nat, Unsolicited};

/// How long mappings are kept that nothing goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetimes {
    pub(super) udp: Duration,
    pub(super) tcp: Duration,
}

/// Replaces the table that translates. What the one before had learned is forgotten; connection tracking is not.
pub(super) fn nat(wan: Ipv4Addr, nat: Nat, lifetimes: Lifetimes) -> String {
    let chains = [
        ("pre", PRE.to_owned() + &let_in(wan, nat)),
        ("post", POST.to_owned() + &translate(wan, nat)),
        ("learn", LEARN.to_owned() + &learn(nat, lifetimes)),
    ];
    table("ip", "lab_nat", MAPS, &chains)
}

/// Replaces the tables that filter, IPv4's and IPv6's.
///
/// With a port mapping server IPv6 is let in or not by the chains of [`igd`]: what one chain accepts another may still drop.
pub(super) fn filter(unsolicited: Unsolicited, egress: Egress, has_igd: bool) -> String {
    let egress = match egress {
        Egress::All => "",
        Egress::NoUdp => "iifname lan oifname wan meta l4proto udp drop\n",
        Egress::WebOnly => {
            "iifname lan oifname wan tcp dport { 80, 443 } accept\niifname lan oifname wan drop\n"
        }
    };
    let input = match unsolicited {
        Unsolicited::Drop => "iifname wan ct state new,invalid drop\n",
        Unsolicited::Reset => {
            "iifname wan meta l4proto tcp ct state new,invalid reject with tcp reset\n\
             iifname wan ct state new,invalid reject with icmp type port-unreachable\n"
        }
    };
    let v6_forward = if has_igd { "" } else { V6_FORWARD };
    let chains = [
        ("inp", format!("{INPUT}{input}")),
        ("forw", format!("{FORWARD}{egress}{V4_FORWARD}")),
    ];
    let v6_chains = [
        ("inp", format!("{INPUT}{V6_INPUT}")),
        ("forw", format!("{FORWARD}{egress}{v6_forward}")),
    ];
    table("ip", "lab_filter", "", &chains) + &table("ip6", "lab_filter", "", &v6_chains)
}

/// Replaces the chains that miniupnpd fills. Empty they do nothing to IPv4, and to IPv6 what a router's own filter does.
pub(super) fn igd() -> String {
    let chains = [
        ("miniupnpd", ""),
        ("prerouting_miniupnpd", ""),
        ("postrouting_miniupnpd", ""),
        ("v6", V6_FORWARD),
        (
            "forward",
            "type filter hook forward priority -5; jump miniupnpd; meta nfproto ipv6 jump v6;",
        ),
        (
            "prerouting",
            "type nat hook prerouting priority -101; jump prerouting_miniupnpd;",
        ),
        (
            "postrouting",
            "type nat hook postrouting priority 99; jump postrouting_miniupnpd;",
        ),
    ];
    let chains = chains.map(|(name, rules)| (name, rules.to_owned()));
    table("inet", "miniupnpd", "", &chains)
}

fn let_in(wan: Ipv4Addr, nat: Nat) -> String {
    let to_wan = format!("ip daddr {wan} meta l4proto {{ tcp, udp }}");
    let dnat = "dnat to meta l4proto . th dport map @rev";
    let mut rules = match nat.filtering {
        Filtering::EndpointIndependent => format!("iifname wan {to_wan} {dnat}\n"),
        Filtering::AddressDependent => {
            format!("iifname wan {to_wan} meta l4proto . ip saddr . th dport @perm {dnat}\n")
        }
        Filtering::AddressAndPortDependent => String::new(),
    };
    if nat.is_hairpinning {
        rules += &format!("iifname lan {to_wan} {dnat}\n");
    }
    rules
}

fn translate(wan: Ipv4Addr, nat: Nat) -> String {
    let mut rules = String::new();
    for out in outs(nat) {
        let ports = format!("{out} meta l4proto {{ tcp, udp }}");
        let snat = format!("snat to {wan}");
        if nat.is_masquerade {
            // What `masquerade` is, but to the outer address on the way back inside too.
            rules += &format!("{out} {snat}\n");
            continue;
        }
        let inner = "meta l4proto . ip saddr . th sport";
        rules += &match nat.mapping {
            Mapping::EndpointIndependent => format!("{ports} {snat} : {inner} map @eim\n"),
            Mapping::AddressDependent => format!("{ports} {snat} : {inner} . ip daddr map @adm\n"),
            Mapping::AddressAndPortDependent => String::new(),
        };
        rules += &match nat.allocation {
            Allocation::Preserving => format!("{ports} meta l4proto . th sport != @used {snat}\n"),
            Allocation::Sequential => format!("{ports} {snat} : {}\n", sequence()),
            Allocation::Random => String::new(),
        };
        rules += &format!("{ports} {snat} fully-random\n{out} masquerade\n");
    }
    rules
}

fn learn(nat: Nat, lifetimes: Lifetimes) -> String {
    let mut rules = String::new();
    for (protocol, lifetime) in [("udp", lifetimes.udp), ("tcp", lifetimes.tcp)] {
        let timeout = format!("timeout {}ms", lifetime.as_millis());
        let inner = "ct original ip saddr . ct original proto-src";
        for out in outs(nat) {
            let all = format!("{out} meta l4proto {protocol}");
            let first = format!("{all} ct direction original update");
            rules += &format!("{first} @rev {{ meta l4proto . th sport {timeout} : {inner} }}\n");
            rules += &format!("{first} @used {{ meta l4proto . th sport {timeout} }}\n");
            rules += &match nat.mapping {
                Mapping::EndpointIndependent => {
                    format!("{first} @eim {{ meta l4proto . {inner} {timeout} : th sport }}\n")
                }
                Mapping::AddressDependent => {
                    format!(
                        "{first} @adm {{ meta l4proto . {inner} . ip daddr {timeout} : th sport }}\n"
                    )
                }
                Mapping::AddressAndPortDependent => String::new(),
            };
            if nat.filtering == Filtering::AddressDependent {
                rules += &format!(
                    "{all} update @perm {{ meta l4proto . ip daddr . th sport {timeout} }}\n"
                );
            }
        }
    }
    rules
}

/// Which packets are translated on their way out: those to outside, and with hairpin those that come back inside.
fn outs(nat: Nat) -> impl Iterator<Item = &'static str> {
    let hairpin = nat
        .is_hairpinning
        .then_some("iifname lan oifname lan ct status dnat");
    ["oifname wan"].into_iter().chain(hairpin)
}

/// Counts through the ports. Without the map nft takes the number's bytes in the wrong order.
fn sequence() -> String {
    let mut map = format!("numgen inc mod {SEQUENCE_LEN} map {{ ");
    for number in 0..SEQUENCE_LEN {
        let port = FIRST_PORT + number;
        write!(map, "{number} : {port}, ").expect("a string takes everything");
    }
    map + "}"
}

/// A table in place of one that may be there; chains by name, with hook and rules.
fn table(family: &str, name: &str, head: &str, chains: &[(&str, String)]) -> String {
    let name = format!("table {family} {name}");
    // It must be there to be deleted.
    let mut text = format!("{name}\ndelete {name}\n{name} {{\n{head}");
    for (chain, rules) in chains {
        text += &format!("chain {chain} {{\n{rules}\n}}\n");
    }
    text + "}\n"
}

/// Sizes are small because the kernel allots them at once.
const MAPS: &str = "
map eim { type inet_proto . ipv4_addr . inet_service : inet_service; flags dynamic,timeout; size 4096; }
map adm { type inet_proto . ipv4_addr . inet_service . ipv4_addr : inet_service; flags dynamic,timeout; size 4096; }
map rev { type inet_proto . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 4096; }
set used { type inet_proto . inet_service; flags dynamic,timeout; size 4096; }
set perm { type inet_proto . ipv4_addr . inet_service; flags dynamic,timeout; size 4096; }
";
const PRE: &str = "type nat hook prerouting priority dstnat;\n";
const POST: &str = "type nat hook postrouting priority srcnat;\n";
/// Behind [`POST`], so that the port can be seen that the kernel took.
const LEARN: &str = "type filter hook postrouting priority 300;\n";
const INPUT: &str = "type filter hook input priority filter;\n";
const FORWARD: &str = "type filter hook forward priority filter;\n";
const V4_FORWARD: &str = "iifname wan ct state new ct status & dnat != dnat drop\n";
const V6_INPUT: &str = "iifname wan meta l4proto != ipv6-icmp ct state new,invalid drop\n";
/// RFC 6092: what was not asked for from inside is not let in, but for the errors that paths need (RFC 4890 §4.3.1).
const V6_FORWARD: &str = "\
    ct state established,related accept\n\
    iifname lan oifname wan accept\n\
    icmpv6 type { packet-too-big, time-exceeded, destination-unreachable, parameter-problem } accept\n\
    drop\n";
/// The first port of [`Allocation::Sequential`], above those that hosts choose by themselves.
const FIRST_PORT: u16 = 40_000;
/// After so many it begins anew.
const SEQUENCE_LEN: u16 = 1_024;
