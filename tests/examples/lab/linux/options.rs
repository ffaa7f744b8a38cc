//! What can be asked for.

use std::{path::PathBuf, time::Duration};

use crust_tests::netlab::{Link, Loss, Nat};

/// Opens a lab of real NATs with a shell in each host. Nothing in it can reach the machine or its network.
#[derive(Debug, clap::Parser)]
pub(crate) struct Options {
    /// A router of this kind, with hosts behind it; as often as you like
    ///
    /// full-cone, address-restricted, port-restricted, symmetric, symmetric-sequential, linux
    #[arg(long = "nat", value_name = "KIND", default_value = "port-restricted")]
    pub(crate) nats: Vec<Nat>,
    /// Puts all routers behind a provider's NAT of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) cgn: Option<Nat>,
    /// Hosts behind each router
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) hosts: usize,
    /// Milliseconds from one router to another
    #[arg(long, value_name = "MS", default_value_t = 20.0)]
    pub(crate) delay: f64,
    /// Packets in a hundred that are lost on this way
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub(crate) loss: f64,
    /// Megabits per second of each router's link
    #[arg(long, value_name = "MBIT")]
    pub(crate) rate: Option<f64>,
    /// Lets neighbours meet at their external addresses
    #[arg(long)]
    pub(crate) hairpin: bool,
    /// Gives each LAN an IPv6 prefix, behind a firewall
    #[arg(long)]
    pub(crate) v6: bool,
    /// Runs miniupnpd on each router: UPnP-IGD, NAT-PMP and PCP
    #[arg(long)]
    pub(crate) igd: bool,
    /// Writes all packets between the routers to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Prints how to enter the hosts, rather than to open tmux
    #[arg(long)]
    pub(crate) no_tmux: bool,
}

impl Options {
    /// Half of the way between two routers.
    pub(crate) fn link(&self) -> Link {
        let delay = Duration::try_from_secs_f64(self.delay / 2_000.0).unwrap_or_default();
        let kept = 1.0 - (self.loss / 100.0).clamp(0.0, 1.0);
        let link = Link::default()
            .with_delay(delay)
            .with_loss(Loss::Random(1.0 - kept.sqrt()));
        match self.rate.map(bytes_per_s) {
            Some(bytes_per_s @ 1..) => link.with_rate(bytes_per_s, QUEUE_BYTES),
            _ => link,
        }
    }
}

/// At most a terabyte, which no link here has.
fn bytes_per_s(mbit: f64) -> u64 {
    let duration = Duration::try_from_secs_f64((mbit * 0.125).clamp(0.0, 1e6));
    duration.map_or(0, |seconds| {
        seconds.as_secs() * 1_000_000 + u64::from(seconds.subsec_micros())
    })
}

/// 43 full packets: what home routers have.
const QUEUE_BYTES: usize = 64 * 1024;
