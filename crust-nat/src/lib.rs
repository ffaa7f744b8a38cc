//! What stands between this machine and the world, and how to get through it.
//!
//! Of what follows, port mapping is there: [`gateway`]. The rest is what this crate will be.
//!
//! Most machines sit behind a NAT, many behind two. Whether a peer can reach them depends on what those do, so the
//! first thing is to know it, and the second to use the mildest means that works. Each part will be of use without the
//! rest of Crust.
//!
//! # The report
//!
//! What two servers or peers see of us tells, for UDP and TCP each, how the NAT maps, filters and allocates ports (in
//! the words of RFC 4787), how long a mapping lives, whether it is one NAT or two, whether UDP is blocked and what IPv6
//! can do. STUN (RFC 8489) and behaviour discovery (RFC 5780), client and server: nodes answer each other, so that a
//! network of them needs no server of anybody else. What was not measured is reported as unknown, never guessed.
//!
//! # Port mapping
//!
//! A port on the gateway, by UPnP-IGD, NAT-PMP (RFC 6886) or PCP (RFC 6887), whichever answers. Renewed while it is
//! wanted, made again when the gateway forgot it, deleted at the end. A gateway that lies about its address is found
//! out. No failure of it is fatal or holds up a start.
//!
//! # Hole punching and relay
//!
//! Two peers behind NATs that trade addresses through a third, and then dial each other at the same moment, over UDP
//! and over TCP. Where that cannot work, the third carries the conversation.
//!
//! Until then a node is reached where the network lets it be: on its LAN, at a public address, or through a port that
//! somebody forwarded by hand.

pub mod gateway;
