//! The cache file when it is damaged, huge, from the future, or cannot be written: nobody is lost without need, and the
//! log says so once.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod common;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, Once},
};

use common::{found, numbers, open, reach};
use crust_bootstrap::CacheError;
use crust_core::rt;

/// What all tests of this process have logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Warnings about what is in `folder`.
fn warnings(folder: &Path) -> Vec<String> {
    let log = LOG.lock().unwrap();
    let lines = std::str::from_utf8(&log).unwrap().lines();
    let ours = lines.filter(|line| line.contains("WARN") && line.contains(&text(folder)));
    ours.map(str::to_owned).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A folder of one's own, with a cache of peers 0 to 4 in its file.
struct Scene {
    _folder: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("peers");
        let scene = Self {
            _folder: Some(folder),
            path,
        };
        scene.fill();
        scene
    }

    fn fill(&self) {
        static START: Once = Once::new();
        START.call_once(|| {
            let log = tracing_subscriber::fmt().with_ansi(false);
            log.with_writer(|| Log).init();
        });
        let cache = open(&self.path);
        for number in 0..5 {
            reach(&cache, number, 1);
        }
        rt::block_on(cache.shutdown());
    }

    fn damage(&self) {
        let mut file = fs::read(&self.path).unwrap();
        let middle = file.len() / 2;
        file[middle] ^= 1;
        fs::write(&self.path, file).unwrap();
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap()
    }

    fn beside(&self, what: &str) -> PathBuf {
        self.folder().join(format!("peers.{what}"))
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> = names
            .map(|name| name.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn writing_leaves_the_file_and_its_lock_alone() {
    let scene = Scene::new();
    assert_eq!(numbers(&open(&scene.path)), [0, 1, 2, 3, 4]);
    assert_eq!(scene.names(), ["peers", "peers.lock"]);
    assert_eq!(warnings(scene.folder()), Vec::<String>::new());
}

#[test]
fn damaged_file_is_set_aside_with_one_warning_that_says_where() {
    let scene = Scene::new();
    scene.damage();
    let damaged = fs::read(&scene.path).unwrap();
    let cache = open(&scene.path);
    assert_eq!(
        cache.list().len(),
        4,
        "one is damaged, the others are there"
    );
    assert_eq!(fs::read(scene.beside("damaged-1")).unwrap(), damaged);
    let warnings = warnings(scene.folder());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(&text(&scene.beside("damaged-1"))));
    assert_eq!(open(&scene.path).list().len(), 4);
    assert_eq!(scene.names(), ["peers", "peers.damaged-1", "peers.lock"]);
}

#[test]
fn what_was_set_aside_is_never_overwritten_and_there_are_eight_at_most() {
    let scene = Scene::new();
    for number in 1..=8 {
        fs::write(&scene.path, format!("junk {number}")).unwrap();
        open(&scene.path);
    }
    fs::write(&scene.path, "one too many").unwrap();
    assert_eq!(numbers(&open(&scene.path)), []);
    for number in 1..=8 {
        let aside = scene.beside(&format!("damaged-{number}"));
        assert_eq!(fs::read_to_string(aside).unwrap(), format!("junk {number}"));
    }
    assert_eq!(scene.names().len(), 8 + 2);
    assert_eq!(warnings(scene.folder()).len(), 9);
}

#[test]
fn file_of_a_later_version_is_set_aside_as_that() {
    let scene = Scene::new();
    let mut file = b"crust peers\0\0\x02\0\0".to_vec();
    file.extend_from_slice(&[0; 8]);
    // SHA-256 of these 24 bytes.
    file.extend_from_slice(&[0xe9, 0xb0, 0x40, 0xb3, 0xf0, 0x75, 0x98, 0xbd]);
    fs::write(&scene.path, &file).unwrap();
    let cache = open(&scene.path);
    assert_eq!(numbers(&cache), []);
    assert_eq!(fs::read(scene.beside("damaged-1")).unwrap(), file);
    let warnings = warnings(scene.folder());
    assert!(
        warnings.len() == 1 && warnings[0].contains("later version"),
        "{warnings:?}"
    );
    reach(&cache, 1, 1);
    rt::block_on(cache.flush()).unwrap();
    assert_eq!(numbers(&open(&scene.path)), [1]);
}

#[test]
fn cut_at_any_length_it_still_opens() {
    let scene = Scene::new();
    let file = fs::read(&scene.path).unwrap();
    for len in (0..file.len()).step_by(7) {
        fs::write(&scene.path, &file[..len]).unwrap();
        let cache = open(&scene.path);
        assert!(cache.list().len() < 5);
        assert_eq!(open(&scene.path).list(), cache.list(), "{len} bytes");
        fs::remove_file(scene.beside("damaged-1")).unwrap();
    }
}

#[test]
fn file_of_one_gibibyte_costs_no_memory_and_no_time() {
    let scene = Scene::new();
    let file = File::options().write(true).open(&scene.path).unwrap();
    file.set_len(1 << 30).unwrap();
    drop(file);
    let started = rt::now();
    let before = peak_kib();
    let cache = open(&scene.path);
    assert_eq!(
        numbers(&cache),
        [0, 1, 2, 3, 4],
        "they are in its first half mebibyte"
    );
    assert_eq!(
        fs::metadata(scene.beside("damaged-1")).unwrap().len(),
        1 << 30
    );
    assert!(fs::metadata(&scene.path).unwrap().len() < 4_096);
    let taken = rt::now() - started;
    assert!(taken.as_secs() < 10, "{taken:?}");
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < 64 * 1_024, "{} KiB more", after - before);
    }
}

