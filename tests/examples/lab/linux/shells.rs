//! A shell in each host: windows of tmux where it is there, else a line to type.

use std::{
    env,
    io::{IsTerminal, Read, stdin, stdout},
    process::{Command, Stdio},
    sync::mpsc::sync_channel,
    thread,
};

use async_signal::{Signal, Signals};
use crust_tests::netlab::Host;
use futures::StreamExt;
use tempfile::TempDir;

use super::topology::Topology;

/// How shells are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shells {
    /// In a tmux of the lab's own, in this terminal.
    OwnTmux,
    /// In windows of the tmux that this runs in.
    SameTmux,
    /// By the user.
    ByHand,
}

impl Shells {
    pub(crate) fn find(is_unwanted: bool) -> Self {
        let version = Command::new("tmux")
            .arg("-V")
            .stdout(Stdio::null())
            .status();
        let is_there = version.is_ok_and(|status| status.success());
        let is_terminal = stdin().is_terminal() && stdout().is_terminal();
        match is_there && is_terminal && !is_unwanted {
            true if env::var_os("TMUX").is_some() => Self::SameTmux,
            true => Self::OwnTmux,
            false => Self::ByHand,
        }
    }

    /// Shows the lab, and returns when the user has had enough.
    pub(crate) fn show(self, topology: &Topology) {
        match self {
            Self::OwnTmux => own_tmux(topology),
            Self::SameTmux => same_tmux(topology),
            Self::ByHand => by_hand(topology),
        }
    }
}

fn own_tmux(topology: &Topology) {
    let folder = TempDir::new().expect("a folder can be made");
    let socket = folder.path().join("tmux");
    let tmux = |args: &[&str]| {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&socket).args(args);
        command
    };
    let text = format!("\n{topology}\n  {OWN_TMUX}\n");
    let mut session = tmux(&["new-session", "-d", "-s", "lab", "-n", "lab", "-e"]);
    run(session.arg(format!("LAB={text}")).args(["sh", "-c", LAB]));
    for (name, host) in topology.hosts() {
        run(tmux(&["new-window", "-d", "-n", &name]).args(enter(&name, host)));
    }
    // Until the last window is closed, the user detaches, or the lab's own window is left; that is an error to tmux.
    let _ = tmux(&["attach-session"]).status();
    let _ = tmux(&["kill-server"]).stderr(Stdio::null()).status();
}

fn same_tmux(topology: &Topology) {
    let windows: Vec<_> = topology
        .hosts()
        .iter()
        .filter_map(|(name, host)| {
            let mut tmux = Command::new("tmux");
            tmux.args(["new-window", "-d", "-P", "-F", "#{window_id}", "-n", name]);
            let output = tmux.args(enter(name, host)).output().ok()?;
            String::from_utf8(output.stdout).ok()
        })
        .collect();
    println!("\n{topology}\n  A new window of tmux for each host. Ctrl-D here ends the lab.");
    wait_for_end();
    for window in windows {
        // One that was closed is not there.
        let mut kill = Command::new("tmux");
        let _ = kill
            .args(["kill-window", "-t", window.trim()])
            .stderr(Stdio::null())
            .status();
    }
}

fn by_hand(topology: &Topology) {
    println!("\n{topology}\n  A shell in a host, from another terminal:");
    for (name, host) in topology.hosts() {
        println!("    {name:<7} nsenter --net={} bash", host.netns_path());
    }
    println!("\n  Ctrl-D or Ctrl-C here ends the lab.");
    wait_for_end();
}

/// Waits for Ctrl-D or Ctrl-C.
fn wait_for_end() {
    let (sender, ended) = sync_channel(2);
    let by_input = sender.clone();
    thread::spawn(move || {
        let _ = stdin().lock().read_to_end(&mut Vec::new());
        by_input.send(())
    });
    thread::spawn(move || {
        let signals = Signals::new([Signal::Int, Signal::Term]);
        let mut signals = signals.expect("signals can be waited for");
        let _ = crust::rt::block_on(signals.next());
        sender.send(())
    });
    let _ = ended.recv();
}

/// The command that is a shell in `host`.
fn enter(name: &str, host: &Host) -> [String; 7] {
    let net = format!("--net={}", host.netns_path());
    let prompt = format!(r"PS1=\[\e[1m\]{name}\[\e[0m\] \w # ");
    [
        "nsenter",
        &net,
        "env",
        &prompt,
        "bash",
        "--norc",
        "--noprofile",
    ]
    .map(str::to_owned)
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("{command:?}: {status}"),
        Err(error) => eprintln!("{command:?}: {error}"),
    }
}

/// The lab's own window.
const LAB: &str = r#"printf '%s' "$LAB"; read -r _; exec tmux kill-server"#;
const OWN_TMUX: &str =
    "A window of tmux for each host: Ctrl-B and its number.\n  Enter or Ctrl-D here ends the lab.";
