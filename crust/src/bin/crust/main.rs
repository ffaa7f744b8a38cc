//! The `crust` command: nodes from a terminal.

mod args;
mod demo;
mod exit;
mod finding;
mod id;
mod identity;
mod lan;
mod map;
mod nat;
mod node;
mod out;
mod peers;
mod perf;
mod ping;
mod prefixes;
mod rtt;
mod signal;
mod target;
mod units;
mod usage;
mod warnings;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use crust::rt;

use self::{
    args::{Args, Command},
    exit::Failure,
};

fn main() -> ExitCode {
    let args = Args::parse();
    match &args.log {
        Some(filter) => start_log(filter),
        None => warnings::tell(args.command.prints_events()),
    }
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
        Command::Demo(args) => demo::demo(args).await,
        Command::Node(args) => node::node(args).await,
        Command::Lan(args) => lan::lan(args).await,
        Command::Nat(args) => nat::nat(args).await,
        Command::Map(args) => map::map(args).await,
        Command::Peers(args) => peers::peers(args).await,
        Command::Id(args) => id::id(args).await,
        Command::Ping(args) => ping::ping(args).await,
        Command::Perf(args) => perf::perf(args).await,
        Command::Completions { shell } => {
            print_completions(shell);
            Ok(())
        }
    }
}

fn print_completions(shell: clap_complete::Shell) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "crust", &mut text);
    out::line(String::from_utf8_lossy(&text).trim_end());
}

/// Logs to stderr, warnings included.
fn start_log(filter: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .init();
}
