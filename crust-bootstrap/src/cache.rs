//! The cache as a discovery: it asks the clock, keeps the file, and hands out what the table says.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::Arc,
};

use crust_core::{
    Addr, Contact, DialOutcome, Discovery, FoundPeer, FoundPeers, PeerId, RecordError,
    SignedRecord, Verifier,
};
use futures::{StreamExt, future, stream};
use ipnet::IpNet;

use crate::{
    cached::{self, CachedPeer, ImportError},
    entry::Record,
    file::CacheError,
    imported::{Imported, NotKept},
    keeper::{Keeper, now_ms},
    lans::Lans,
    table::Table,
};

/// The peers of earlier sessions, kept in a file. Clones share it.
///
/// As a [`Discovery`] it announces nothing; a search gives the cached peers, the best first, then the fallback contacts,
/// and ends. It lives on [`report`](Discovery::report): tell it of each dial.
///
/// Changes are saved after a second, but at most every 30 s, and when the last clone is dropped. Await
/// [`shutdown`](Self::shutdown) before the program ends: what is left to a background task then may not be done.
#[derive(Clone)]
pub struct PeerCache(Arc<Inner>);

struct Inner {
    own: PeerId,
    verifier: Arc<dyn Verifier>,
    contacts: Vec<Contact>,
    keeper: Keeper,
}

impl PeerCache {
    pub(crate) fn new(
        own: PeerId,
        verifier: Arc<dyn Verifier>,
        contacts: Vec<Contact>,
        keeper: Keeper,
    ) -> Self {
        Self(Arc::new(Inner {
            own,
            verifier,
            contacts,
            keeper,
        }))
    }

    /// Takes a record that a peer signed; true where it is news.
    ///
    /// # Errors
    ///
    /// Each variant of [`RecordError`]: expired, too long, or not signed by that peer.
    pub fn learn(&self, record: SignedRecord) -> Result<bool, RecordError> {
        let now_ms = now_ms();
        let said = record.verify(&*self.0.verifier, now_ms)?;
        let record = Record {
            signed: record,
            said,
        };
        Ok(self.change(|table| table.on_record(record, now_ms)))
    }

    /// A random `n` of the best records, for a node that asks for contacts. Each is verified and has not expired.
    ///
    /// Records with addresses that cannot be dialed from here are left out.
    pub fn records(&self, n: usize) -> Vec<SignedRecord> {
        let now_ms = now_ms();
        let best = n.max(BEST);
        let mut records = self.0.keeper.read(|table| table.records(best, now_ms));
        let random = RandomState::new();
        let mut number = 0_u64;
        records.sort_by_cached_key(|_| {
            number += 1;
            random.hash_one(number)
        });
        // Those from the file were not verified so far, and checking a signature takes its time: no more than needed.
        let is_good = |record: &SignedRecord| record.verify(&*self.0.verifier, now_ms).is_ok();
        records.into_iter().filter(is_good).take(n).collect()
    }

    /// The prefixes in which this node has addresses, replacing those before; those of the loopback interface too,
    /// where peers on this host are to be kept.
    ///
    /// A private address is kept with the prefix that it was met in, and offered only while this node has an address
    /// there. Without prefixes no private address is kept or offered at all.
    pub fn set_lans(&self, prefixes: impl IntoIterator<Item = IpNet>) {
        let lans = Lans::new(prefixes);
        self.0.keeper.change(|table| {
            table.set_lans(lans);
            false
        });
    }

    /// Whether this node reaches anybody at all, which it does unless it is said here that it does not.
    ///
    /// While it does not, failures demote a peer but never remove it: a night without network must not empty the cache.
    pub fn set_online(&self, online: bool) {
        self.0.keeper.change(|table| {
            table.set_online(online);
            false
        });
    }

    /// Everybody in the cache, the one most worth keeping first.
    pub fn list(&self) -> Vec<CachedPeer> {
        let now_ms = now_ms();
        let list = |table: &Table| {
            let entries = table.entries(now_ms).into_iter();
            entries
                .map(|entry| CachedPeer::new(entry, now_ms))
                .collect()
        };
        self.0.keeper.read(list)
    }

    /// Everybody in the cache as text, a line `PEER@ADDR` for each address that is not private.
    pub fn export(&self) -> String {
        self.0.keeper.read(|table| cached::export(table, now_ms()))
    }

