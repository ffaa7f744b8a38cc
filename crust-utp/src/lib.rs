//! uTP: reliable streams over one UDP port, as BEP 29 describes them.
//!
//! **This crate is empty so far; nothing here works yet.** What follows is what it will be.
//!
//! uTP is the transport of BitTorrent: ordered byte streams whose packets are UDP datagrams. Crust wants it for three
//! things that TCP does not give: it gets through NATs that TCP does not, many streams share one port and one mapping
//! on the gateway, and it can give way to other traffic.
//!
//! # What it will be
//!
//! - A socket to use by itself, with streams that are `AsyncRead + AsyncWrite`, and a `Transport` of `crust-core` with
//!   addresses `utp://192.0.2.7:5483` like any other.
//! - BEP 29 with what libutp does where it is silent: SYNs sent again, selective acknowledgement, half-close, path MTU
//!   discovery. It is to talk to libtorrent and to other implementations, and that is to be tested.
//! - Simultaneous connect: two ends that dial each other at the same moment get one connection, which is what hole
//!   punching needs.
//! - Congestion control chosen by connection: CUBIC (RFC 9438) for conversations, LEDBAT (RFC 6817) for transfers that
//!   should not be noticed.
//!
//! # How it will be built
//!
//! The protocol is a machine without socket, clock or task: datagrams and the time go in, datagrams and the time to
//! wake up come out. So it runs on a simulated network in virtual time, thousands of seeds of loss, reordering and
//! delay in a minute, and a failing seed replays exactly. A thin driver joins it to the UDP port that `crust-core`
//! shares with STUN and with punching.
//!
//! Until then a node speaks TCP, by `crust-tcp`.
//!
//! [`Transport`]: https://docs.rs/crust-core/latest/crust_core/trait.Transport.html
