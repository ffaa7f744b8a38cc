//! Mode connect: sessions opened and closed, again and again.

use std::{sync::Arc, time::Duration};

use crust::{Node, rt};
use crust_utp::UtpTransport;
use futures::future::try_join_all;

use super::{
    args::Mode,
    bench::Bench,
    flow::broke_off,
    link::{Link, Place, dialer},
    meter::Meter,
    report::{Report, per_second},
};
use crate::{exit::Failure, out};

/// What one loop did.
#[derive(Debug, Default)]
struct Done {
    sessions: u64,
    failures: u64,
    last: Option<Failure>,
}

pub(super) async fn run(bench: &Bench) -> Result<Report, Failure> {
    let mut nodes = Vec::new();
    for _ in 0..bench.parallel {
        nodes.push(dialer(UtpTransport::new()).await?);
    }
    let start = bench.mark().await?;
    let clock = bench.start("sessions/s");
    let tasks = nodes.into_iter().map(|node| {
        let (place, meter) = (bench.place.clone(), bench.meter.clone());
        rt::spawn(open_and_close(node, place, meter))
    });
    let done = try_join_all(tasks).await.map_err(|_| broke_off())?;
    let span = bench.since(&start).await?;
    drop(clock);

    let sessions = done.iter().map(|done| done.sessions).sum();
    let failures = done.iter().map(|done| done.failures).sum();
    if let Some(failure) = done.into_iter().find_map(|done| done.last) {
        out::failure(&failure.text);
    }
    Ok(Report {
        sessions_per_s: Some(per_second(sessions, span.seconds)),
        failures,
        sessions: Some(sessions),
        ..Report::new(bench, &span)
    })
}

async fn open_and_close(node: Node, place: Place, meter: Arc<Meter>) -> Done {
    let mut done = Done::default();
    while !meter.is_over() {
        match once(&node, &place).await {
            Ok(()) => {
                done.sessions += 1;
                meter.add(1);
            }
            Err(failure) => {
                done.failures += 1;
                done.last = Some(failure);
                rt::sleep(AFTER_FAILURE).await;
            }
        }
    }
    node.shutdown().await;
    done
}

/// Over plain TCP the answer to a first question stands for the session: only then has the listener accepted.
async fn once(node: &Node, place: &Place) -> Result<(), Failure> {
    match place {
        Place::Crust(contact) => node.connect(contact).await?.close("").await,
        Place::Plain(_) => {
            let mut link = Link::open(place).await?;
            let mode = Mode::Connect;
            link.begin(mode).await?;
        }
    }
    Ok(())
}

/// A listener that refuses is not asked in a tight loop.
const AFTER_FAILURE: Duration = Duration::from_millis(10);
