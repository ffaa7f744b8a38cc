//! Laws of the table, and what becomes of it when peers lie.

use super::*;
use crate::gossip::toy::{Toy, toy_peer};

const NOW_MS: u64 = 1_700_000_000_000;
const LOCAL: u32 = 0x00fe_0000;

fn table(sources: impl IntoIterator<Item = u32>) -> Table {
    let mut table = Table::new(toy_peer(LOCAL));
    for source in sources {
        table.join(toy_peer(source)).unwrap();
    }
    table
}

/// The record of peer `number` in a /24 of its own: for some 60,000 peers.
fn candidate(number: u32, seq: u64) -> Candidate {
    let [_, a, b, c] = number.to_be_bytes();
    candidate_at(number, seq, &[&format!("tcp://{}.{b}.{c}.1:1", a + 1)])
}

fn candidate_at(number: u32, seq: u64, addrs: &[&str]) -> Candidate {
    let record = PeerRecord {
        peer: toy_peer(number),
        addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
        seq,
        expires: seq + 600_000,
    };
    let signed = record.sign(&Toy::new(number)).unwrap();
    Candidate {
        record,
        signed,
        made_at: crust_core::rt::now(),
    }
}

fn has(table: &Table, number: u32) -> bool {
    table.entries.contains_key(&toy_peer(number))
}

fn all(table: &Table, numbers: impl IntoIterator<Item = u32>) -> bool {
    numbers.into_iter().all(|number| has(table, number))
}

fn check_invariants(table: &Table) {
    assert!(table.len() <= MAX_RECORDS);
    let shares: usize = table.entries.values().fold(0, |sum, entry| {
        assert!(table.index.told_by(&entry.place.source) <= MAX_PER_SOURCE);
        sum + entry.prefixes.len().min(1)
    });
    assert!(shares <= table.len());
    let nobody = toy_peer(LOCAL - 1);
    for prefix in table.entries.values().flat_map(|entry| &entry.prefixes) {
        assert!(table.index.others_in(prefix, &nobody).count() <= MAX_PER_PREFIX);
    }
    assert_eq!(table.index.newest_first(0).count(), table.len());
}

#[test]
fn newer_record_replaces_and_older_is_refused() {
    let mut table = table([1]);
    let teller = toy_peer(1);
    assert_eq!(table.insert(candidate(9, NOW_MS), &teller), Ok(()));
    let older = candidate(9, NOW_MS - 1);
    assert_eq!(table.insert(older, &teller), Err(Ignored::Older));
    let same = candidate(9, NOW_MS);
    assert_eq!(table.insert(same, &teller), Err(Ignored::Known));
    assert_eq!(table.insert(candidate(9, NOW_MS + 1), &teller), Ok(()));
    assert_eq!(table.len(), 1);
    check_invariants(&table);
}

#[test]
fn own_record_is_never_taken_from_others() {
    let mut table = table([1]);
    table.set_local(candidate(LOCAL, NOW_MS));
    let told = candidate(LOCAL, NOW_MS + 1);
    assert_eq!(table.insert(told, &toy_peer(1)), Err(Ignored::Own));
    assert_eq!(table.local().unwrap().seq, NOW_MS);
}

#[test]
fn expired_records_leave() {
    let mut table = table([1]);
    table.insert(candidate(8, NOW_MS), &toy_peer(1)).unwrap();
    let later = candidate(9, NOW_MS + 1);
    table.insert(later, &toy_peer(1)).unwrap();
    table.purge(NOW_MS + 600_000);
    assert!(!has(&table, 8) && has(&table, 9));
    check_invariants(&table);
}

#[test]
fn expired_record_is_not_handed_on_before_it_leaves() {
    let mut table = table([1]);
    let slot = table.join(toy_peer(2)).unwrap();
    table.insert(candidate(8, NOW_MS), &toy_peer(1)).unwrap();
    assert_eq!(table.unknown_to(slot, 0, NOW_MS + 599_999).count(), 1);
    assert_eq!(table.unknown_to(slot, 0, NOW_MS + 600_000).count(), 0);
    let later = Moment {
        now: crust_core::rt::now(),
        unix_ms: NOW_MS + 600_000,
    };
    assert!(table.next_after(0, later).is_none());
    let silent = Moment {
        now: later.now + std::time::Duration::from_secs(46),
        unix_ms: NOW_MS,
    };
    assert!(table.next_after(0, silent).is_none());
}

#[test]
fn flood_by_one_peer_leaves_what_others_told() {
    let mut table = table(1..=3);
    for number in 0..400 {
        let teller = toy_peer(number % 2 + 2);
        let honest = candidate(number, NOW_MS);
        table.insert(honest, &teller).unwrap();
    }
    for number in 1_000..101_000 {
        let _ = table.insert(candidate(number, NOW_MS), &toy_peer(1));
    }
    assert!(all(&table, 0..400));
    assert_eq!(table.len(), 400 + MAX_PER_SOURCE);
    check_invariants(&table);
}