    /// Takes lines `PEER@ADDR`; gives what became of them. Empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// Each variant of [`ImportError`]; nothing is taken then.
    pub fn import(&self, text: &str) -> Result<Imported, ImportError> {
        let contacts = cached::parse(text)?;
        let now_ms = now_ms();
        let mut imported = Imported::default();
        self.change(|table| {
            let mut news = Vec::new();
            for (peer, addr) in contacts {
                match table.on_import(peer, &addr, now_ms) {
                    Ok(true) => news.push((peer, addr)),
                    Ok(false) => imported.known += 1,
                    Err(why) => imported.leave_out(peer, addr, why),
                }
            }
            // Those that come later may have driven out those before.
            for (peer, addr) in news {
                match table.knows(&peer, &addr) {
                    true => imported.new += 1,
                    false => imported.leave_out(peer, addr, NotKept::NoRoom),
                }
            }
            imported.new > 0
        });
        Ok(imported)
    }

    /// Forgets everybody, in the file too, and in each process that shares it when that saves next. Damaged versions
    /// that were set aside are removed; gives how many.
    ///
    /// # Errors
    ///
    /// Each variant of [`CacheError`]: the file is as it was then, and cleared when it can be written again; or it is
    /// cleared, and something that was set aside is still there.
    ///
    /// # Cancel safety
    ///
    /// Safe; the file is cleared soon then.
    pub async fn clear(&self) -> Result<usize, CacheError> {
        let now_ms = now_ms();
        self.change(|table| {
            table.clear(now_ms);
            true
        });
        self.flush().await?;
        self.0.keeper.forget_set_aside().await
    }

    /// Saves what has changed, now.
    ///
    /// # Errors
    ///
    /// Each variant of [`CacheError`]; it is tried again later.
    ///
    /// # Cancel safety
    ///
    /// Safe; it may be saved or not then, and is saved soon if not.
    pub async fn flush(&self) -> Result<(), CacheError> {
        self.0.keeper.flush().await
    }

    /// Saves what has changed, and nothing after it. What fails is in the log.
    ///
    /// # Cancel safety
    ///
    /// Safe; as [`flush`](Self::flush).
    pub async fn shutdown(&self) {
        self.0.keeper.shutdown().await;
    }

    /// The file; `None` where the cache is in memory alone.
    pub fn path(&self) -> Option<PathBuf> {
        self.0.keeper.path()
    }

    fn change(&self, change: impl FnOnce(&mut Table) -> bool) -> bool {
        self.0.keeper.change(change)
    }

    fn found(&self) -> Vec<FoundPeer> {
        let offers = self.0.keeper.read(|table| table.offers(now_ms()));
        let is_new = |contact: &&Contact| match contact.peer {
            Some(peer) if peer == self.0.own => false,
            Some(peer) => !offers
                .iter()
                .any(|(offered, addrs)| *offered == peer && addrs.contains(&contact.addr)),
            None => true,
        };
        let contacts: Vec<_> = self.0.contacts.iter().filter(is_new).cloned().collect();
        let contacts = contacts
            .into_iter()
            .map(|contact| (contact.peer, vec![contact.addr]));
        let cached = offers.into_iter().map(|(peer, addrs)| (Some(peer), addrs));
        let source = NAME;
        let found = |(peer, addrs)| FoundPeer {
            peer,
            addrs,
            source,
        };
        cached.chain(contacts).map(found).collect()
    }
}

impl Discovery for PeerCache {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The cached peers that can be dialed from here, the best first; then the contacts. It looks at the first poll.
    fn discover(&self) -> FoundPeers {
        let cache = self.clone();
        let found = stream::once(future::lazy(move |_| stream::iter(cache.found())));
        found.flatten().map(Ok).boxed()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        let now_ms = now_ms();
        self.change(|table| match *outcome {
            DialOutcome::Connected { peer, elapsed } => {
                table.on_reached(addr, peer, elapsed, now_ms)
            }
            DialOutcome::Failed { peer } => table.on_failed(addr, peer, now_ms),
            // A kind of outcome that is not known here.
            _ => false,
        });
    }
}

impl fmt::Debug for PeerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCache")
            .field("path", &self.path())
            .field("peers", &self.0.keeper.read(Table::len))
            .finish_non_exhaustive()
    }
}

const NAME: &str = "cache";

/// From how many records those handed on are drawn: enough that two who ask learn different ones.
const BEST: usize = 128;
