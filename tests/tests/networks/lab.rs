//! Hosts in network namespaces of their own, joined by a LAN or by routed links, each with a node in a child process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    time::{Duration, Instant},
};

use crust_tests::{Tool, in_namespace};

/// How hosts are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wiring {
    /// All on one bridge, in 10.7.0.0/16.
    Lan,
    /// Each in a network of its own, 10.A.B.0/24, with a router between them.
    Routed,
}

/// A network of hosts. What it made is gone when the process is.
#[derive(Debug)]
pub(crate) struct Lab {
    wiring: Wiring,
    hosts: usize,
}

impl Lab {
    /// Runs `body` in a network namespace of its own, or says why not.
    pub(crate) fn run(test: &str, wiring: Wiring, body: impl FnOnce(&mut Self)) {
        Self::run_with(&[], test, wiring, body);
    }

    /// The same for one that needs these tools too.
    pub(crate) fn run_with(
        tools: &[Tool<'_>],
        test: &str,
        wiring: Wiring,
        body: impl FnOnce(&mut Self),
    ) {
        let nsenter = ("command -v nsenter", "`nsenter` of util-linux");
        let tools = [&[nsenter], tools].concat();
        in_namespace(test, &tools, || body(&mut Self::new(wiring)));
    }

    fn new(wiring: Wiring) -> Self {
        match wiring {
            Wiring::Lan => ip("link add lan0 type bridge\nlink set lan0 up"),
            Wiring::Routed => fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap(),
        }
        Self { wiring, hosts: 0 }
    }

    /// A host with a node that waits for [`Host::go`].
    pub(crate) fn host(&mut self, args: &[String]) -> Host {
        self.hosts += 1;
        self.host_again(self.hosts, args)
    }

    /// A host whose node is a program for Windows, if there is one to be run; else one like the others.
    pub(crate) fn windows_host(&mut self, args: &[String]) -> Host {
        self.hosts += 1;
        let number = self.hosts;
        match Windows::find(number) {
            Some(windows) => self.place(number, Host::start_windows(number, args, windows)),
            None => self.host_again(number, args),
        }
    }

    /// A host whose clock is off by so many days.
    pub(crate) fn host_with_clock(&mut self, days: i32, args: &[String]) -> Host {
        self.hosts += 1;
        self.place(self.hosts, Host::start_with_clock(self.hosts, days, args))
    }

    /// A host in place of one that is gone, with its addresses.
    pub(crate) fn host_again(&mut self, number: usize, args: &[String]) -> Host {
        // That of a host which is gone may still be there, for the system takes its time.
        let _ = Command::new("ip")
            .args(["link", "del", &format!("p{number}")])
            .stderr(Stdio::null())
            .status();
        self.place(number, Host::start(number, args))
    }

    /// Joins a host to the network.
    fn place(&self, number: usize, host: Host) -> Host {
        let pid = host.pid();
        let (a, b) = (number / 200, 1 + number % 200);
        ip(&format!(
            "link add p{number} type veth peer name eth0 netns {pid}\nlink set p{number} up"
        ));
        let inside = match self.wiring {
            Wiring::Lan => {
                ip(&format!("link set p{number} master lan0"));
                format!("addr add 10.7.{a}.{b}/16 dev eth0\n")
            }
            Wiring::Routed => {
                ip(&format!("addr add 10.{}.{b}.1/24 dev p{number}", 10 + a));
                format!(
                    "addr add 10.{0}.{b}.2/24 dev eth0\nroute add default via 10.{0}.{b}.1\n",
                    10 + a
                )
            }
        };
        // The address before the link, or the route would have no way.
        let (addr, rest) = inside.split_once('\n').unwrap();
        host.ip(&format!("link set lo up\n{addr}\nlink set eth0 up\n{rest}"));
        host
    }

    /// How long packets may be on the way to the host of this number.
    pub(crate) fn narrow(number: usize, mtu: u32) {
        ip(&format!("link set p{number} mtu {mtu}"));
    }

    /// Where the host of this number has its port.
    pub(crate) fn addr(&self, number: usize, port: u16) -> String {
        let (a, b) = (number / 200, 1 + number % 200);
        match self.wiring {
            Wiring::Lan => format!("tcp://10.7.{a}.{b}:{port}"),
            Wiring::Routed => format!("tcp://10.{}.{b}.2:{port}", 10 + a),
        }
    }
}

/// One host and its node. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) number: usize,
    pub(crate) id: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    windows: Option<Windows>,
}