#[test]
fn flood_by_nineteen_colluding_peers_leaves_what_others_told() {
    let mut table = table(1..=21);
    table.set_local(candidate(LOCAL, NOW_MS));
    for number in 0..499 {
        let teller = toy_peer(number % 2 + 20);
        let honest = candidate(number, NOW_MS);
        table.insert(honest, &teller).unwrap();
    }
    for number in 1_000..101_000 {
        let _ = table.insert(candidate(number, NOW_MS), &toy_peer(number % 19 + 1));
    }
    assert!(all(&table, (0..499).chain([LOCAL])));
    assert_eq!(table.len(), MAX_RECORDS);
    check_invariants(&table);
    for number in 500..700 {
        let honest = candidate(number, NOW_MS);
        assert_eq!(table.insert(honest, &toy_peer(21)), Ok(()), "{number}");
    }
    assert!(all(&table, (0..499).chain(500..700)));
    check_invariants(&table);
}

#[test]
fn flood_by_many_names_one_after_the_other_leaves_what_those_told_who_are_here() {
    let mut table = table([1]);
    for number in 0..500 {
        table
            .insert(candidate(number, NOW_MS), &toy_peer(1))
            .unwrap();
    }
    for name in 0..200 {
        let liar = toy_peer(1_000_000 + name);
        table.join(liar).unwrap();
        for number in 0..100 {
            let invented = candidate(1_000 + name * 100 + number, NOW_MS);
            let _ = table.insert(invented, &liar);
        }
        table.leave(&liar);
    }
    assert!(all(&table, 0..500));
    assert_eq!(table.len(), MAX_RECORDS);
    check_invariants(&table);
}

#[test]
fn prefix_full_of_lies_still_takes_what_others_tell() {
    let mut table = table([1, 2]);
    let in_site = |number: u32| {
        candidate_at(
            number,
            NOW_MS,
            &["tcp://192.0.2.7:1", "tcp://[2001:db8::1]:1"],
        )
    };
    for number in 1_000..2_000 {
        let _ = table.insert(in_site(number), &toy_peer(1));
    }
    assert_eq!(table.len(), MAX_PER_PREFIX);
    assert_eq!(
        table.insert(in_site(3_000), &toy_peer(1)),
        Err(Ignored::PrefixFull)
    );
    for number in 0..100 {
        assert_eq!(table.insert(in_site(number), &toy_peer(2)), Ok(()));
    }
    for number in 2_000..3_000 {
        let _ = table.insert(in_site(number), &toy_peer(1));
    }
    assert!(all(&table, 0..100));
    assert_eq!(table.len(), MAX_PER_PREFIX);
    check_invariants(&table);
}

#[test]
fn later_records_of_a_peer_count_for_who_told_it_first() {
    let mut table = table([1, 2]);
    table.insert(candidate(9, NOW_MS), &toy_peer(1)).unwrap();
    table
        .insert(candidate(9, NOW_MS + 1), &toy_peer(2))
        .unwrap();
    assert_eq!(table.index.told_by(&toy_peer(1)), 1);
    table.leave(&toy_peer(1));
    table
        .insert(candidate(9, NOW_MS + 2), &toy_peer(2))
        .unwrap();
    assert_eq!(table.index.told_by(&toy_peer(1)), 0);
    assert_eq!(table.index.told_by(&toy_peer(2)), 1);
}

#[test]
fn record_of_a_peer_that_proved_itself_counts_for_nobody_else() {
    let mut table = table([1]);
    for number in [7, 8, 9] {
        table
            .insert(candidate(number, NOW_MS), &toy_peer(1))
            .unwrap();
    }
    table.join(toy_peer(7)).unwrap();
    table.on_reached(&toy_peer(8));
    table
        .insert(candidate(9, NOW_MS + 1), &toy_peer(9))
        .unwrap();
    assert_eq!(table.index.told_by(&toy_peer(1)), 0);
    for number in [7, 8, 9] {
        assert_eq!(table.index.told_by(&toy_peer(number)), 1, "{number}");
    }
    check_invariants(&table);
}

#[test]
fn source_at_its_bound_can_still_tell_news_of_known_peers() {
    let mut table = table([1]);
    for number in 0..600 {
        let _ = table.insert(candidate(number, NOW_MS), &toy_peer(1));
    }
    let new = candidate(601, NOW_MS);
    assert_eq!(table.insert(new, &toy_peer(1)), Err(Ignored::SourceFull));
    let news = candidate(3, NOW_MS + 1);
    assert_eq!(table.insert(news, &toy_peer(1)), Ok(()));
}

#[test]
fn forgotten_peer_comes_back_with_a_newer_record_only() {
    let mut table = table([1]);
    table.insert(candidate(9, NOW_MS), &toy_peer(1)).unwrap();
    assert!(table.forget(&toy_peer(9)) && !table.forget(&toy_peer(9)));
    let old = candidate(9, NOW_MS);
    assert_eq!(table.insert(old, &toy_peer(1)), Err(Ignored::Forgotten));
    assert_eq!(table.insert(candidate(9, NOW_MS + 1), &toy_peer(1)), Ok(()));
}

