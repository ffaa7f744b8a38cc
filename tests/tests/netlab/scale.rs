//! As many hosts as other tests need, soon enough.

use std::{collections::BTreeSet, thread, time::Duration};

use crust::rt::now;
use crust_tests::netlab::Link;

use crate::{scene::Scene, udp};

#[test]
fn a_hundred_and_one_hosts_behind_nats_are_up_in_five_seconds() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    let start = now();
    let site = |number| scene.lab.router(&format!("22.0.{number}.1")).build().host();
    let sites = &|numbers: &[u8]| numbers.iter().map(|it| site(*it)).collect::<Vec<_>>();
    let numbers: Vec<_> = (0..101).collect();
    // The kernel makes one wait at each step; four can wait together.
    let hosts: Vec<_> = thread::scope(|scope| {
        let start = |numbers| scope.spawn(move || sites(numbers));
        let makers: Vec<_> = numbers.chunks(26).map(start).collect();
        let made = makers.into_iter().flat_map(|maker| maker.join().unwrap());
        made.collect()
    });
    let made = now() - start;
    let clients: Vec<_> = hosts.iter().map(udp::client).collect();
    let took = now() - start;
    let probe = udp::Probe::new(&scene);
    let seen = clients
        .iter()
        .map(|client| udp::seen(client, &probe.servers()[0]).ip());
    let seen: BTreeSet<_> = seen.collect();
    eprintln!("101 hosts behind 101 NATs: made in {made:.2?}, up in {took:.2?}");
    assert_eq!(seen.len(), 101);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
