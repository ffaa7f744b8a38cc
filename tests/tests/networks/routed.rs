//! Machines on routed links, each told of one other at most.

use std::{collections::BTreeSet, path::Path, time::Duration};

use crate::lab::{Host, Lab, Wiring, now, within};

#[test]
fn hundred_and_one_machines_know_each_other_and_heal() {
    Lab::run(
        "routed::hundred_and_one_machines_know_each_other_and_heal",
        Wiring::Routed,
        |lab| {
            let mut hosts: Vec<Host> = (0..COUNT)
                .map(|number| host(lab, (number > 0).then(|| number.div_ceil(2))))
                .collect();
            let start = now();
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            let known = everybody_knows_everybody(&mut hosts);
            let kept = everybody_keeps_enough(&mut hosts);
            report("all knew all", known, &hosts, start.elapsed());
            eprintln!("each kept 8 to 16 sessions {kept:.1?} later");

            // Every third of them goes without a word, and as many others come.
            let mut left = Vec::new();
            for (number, host) in hosts.into_iter().enumerate() {
                if number % 3 == 1 && number < 90 {
                    host.kill();
                } else {
                    left.push(host);
                }
            }
            let start = now();
            for number in 0..COUNT - left.len() {
                let mut new = host(lab, Some(3 * (number + 1)));
                new.go();
                new.started();
                left.push(new);
            }
            let known = everybody_knows_everybody(&mut left);
            let kept = everybody_keeps_enough(&mut left);
            report(
                "the living knew the living alone",
                known,
                &left,
                start.elapsed(),
            );
            eprintln!("each kept 8 to 16 sessions {kept:.1?} later");
            for host in &mut left {
                let most: usize = host.ask("most")[0].parse().unwrap();
                assert!(most <= 16, "host {} had {most} sessions", host.number);
            }
        },
    );
}

