//! `crust perf run`.

use super::{
    args::{Mode, RunArgs},
    bench::Bench,
    connect, flow, idle, ping_pong,
};
use crate::{exit::Failure, out, usage};

pub(super) async fn run(args: RunArgs) -> Result<(), Failure> {
    usage::raise_open_files();
    let bench = Bench::begin(&args).await?;
    let report = match bench.mode {
        Mode::Stream | Mode::Messages => flow::run(&bench).await?,
        Mode::Pingpong => ping_pong::run(&bench).await?,
        Mode::Connect => connect::run(&bench).await?,
        Mode::Idle => idle::run(&bench).await?,
    };
    bench.end().await;
    if args.json {
        out::json(&report);
    } else {
        report.print();
    }
    Ok(())
}
