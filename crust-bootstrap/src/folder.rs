//! What the cache file needs of its folder: a lock, whole replacement, and names for what is set aside.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use tempfile::NamedTempFile;

/// A file and its neighbours: the lock, temporary files, and damaged versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    folder: PathBuf,
    name: OsString,
}

impl Place {
    /// The place of the file at `path`. One that has no name keeps its files in itself.
    pub(crate) fn new(path: &Path) -> Self {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or_default();
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The file itself.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Makes the folder, where it is not there.
    pub(crate) fn make_folder(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)
    }

    /// Keeps other processes from writing until the result is dropped. `None` on a file system that has no locks.
    ///
    /// The lock is on a file of its own, for the file itself is another after each writing.
    ///
    /// # Errors
    ///
    /// `WouldBlock` where another process holds it for [`LOCK_TRIES`]; what the system says.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(self.neighbour("lock"))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(None);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Reads at most `limit` bytes of the file; `None` where there is none.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` where it is no file, for reading a pipe might never end.
    pub(crate) fn read(&self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let metadata = match fs::metadata(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a file",
            ));
        }
        let file = match File::open(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(len.min(limit));
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes `bytes` to a temporary file beside the file, down to the disk.
    ///
    /// On Unix it has mode 0600: whom somebody talks to is nobody else's business.
    pub(crate) fn prepare(&self, bytes: &[u8]) -> io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .prefix(&self.temporary_prefix())
            .suffix(TEMPORARY_SUFFIX)
            .tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Puts what was prepared in the file's place, in one step that survives a crash.
    pub(crate) fn replace(&self, prepared: NamedTempFile) -> io::Result<()> {
        prepared.persist(self.path())?;
        sync_folder(&self.folder)
    }

    /// Gives the file a second name that was free; `None` where [`MAX_ASIDE`] are taken.
    ///
    /// The file stays in its place until it is replaced, so that at no time there is none. Where the file system has no
    /// second names it is moved. Call it under the lock.
    pub(crate) fn set_aside(&self) -> io::Result<Option<PathBuf>> {
        for number in 1..=MAX_ASIDE {
            let aside = self.neighbour(&format!("damaged-{number}"));
            if fs::symlink_metadata(&aside).is_ok() {
                continue;
            }
            match fs::hard_link(self.path(), &aside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(_) => fs::rename(self.path(), &aside)?,
                Ok(()) => {}
            }
            return Ok(Some(aside));
        }
        Ok(None)
    }

    /// Removes what was set aside, and gives how many files that were. Call it under the lock.
    pub(crate) fn remove_set_aside(&self) -> io::Result<usize> {
        let mut removed = 0;
        for number in 1..=MAX_ASIDE {
            match fs::remove_file(self.neighbour(&format!("damaged-{number}"))) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => {
                    result?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Removes temporary files of processes that were killed. Call it under the lock: then each that is there is one.
    pub(crate) fn sweep(&self) {
        let Ok(names) = fs::read_dir(&self.folder) else {
            return;
        };
        let prefix = self.temporary_prefix();
        for entry in names.flatten() {
            if is_between(&entry.file_name(), &prefix, TEMPORARY_SUFFIX) {
                // One that cannot be removed is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn neighbour(&self, what: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(".");
        name.push(what);
        self.folder.join(name)
    }

    fn temporary_prefix(&self) -> OsString {
        let mut prefix = OsString::from(".");
        prefix.push(&self.name);
        prefix.push(".");
        prefix
    }
}

fn is_between(name: &OsStr, prefix: &OsStr, suffix: &str) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(prefix.as_encoded_bytes()) && name.ends_with(suffix.as_bytes())
}

/// Makes a new name in `folder` survive a crash.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot sync a folder; its file systems keep names in a journal.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Damaged versions kept. They are for people to look at; whoever has eight has looked at none.
pub(crate) const MAX_ASIDE: u32 = 8;

/// Writing takes milliseconds; who holds the lock for five seconds is stopped, and must not stop us too.
const LOCK_TRIES: u32 = 1_000;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

const TEMPORARY_SUFFIX: &str = ".tmp";
