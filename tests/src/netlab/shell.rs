//! The programs that set a namespace up, fed from memory.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
};

/// A program that was started and not yet waited for.
#[must_use = "its outcome is known when it is waited for"]
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    input: String,
}

impl Running {
    /// Starts `ip` on these lines, in the namespace of the calling thread.
    pub(super) fn ip(lines: String) -> Self {
        Self::start(Command::new("ip").args(["-batch", "-"]), lines)
    }

    /// Starts `nft` on these rules, which take effect as a whole or not at all.
    pub(super) fn nft(rules: String) -> Self {
        Self::start(Command::new("nft").args(["-f", "-"]), rules)
    }

    fn start(command: &mut Command, input: String) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("it is piped");
        // One that ends before it read all tells why when it is waited for.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Self { child, input }
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// Where it failed.
    #[track_caller]
    pub(super) fn wait(self) {
        let output = self
            .child
            .wait_with_output()
            .expect("a child can be waited for");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\nof\n{}", self.input);
    }
}

/// Runs a program without input.
#[track_caller]
pub(super) fn run(command: &mut Command) {
    Running::start(command, String::new()).wait();
}

/// Runs `ip` on these lines.
#[track_caller]
pub(super) fn ip(lines: impl Into<String>) {
    Running::ip(lines.into()).wait();
}

/// Runs `nft` on these rules.
#[track_caller]
pub(super) fn nft(rules: impl Into<String>) {
    Running::nft(rules.into()).wait();
}
