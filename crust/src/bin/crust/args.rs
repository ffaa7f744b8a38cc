//! What can be said on the command line.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::{demo, exit::EXIT_CODES, id, lan, map, nat, node, peers, perf, ping};

/// Reliable, encrypted peer-to-peer connections by public key
#[derive(Debug, Parser)]
#[command(name = "crust", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Logs to stderr what this filter lets through: a level, or crust=debug,crust_tcp=trace; without it only warnings are
    /// told, as sentences
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows nodes in this process that meet, talk and find each other: start here
    Demo(demo::DemoArgs),
    /// Runs a node: finds peers and connects to them, sends and prints messages
    #[command(after_help = node::AFTER_HELP)]
    Node(node::args::NodeCommand),
    /// Lists who is on the LAN, and who comes and goes
    #[command(after_help = EXIT_CODES)]
    Lan(lan::LanArgs),
    /// Tells what stands between this machine and the world: NATs, firewalls, and what that means
    #[command(after_help = EXIT_CODES)]
    Nat(nat::NatArgs),
    /// Maps a port on the gateway while it runs, by PCP, NAT-PMP or UPnP
    #[command(after_help = EXIT_CODES)]
    Map(map::MapArgs),
    /// Lists, exports, imports or forgets the peers of earlier runs
    #[command(after_help = EXIT_CODES)]
    Peers(peers::PeersArgs),
    /// Shows an identity, and makes it first where there is none
    #[command(after_help = EXIT_CODES)]
    Id(id::IdArgs),
    /// Measures round trips to a peer, as ping(8) does
    #[command(after_help = EXIT_CODES)]
    Ping(ping::PingArgs),
    #[command(subcommand, after_help = EXIT_CODES)]
    Perf(perf::args::PerfArgs),
    /// Prints completions for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Whether it prints one JSON object for each event, warnings among them, until it is ended.
    pub(crate) const fn prints_events(&self) -> bool {
        match self {
            Self::Node(args) => args.json,
            Self::Lan(args) => args.json,
            Self::Map(args) => args.json,
            _ => false,
        }
    }
}

const COMPLETIONS_HELP: &str = "\
For bash, for one:
  crust completions bash > ~/.local/share/bash-completion/completions/crust";
