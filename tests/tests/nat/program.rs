//! A node on a host of the lab.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use crust_tests::netlab::Host;

/// A node in a process of its own, asked by words. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) id: String,
}

impl Node {
    pub(crate) fn start(host: &Host, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crust-host"));
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = host.spawn(&mut command);
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut node = Self {
            child,
            stdin,
            lines,
            id: String::new(),
        };
        node.hear("ready");
        node.say("go");
        node.id = node.hear("id");
        node
    }

    pub(crate) fn ask(&mut self, word: &str) -> String {
        self.say(word);
        self.hear(word)
    }

    /// Asks until the answer is right, and gives the last one.
    pub(crate) fn ask_until(&mut self, word: &str, is_right: impl Fn(&str) -> bool) -> String {
        self.ask_for(PATIENCE, word, is_right)
    }

    /// The same for so long at most.
    pub(crate) fn ask_for(
        &mut self,
        limit: Duration,
        word: &str,
        is_right: impl Fn(&str) -> bool,
    ) -> String {
        let since = crust_core::rt::now();
        loop {
            let answer = self.ask(word);
            if is_right(&answer) || since.elapsed() > limit {
                return answer;
            }
            // The processors are for those who are asked.
            thread::sleep(PAUSE);
        }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").unwrap();
    }

    fn hear(&mut self, word: &str) -> String {
        let line = self.lines.next().unwrap().unwrap();
        line.strip_prefix(word).expect(&line).trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// Two dial-backs in vain take five seconds each.
const PATIENCE: Duration = Duration::from_secs(30);
