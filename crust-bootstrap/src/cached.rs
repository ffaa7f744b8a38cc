//! The cache for people to look at.

use std::time::Duration;

use crust_core::{Addr, Contact, ContactError, PeerId};
use ipnet::IpNet;
use thiserror::Error;

use crate::{entry::Entry, known::Known, lans::Place, rank::rank, table::Table};

/// What the cache knows of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedPeer {
    /// Who it is.
    pub peer: PeerId,
    /// Its addresses, the best first, those that cannot be dialed from here included.
    pub addrs: Vec<CachedAddr>,
    /// Whether an ordinary dial reached it, and it has not failed too often since.
    pub direct: bool,
    /// When anything was heard of it last, since the Unix epoch.
    pub heard: Duration,
    /// Whether its signed record is there too.
    pub signed: bool,
}

/// What the cache knows of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedAddr {
    /// The address; its scheme says over which transport.
    pub addr: Addr,
    /// When the peer was last reached there, since the Unix epoch.
    pub reached: Option<Duration>,
    /// From the dial to the end of the handshake, that last time.
    pub rtt: Option<Duration>,
    /// Dials that failed since, ten at most.
    pub failures: u8,
    /// The LAN without which it cannot be dialed, where it is private and on a link of this node's.
    pub lan: Option<IpNet>,
    /// Whether it is private: it is not offered elsewhere, and not exported.
    pub private: bool,
}

impl CachedPeer {
    pub(crate) fn new(entry: &Entry, now_ms: u64) -> Self {
        let mut known: Vec<_> = entry.known.iter().collect();
        known.sort_by_key(|known| (known.is_dead(), rank(known, entry.heard_ms, now_ms)));
        Self {
            peer: entry.peer,
            addrs: known.into_iter().map(CachedAddr::new).collect(),
            direct: entry.rank(now_ms).is_some_and(|rank| rank.is_direct()),
            heard: Duration::from_millis(entry.heard_ms),
            signed: entry.record.is_some(),
        }
    }
}

impl CachedAddr {
    fn new(known: &Known) -> Self {
        let reached = known.reached;
        Self {
            addr: known.addr.clone(),
            reached: reached.map(|reached| Duration::from_millis(reached.at_ms)),
            rtt: reached.map(|reached| Duration::from_millis(reached.rtt_ms.into())),
            failures: known.failures(),
            lan: known.place.prefix(),
            private: known.place != Place::Anywhere,
        }
    }
}

/// Everything that may leave this LAN, a line each: `PEER@ADDR`.
pub(crate) fn export(table: &Table, now_ms: u64) -> String {
    let mut text = String::new();
    for entry in table.entries(now_ms) {
        let public = |known: &&Known| known.place == Place::Anywhere && !known.is_dead();
        for known in entry.known.iter().filter(public) {
            text.push_str(&format!("{}@{}\n", entry.peer, known.addr));
        }
    }
    text
}

/// Reads what [`export`] wrote; empty lines and those that begin with `#` say nothing.
pub(crate) fn parse(text: &str) -> Result<Vec<(PeerId, Addr)>, ImportError> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    said.map(|(line, text)| {
        let contact: Contact = text
            .parse()
            .map_err(|source| ImportError::Contact { line, source })?;
        let peer = contact.peer.ok_or(ImportError::NoPeer { line })?;
        Ok((peer, contact.addr))
    })
    .collect()
}

/// Why a text was not imported; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A line is no contact.
    #[error("line {line} is no contact")]
    Contact {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: ContactError,
    },
    /// A line names no peer, and the cache keeps addresses of peers only.
    #[error("line {line} names no peer; expected PEER@ADDR")]
    NoPeer {
        /// Counted from 1.
        line: usize,
    },
}
