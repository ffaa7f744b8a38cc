//! The beacon as a discovery.

use std::{fmt, io, net::IpAddr, sync::Arc};

use crust_core::{
    Announcement, DatagramSealer, Discovery, DiscoveryError, FoundPeers, Signer, async_trait,
};
use futures::{channel::oneshot, future, stream::BoxStream};

use crate::{
    builder::BeaconBuilder, counters::Counters, neighbours::Neighbour, search, shared::Shared,
};

/// Finds peers on the links of this host, and is found by them.
///
/// Dropping it, or [`shutdown`](Self::shutdown), takes back what it announced.
pub struct Beacon {
    shared: Arc<Shared>,
    signer: Option<Arc<dyn Signer>>,
    ended: future::Shared<oneshot::Receiver<()>>,
}

impl Beacon {
    /// The port where beacons hear each other, unless they are told another.
    pub const DEFAULT_PORT: u16 = 5483;

    /// A beacon of the network whose datagrams `sealer` seals.
    pub fn builder(sealer: Arc<dyn DatagramSealer>) -> BeaconBuilder {
        BeaconBuilder::new(sealer)
    }

    pub(crate) fn new(
        shared: Arc<Shared>,
        signer: Option<Arc<dyn Signer>>,
        ended: future::Shared<oneshot::Receiver<()>>,
    ) -> Self {
        Self {
            shared,
            signer,
            ended,
        }
    }

    /// Asks these hosts one by one, now and with each later question, for links that let no broadcast through.
    ///
    /// They replace those of before; the first 64 are used, of which those on a link are asked that were not heard. It
    /// sends nothing before there is something to announce or to search. Where several nodes of one host share the
    /// port, one of them answers.
    pub fn probe(&self, hosts: &[IpAddr]) {
        self.shared
            .with(|machine, now| machine.set_probes(now, hosts));
    }

    /// Who is there now, as far as it was heard; 1,024 at most, one for each peer and interface.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        self.shared.neighbours()
    }

    /// Who is there, at once and whenever somebody comes, goes or moves. Searches while it is polled, as
    /// [`discover`](Discovery::discover) does.
    pub fn watch(&self) -> BoxStream<'static, Vec<Neighbour>> {
        search::stream(self.shared.clone(), |table, seen| {
            let is_news = seen != Some(table.changes());
            is_news.then(|| (table.changes(), table.list()))
        })
    }

    /// What became of the datagrams until now.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Links in use; 0 until it has asked the system for the first time.
    pub fn links(&self) -> usize {
        self.shared.links()
    }

    /// Searches under way: streams of [`discover`](Discovery::discover) and [`watch`](Self::watch) that were polled and
    /// not dropped.
    pub fn searches(&self) -> usize {
        self.shared.searches()
    }

    /// Says goodbye, ends all searches and closes the sockets; it does nothing from then on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop the shutdown.
    pub async fn shutdown(&self) {
        self.shared.close();
        // It fails where a runtime that was shut down dropped the task, which is an end too.
        let _ = self.ended.clone().await;
    }

    fn error(kind: io::ErrorKind, what: &'static str) -> DiscoveryError {
        DiscoveryError::Io {
            name: crate::NAME,
            source: io::Error::new(kind, what),
        }
    }
}

#[async_trait]
impl Discovery for Beacon {
    fn name(&self) -> &'static str {
        crate::NAME
    }

    /// Announces to each link those of the addresses that are the link's own; a wildcard (`tcp://[::]:PORT`) stands for
    /// each of them, now and when they change.
    ///
    /// # Errors
    ///
    /// [`DiscoveryError::AnnouncementTooLong`] for more than 64 KiB of addresses; [`DiscoveryError::Io`] where the
    /// signer is another peer's (`InvalidInput`), or after a shutdown (`NotConnected`).
    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        let lens = announcement.addrs.iter().map(|addr| addr.as_str().len());
        let len = lens.sum();
        if len > MAX_ANNOUNCEMENT_BYTES {
            return Err(DiscoveryError::AnnouncementTooLong {
                name: crate::NAME,
                limit: MAX_ANNOUNCEMENT_BYTES,
                len,
            });
        }
        let signer = self.signer.as_ref().map(|signer| signer.peer_id());
        if signer.is_some_and(|signer| signer != announcement.peer) {
            let what = "the announcement is of another peer than the signer";
            return Err(Self::error(io::ErrorKind::InvalidInput, what));
        }
        if self.shared.is_closing() {
            let what = "the beacon is shut down";
            return Err(Self::error(io::ErrorKind::NotConnected, what));
        }
        self.shared
            .with(|machine, now| machine.announce(now, announcement));
        Ok(())
    }

    fn discover(&self) -> FoundPeers {
        search::stream(self.shared.clone(), |table, seen| {
            let (version, found) = table.news(seen.unwrap_or(0))?;
            Some((version, Ok(found)))
        })
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Beacon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beacon")
            .field("searches", &self.searches())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

/// Sixteen addresses for each of sixteen interfaces, each of the longest; more is a mistake.
const MAX_ANNOUNCEMENT_BYTES: usize = 64 * 1024;
