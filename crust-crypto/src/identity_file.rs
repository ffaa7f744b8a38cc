//! The file that keeps an identity: whole or not there, and nobody else's to read.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::{identity::Identity, pkcs8};

impl Identity {
    /// Reads it from the file at `path` (PKCS#8 version 2).
    ///
    /// # Errors
    ///
    /// Each variant of [`IdentityError`] but `Exists`. On Unix a file that others may read or write is refused.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| io_error(path, error))?;
        check_mode(path, &file)?;
        // A byte more than is right, to see that there are no more.
        let mut document = Zeroizing::new(Vec::with_capacity(pkcs8::LEN + 1));
        let mut file = file.take(pkcs8::LEN as u64 + 1);
        file.read_to_end(&mut document)
            .map_err(|error| io_error(path, error))?;
        Self::from_pkcs8(&document).ok_or_else(|| IdentityError::Corrupt { path: path.into() })
    }

    /// Makes a new one and keeps it in a new file at `path`, with mode 0600.
    ///
    /// The file appears whole or not at all, and survives a crash once this returns.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Exists`] where something is there already; it is left alone. [`IdentityError::Missing`] where
    /// the folder is not there, and [`IdentityError::Io`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        let (identity, document) = Self::generate_pkcs8();
        persist(path, &document).map_err(|error| io_error(path, error))?;
        Ok(identity)
    }

    /// Reads it from the file at `path`, or makes a new one there; of several processes that do so at once, all have
    /// the same one.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load) and [`create`](Self::create).
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, IdentityError> {
        let path = path.as_ref();
        match Self::load(path) {
            Err(IdentityError::Missing { .. }) => {}
            loaded => return loaded,
        }
        match Self::create(path) {
            Err(IdentityError::Exists { .. }) => Self::load(path),
            created => created,
        }
    }
}

/// Why an identity file is not used, or not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// It is no identity.
    #[error(
        "the identity file {} is damaged; restore it, or remove it to get a new identity",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// Something is there already.
    #[error("there is already a file {}; load it, or choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read or written.
    #[error("the identity file {} cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not there, or its folder is not.
    #[error("there is no identity file {}; create it, and its folder first", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error(
        "the identity file {} is open to others (mode {mode:04o}); make it yours alone: chmod 600",
        path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

fn io_error(path: &Path, source: io::Error) -> IdentityError {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::AlreadyExists => IdentityError::Exists { path },
        io::ErrorKind::NotFound => IdentityError::Missing { path },
        _ => IdentityError::Io { path, source },
    }
}

fn persist(path: &Path, document: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // On Unix its mode is 0600 from the start.
    let mut file = tempfile::Builder::new()
        .prefix(".identity-")
        .tempfile_in(folder)?;
    file.write_all(document)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    sync_folder(folder)
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

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata().map_err(|error| io_error(path, error))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.into();
        return Err(IdentityError::Shared { path, mode });
    }
    Ok(())
}

/// Elsewhere the folder's access list decides; a user's own folder is closed to others.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<(), IdentityError> {
    Ok(())
}
