//! Two nodes, two processes.

use crate::process::{Running, run, stderr, text};

#[test]
fn two_processes_talk() {
    let (mut alice, listening) = Running::node(&[]);
    let (mut bob, _) = Running::node(&[text(&listening, "contact")]);

    let met = bob.event("connected");
    assert_eq!(met["peer"], listening["peer"]);
    assert_eq!(met["addr"], listening["addr"]);
    assert_eq!(met["role"], "dialer");
    let met = alice.event("connected");
    assert_eq!(met["role"], "listener");

    bob.type_line("send * hello  Alice");
    let heard = alice.event("message");
    assert_eq!(heard["text"], "hello  Alice");
    assert_eq!(heard["bytes"], 12);
    assert_eq!(heard["peer"], met["peer"]);

    let short = &text(&met, "peer")[..12];
    alice.type_line(&format!("send {short} hello Bob"));
    assert_eq!(bob.event("message")["text"], "hello Bob");

    // One message each way, in one second or in two.
    let (mut came, mut went) = (0, 0);
    while (came, went) != (1, 1) {
        let rate = alice.event("rate");
        came += rate["messages_in"].as_u64().unwrap();
        went += rate["messages_out"].as_u64().unwrap();
        assert!(came <= 1 && went <= 1, "{:?}", alice.seen());
    }

    bob.end_input();
    assert_eq!(bob.exit_code(), Some(0));
    assert_eq!(alice.event("disconnected")["reason"], "shutdown");
    alice.type_line("stop");
    assert_eq!(alice.exit_code(), Some(0));
}

#[test]
fn what_is_typed_before_the_end_of_input_is_sent() {
    let (mut alice, listening) = Running::node(&[]);
    let (mut bob, _) = Running::node(&[]);
    bob.type_line(&format!("connect {}", text(&listening, "contact")));
    bob.type_line("send * and goodbye");
    bob.end_input();
    assert_eq!(alice.event("message")["text"], "and goodbye");
    assert_eq!(bob.exit_code(), Some(0));
}

#[test]
fn peers_are_listed_disconnected_and_blocked() {
    let (mut alice, listening) = Running::node(&[]);
    let (mut bob, _) = Running::node(&[text(&listening, "contact")]);
    let met = alice.event("connected");
    let peer = text(&met, "peer");

    alice.type_line("peers");
    assert_eq!(alice.event("peers")["peers"][0]["peer"], peer);
    alice.type_line(&format!("disconnect {peer}"));
    assert_eq!(alice.event("disconnected")["reason"], "closed");
    assert_eq!(bob.event("disconnected")["reason"], "closed_by_peer");

    alice.type_line(&format!("block {peer}"));
    alice.type_line("stats");
    assert_eq!(alice.event("stats")["sessions"], 0);
    bob.type_line(&format!("connect {}", text(&listening, "contact")));
    assert!(text(&bob.event("error"), "text").contains("could not connect"));
    alice.type_line("unblock 192.0.2.1");
    assert!(text(&alice.event("error"), "text").contains("not blocked"));
}

#[test]
fn wrong_commands_are_errors_and_the_node_goes_on() {
    let (mut node, _) = Running::node(&[]);
    node.type_line("dance");
    assert!(text(&node.event("error"), "text").contains("dance"));
    node.type_line("connect tcp://127.0.0.1:1");
    assert!(text(&node.event("error"), "text").contains("tcp://127.0.0.1:1 refused"));
    node.type_line("stop");
    assert_eq!(node.exit_code(), Some(0));
}

#[test]
fn speed_sends_random_messages_and_shows_the_rate() {
    let (mut alice, listening) = Running::node(&[]);
    let (mut bob, _) = Running::node(&[text(&listening, "contact"), "--speed", "200k"]);
    assert!(alice.event("message")["bytes"].as_u64().unwrap() > 0);
    let rate = alice.event("rate");
    assert!(rate["bytes_in"].as_u64().unwrap() > 0, "{rate}");
    assert!(bob.event("rate")["bytes_out"].as_u64().unwrap() > 0);
}

#[test]
fn nodes_of_different_networks_do_not_meet() {
    let (_alice, listening) = Running::node(&["--network", "one"]);
    let output = run(&[
        "node",
        "--no-beacon",
        "--no-cache",
        "--network",
        "two",
        text(&listening, "contact"),
    ]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(text(&listening, "addr")));
}

#[cfg(unix)]
#[test]
fn interrupt_shuts_down_cleanly() {
    let (mut alice, listening) = Running::node(&[]);
    let (mut bob, _) = Running::node(&[text(&listening, "contact")]);
    // Each end is told when the session is up there; an interrupt before that has no session to end.
    alice.event("connected");
    bob.event("connected");
    bob.interrupt();
    assert_eq!(bob.exit_code(), Some(0));
    assert_eq!(bob.seen().last().unwrap()["event"], "disconnected");
    assert_eq!(alice.event("disconnected")["reason"], "shutdown");
}

#[test]
fn unreachable_peer_is_a_sentence_and_exit_code_3() {
    let output = run(&["node", "--no-beacon", "--no-cache", "tcp://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(
        said.contains("could not connect to tcp://127.0.0.1:1"),
        "{said}"
    );
    assert!(said.contains("refused the connection"), "{said}");
}

#[test]
fn wrong_address_is_a_sentence_and_exit_code_2() {
    for (peer, hint) in [
        ("192.0.2.7:5483", "`://` is missing"),
        ("nobody", "an address as tcp://"),
        ("tcp://", "after `://` is empty"),
    ] {
        let output = run(&["node", "--no-beacon", "--no-cache", peer]);
        assert_eq!(output.status.code(), Some(2), "{peer}");
        let said = stderr(&output);
        assert!(said.contains(hint), "{said}");
    }
}

#[test]
fn key_file_that_holds_no_key_is_exit_code_4() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&["node", "--no-beacon", "--no-cache", "--key-file", path]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains(path));
}
