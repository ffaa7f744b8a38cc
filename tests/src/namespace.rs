//! Tests that run in a network namespace of their own, so that they disturb nobody and change its links as they like.

use std::{
    env, fs,
    process::{Command, Stdio},
};

/// A tool that a test needs: a command of a shell that succeeds where it is there, and what to call it.
pub type Tool<'a> = (&'a str, &'a str);

/// Runs `body` in a network namespace that has loopback alone, as its root, or says why not.
///
/// `test` is the whole name of the calling test, which runs once more, in a process inside the namespace. Where the tools are
/// missing it is skipped; with `NETLAB_REQUIRED` set that fails.
///
/// # Panics
///
/// As said, and where the process in the namespace fails.
pub fn in_namespace(test: &str, tools: &[Tool<'_>], body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        assert_no_way_out();
        return body();
    }
    if is_unwanted() {
        return;
    }
    if let Some(missing) = missing(tools) {
        return skip(test, &missing);
    }
    let again = format!("ip link set lo up && exec \"$0\" --exact {test} --nocapture");
    let status = unshare(&again)
        .arg(env::current_exe().expect("a test knows its program"))
        .env(INSIDE, "1")
        .status();
    let is_passed = status.is_ok_and(|status| status.success());
    assert!(is_passed, "{test} failed in its namespace");
}

/// Whether tests in namespaces are not to run, whatever is there; then it says so.
pub(crate) fn is_unwanted() -> bool {
    let is_unwanted = env::var_os("NETLAB_SKIP").is_some();
    if is_unwanted {
        eprintln!("skipped: NETLAB_SKIP is set");
    }
    is_unwanted
}

/// Says why a test is skipped.
///
/// # Panics
///
/// With `NETLAB_REQUIRED` set.
pub(crate) fn skip(test: &str, missing: &str) {
    eprintln!("{test}: skipped: it needs {missing}");
    assert!(
        env::var_os("NETLAB_REQUIRED").is_none(),
        "NETLAB_REQUIRED is set"
    );
}

fn missing(tools: &[Tool<'_>]) -> Option<String> {
    let first = ("ip link set lo up", "network namespaces (root), and `ip`");
    let mut all = [first].into_iter().chain(tools.iter().copied());
    let is_missing = |check: &str| {
        let output = unshare(check).stdin(Stdio::null()).output();
        !output.is_ok_and(|output| output.status.success())
    };
    let (_, name) = all.find(|(check, _)| is_missing(check))?;
    Some(name.to_owned())
}

fn assert_no_way_out() {
    let links = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let links: Vec<_> = links.lines().skip(2).collect();
    assert!(links.len() <= 1, "the namespace has a way out: {links:?}");
}

fn unshare(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
    command
}

/// Set where a test runs in its namespace.
const INSIDE: &str = "CRUST_LAB";
