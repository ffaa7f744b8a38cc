//! Mode idle: many sessions that do nothing.

use crust::rt;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    args::Mode,
    bench::Bench,
    link::{Link, Origin},
    meter::bar,
    report::Report,
};
use crate::{exit::Failure, units, usage};

pub(super) async fn run(bench: &Bench) -> Result<Report, Failure> {
    check_open_files(bench.parallel)?;
    // What sessions share is not what one of them costs: threads and tables, the room that as many handshakes at once
    // take as there are in a moment, and the nodes here, of which each session needs one of its own.
    for link in open_all(origins(bench, WARM).await?).await? {
        link.close().await;
    }
    let origins = origins(bench, bench.parallel).await?;
    let before = bench.mark().await?;
    let links = open_all(origins).await?;
    let start = bench.mark().await?;
    let clock = bench.start("sessions");
    clock.await.ok();
    let span = bench.since(&start).await?;

    let each = |before: Option<u64>, after: Option<u64>| {
        let grown = after?.saturating_sub(before?);
        Some(grown / u64::from(bench.parallel))
    };
    let report = Report {
        sessions: Some(links.len() as u64),
        rss_bytes_per_session: each(before.own.rss_bytes, span.end.own.rss_bytes),
        listener_rss_bytes_per_session: each(
            before.listener.rss_bytes,
            span.end.listener.rss_bytes,
        ),
        ..Report::new(bench, &span)
    };
    for link in links {
        rt::detach(link.close());
    }
    Ok(report)
}

async fn origins(bench: &Bench, count: u32) -> Result<Vec<Origin>, Failure> {
    stream::iter(0..count)
        .then(|_| Origin::new(&bench.place))
        .try_collect()
        .await
}

async fn open_all(origins: Vec<Origin>) -> Result<Vec<Link>, Failure> {
    let bar = bar(origins.len() as u128, "sessions opened");
    let links = stream::iter(origins)
        .map(open)
        .buffer_unordered(AT_ONCE)
        .inspect_ok(|_| {
            bar.inc(1);
            bar.set_message(units::count(bar.position() as f64));
        })
        .try_collect()
        .await;
    bar.finish_and_clear();
    links
}

async fn open(origin: Origin) -> Result<Link, Failure> {
    let mut link = origin.open().await?;
    link.begin(Mode::Idle).await?;
    Ok(link)
}

fn check_open_files(sessions: u32) -> Result<(), Failure> {
    match usage::raise_open_files() {
        Some(limit) if limit < u64::from(sessions) + OTHER_FILES => Err(Failure::new(format!(
            "{sessions} sessions need as many open files, and this process may have {limit}; \
             raise the limit (ulimit -Hn) or lower --parallel"
        ))),
        _ => Ok(()),
    }
}

/// Sessions opened and closed before any is counted.
const WARM: u32 = 256;
/// As mode connect has by default.
const AT_ONCE: usize = 64;
/// What a process has open beside its sessions, generously.
const OTHER_FILES: u64 = 32;
