//! A LAN on one machine: a bridge in a namespace of the test's own, and hosts plugged into it.

use std::{
    env, fmt,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, sync_channel},
    },
    time::Duration,
};

use crust_core::PeerId;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Runs `body` in a network namespace that has loopback and a bridge `br0`, both up.
pub(crate) fn in_namespace(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        run(PREPARE);
        return body();
    }
    if !unshare(PREPARE)
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: no network namespace for this user, or no `ip` and `nsenter`");
        return;
    }
    let status = unshare("exec \"$0\" --exact \"$1\" --nocapture")
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .status();
    assert!(status.unwrap().success(), "{test} failed in its namespace");
}

/// Runs a command line as a shell does.
pub(crate) fn run(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status();
    assert!(status.unwrap().success(), "{command}");
}

/// Another host, as a process in a namespace of its own whose interface `eth0` is plugged into the bridge.
pub(crate) struct Host {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Host {
    /// Plugs in a host with these addresses; nothing runs there yet.
    pub(crate) fn plug(name: &str, addrs: &[&str]) -> Self {
        let mut child = Command::new("unshare")
            .args([
                "--net",
                "sh",
                "-ec",
                "read go && exec \"$0\" --exact hosts::host --nocapture",
            ])
            .arg(env::current_exe().unwrap())
            .env(HOST, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = sync_channel(1_000);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix('@') {
                    let _ = tell.send(line.to_owned());
                }
            }
        });
        let host = Self {
            child,
            stdin,
            lines,
        };
        host.wire(name, addrs);
        host
    }

    /// Runs a command line on the host.
    pub(crate) fn run(&self, command: &str) {
        run(&format!(
            "nsenter --net=/proc/{}/ns/net sh -ec '{command}'",
            self.child.id()
        ));
    }

    /// Starts the program of the host with a line that says what it is to do.
    pub(crate) fn start(&mut self, what: &str) {
        self.tell("go");
        self.tell(what);
        assert_eq!(self.next_line(), "ready");
    }

    /// Says a line to the program of the host.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// Waits until the program of the host has said a line that `is_it`.
    pub(crate) fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the host never said: {what}"));
            if is_it(&line) {
                return line;
            }
        }
    }

    /// All that the program said until now.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    fn next_line(&self) -> String {
        self.wait_for("anything", |_| true)
    }

    fn wire(&self, name: &str, addrs: &[&str]) {
        let pid = self.child.id();
        // The process has its namespace once `unshare` has become the shell.
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        while std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap() == own {
            std::thread::yield_now();
        }
        run(&format!(
            "ip link add veth-{name} type veth peer name eth0 netns {pid}
             ip link set veth-{name} master br0 up"
        ));
        self.run("ip link set lo up && ip link set eth0 up");
        for addr in addrs {
            self.run(&format!(
                "ip addr add {addr} dev eth0 nodad || ip addr add {addr} dev eth0"
            ));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of the host that this process is; `None` where it is no host.
pub(crate) fn host_name() -> Option<String> {
    env::var(HOST).ok()
}

/// The peer that runs on a host.
pub(crate) fn peer(name: &str) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    PeerId::from_bytes(bytes)
}

fn unshare(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-ec", script]);
    command
}

const PREPARE: &str = "ip link set lo up
    command -v nsenter > /dev/null
    ip link add br0 type bridge mcast_snooping 0
    ip link set br0 up";
/// On a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const INSIDE: &str = "CRUST_BEACON_TEST_NAMESPACE";
const HOST: &str = "CRUST_BEACON_TEST_HOST";

/// The warnings of this process.
#[derive(Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Collects them from now on; once in a process.
    pub(crate) fn collect() -> Self {
        let warnings = Self::default();
        tracing::subscriber::set_global_default(warnings.clone()).unwrap();
        warnings
    }

    /// Those until now.
    pub(crate) fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
