//! The `crust` command: nodes from a terminal.

mod args;
mod exit;
mod out;
mod perf;
mod signal;
mod units;
mod usage;

use std::process::ExitCode;

use clap::Parser;
use crust::rt;

use self::{
    args::{Args, Command},
    exit::Failure,
};

fn main() -> ExitCode {
    let args = Args::parse();
    start_log(args.log.as_deref());
    // On a thread of the runtime, where tasks meet without waking this one.
    let ended = rt::block_on(rt::spawn(run(args.command)));
    match ended.unwrap_or_else(|_| Err(Failure::new("the command broke off: this is a bug"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::failure(&failure.text);
            failure.exit.into()
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Perf(args) => perf::perf(args).await,
    }
}

/// Logs to stderr where it was asked for.
fn start_log(filter: Option<&str>) {
    let Some(filter) = filter else { return };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .init();
}
