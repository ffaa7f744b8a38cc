//! The cache file: read, merged with what this process knows, and replaced.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use thiserror::Error;

use crate::{
    folder::Place,
    table::Table,
    wire::{self, Decoded, Flaw, MAX_FILE_LEN},
};

/// The cache file. Its calls block.
#[derive(Debug, Clone)]
pub(crate) struct CacheFile {
    place: Place,
    swept: Arc<AtomicBool>,
}

/// What came of bringing a table and the file together.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Both together; what the file says now, as far as its bounds allow.
    pub(crate) table: Table,
    /// What was wrong with the file, and where it is now; `None` where as many were set aside already as are kept.
    pub(crate) set_aside: Option<(Flaw, Option<PathBuf>)>,
}

impl CacheFile {
    /// The file at `path`; nothing is done yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            place: Place::new(path),
            swept: Arc::default(),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.place.path()
    }

    /// Reads what is there; nothing where there is no file.
    pub(crate) fn read(&self) -> Result<Decoded, CacheError> {
        // There a file that somebody reads cannot be replaced, so nobody reads while another writes.
        let _lock = cfg!(windows).then(|| self.place.lock());
        let file = self.read_bytes()?;
        Ok(file.map_or_else(Decoded::default, |file| wire::decode(&file)))
    }

    /// Brings `table` and the file together, in both.
    ///
    /// A flawed file is set aside once its successor is on the disk. After an error the file is as it was.
    /// `clock` is asked once the lock is held: a time from before it would make what others wrote meanwhile the future.
    pub(crate) fn merge(
        &self,
        mut table: Table,
        clock: impl FnOnce() -> u64,
    ) -> Result<Merged, CacheError> {
        let io_error = |source| self.io_error(source);
        self.place.make_folder().map_err(io_error)?;
        let lock = self
            .place
            .lock()
            .map_err(|source| self.lock_error(source))?;
        if lock.is_some() && !self.swept.swap(true, Ordering::Relaxed) {
            self.place.sweep();
        }
        let now_ms = clock();
        let old = self.read_bytes()?;
        let decoded = old.as_deref().map(wire::decode).unwrap_or_default();
        table.merge(decoded.entries, decoded.cleared_ms, now_ms);
        let new = wire::encode(table.entries(now_ms), table.cleared_ms());
        let mut set_aside = None;
        if old.as_ref() != Some(&new) {
            let prepared = self.place.prepare(&new).map_err(io_error)?;
            if let Some(flaw) = decoded.flaw {
                set_aside = Some((flaw, self.place.set_aside().map_err(io_error)?));
            }
            self.place.replace(prepared).map_err(io_error)?;
        }
        Ok(Merged { table, set_aside })
    }

    /// Removes what was set aside; gives how many files that were.
    pub(crate) fn forget_set_aside(&self) -> Result<usize, CacheError> {
        let _lock = self
            .place
            .lock()
            .map_err(|source| self.lock_error(source))?;
        let forgotten = self.place.remove_set_aside();
        forgotten.map_err(|source| self.io_error(source))
    }

    /// A byte more than is right, to see that there are no more.
    fn read_bytes(&self) -> Result<Option<Vec<u8>>, CacheError> {
        let bytes = self.place.read(MAX_FILE_LEN + 1);
        bytes.map_err(|source| self.io_error(source))
    }

    fn io_error(&self, source: io::Error) -> CacheError {
        CacheError::Io {
            path: self.path(),
            source,
        }
    }

    fn lock_error(&self, source: io::Error) -> CacheError {
        match source.kind() {
            io::ErrorKind::WouldBlock => CacheError::Busy { path: self.path() },
            _ => self.io_error(source),
        }
    }
}

/// Why the cache file could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Another process has locked it for longer than writing takes.
    #[error("the peer cache {} is locked by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read or written.
    #[error("the peer cache {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
