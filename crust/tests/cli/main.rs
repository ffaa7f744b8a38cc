//! The command as a user runs it: processes, their output, and how they end.

mod help;
mod node;
mod perf;
mod process;
mod single;
