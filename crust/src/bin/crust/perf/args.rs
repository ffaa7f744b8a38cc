//! The command line of `crust perf`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use crust::{Addr, Contact};
use serde::{Deserialize, Serialize};

use crate::target;

/// Measures speed and memory between two processes
///
/// Start `crust perf listen` in one terminal; it prints the command for the other one.
#[derive(Debug, Subcommand)]
pub(crate) enum PerfArgs {
    /// Waits for runs, and prints what each took here
    Listen(ListenArgs),
    /// Measures against a listener, and prints the result
    Run(RunArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Where to listen. A port without Crust is opened beside it, for runs with --plain and --raw
    #[arg(default_value = "tcp://127.0.0.1:0")]
    pub(crate) addr: Addr,
    /// Prints one JSON object for the addresses, and one for each run
    #[arg(long)]
    pub(crate) json: bool,
    /// Ends after the first run
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The listener: what `crust perf listen` printed, or its address alone
    #[arg(value_name = "ADDR")]
    pub(crate) listener: Contact,
    /// What to measure
    #[arg(long, value_enum, default_value_t = Mode::Stream)]
    pub(crate) mode: Mode,
    /// Bytes of a message [default: 65536 for stream, else 100]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=MAX_SIZE))]
    pub(crate) size: Option<u32>,
    /// How long to measure
    #[arg(long, default_value = "5", value_parser = target::seconds)]
    pub(crate) seconds: Duration,
    /// Sessions at a time [default: 64 for connect, 1000 for idle, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_PARALLEL))]
    pub(crate) parallel: Option<u32>,
    /// Prints one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Sends the same over plain TCP, without Crust, to compare
    #[arg(long, conflicts_with = "raw")]
    pub(crate) plain: bool,
    /// Sends the same over uTP alone, without Crust's sessions and encryption, to compare
    #[arg(long)]
    pub(crate) raw: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Large messages one way: bytes a second
    Stream,
    /// Small messages one way, one by one: messages a second
    Messages,
    /// A message there and back, one at a time: round trips, and how long they take
    Pingpong,
    /// Sessions opened and closed, again and again: set-ups a second
    Connect,
    /// Sessions that do nothing: memory, and processor time
    Idle,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Messages => "messages",
            Self::Pingpong => "pingpong",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }

    pub(crate) const fn default_size(self) -> u32 {
        match self {
            Self::Stream => 64 << 10,
            Self::Messages | Self::Pingpong | Self::Connect | Self::Idle => 100,
        }
    }

    pub(crate) const fn default_parallel(self) -> u32 {
        match self {
            Self::Stream | Self::Messages | Self::Pingpong => 1,
            Self::Connect => 64,
            Self::Idle => 1_000,
        }
    }
}

/// The longest message of a node's default limits.
const MAX_SIZE: i64 = 4 << 20;
/// More than the ports that one address has to dial from.
const MAX_PARALLEL: i64 = 65_536;
