//! Several processes on one file lose nothing of each other's, and one that is killed leaves a whole version.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod common;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use common::{numbers, open, reach};
use crust_core::rt;

/// What a child does with the file: the number of the first peer that it reaches.
const CHILD: &str = "CRUST_BOOTSTRAP_TEST_CHILD";
const FILE: &str = "CRUST_BOOTSTRAP_TEST_FILE";

/// This process as a child of the test `test`: what it is to do, and where.
fn child() -> Option<(u16, PathBuf)> {
    let first = env::var(CHILD).ok()?.parse().unwrap();
    Some((first, env::var_os(FILE)?.into()))
}

fn start(test: &str, path: &Path, first: u16) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(CHILD, first.to_string()).env(FILE, path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Says what is in the file for sure.
fn acknowledge(number: u64) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{SAVED}{number}").unwrap();
    output.flush().unwrap();
}

/// The next number that a child says; `None` once it has ended.
fn acknowledged(output: &mut BufReader<ChildStdout>) -> Option<u64> {
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        // The test harness of the child talks too, in the same line.
        if let Some((_, number)) = line.split_once(SAVED) {
            return Some(number.trim().parse().unwrap());
        }
    }
}

const SAVED: &str = "saved: ";

/// Wine takes ten times as long for each.
const WRITES: u64 = if cfg!(windows) { 100 } else { 1_000 };

#[test]
fn several_processes_on_one_file_lose_nothing_of_each_others() {
    const EACH: u16 = 40;
    if let Some((first, path)) = child() {
        let cache = open(&path);
        for number in first..first + EACH {
            reach(&cache, number, 1);
            rt::block_on(cache.flush()).unwrap();
        }
        acknowledge(first.into());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let test = "several_processes_on_one_file_lose_nothing_of_each_others";
    let children: Vec<_> = (0..4).map(|n| start(test, &path, n * EACH)).collect();
    for (mut child, output) in children {
        // Read to the end, or it would wait for room in the pipe.
        let lines: Vec<_> = output.lines().map_while(Result::ok).collect();
        assert!(child.wait().unwrap().success(), "{lines:?}");
    }
    let all: Vec<_> = (0..4 * EACH).collect();
    assert_eq!(numbers(&open(&path)), all);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "file and lock"
    );
}

#[test]
fn process_killed_at_any_point_of_a_thousand_writes_leaves_a_whole_version() {
    const PEERS: u16 = 60;
    if let Some((first, path)) = child() {
        let cache = open(&path);
        // Each version says its number in every entry.
        for version in u64::from(first).. {
            for number in 0..PEERS {
                reach(&cache, number, version);
            }
            rt::block_on(cache.flush()).unwrap();
            acknowledge(version);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let test = "process_killed_at_any_point_of_a_thousand_writes_leaves_a_whole_version";
    let mut random = Random(0x5eed);
    let mut saved = 0;
    while saved < WRITES {
        let next = u16::try_from(saved + 1).unwrap();
        let (mut child, mut output) = start(test, &path, next);
        for _ in 0..=random.below(24) {
            saved = acknowledged(&mut output).expect("it writes until it is killed");
        }
        // Some moment of the next write: each takes some milliseconds.
        thread::sleep(Duration::from_micros(random.below(4_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(number) = acknowledged(&mut output) {
            saved = number;
        }
        assert_whole(&path, PEERS, saved);
    }
    assert_eq!(whole_names(folder.path()), ["peers", "peers.lock"]);
}

/// The file holds all peers, in the version `saved` or a later one.
fn assert_whole(path: &Path, peers: u16, saved: u64) {
    let cache = open(path);
    assert_eq!(
        numbers(&cache),
        (0..peers).collect::<Vec<_>>(),
        "version {saved}"
    );
    for cached in cache.list() {
        let version = cached.addrs[0].rtt.unwrap();
        assert!(
            version >= Duration::from_millis(saved),
            "{version:?}, {saved} was there"
        );
    }
}

/// What is in `folder` after a write: nothing was set aside, and no temporary file is left for long.
fn whole_names(folder: &Path) -> Vec<String> {
    let cache = open(&folder.join("peers"));
    reach(&cache, 1_000, 1);
    rt::block_on(cache.flush()).unwrap();
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The same moments each time (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
