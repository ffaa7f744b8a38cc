//! How a cache is set up.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crust_core::{Contact, PeerId, Verifier};
use directories::ProjectDirs;
use ipnet::IpNet;

use crate::{
    cache::PeerCache,
    file::{CacheError, CacheFile},
    keeper::{self, Keeper},
    lans::Lans,
    table::Table,
};

/// How a [`PeerCache`] is set up.
#[must_use = "a builder does nothing until `open`"]
pub struct PeerCacheBuilder {
    own: PeerId,
    verifier: Arc<dyn Verifier>,
    file: Option<CacheFile>,
    contacts: Vec<Contact>,
    lans: Lans,
    save_every: Duration,
}

impl PeerCache {
    /// Sets up a cache for the node `own`, which never gets in. `verifier` checks signatures of records.
    pub fn builder(own: PeerId, verifier: Arc<dyn Verifier>) -> PeerCacheBuilder {
        PeerCacheBuilder {
            own,
            verifier,
            file: None,
            contacts: Vec::new(),
            lans: Lans::default(),
            save_every: SAVE_EVERY,
        }
    }
}

impl PeerCacheBuilder {
    /// Keeps the cache in the file at `path`; its folder is made where it is not there.
    ///
    /// Beside it are a lock file (`.lock`), while it is written a temporary one, and damaged versions (`.damaged-1` and
    /// so on, eight at most). Without this the cache is in memory alone.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.file = Some(CacheFile::new(path.as_ref()));
        self
    }

    /// Contacts to try after the cached peers: for the first start, and for the worst day. DNS names are fine.
    ///
    /// They are not kept in the cache until somebody was reached there.
    pub fn contacts(mut self, contacts: impl IntoIterator<Item = Contact>) -> Self {
        self.contacts.extend(contacts);
        self
    }

    /// The prefixes in which this node has addresses, as [`PeerCache::set_lans`] says.
    pub fn lans(mut self, prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        self.lans = Lans::new(prefixes);
        self
    }

    /// Saves changes at most once in `every`, instead of 30 s; a year at most.
    pub fn save_every(mut self, every: Duration) -> Self {
        self.save_every = every.min(LONGEST_SAVE_EVERY);
        self
    }

    /// Reads the file and begins to keep it.
    ///
    /// It always succeeds. What cannot be read is a warning in the log, and the cache goes on with what could be. A
    /// damaged file, or one by a later version, is set aside under a new name.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn open(self) -> PeerCache {
        let keeper = Keeper::open(self.table(), self.file, self.save_every).await;
        PeerCache::new(self.own, self.verifier, self.contacts, keeper)
    }

    /// As [`open`](Self::open), for a program whose business is the file itself: what fails is an error, here and of
    /// [`PeerCache::flush`], and no warning.
    ///
    /// # Errors
    ///
    /// Each variant of [`CacheError`]; the file is as it was then.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn edit(self) -> Result<PeerCache, CacheError> {
        let keeper = Keeper::edit(self.table(), self.file, self.save_every).await?;
        Ok(PeerCache::new(
            self.own,
            self.verifier,
            self.contacts,
            keeper,
        ))
    }

    /// Reads the file to look at, and never writes: what changes stays in memory. A damaged file, or one by a later
    /// version, stays in its place; a warning in the log says so, and what could be read of it is there.
    ///
    /// # Errors
    ///
    /// [`CacheError::Io`] where it cannot be read; no file at all is an empty one.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn read(self) -> Result<PeerCache, CacheError> {
        let mut table = self.table();
        if let Some(file) = &self.file {
            keeper::read(file, &mut table).await?;
        }
        let keeper = Keeper::open(table, None, self.save_every).await;
        Ok(PeerCache::new(
            self.own,
            self.verifier,
            self.contacts,
            keeper,
        ))
    }

    fn table(&self) -> Table {
        let mut table = Table::new(self.own);
        table.set_lans(self.lans.clone());
        table
    }
}

impl fmt::Debug for PeerCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCacheBuilder")
            .field("file", &self.file)
            .field("contacts", &self.contacts.len())
            .finish_non_exhaustive()
    }
}

/// Where the system keeps a user's data, the file of the network called `network`; `None` where there is no home, or one
/// that means another folder in each working directory.
///
/// `network` names the file, in hexadecimal: make it from the network's key by a hash, so that it reveals nothing. On
/// Linux that is `~/.local/share/crust/peers-NETWORK`.
pub fn default_path(network: &[u8; 16]) -> Option<PathBuf> {
    let number = u128::from_be_bytes(*network);
    let dirs = ProjectDirs::from("", "", "crust")?;
    let folder = dirs.data_dir();
    folder
        .is_absolute()
        .then(|| folder.join(format!("peers-{number:032x}")))
}

/// Half a minute: a crash loses little, and a disk is not kept awake by a busy node's every dial.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A year, which can be added to any time; who wants to save by hand alone needs no more.
const LONGEST_SAVE_EVERY: Duration = Duration::from_secs(365 * 24 * 60 * 60);
