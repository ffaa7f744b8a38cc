//! What the command says of itself.

use crate::process::{run, stdout};

#[test]
fn help_has_every_option() {
    for (command, parts) in WANTED {
        let output = run(&[command, &["--help"]].concat());
        assert_eq!(output.status.code(), Some(0));
        let help = stdout(&output);
        for part in parts {
            assert!(
                help.contains(part),
                "no {part:?} in the help of {command:?}:\n{help}"
            );
        }
    }
}

const WANTED: [(&[&str], &[&str]); 11] = [
    (
        &[],
        &[
            "demo",
            "node",
            "id",
            "ping",
            "perf",
            "completions",
            "Exit codes",
        ],
    ),
    (
        &["node"],
        &[
            "--port",
            "--network",
            "--key-file",
            "--identity",
            "--name",
            "--speed",
            "--json",
            "connect PEER",
            "send PEER",
            "peers",
            "disconnect",
            "block",
            "stats",
            "stop",
            "help",
            "listening {",
            "connected {",
            "message {",
            "disconnected {",
            "rate {",
            "error {",
            "warning {",
            "--no-map",
            "--stun",
            "reachability {",
            "--contact",
            "--keep",
            "8..16",
            "--no-cache",
            "Exit codes",
        ],
    ),
    (&["lan"], &["--seconds", "--beacon-port", "--json"]),
    (&["nat"], &["--server", "--peer", "--lifetime", "--json"]),
    (
        &["map"],
        &["--protocol", "--external", "--by", "--seconds", "--json"],
    ),
    (
        &["peers"],
        &["list", "export", "import", "clear", "--cache", "--json"],
    ),
    (&["id"], &["--identity", "--json", "Exit codes"]),
    (
        &["ping"],
        &["--count", "--interval", "--timeout", "--json", "Exit codes"],
    ),
    (&["perf"], &["listen", "run"]),
    (&["perf", "listen"], &["[ADDR]", "--json", "--once"]),
    (
        &["perf", "run"],
        &[
            "<ADDR>",
            "--mode",
            "--size",
            "--seconds",
            "--parallel",
            "--json",
            "--plain",
            "stream",
            "messages",
            "pingpong",
            "connect",
            "idle",
        ],
    ),
];

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = stdout(&output);
        assert!(
            script.contains("completions") && script.contains("perf"),
            "{shell}"
        );
    }
}
