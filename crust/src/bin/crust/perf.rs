//! `crust perf`: how fast Crust is here, and how small.

pub(crate) mod args;
mod ask;
mod bench;
mod connect;
mod flow;
mod idle;
mod link;
mod listen;
mod meter;
mod ping_pong;
mod plain;
mod report;
mod run;
mod tally;

use self::args::PerfArgs;
use crate::exit::Failure;

pub(crate) async fn perf(args: PerfArgs) -> Result<(), Failure> {
    match args {
        PerfArgs::Listen(args) => listen::listen(args).await,
        PerfArgs::Run(args) => run::run(args).await,
    }
}
