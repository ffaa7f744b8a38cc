//! The command as a user runs it: processes, their output, and how they end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod help;
mod node;
mod perf;
mod process;
mod single;
