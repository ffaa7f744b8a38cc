//! uTP between machines.

use std::time::Duration;

use crate::lab::{Host, Lab, Wiring, within};

/// Two nodes on routed links that have a session over uTP alone; the first dialed.
fn over_utp(lab: &mut Lab) -> [Host; 2] {
    let args = |rest: String| ["only=utp".into(), "keep=1..16".into(), rest];
    let contact = lab.addr(1, PORT).replace("tcp:", "utp:");
    let there = lab.host(&args(format!("port={PORT}")));
    let here = lab.host(&args(format!("contact={contact}")));
    let mut hosts = [here, there];
    hosts.iter_mut().for_each(Host::go);
    hosts.iter_mut().for_each(Host::started);
    within(Duration::from_secs(5), "a session", || {
        hosts.iter_mut().all(|host| host.count("sessions") == 1)
    });
    hosts
}

fn got(host: &mut Host) -> usize {
    host.ask("got")[0].parse().unwrap()
}

#[test]
fn path_that_becomes_narrower_loses_nothing_that_was_on_its_way() {
    Lab::run(
        "utp::path_that_becomes_narrower_loses_nothing_that_was_on_its_way",
        Wiring::Routed,
        |lab| {
            let mut hosts = over_utp(lab);
            const MIB: usize = 64;
            hosts[0].say(&format!("push {MIB}"));
            within(Duration::from_secs(10), "an eighth of it", || {
                got(&mut hosts[1]) > MIB << 17
            });
            Lab::narrow(hosts[1].number, 1_280);
            let before = got(&mut hosts[1]);
            let stalled = within(Duration::from_secs(3), "a MiB more", || {
                got(&mut hosts[1]) > before + (1 << 20)
            });
            within(Duration::from_secs(20), "all of it", || {
                got(&mut hosts[1]) == MIB << 20
            });
            hosts[0].hear("push");
            eprintln!("went on {stalled:.1?} after the path became narrower");
        },
    );
}

const PORT: u16 = 4_000;
