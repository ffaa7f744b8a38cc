//! What a discovery is: it tells others about us, and us about others.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use thiserror::Error;

use crate::{Addr, PeerId};

/// A way to learn where peers are: a cache file, the LAN, gossip, or one of your own.
#[async_trait]
pub trait Discovery: fmt::Debug + Send + Sync + 'static {
    /// Provenance, for logs and [`FoundPeer::source`].
    fn name(&self) -> &'static str;

    /// Replaces what this node announces. The default announces nothing.
    ///
    /// # Errors
    ///
    /// What kept it from being announced; the announcement before it no longer holds either.
    ///
    /// # Cancel safety
    ///
    /// Safe; whether the announcement was made is then unknown, and the next one settles it.
    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        let _ = announcement;
        Ok(())
    }

    /// Searches for peers.
    ///
    /// Lazy: nothing is sent before the first poll, and dropping the stream stops the search. What it yields is
    /// untrusted until a handshake proves it. An error does not end the search unless the stream ends after it.
    fn discover(&self) -> FoundPeers;

    /// Learns how a dial to a found address went. The default forgets it.
    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        let _ = (addr, outcome);
    }
}

#[async_trait]
impl<D: Discovery + ?Sized> Discovery for Arc<D> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        (**self).announce(announcement).await
    }

    fn discover(&self) -> FoundPeers {
        (**self).discover()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        (**self).report(addr, outcome);
    }
}

#[async_trait]
impl<D: Discovery + ?Sized> Discovery for Box<D> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        (**self).announce(announcement).await
    }

    fn discover(&self) -> FoundPeers {
        (**self).discover()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        (**self).report(addr, outcome);
    }
}

/// The peers a search finds, as it finds them.
pub type FoundPeers = BoxStream<'static, Result<FoundPeer, DiscoveryError>>;

/// What a node tells others about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The node's own id.
    pub peer: PeerId,
    /// Where it can be dialed. Empty takes back what was announced before.
    pub addrs: Vec<Addr>,
}

/// A peer that a discovery heard of. Untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPeer {
    /// Who it is said to be, where that was said.
    pub peer: Option<PeerId>,
    /// Where it is said to be.
    pub addrs: Vec<Addr>,
    /// The name of the discovery that heard it.
    pub source: &'static str,
}

/// How a dial to an address went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialOutcome {
    /// `peer` proved itself there.
    Connected {
        /// Who answered.
        peer: PeerId,
        /// From the dial to the end of the handshake.
        elapsed: Duration,
    },
    /// Nobody did, or somebody else.
    Failed {
        /// Who was expected, where anybody was.
        peer: Option<PeerId>,
    },
}

/// Why a discovery could not announce or search.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The announcement is longer than this discovery can carry.
    #[error("{name} can announce {limit} bytes at most, not {len}")]
    AnnouncementTooLong {
        /// The discovery's name.
        name: &'static str,
        /// Bytes it can carry.
        limit: usize,
        /// Bytes there were.
        len: usize,
    },
    /// The system said no.
    #[error("{name} failed")]
    Io {
        /// The discovery's name.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
