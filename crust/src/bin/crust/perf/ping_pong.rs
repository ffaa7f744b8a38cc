//! Mode pingpong: a message there and back, one at a time on each session.

use std::sync::Arc;

use crust::rt;
use futures::future::try_join_all;

use super::{
    ask::{Ask, Total},
    bench::Bench,
    flow::broke_off,
    link::{Link, Payload, packets, packets_since},
    meter::Meter,
    report::{Report, per_second},
};
use crate::{
    exit::Failure,
    rtt::{Rtt, Samples},
};

pub(super) async fn run(bench: &Bench) -> Result<Report, Failure> {
    let links = bench.links().await?;
    let packets_before = packets(&links);
    let start = bench.mark().await?;
    let clock = bench.start("round trips/s");
    let payload = bench.payload();
    let tasks = links
        .into_iter()
        .map(|link| rt::spawn(play(link, payload.clone(), bench.meter.clone())));
    let done = try_join_all(tasks).await.map_err(|_| broke_off())?;
    let span = bench.since(&start).await?;
    drop(clock);

    let mut samples = Samples::default();
    let mut bytes = 0;
    let mut links = Vec::new();
    for done in done {
        let (link, part, total) = done?;
        samples.append(part);
        bytes += total.bytes;
        links.push(link);
    }
    let packets = packets_since(packets_before, &links);
    for link in links {
        link.close().await;
    }
    Ok(Report {
        packets_per_s: packets.map(|packets| per_second(packets, span.seconds)),
        bytes,
        bytes_per_s: per_second(bytes, span.seconds),
        round_trips_per_s: Some(per_second(samples.count(), span.seconds)),
        rtt_us: Rtt::of(samples),
        ..Report::new(bench, &span)
    })
}

async fn play(
    mut link: Link,
    payload: Payload,
    meter: Arc<Meter>,
) -> Result<(Link, Samples, Total), Failure> {
    let mut samples = Samples::default();
    while !meter.is_over() {
        let sent_at = rt::now();
        link.send(&payload).await?;
        link.echo().await?;
        samples.push(rt::now() - sent_at);
        meter.add(1);
    }
    // What the listener got, and not what was sent; it has added it to its own figures when it answers.
    let total = link.ask(&Ask::End).await?;
    Ok((link, samples, total))
}