#[test]
fn machines_that_restart_find_each_other_by_their_caches_alone() {
    Lab::run(
        "routed::machines_that_restart_find_each_other_by_their_caches_alone",
        Wiring::Routed,
        |lab| {
            let folder = std::env::temp_dir().join(format!("crust-lab-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            restart(lab, &folder);
            std::fs::remove_dir_all(&folder).unwrap();
        },
    );
}

#[test]
fn machine_without_gossip_asks_the_one_it_knows_for_contacts() {
    Lab::run(
        "routed::machine_without_gossip_asks_the_one_it_knows_for_contacts",
        Wiring::Routed,
        |lab| {
            let mut hosts: Vec<Host> = (0..8)
                .map(|number| host(lab, (number > 0).then_some(1)))
                .collect();
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            everybody_knows_everybody(&mut hosts);
            let contact = format!("contact={}", lab.addr(1, PORT));
            let mut quiet = lab.host(&["keep=6..16".into(), contact]);
            quiet.go();
            quiet.started();
            let met = within(Duration::from_secs(20), "6 sessions", || {
                quiet.count("sessions") >= 6
            });
            eprintln!("6 sessions after {met:.2?}, of which 5 by asking");
        },
    );
}

#[test]
fn machines_without_gossip_hand_on_where_those_are_that_they_know() {
    Lab::run(
        "routed::machines_without_gossip_hand_on_where_those_are_that_they_know",
        Wiring::Routed,
        |lab| {
            let folder = std::env::temp_dir().join(format!("crust-lab-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let hub = lab.addr(1, PORT);
            let mut hosts: Vec<Host> = (0..6)
                .map(|number| {
                    let cache = folder.join(number.to_string());
                    let mut args = vec![
                        "keep=3..16".into(),
                        format!("port={PORT}"),
                        format!("cache={}", cache.display()),
                    ];
                    args.extend((number > 0).then(|| format!("contact={hub}")));
                    lab.host(&args)
                })
                .collect();
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            let met = within(Duration::from_secs(20), "3 sessions each", || {
                hosts.iter_mut().all(|host| host.count("sessions") >= 3)
            });
            eprintln!("six that knew one had 3 sessions each after {met:.2?}");
            std::fs::remove_dir_all(&folder).unwrap();
        },
    );
}

#[test]
fn contact_that_is_always_full_leads_to_its_network_all_the_same() {
    Lab::run(
        "routed::contact_that_is_always_full_leads_to_its_network_all_the_same",
        Wiring::Routed,
        |lab| {
            let at = |number| format!("contact={}", lab.addr(number, PORT));
            let (first, fifth) = (at(1), at(5));
            let mut start = |contacts: &[&String]| {
                let mut args = vec!["gossip".into(), "keep=1..4".into(), format!("port={PORT}")];
                args.extend(contacts.iter().map(|contact| (*contact).clone()));
                let mut host = lab.host(&args);
                host.go();
                host.started();
                host
            };
            let mut hosts = vec![start(&[])];
            hosts.extend((0..3).map(|_| start(&[&first])));
            // Room for a fourth is for one that it dials itself.
            within(Duration::from_secs(5), "three sessions", || {
                hosts[0].count("sessions") == 3
            });
            hosts.push(start(&[]));
            hosts.push(start(&[&first, &fifth]));
            let met = within(Duration::from_secs(20), "one network", || {
                hosts.iter_mut().all(|host| host.count("known") >= 5)
            });
            assert_eq!(hosts[0].ask("most"), ["3"]);
            eprintln!("two parts were one {met:.1?} after somebody was told of both");
        },
    );
}

/// Ten nodes meet and stop; nine of them start again, with the same addresses and nothing but their caches.
fn restart(lab: &mut Lab, folder: &Path) {
    let first = lab.addr(1, PORT);
    let args = |number: usize, told: bool| {
        let path = |what| {
            folder
                .join(format!("{what}-{number}"))
                .display()
                .to_string()
        };
        let mut args = vec![
            "gossip".into(),
            "keep=4..16".into(),
            format!("port={PORT}"),
            format!("cache={}", path("cache")),
            format!("identity={}", path("identity")),
        ];
        if told {
            args.push(format!("contact={first}"));
        }
        args
    };
    let mut hosts: Vec<Host> = (0..10)
        .map(|number| lab.host(&args(number, number > 0)))
        .collect();
    hosts.iter_mut().for_each(Host::go);
    hosts.iter_mut().for_each(Host::started);
    within(Duration::from_secs(20), "all know all", || {
        hosts
            .iter_mut()
            .all(|host| host.count("known") == 9 && host.count("sessions") >= 4)
    });
    let mut addrs = Vec::new();
    for host in hosts {
        addrs.push(host.number);
        host.stop();
    }
    // In place of the first host, which everybody was told of, none comes back.
    let mut hosts: Vec<Host> = (1..10)
        .map(|number| lab.host_again(addrs[number], &args(number, false)))
        .collect();
    hosts.iter_mut().for_each(Host::go);
    hosts.iter_mut().for_each(Host::started);
    let joined = within(Duration::from_secs(2), "joined again", || {
        is_joined(&mut hosts)
    });
    eprintln!("nine were joined again after {joined:.2?}");
}

/// Whether sessions lead from each to each.
fn is_joined(hosts: &mut [Host]) -> bool {
    let sessions: Vec<(String, Vec<String>)> = hosts
        .iter_mut()
        .map(|host| (host.id.clone(), host.ask("sessions")))
        .collect();
    let mut reached = BTreeSet::from([sessions[0].0.clone()]);
    loop {
        let more: Vec<String> = sessions
            .iter()
            .filter(|(id, _)| reached.contains(id))
            .flat_map(|(_, peers)| peers.clone())
            .filter(|peer| !reached.contains(peer))
            .collect();
        if more.is_empty() {
            return reached.len() == sessions.len();
        }
        reached.extend(more);
    }
}

/// A host that is told of the host of number `contact`, or of none.
fn host(lab: &mut Lab, contact: Option<usize>) -> Host {
    let mut args = vec!["gossip".into(), "keep=8..16".into(), format!("port={PORT}")];
    args.extend(contact.map(|contact| format!("contact={}", lab.addr(contact, PORT))));
    lab.host(&args)
}

fn everybody_knows_everybody(hosts: &mut [Host]) -> Duration {
    let all: BTreeSet<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let start = now();
    while !hosts.iter_mut().all(|host| misses(host, &all) == (0, 0)) {
        if now() - start > Duration::from_secs(60) {
            for host in hosts {
                let (unknown, gone) = misses(host, &all);
                if (unknown, gone) != (0, 0) {
                    let (number, sessions) = (host.number, host.count("sessions"));
                    eprintln!(
                        "host {number} with {sessions} sessions knows {unknown} too few and {gone} that are not there"
                    );
                }
            }
            panic!("not all know all, and nobody else, within a minute");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    now() - start
}

/// How many of `all` a host does not know, and how many others it knows.
fn misses(host: &mut Host, all: &BTreeSet<String>) -> (usize, usize) {
    let mut known: BTreeSet<String> = host.ask("known").into_iter().collect();
    known.insert(host.id.clone());
    (
        all.difference(&known).count(),
        known.difference(all).count(),
    )
}

fn everybody_keeps_enough(hosts: &mut [Host]) -> Duration {
    within(Duration::from_secs(60), "8 to 16 sessions each", || {
        hosts
            .iter_mut()
            .all(|host| (8..=16).contains(&host.count("sessions")))
    })
}

fn report(what: &str, after: Duration, hosts: &[Host], since_start: Duration) {
    let usage: Vec<(f64, u64)> = hosts.iter().map(Host::usage).collect();
    let cpu: f64 = usage.iter().map(|usage| usage.0).sum();
    let most = usage.iter().map(|usage| usage.1).max().unwrap_or_default();
    eprintln!(
        "{what} after {after:.1?}; {cpu:.1} s of processor time for {} nodes in {since_start:.1?}, \
         {} KiB in the largest",
        hosts.len(),
        most >> 10,
    );
}

const COUNT: usize = 101;
const PORT: u16 = 5483;
