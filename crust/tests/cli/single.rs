//! Commands that end by themselves.

use crate::process::{Running, run, stderr, stdout, text};

#[test]
fn demo_shows_a_conversation() {
    let output = run(&["demo", "--seconds", "0.05"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    for part in [
        "Alice",
        "Bob",
        "Hello Bob",
        "round trip",
        "throughput",
        "that was all",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours in a pipe");
}

#[test]
fn identity_is_made_once_and_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("me");
    let args = ["id", "--json", "--identity", file.to_str().unwrap()];
    let [made, again] = [(); 2].map(|()| {
        let shown = stdout(&run(&args));
        serde_json::from_str::<serde_json::Value>(&shown).unwrap()
    });
    assert_eq!(
        (&made["made"], &again["made"]),
        (&true.into(), &false.into())
    );
    assert_eq!(made["peer"], again["peer"]);

    let (_node, listening) = Running::node(&args[2..]);
    assert_eq!(listening["peer"], made["peer"]);
}

#[test]
fn damaged_identity_is_a_sentence_and_exit_code_4() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&["id", "--identity", path]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains(path));
}

#[test]
fn ping_counts_answers() {
    let (_node, listening) = Running::node(&[]);
    let contact = text(&listening, "contact");
    let mut ping = Running::start(&["ping", contact, "--json", "-c", "3", "-i", "0.01"]);
    for seq in 1..=3 {
        let pong = ping.event("pong");
        assert_eq!(pong["seq"], seq);
        assert!(pong["rtt_us"].as_f64().unwrap() > 0.0);
    }
    let statistics = ping.event("statistics");
    assert_eq!(
        (&statistics["sent"], &statistics["received"]),
        (&3.into(), &3.into())
    );
    assert!(statistics["rtt_us"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(ping.exit_code(), Some(0));
}

#[test]
fn ping_to_nobody_is_exit_code_3() {
    let output = run(&["ping", "tcp://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("tcp://127.0.0.1:1"));
}
