//! What can be said on the command line.

use clap::{Parser, Subcommand};

use crate::{exit::EXIT_CODES, perf};

/// Reliable, encrypted peer-to-peer connections by public key.
#[derive(Debug, Parser)]
#[command(name = "crust", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Logs to stderr what this filter lets through: a level, or crust=debug,crust_tcp=trace
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(subcommand)]
    Perf(perf::args::PerfArgs),
}
