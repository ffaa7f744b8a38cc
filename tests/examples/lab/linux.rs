//! The lab's command.

mod options;
mod shells;
mod topology;
mod who;

use std::process::ExitCode;

use clap::Parser;
use crust_tests::netlab::{Lab, MINIUPNPD};

use self::{options::Options, shells::Shells, topology::Topology};

pub(crate) fn main() -> ExitCode {
    let options = Options::parse();
    let tools = [MINIUPNPD];
    let needed = if options.igd { &tools[..] } else { &[] };
    let Some(mut lab) = Lab::open_with(needed) else {
        return ExitCode::FAILURE;
    };
    lab.set_link(options.link());
    let topology = Topology::build(&lab, &options);
    if let Some(path) = &options.pcap
        && let Err(error) = lab.capture(path)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    who::serve(topology.server());
    Shells::find(options.no_tmux).show(&topology);
    if let Err(error) = lab.end_capture() {
        eprintln!("the capture is not whole: {error}");
    }
    println!("{}", topology::summary(&lab.traffic()));
    ExitCode::SUCCESS
}
