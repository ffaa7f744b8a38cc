//! Modes stream and messages: one way, as fast as it goes.

use std::sync::Arc;

use futures::future::try_join_all;

use super::{
    ask::{Ask, Total},
    bench::Bench,
    link::{Link, Payload, packets, packets_since},
    meter::Meter,
    report::{Report, per_second},
};
use crate::exit::Failure;
use crust::rt;

pub(super) async fn run(bench: &Bench) -> Result<Report, Failure> {
    let links = bench.links().await?;
    let packets_before = packets(&links);
    let start = bench.mark().await?;
    let clock = bench.start("messages/s");
    let payload = bench.payload();
    let tasks = links
        .into_iter()
        .map(|link| rt::spawn(send(link, payload.clone(), bench.meter.clone())));
    let done = try_join_all(tasks).await.map_err(|_| broke_off())?;
    let span = bench.since(&start).await?;
    drop(clock);

    let mut total = Total::default();
    let mut links = Vec::new();
    for done in done {
        let (link, part) = done?;
        total.messages += part.messages;
        total.bytes += part.bytes;
        links.push(link);
    }
    let packets = packets_since(packets_before, &links);
    for link in links {
        link.close().await;
    }
    Ok(Report {
        packets_per_s: packets.map(|packets| per_second(packets, span.seconds)),
        bytes: total.bytes,
        bytes_per_s: per_second(total.bytes, span.seconds),
        messages_per_s: Some(per_second(total.messages, span.seconds)),
        ..Report::new(bench, &span)
    })
}

/// Sends until the time is over, and asks what came.
async fn send(
    mut link: Link,
    payload: Payload,
    meter: Arc<Meter>,
) -> Result<(Link, Total), Failure> {
    while !meter.is_over() {
        for _ in 0..TURN {
            link.send(&payload).await?;
        }
        meter.add(TURN);
        // A peer that keeps up never makes this task wait, and the clock may have no other thread to run on.
        rt::yield_now().await;
    }
    let total = link.ask(&Ask::End).await?;
    Ok((link, total))
}

/// Messages between two looks at the clock.
const TURN: u64 = 64;

pub(super) fn broke_off() -> Failure {
    Failure::new("a task of the measurement broke off: this is a bug")
}
