//! The cache as those who use it see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod common;

use std::{collections::HashSet, time::Duration};

use common::{addr, builder, fail, found, numbers, open, own, peer, reach, record};
use crust_bootstrap::{ImportError, NotKept, PeerCache, default_path};
use crust_core::{Addr, Contact, DialOutcome, Discovery, RecordError, rt};
use futures::{FutureExt, StreamExt};

fn in_memory() -> PeerCache {
    rt::block_on(builder().open())
}

fn now_ms() -> u64 {
    u64::try_from(rt::unix_time().as_millis()).unwrap()
}

#[test]
fn what_was_reached_is_found_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/there/yet/peers");
    let cache = open(&path);
    reach(&cache, 1, 25);
    rt::block_on(cache.shutdown());
    let restarted = open(&path);
    let found = found(&restarted);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].peer, &found[0].addrs),
        (Some(peer(1)), &vec![addr(1)])
    );
    assert_eq!(found[0].source, "cache");
    let listed = restarted.list();
    assert_eq!(listed[0].addrs[0].rtt, Some(Duration::from_millis(25)));
    assert!(listed[0].direct && listed[0].addrs[0].reached.is_some());
}

#[test]
fn dropping_the_last_clone_saves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let cache = open(&path);
    reach(&cache, 1, 1);
    rt::block_on(cache.flush()).unwrap();
    let clone = cache.clone();
    drop(cache);
    reach(&clone, 2, 1);
    drop(clone);
    rt::block_on(async {
        while numbers(&builder().file(&path).open().await) != [1, 2] {
            rt::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn changes_are_saved_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let every = Duration::from_millis(20);
    rt::block_on(async {
        let cache = builder().file(&path).save_every(every).open().await;
        for number in 0..3 {
            reach(&cache, number, 1);
            let expected: Vec<_> = (0..=number).collect();
            while numbers(&builder().file(&path).open().await) != expected {
                rt::sleep(Duration::from_millis(5)).await;
            }
        }
    });
}

#[test]
fn what_is_reached_in_the_first_moments_is_saved_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let cache = open(&path);
    reach(&cache, 1, 1);
    reach(&cache, 2, 1);
    rt::block_on(async {
        while !path.exists() {
            rt::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(numbers(&open(&path)), [1, 2]);
}

#[test]
fn nothing_is_saved_after_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let cache = open(&path);
    reach(&cache, 1, 1);
    rt::block_on(cache.shutdown());
    reach(&cache, 2, 1);
    rt::block_on(cache.flush()).unwrap();
    assert_eq!(numbers(&open(&path)), [1]);
}

#[test]
fn cached_peers_come_before_contacts() {
    let contacts = ["tcp://bootstrap.example.org:5483", "tcp://192.0.2.9:1"];
    let contacts: Vec<Contact> = contacts.iter().map(|text| text.parse().unwrap()).collect();
    let cache = rt::block_on(builder().contacts(contacts.clone()).open());
    reach(&cache, 1, 1);
    let found = found(&cache);
    let addrs: Vec<Addr> = found.iter().flat_map(|found| found.addrs.clone()).collect();
    assert_eq!(
        addrs,
        [addr(1), contacts[0].addr.clone(), contacts[1].addr.clone()]
    );
    assert_eq!(found[1].peer, None);
}

#[test]
fn contacts_enter_the_cache_once_they_are_reached() {
    let contact: Contact = "tcp://bootstrap.example.org:5483".parse().unwrap();
    let cache = rt::block_on(builder().contacts([contact.clone()]).open());
    assert_eq!(found(&cache).len(), 1);
    cache.report(&contact.addr, &DialOutcome::Failed { peer: None });
    assert_eq!(numbers(&cache), []);
    let elapsed = Duration::from_millis(1);
    let peer = peer(3);
    cache.report(&contact.addr, &DialOutcome::Connected { peer, elapsed });
    assert_eq!(numbers(&cache), [3]);
}

#[test]
fn contact_that_is_ourselves_or_cached_already_is_not_offered() {
    let contact = |peer, addr| Contact {
        peer: Some(peer),
        addr,
    };
    let contacts = [contact(own(), addr(9)), contact(peer(1), addr(1))];
    let cache = rt::block_on(builder().contacts(contacts).open());
    reach(&cache, 1, 1);
    assert_eq!(found(&cache).len(), 1);
}

#[test]
fn search_looks_at_its_first_poll() {
    let cache = in_memory();
    let mut search = cache.discover();
    reach(&cache, 1, 1);
    let first = search.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(first.peer, Some(peer(1)));
    assert!(search.next().now_or_never().unwrap().is_none());
}

#[test]
fn ten_failures_in_a_row_remove_a_peer() {
    let cache = in_memory();
    reach(&cache, 1, 1);
    reach(&cache, 2, 1);
    // A millisecond on, so that the failures are after the success.
    let since = now_ms();
    while now_ms() == since {
        std::hint::spin_loop();
    }
    for _ in 0..10 {
        assert_eq!(numbers(&cache), [1, 2]);
        fail(&cache, 1);
    }
    assert_eq!(numbers(&cache), [2]);
}

#[test]
fn record_is_learned_once_and_only_from_its_peer() {
    let cache = in_memory();
    assert!(cache.learn(record(1, 5)).unwrap());
    assert!(!cache.learn(record(1, 5)).unwrap());
    assert!(!cache.learn(record(u16::MAX, 5)).unwrap(), "our own");
    assert!(cache.list()[0].signed && !cache.list()[0].direct);
    let forged = crust_core::PeerRecord {
        peer: peer(2),
        addrs: vec![addr(2)],
        seq: 5,
        expires: u64::MAX,
    };
    let forged = forged.sign(&common::Toy(peer(3))).unwrap();
    assert!(matches!(cache.learn(forged), Err(RecordError::Signature)));
    assert_eq!(numbers(&cache), [1]);
}

#[test]
fn records_to_hand_on_are_different_ones_of_the_best() {
    let cache = in_memory();
    for number in 0..400 {
        cache.learn(record(number, 5)).unwrap();
    }
    for number in 0..100 {
        reach(&cache, number, 1);
    }
    let mut given = HashSet::new();
    for _ in 0..200 {
        let records = cache.records(32);
        assert_eq!(records.len(), 32);
        for record in records {
            given.insert(record.verify(&common::Toy(own()), 0).unwrap().peer);
        }
    }
    assert_eq!(given.len(), 128, "the best 128, each sometimes");
    assert!((0..100).all(|number| given.contains(&peer(number))));
    assert_eq!(cache.records(1_000).len(), 400);
    assert_eq!(cache.records(0).len(), 0);
}

#[test]
fn what_is_exported_is_imported_elsewhere() {
    let (here, there) = (in_memory(), in_memory());
    here.set_lans(["10.0.0.1/8".parse().unwrap()]);
    for number in 0..5 {
        reach(&here, number, 1);
    }
    let elapsed = Duration::ZERO;
    let peer = peer(0);
    let lan = "tcp://10.0.0.5:1".parse().unwrap();
    here.report(&lan, &DialOutcome::Connected { peer, elapsed });
    let text = here.export();
    assert_eq!(text.lines().count(), 5, "nothing private");
    let imported = there.import(&format!("# from here\n\n{text}")).unwrap();
    assert_eq!((imported.new, imported.known), (5, 0));
    let again = there.import(&text).unwrap();
    assert_eq!((again.new, again.known), (0, 5));
    assert_eq!(numbers(&there), [0, 1, 2, 3, 4]);
    assert!(!there.list()[0].direct);
}

#[test]
fn import_of_a_wrong_line_takes_nothing_and_says_which() {
    let cache = in_memory();
    let good = format!("{}@{}", peer(1), addr(1));
    let alone = format!("{good}\n{}", addr(2));
    assert_eq!(cache.import(&alone), Err(ImportError::NoPeer { line: 2 }));
    let wrong = cache.import(&format!("\n{good}\nnonsense"));
    assert!(matches!(wrong, Err(ImportError::Contact { line: 3, .. })));
    assert_eq!(numbers(&cache), []);
}

#[test]
fn import_says_what_is_not_kept_and_why() {
    let cache = in_memory();
    cache.set_lans(["192.168.1.9/24".parse().unwrap()]);
    let line = |at: &str| format!("{}@tcp://{at}\n", peer(1));
    let text = ["192.168.1.5:1", "192.168.2.5:1", "169.254.1.1:1"].map(line);
    let imported = cache.import(&text.concat()).unwrap();
    assert_eq!((imported.new, imported.known), (1, 0));
    let why: Vec<_> = imported.not_kept.iter().map(|(_, why)| *why).collect();
    assert_eq!(why, [NotKept::OtherLan, NotKept::Nowhere]);
    let own = format!("{}@{}", own(), addr(1));
    assert_eq!(cache.import(&own).unwrap().not_kept[0].1, NotKept::Oneself);
}

#[test]
fn import_of_more_addresses_than_a_peer_may_have_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let cache = open(&path);
    let text: String = (0..20)
        .map(|n| format!("{}@{}\n", peer(1), addr(n)))
        .collect();
    let imported = cache.import(&text).unwrap();
    assert_eq!((imported.new, imported.not_kept.len()), (16, 4));
    assert!(
        imported
            .not_kept
            .iter()
            .all(|(_, why)| *why == NotKept::NoRoom)
    );
    assert_eq!(cache.list()[0].addrs.len(), 16);
    rt::block_on(cache.flush()).unwrap();
    assert_eq!(open(&path).list(), cache.list());
    assert!(!folder.path().join("peers.damaged-1").exists());
}

#[test]
fn reading_writes_nothing_and_says_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let read = |path| rt::block_on(builder().file(path).read());
    assert_eq!(read(&path).unwrap().list().len(), 0);
    let cache = open(&path);
    reach(&cache, 1, 1);
    rt::block_on(cache.shutdown());
    let mut damaged = std::fs::read(&path).unwrap();
    damaged.push(0);
    std::fs::write(&path, &damaged).unwrap();
    let shown = read(&path).unwrap();
    assert_eq!(numbers(&shown), [1]);
    reach(&shown, 2, 1);
    rt::block_on(shown.flush()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let none = folder.path().to_owned();
    assert!(read(&none).is_err() && rt::block_on(builder().file(&none).edit()).is_err());
}

#[test]
fn clearing_removes_what_was_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    for _ in 0..2 {
        std::fs::write(&path, "junk").unwrap();
        open(&path);
    }
    let cache = rt::block_on(builder().file(&path).edit()).unwrap();
    assert_eq!(rt::block_on(cache.clear()).unwrap(), 2);
    assert!(!folder.path().join("peers.damaged-1").exists());
    assert_eq!(rt::block_on(cache.clear()).unwrap(), 0);
}

#[test]
fn clearing_forgets_everybody_also_where_the_file_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let (node, command) = (open(&path), open(&path));
    reach(&node, 1, 1);
    rt::block_on(node.flush()).unwrap();
    rt::block_on(command.clear()).unwrap();
    assert_eq!(numbers(&open(&path)), []);
    let since = now_ms();
    while now_ms() == since {
        std::hint::spin_loop();
    }
    reach(&node, 2, 1);
    rt::block_on(node.flush()).unwrap();
    assert_eq!(numbers(&open(&path)), [2]);
}

#[test]
fn two_caches_on_one_file_learn_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("peers");
    let (one, two) = (open(&path), open(&path));
    reach(&one, 1, 1);
    rt::block_on(one.flush()).unwrap();
    reach(&two, 2, 1);
    rt::block_on(two.flush()).unwrap();
    assert_eq!(numbers(&two), [1, 2]);
    assert_eq!(numbers(&open(&path)), [1, 2]);
}

#[test]
fn default_file_is_in_the_users_folder_and_names_no_network() {
    let Some(path) = default_path(&[0xab; 16]) else {
        eprintln!("skipped: this user has no home folder");
        return;
    };
    assert!(path.is_absolute());
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("peers-{}", "ab".repeat(16)));
}
