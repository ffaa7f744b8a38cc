//! Remembers the peers of earlier sessions, so that a node finds its network again by itself.
//!
//! **This crate is empty so far; nothing here works yet.** What follows is what it will be.
//!
//! A node that was part of a network yesterday should need nobody's help today: it dials those it knew, the most
//! promising first. The cache will be a `Discovery` of `crust-core` that a node takes as a value; it learns from each
//! dial how that went.
//!
//! # What it will be
//!
//! - One file per network in the user's data directory, or where the program says. Bounded: 1,500 peers, 512 KiB.
//! - Never lost: written to a temporary file, synced and renamed, so that a crash at any point leaves one whole
//!   version; several processes may share it. A damaged file is set aside, what can be read of it is used, and the
//!   log says where it is.
//! - Ranked: peers that could be reached directly come first, then those reached last. Failures count against a peer
//!   and are forgotten with time; ten in a row remove it.
//! - Private: addresses of a LAN are not kept beyond that LAN.
//! - Fallback contacts, given by the program, for the first start and for the worst day. They enter the cache only once
//!   they were reached.
//!
//! Until then a program that wants to remember its peers keeps their addresses itself.
//!
//! [`Discovery`]: https://docs.rs/crust-core/latest/crust_core/trait.Discovery.html
