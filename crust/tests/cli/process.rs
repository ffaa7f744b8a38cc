//! A running `crust`, its JSON lines, and its end.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::Duration,
};

use serde_json::Value;

/// A `crust` that runs and prints JSON lines. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    seen: Vec<Value>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1_024);
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let value = serde_json::from_str(&line.unwrap()).expect("a JSON object a line");
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// A node on a random port, and what it says of itself.
    pub(crate) fn node(args: &[&str]) -> (Self, Value) {
        let mut node =
            Self::start(&[&["node", "--json", "--no-beacon", "--no-cache"], args].concat());
        let listening = node.event("listening");
        (node, listening)
    }

    /// The next line, whatever it is.
    pub(crate) fn line(&mut self) -> Value {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => {
                self.seen.push(line.clone());
                line
            }
            Err(RecvTimeoutError::Timeout) => panic!("nothing in {LIMIT:?} after {:?}", self.seen),
            Err(RecvTimeoutError::Disconnected) => panic!("it ended after {:?}", self.seen),
        }
    }

    /// The next line about `event`; others are passed over.
    pub(crate) fn event(&mut self, event: &str) -> Value {
        loop {
            let line = self.line();
            if line["event"] == event {
                return line;
            }
        }
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Interrupts it, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().try_into().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Waits for its end, and gives the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        // Its output ends with it; until then there is a limit to wait for.
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("still there after {:?}", self.seen),
            }
        }
        self.child.wait().unwrap().code()
    }

    /// Every line so far.
    pub(crate) fn seen(&self) -> &[Value] {
        &self.seen
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `crust` to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    command(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs `crust` to its end with this input.
pub(crate) fn run_with(args: &[&str], input: &str) -> Output {
    run_with_bytes(args, input.as_bytes())
}

/// Runs `crust` to its end with this input.
pub(crate) fn run_with_bytes(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// What it printed on stdout.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it printed on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The text of a field.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text {field} in {value}"))
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crust"));
    command.args(args);
    // Nor does it ask the gateway of the machine's own network for ports.
    if args.first() == Some(&"node") && !args.contains(&"--help") {
        command.arg("--no-map");
    }
    // Whatever a test does, the user's own files are elsewhere.
    command.env("HOME", HOME).env("XDG_DATA_HOME", HOME);
    command
}

/// An absolute folder of the tests.
pub(crate) const HOME: &str = env!("CARGO_TARGET_TMPDIR");

/// Everything here takes well under a second on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);