impl Host {
    fn start(number: usize, args: &[String]) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", env!("CARGO_BIN_EXE_crust-host")]);
        Self::start_with(number, command.args(args), None)
    }

    fn start_with_clock(number: usize, days: i32, args: &[String]) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--net", env!("CARGO_BIN_EXE_crust-host")])
            .env("LD_PRELOAD", FAKETIME)
            .env("FAKETIME", format!("{days:+}d"))
            // What passes is measured by another clock, which nobody sets.
            .env("DONT_FAKE_MONOTONIC", "1");
        Self::start_with(number, command.args(args), None)
    }

    fn start_windows(number: usize, args: &[String], windows: Windows) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--net", "wine"])
            .arg(&windows.program)
            .env("WINEPREFIX", &windows.prefix);
        Self::start_with(number, command.args(args), Some(windows))
    }

    fn start_with(number: usize, command: &mut Command, windows: Option<Windows>) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(64);
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            for line in lines {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut host = Self {
            number,
            id: String::new(),
            stdin: child.stdin.take(),
            child,
            lines,
            windows,
        };
        host.hear("ready");
        host
    }

    pub(crate) fn is_windows(&self) -> bool {
        self.windows.is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells the node to start. [`Host::started`] waits for that.
    pub(crate) fn go(&mut self) {
        self.say("go");
    }

    pub(crate) fn started(&mut self) {
        self.id = self.hear("id").remove(0);
    }

    /// Asks, and gives the words of the answer.
    pub(crate) fn ask(&mut self, question: &str) -> Vec<String> {
        self.say(question);
        self.hear(question)
    }

    pub(crate) fn count(&mut self, question: &str) -> usize {
        self.ask(question).len()
    }

    /// Lets the node shut down.
    pub(crate) fn stop(mut self) {
        self.say("stop");
        self.hear("stopped");
        self.child.wait().unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Runs lines of `ip` in the host.
    pub(crate) fn ip(&self, lines: &str) {
        let pid = self.pid().to_string();
        batch(
            Command::new("nsenter").args(["--net", "--target", &pid, "ip"]),
            lines,
        );
    }

    /// Lets no packet of this protocol in or out, without a word.
    pub(crate) fn block(&self, protocol: &str) {
        let pid = self.pid().to_string();
        let chains = [("input", "iif"), ("output", "oif")].map(|(hook, interface)| {
            format!(
                "add chain inet block {hook} {{ type filter hook {hook} priority 0; }}\n\
                 add rule inet block {hook} {interface} != lo meta l4proto {protocol} drop\n"
            )
        });
        let rules = format!("add table inet block\n{}", chains.concat());
        let mut nft = Command::new("nsenter");
        nft.args(["--net", "--target", &pid, "nft", "--file", "-"]);
        feed(&mut nft, &rules);
    }

    /// Seconds of processor time that the node took so far, and its memory in bytes.
    pub(crate) fn usage(&self) -> (f64, u64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let after_name = stat.rsplit_once(") ").unwrap().1;
        let fields: Vec<_> = after_name.split(' ').collect();
        let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
        let pages: u64 = fields[21].parse().unwrap();
        ((ticks(11) + ticks(12)) / 100.0, pages * 4_096)
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self, word: &str) -> Vec<String> {
        let line = self.lines.recv_timeout(ANSWER_LIMIT);
        let line = line.unwrap_or_else(|error| panic!("host {}: no {word}: {error}", self.number));
        let mut words = line.split_whitespace().map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some(word), "{line}");
        words.collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a node for Windows needs: Wine keeps its sockets in a server, so each host has a Wine of its own.
#[derive(Debug)]
struct Windows {
    program: PathBuf,
    /// A copy of a Wine that is set up, gone when this is.
    prefix: PathBuf,
}

impl Windows {
    /// The program of `CRUST_LAB_WINDOWS`, and a copy of the Wine in `WINEPREFIX`.
    fn find(number: usize) -> Option<Self> {
        let program = env::var_os("CRUST_LAB_WINDOWS")?.into();
        let wine = env::var_os("WINEPREFIX").expect("WINEPREFIX has a Wine that is set up");
        let prefix = env::temp_dir().join(format!("crust-wine-{}-{number}", std::process::id()));
        let copied = Command::new("cp").arg("-a").arg(wine).arg(&prefix).status();
        assert!(copied.unwrap().success());
        Some(Self { program, prefix })
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        for order in ["--kill", "--wait"] {
            let _ = Command::new("wineserver")
                .arg(order)
                .env("WINEPREFIX", &self.prefix)
                .status();
        }
        let _ = fs::remove_dir_all(&self.prefix);
    }
}

/// Waits until `fact` is so, at most `limit`; gives the time it took.
#[track_caller]
pub(crate) fn within(limit: Duration, what: &str, mut fact: impl FnMut() -> bool) -> Duration {
    let start = now();
    while !fact() {
        assert!(now() - start < limit, "not within {limit:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
    now() - start
}

pub(crate) fn now() -> Instant {
    crust::rt::now()
}

fn ip(lines: &str) {
    batch(&mut Command::new("ip"), lines);
}

fn batch(command: &mut Command, lines: &str) {
    feed(command.args(["-batch", "-"]), lines);
}

/// Runs a command with these lines as its input.
fn feed(command: &mut Command, lines: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{lines}");
}

/// What [`Lab::host_with_clock`] needs.
pub(crate) const CLOCKS: Tool<'_> = (
    "test \"$(LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1' FAKETIME='@2001-01-01 00:00:00' date +%Y)\" = 2001",
    "`faketime`",
);
/// What [`Host::block`] needs.
pub(crate) const FILTER: Tool<'_> = ("command -v nft", "`nft` of nftables");
/// Where Debian has it; the loader knows what `$LIB` is.
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
/// A node under load answers later than at once.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);
