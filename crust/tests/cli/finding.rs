//! A node that looks for others, and says so where it finds nobody.

use std::fs;

use serde_json::Value;

use crate::process::{Running, command, run, run_with, stderr, stdout, text};

#[test]
fn contact_is_met_and_remembered_for_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("peers");
    let cache = cache.to_str().unwrap();
    let (_alice, listening) = Running::node(&[]);
    let contact = text(&listening, "contact");
    let args = ["node", "--json", "--no-beacon", "--cache", cache];
    let mut bob = Running::start(&[&args, &["--contact", contact][..]].concat());
    assert_eq!(bob.event("connected")["peer"], listening["peer"]);
    bob.type_line("stop");
    assert_eq!(bob.exit_code(), Some(0));

    let shown = stdout(&run(&["peers", "--cache", cache, "--json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["peer"], listening["peer"]);
    let mut again = Running::start(&args);
    assert_eq!(again.event("connected")["peer"], listening["peer"]);
}

#[test]
fn contact_that_is_not_reached_is_told_once_with_what_was_tried() {
    let args = ["--no-gossip", "--contact", "tcp://127.0.0.1:9"];
    let (mut node, _) = Running::node(&args);
    let error = node.event("error");
    let told = text(&error, "text");
    assert!(told.contains("found no way into the network"), "{told}");
    assert!(told.contains("tcp://127.0.0.1:9 refused"), "{told}");
    node.type_line("stop");
    assert_eq!(node.exit_code(), Some(0));
    let errors = node.seen().iter().filter(|line| line["event"] == "error");
    assert_eq!(errors.count(), 1);
}

#[test]
fn cached_peer_that_is_gone_is_told_with_why() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("peers");
    let cache = cache.to_str().unwrap();
    let (mut gone, listening) = Running::node(&[]);
    gone.type_line("stop");
    assert_eq!(gone.exit_code(), Some(0));
    let line = format!("{}@tcp://127.0.0.1:9", text(&listening, "peer"));
    let imported = run_with(&["peers", "--cache", cache, "import"], &line);
    assert_eq!(imported.status.code(), Some(0));
    let args = ["node", "--json", "--no-beacon", "--no-gossip", "--cache"];
    let mut node = Running::start(&[&args[..], &[cache]].concat());
    let error = node.event("error");
    assert!(text(&error, "text").contains("tcp://127.0.0.1:9 refused"));
}

#[test]
fn contact_without_transport_is_exit_code_2() {
    let args = ["node", "--no-beacon", "--no-cache", "--contact"];
    for (contact, hint) in [
        ("bogus://x", "no transport serves bogus://"),
        ("127.0.0.1:9", "`://` is missing"),
    ] {
        let output = run(&[&args[..], &[contact]].concat());
        assert_eq!(output.status.code(), Some(2), "{contact}");
        assert!(stderr(&output).contains(hint), "{}", stderr(&output));
    }
}

#[test]
fn range_to_keep_is_read_strictly() {
    let args = ["node", "--no-beacon", "--no-cache", "--keep"];
    for wrong in ["8..====16", "=8..16", "+8..16", "16..8", "0..0", "8"] {
        let output = run(&[&args[..], &[wrong]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(stderr(&output).contains("as 8..16"), "{}", stderr(&output));
    }
    let (mut node, _) = Running::node(&["--keep", "0..=3"]);
    node.type_line("stop");
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn first_node_of_a_network_has_nothing_to_complain_of() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("peers");
    let args = ["node", "--json", "--no-beacon", "--no-gossip", "--cache"];
    let mut node = Running::start(&[&args[..], &[cache.to_str().unwrap()]].concat());
    node.event("listening");
    node.type_line("stats");
    node.event("stats");
    node.type_line("stop");
    assert_eq!(node.exit_code(), Some(0));
    let seen = node.seen();
    let mut events: Vec<_> = seen.iter().map(|line| &line["event"]).collect();
    // One for each transport.
    events.dedup();
    assert_eq!(events, ["listening", "stats"]);
}

#[test]
fn without_cache_nothing_is_written() {
    let home = tempfile::tempdir().unwrap();
    let output = command(&["node", "--no-beacon", "--no-cache", "--json"])
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn damaged_cache_is_a_warning_that_says_where_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("peers");
    fs::write(&cache, "junk").unwrap();
    let args = ["node", "--json", "--no-beacon", "--cache"];
    let mut node = Running::start(&[&args[..], &[cache.to_str().unwrap()]].concat());
    let warning = node.event("warning");
    let aside = folder.path().join("peers.damaged-1");
    assert!(text(&warning, "text").contains(aside.to_str().unwrap()));
    assert!(aside.exists());
}

#[test]
fn cache_that_cannot_be_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().to_str().unwrap();
    let output = run(&["node", "--no-beacon", "--cache", cache]);
    assert_eq!(output.status.code(), Some(0));
    let said = stderr(&output);
    assert!(said.contains("warning: ") && said.contains(cache), "{said}");
}

#[cfg(not(windows))]
#[test]
fn relative_home_is_none() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["peers"][..], &["id"], &["node", "--no-beacon"]] {
        let output = command(args)
            .env("HOME", "relative")
            .env_remove("XDG_DATA_HOME")
            .current_dir(folder.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = stderr(&output);
        assert!(said.contains("absolute path"), "{args:?}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
