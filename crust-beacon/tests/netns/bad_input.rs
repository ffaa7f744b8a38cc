//! What strangers can do to a beacon.

use std::{fs, time::Duration};

use crust_core::rt;

use crate::{
    finding::{beacon_at, next_about},
    lab::{Host, in_namespace, peer},
};

#[test]
fn flood_of_junk_costs_little_and_hides_nobody() {
    in_namespace(
        "bad_input::flood_of_junk_costs_little_and_hides_nobody",
        || {
            let (beacon, mut search) = beacon_at("10.7.0.1/24");
            let mut flooder = Host::plug("f", &["10.7.0.9/24"]);
            let mut host = Host::plug("a", &["10.7.0.2/24"]);
            flooder.start("flood 50000 400");
            settle();
            let (junk, cpu, memory) = (beacon.counters().junk, cpu_ms(), memory_kib());
            let began = rt::now();
            host.start("beacon lan");
            next_about(&mut search, peer("a"));
            let took = began.elapsed();
            rt::block_on(rt::sleep(Duration::from_secs(4).saturating_sub(took)));
            let elapsed = began.elapsed();
            let seen = (beacon.counters().junk - junk) as f64 / elapsed.as_secs_f64();
            let share = (cpu_ms() - cpu) as f64 / elapsed.as_millis() as f64;
            let grown = memory_kib().saturating_sub(memory);
            println!(
                "{seen:.0} junk datagrams a second seen: {:.1} % of a core, {grown} KiB more memory, \
             a neighbour found in {took:?}",
                share * 100.0
            );
            assert!(seen > 2_000.0, "{seen} seen: there was no flood");
            // Without optimisation, our own part of it costs several times what it does in a release.
            let limit = if cfg!(debug_assertions) { 0.3 } else { 0.15 };
            assert!(share <= limit, "{share}");
            assert!(grown < 2_048, "{grown} KiB");
            assert!(took < Duration::from_secs(5), "{took:?}");
        },
    );
}

/// Lets the flood begin, and memory that is needed once be taken.
fn settle() {
    rt::block_on(rt::sleep(Duration::from_secs(1)));
}

/// Processor time of this process, in milliseconds; a tick has ten.
fn cpu_ms() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10
}

fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
