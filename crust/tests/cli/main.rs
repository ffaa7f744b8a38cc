//! The command as a user runs it: processes, their output, and how they end.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod finding;
mod help;
mod lan;
mod node;
mod peers;
mod perf;
mod process;
mod single;