/// The most memory that this process has had, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn file_that_cannot_be_written_is_one_warning_and_the_cache_runs_on() {
    let scene = Scene::new();
    // A file where a folder should be: nobody can write there, root neither.
    let path = scene.path.join("peers");
    let cache = open(&path);
    for number in 0..3 {
        reach(&cache, number, 1);
        let error = rt::block_on(cache.flush()).unwrap_err();
        assert!(matches!(error, CacheError::Io { .. }) && error.to_string().contains(&text(&path)));
    }
    rt::block_on(cache.shutdown());
    assert_eq!(found(&cache).len(), 3);
    let warnings = warnings(scene.folder());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn file_that_cannot_be_read_is_left_alone() {
    let scene = Scene::new();
    let path = scene.folder().join("folder");
    fs::create_dir(&path).unwrap();
    let cache = open(&path);
    reach(&cache, 1, 1);
    assert!(rt::block_on(cache.flush()).is_err());
    assert!(path.is_dir());
    assert_eq!(warnings(&path).len(), 1);
}

#[cfg(unix)]
mod unix {
    use std::{env, os::unix::fs::PermissionsExt, process::Command};

    use crust_bootstrap::PeerCache;

    use super::*;

    #[test]
    fn cache_file_is_the_owners_alone() {
        let scene = Scene::new();
        let mode = fs::metadata(&scene.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn pipe_instead_of_a_file_holds_nobody_up() {
        let scene = Scene::new();
        let path = scene.folder().join("pipe");
        let made = Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no `mkfifo`");
            return;
        }
        let cache = open(&path);
        reach(&cache, 1, 1);
        assert!(rt::block_on(cache.flush()).is_err());
    }

    #[test]
    fn full_disk_is_one_warning_and_saving_goes_on_when_there_is_room() {
        on_a_small_disk(
            "unix::full_disk_is_one_warning_and_saving_goes_on_when_there_is_room",
            |scene| {
                let junk = scene.folder().join("junk");
                fill_disk(&junk);
                let before = fs::read(&scene.path).unwrap();
                let cache = open(&scene.path);
                add_many(&cache);
                for _ in 0..3 {
                    assert!(rt::block_on(cache.flush()).is_err());
                }
                assert_eq!(fs::read(&scene.path).unwrap(), before);
                assert_eq!(warnings(scene.folder()).len(), 1);
                // The background task may just be trying too.
                while scene.names() != ["junk", "peers", "peers.lock"] {
                    std::thread::yield_now();
                }
                fs::remove_file(&junk).unwrap();
                rt::block_on(cache.flush()).unwrap();
                assert_eq!(open(&scene.path).list().len(), 205);
            },
        );
    }

    #[test]
    fn damaged_file_on_a_full_disk_stays_where_it_is() {
        on_a_small_disk(
            "unix::damaged_file_on_a_full_disk_stays_where_it_is",
            |scene| {
                let cache = open(&scene.path);
                add_many(&cache);
                rt::block_on(cache.shutdown());
                scene.damage();
                let damaged = fs::read(&scene.path).unwrap();
                let junk = scene.folder().join("junk");
                fill_disk(&junk);
                for _ in 0..3 {
                    assert!(open(&scene.path).list().len() >= 4);
                    assert_eq!(fs::read(&scene.path).unwrap(), damaged);
                }
                assert_eq!(warnings(scene.folder()).len(), 3, "one for each start");
                fs::remove_file(&junk).unwrap();
                open(&scene.path);
                assert_eq!(fs::read(scene.beside("damaged-1")).unwrap(), damaged);
            },
        );
    }

    #[test]
    fn read_only_disk_is_one_warning_and_the_cache_runs_on() {
        on_a_small_disk(
            "unix::read_only_disk_is_one_warning_and_the_cache_runs_on",
            |scene| {
                let folder = text(scene.folder());
                let mount = |how: &str| {
                    let status = Command::new("mount").args(["-o", how, &folder]).status();
                    assert!(status.unwrap().success());
                };
                mount("remount,ro");
                let cache = open(&scene.path);
                assert_eq!(numbers(&cache), [0, 1, 2, 3, 4]);
                reach(&cache, 7, 1);
                for _ in 0..3 {
                    assert!(rt::block_on(cache.flush()).is_err());
                }
                assert_eq!(numbers(&cache), [0, 1, 2, 3, 4, 7]);
                assert_eq!(warnings(scene.folder()).len(), 1);
                mount("remount,rw");
                rt::block_on(cache.flush()).unwrap();
                assert_eq!(numbers(&open(&scene.path)), [0, 1, 2, 3, 4, 7]);
            },
        );
    }

    fn add_many(cache: &PeerCache) {
        for number in 100..300 {
            reach(cache, number, 1);
        }
    }

    fn fill_disk(junk: &Path) {
        let mut junk = File::create(junk).unwrap();
        while junk.write_all(&[0; 512]).is_ok() {}
    }

    /// Runs `body` on a disk of 128 KiB, in a mount namespace that ends with it.
    fn on_a_small_disk(test: &str, body: impl FnOnce(Scene)) {
        if let Some(folder) = env::var_os(DISK) {
            let path = Path::new(&folder).join("peers");
            let scene = Scene {
                _folder: None,
                path,
            };
            scene.fill();
            return body(scene);
        }
        let folder = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs -o size=128k crust \"$CRUST_BOOTSTRAP_TEST_DISK\"";
        let ready = |script: &str| unshare(script).env(DISK, folder.path()).output();
        if !ready(mount).is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no mount namespace for this user, or no `unshare` and `mount`");
            return;
        }
        let script = format!("{mount} && exec \"$0\" --exact {test} --nocapture");
        let mut inside = unshare(&script);
        inside
            .arg(env::current_exe().unwrap())
            .env(DISK, folder.path());
        assert!(
            inside.status().unwrap().success(),
            "{test} failed on its disk"
        );
    }

    fn unshare(script: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    }

    /// Set where the test runs on its disk.
    const DISK: &str = "CRUST_BOOTSTRAP_TEST_DISK";
}