#[test]
fn peer_is_forgotten_when_each_of_its_addresses_failed_twice() {
    let mut table = table([1]);
    let addrs = ["tcp://192.0.2.1:1", "tcp://192.0.2.1:2"];
    let [first, second] = addrs.map(|addr| addr.parse().unwrap());
    let told = candidate_at(9, NOW_MS, &addrs);
    table.insert(told, &toy_peer(1)).unwrap();
    let peer = toy_peer(9);
    for addr in [&first, &first, &first, &second, &second] {
        assert!(!table.on_failed(&peer, addr));
    }
    table.on_reached(&peer);
    for addr in [&first, &second, &second] {
        assert!(!table.on_failed(&peer, addr));
    }
    assert!(table.on_failed(&peer, &first));
    assert!(!has(&table, 9));
}

#[test]
fn connected_peer_is_not_forgotten() {
    let mut table = table([9]);
    table.insert(candidate(9, NOW_MS), &toy_peer(9)).unwrap();
    assert!(!table.forget(&toy_peer(9)));
    assert!(has(&table, 9));
}

#[test]
fn own_record_goes_first_and_then_the_last_that_came() {
    let mut table = table([1]);
    let slot = table.join(toy_peer(2)).unwrap();
    table.set_local(candidate(LOCAL, NOW_MS));
    for number in [7, 5, 6] {
        table
            .insert(candidate(number, NOW_MS), &toy_peer(1))
            .unwrap();
    }
    let order = |floor| -> Vec<_> {
        let unknown = table.unknown_to(slot, floor, NOW_MS);
        unknown.map(|(peer, _)| *peer).collect()
    };
    assert_eq!(order(0), [LOCAL, 6, 5, 7].map(toy_peer));
    assert_eq!(order(2), [LOCAL, 6, 5].map(toy_peer));
}

#[test]
fn what_a_peer_has_is_not_sent_to_it() {
    let mut table = table([1]);
    let slot = table.join(toy_peer(1)).unwrap();
    for number in [5, 6, 7] {
        table
            .insert(candidate(number, NOW_MS), &toy_peer(2))
            .unwrap();
    }
    let unknown = |table: &Table| table.unknown_to(slot, 0, NOW_MS).count();
    assert!(!table.on_told(
        &candidate(5, NOW_MS).record,
        crust_core::rt::now(),
        &toy_peer(1)
    ));
    assert_eq!(unknown(&table), 2);
    table.on_sent(&toy_peer(6), slot, true);
    assert_eq!(unknown(&table), 1);
    assert!(table.on_told(
        &candidate(5, NOW_MS - 1).record,
        crust_core::rt::now(),
        &toy_peer(1)
    ));
    assert_eq!(unknown(&table), 2);
    table.on_digest(slot, &table.digest(1), 0, toy_peer(6));
    assert_eq!(unknown(&table), 0);
    let newer = candidate(7, NOW_MS + 1);
    table.insert(newer, &toy_peer(2)).unwrap();
    assert_eq!(unknown(&table), 1);
}

#[test]
fn what_was_sent_and_is_lacking_is_sent_again_but_not_all_at_once() {
    let mut table = table([1]);
    let slot = table.join(toy_peer(1)).unwrap();
    for number in 0..100 {
        table
            .insert(candidate(number, NOW_MS), &toy_peer(2))
            .unwrap();
        table.on_sent(&toy_peer(number), slot, true);
    }
    let unknown = |table: &Table| table.unknown_to(slot, 0, NOW_MS).count();
    let empty = Digest::with_room(0, 1);
    table.on_digest(slot, &empty, 10, toy_peer(90));
    assert_eq!(unknown(&table), 10);
    table.on_digest(slot, &empty, 100, toy_peer(90));
    assert_eq!(unknown(&table), 10 + MAX_REPAIRS);
}

#[test]
fn of_two_ages_of_one_record_the_lower_holds() {
    let mut table = table([1, 2]);
    let now = crust_core::rt::now();
    let minute = std::time::Duration::from_secs(60);
    let mut old = candidate(5, NOW_MS);
    old.made_at = now - minute / 2;
    let record = old.record.clone();
    table.insert(old, &toy_peer(1)).unwrap();
    assert!(!table.on_told(&record, now, &toy_peer(2)));
    assert!(!table.on_told(&record, now - minute, &toy_peer(1)));
    table.drop_silent(now + minute * 2 / 3);
    assert_eq!(table.len(), 1);
    table.drop_silent(now + minute);
    assert_eq!(table.len(), 0);
    // It is not forgotten: who tells it with a lower age is believed.
    assert_eq!(table.check(&record, &toy_peer(2)), Ok(()));
}
