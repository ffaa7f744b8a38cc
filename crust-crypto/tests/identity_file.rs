//! Laws of the identity file.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::{collections::HashSet, fs, path::Path, thread};

use crust_crypto::{Identity, IdentityError};

/// A name in a folder of its own.
fn with_path(test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&folder.path().join("identity"));
}

fn files_beside(path: &Path) -> usize {
    fs::read_dir(path.parent().unwrap()).unwrap().count()
}

#[test]
fn created_identity_is_loaded_again() {
    with_path(|path| {
        let created = Identity::create(path).unwrap();
        let loaded = Identity::load(path).unwrap();
        assert_eq!(created.peer_id(), loaded.peer_id());
        assert_eq!(files_beside(path), 1, "nothing else is left");
    });
}

#[test]
fn each_identity_is_another() {
    let peers: HashSet<_> = (0..20).map(|_| Identity::generate().peer_id()).collect();
    assert_eq!(peers.len(), 20);
}

#[test]
fn missing_file_is_named() {
    with_path(|path| {
        let error = Identity::load(path).unwrap_err();
        assert!(matches!(error, IdentityError::Missing { .. }));
        assert_names(&error, path);
    });
}

#[test]
fn missing_folder_is_named() {
    with_path(|path| {
        let path = path.join("no-folder/identity");
        let error = Identity::load_or_create(&path).unwrap_err();
        assert!(matches!(error, IdentityError::Missing { .. }));
        assert_names(&error, &path);
    });
}

#[test]
fn existing_file_is_never_overwritten() {
    with_path(|path| {
        fs::write(path, "precious").unwrap();
        let error = Identity::create(path).unwrap_err();
        assert!(matches!(error, IdentityError::Exists { .. }));
        assert_names(&error, path);
        assert_eq!(fs::read(path).unwrap(), b"precious");
        assert_eq!(files_beside(path), 1, "nothing else is left");
    });
}

#[test]
fn load_or_create_keeps_what_is_there() {
    with_path(|path| {
        let created = Identity::load_or_create(path).unwrap();
        let loaded = Identity::load_or_create(path).unwrap();
        assert_eq!(created.peer_id(), loaded.peer_id());
    });
}

#[test]
fn all_who_create_at_once_get_the_same_identity() {
    for _ in 0..20 {
        with_path(|path| {
            let peers: HashSet<_> = thread::scope(|scope| {
                let load = || Identity::load_or_create(path).unwrap().peer_id();
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
                threads.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(peers.len(), 1);
            assert_eq!(files_beside(path), 1, "nothing else is left");
        });
    }
}

#[test]
fn changed_shortened_and_lengthened_files_are_corrupt() {
    with_path(|path| {
        Identity::create(path).unwrap();
        let document = fs::read(path).unwrap();
        for len in 0..document.len() {
            assert_corrupt(path, &document[..len]);
        }
        for place in 0..document.len() {
            let mut changed = document.clone();
            changed[place] ^= 1;
            assert_corrupt(path, &changed);
        }
        assert_corrupt(path, &[document.as_slice(), &[0]].concat());
        assert_corrupt(path, &vec![0; 1 << 20]);
    });
}

fn assert_corrupt(path: &Path, document: &[u8]) {
    fs::write(path, document).unwrap();
    let error = Identity::load(path).unwrap_err();
    assert!(matches!(error, IdentityError::Corrupt { .. }), "{error:?}");
    assert_names(&error, path);
}

fn assert_names(error: &IdentityError, path: &Path) {
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn created_file_is_the_owners_alone() {
        with_path(|path| {
            Identity::create(path).unwrap();
            assert_eq!(mode(path), 0o600);
        });
    }

    #[test]
    fn file_that_others_may_touch_is_refused() {
        with_path(|path| {
            Identity::create(path).unwrap();
            for shared in [0o604, 0o602, 0o640, 0o620, 0o644, 0o666] {
                fs::set_permissions(path, fs::Permissions::from_mode(shared)).unwrap();
                let error = Identity::load(path).unwrap_err();
                let is_named =
                    matches!(error, IdentityError::Shared { mode, .. } if mode == shared);
                assert!(is_named, "{error:?}");
                assert_names(&error, path);
                assert!(error.to_string().contains("chmod 600"));
            }
            fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
            Identity::load(path).unwrap();
        });
    }
}
