//! The peers of earlier runs, in their file.

use std::{fs, path::PathBuf, process::Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{run, run_with, stderr, stdout};

/// A cache file of the test's own.
struct Cache {
    folder: TempDir,
}

impl Cache {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    /// One with `peer` in it.
    fn of(peer: &str) -> Self {
        let cache = Self::new();
        let output = cache.import(&format!("{peer}@tcp://8.8.4.4:1\n"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        cache
    }

    fn peers(&self, args: &[&str]) -> Output {
        run(&[&["peers", "--cache", self.file().to_str().unwrap()], args].concat())
    }

    fn import(&self, text: &str) -> Output {
        let file = self.file();
        let args = ["peers", "--cache", file.to_str().unwrap(), "import"];
        run_with(&args, text)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("peers")
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|name| name.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn json_of(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_str(&stdout(output)).expect("one JSON object")
}

#[test]
fn what_is_exported_is_imported_listed_and_cleared() {
    let line = format!("{PEER}@tcp://8.8.4.4:1");
    let here = Cache::of(PEER);
    assert_eq!(stdout(&here.peers(&["export"])).trim(), line);
    let exported = json_of(&here.peers(&["export", "--json"]));
    assert_eq!(exported, json!({ "contacts": [&line] }));

    let there = Cache::new();
    let text = there.folder.path().join("text");
    fs::write(&text, &line).unwrap();
    let import = ["import", text.to_str().unwrap(), "--json"];
    let imported = json_of(&there.peers(&import));
    assert_eq!(imported, json!({ "new": 1, "known": 0, "not_kept": [] }));
    assert_eq!(json_of(&there.peers(&import))["known"], 1);
    assert_eq!(json_of(&there.peers(&["--json"]))["peer"], PEER);
    assert!(stdout(&there.peers(&[])).contains("tcp://8.8.4.4:1"));

    let cleared = json_of(&there.peers(&["clear", "--json"]));
    assert_eq!(cleared, json!({ "forgotten": 1, "damaged_files": 0 }));
    assert_eq!(stdout(&there.peers(&[])), "");
}

#[test]
fn address_in_a_network_of_this_machine_is_imported() {
    let cache = Cache::new();
    let output = cache.import(&format!("{PEER}@tcp://127.0.0.1:5483\n"));
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("1 address was new"));
    assert!(stdout(&cache.peers(&[])).contains("in 127.0.0.0/8"));
}

#[test]
fn import_says_what_is_not_kept_and_why() {
    let cache = Cache::new();
    // Nobody's network: this machine would have to be in it.
    let elsewhere = format!("{PEER}@tcp://10.254.253.252:5483\n");
    let output = cache.import(&elsewhere);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("10.254.253.252:5483 was not kept: it is private"),
        "{said}"
    );
    let output = cache.import(&format!("{elsewhere}{PEER}@tcp://8.8.4.4:1"));
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("was not kept"));
}

#[test]
fn wrong_input_is_named_as_what_it_is() {
    let cache = Cache::new();
    let output = cache.import("nonsense");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("line 1 is no contact"));
    let file = cache.file();
    let args = ["peers", "--cache", file.to_str().unwrap(), "import", "-"];
    let output = crate::process::run_with_bytes(&args, b"\xff");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("standard input cannot be read"));
}

#[test]
fn cache_that_cannot_be_read_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    for what in ["list", "export", "clear", "import"] {
        let output = run(&["peers", "--cache", path, what]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        let said = stderr(&output);
        assert!(said.contains(path) && !said.contains("warning"), "{said}");
    }
}

#[test]
fn damaged_file_stays_where_it_is_until_something_is_changed() {
    let cache = Cache::of(PEER);
    let mut damaged = fs::read(cache.file()).unwrap();
    damaged.push(0);
    fs::write(cache.file(), &damaged).unwrap();
    for what in ["list", "export"] {
        let output = cache.peers(&[what]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(PEER));
        assert!(stderr(&output).contains("warning: the peer cache is flawed"));
    }
    assert_eq!(fs::read(cache.file()).unwrap(), damaged);
    assert_eq!(cache.names(), ["peers", "peers.lock"]);

    let output = cache.import(&format!("{PEER}@tcp://8.8.4.4:2"));
    assert!(stderr(&output).contains("peers.damaged-1"));
    let output = cache.peers(&["clear"]);
    assert!(stderr(&output).contains("1 damaged version of the file is removed"));
    assert_eq!(cache.names(), ["peers", "peers.lock"]);
}

/// Somebody.
const PEER: &str = "quailx3os76wqzzeg7xhzcnayocdf5mcr5k6tchy6z7s73mnrawq";
