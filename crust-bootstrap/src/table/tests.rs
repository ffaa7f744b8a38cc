//! Laws and facts of the table.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    known::Known,
    testing::{addr, any_entry, peer, record, typical},
};

const DAY: u64 = 24 * 60 * 60 * 1_000;
const NOW: u64 = 20_000 * DAY;
const RTT: Duration = Duration::from_millis(20);
const OWN: u16 = 0xffff;

fn empty() -> Table {
    Table::new(peer(OWN))
}

fn merged(tables: &[&[Entry]], now_ms: u64) -> Vec<Entry> {
    let mut all = empty();
    for entries in tables {
        all.merge(entries.to_vec(), 0, now_ms);
    }
    all.into_entries()
}

fn public(number: u16) -> Addr {
    addr(&format!("tcp://198.51.{}.{}:1", number >> 8, number & 0xff))
}

fn order(table: &Table, now_ms: u64) -> Vec<PeerId> {
    let offers = table.offers(now_ms);
    offers.into_iter().map(|(peer, _)| peer).collect()
}

/// Peers 0, 1, 2 and so on, `count` of them, reached in this order a second apart.
fn reached(count: u16) -> Table {
    let mut table = empty();
    for number in 0..count {
        let at_ms = NOW - 10 * DAY + u64::from(number) * 1_000;
        table.on_reached(&public(number), peer(number), RTT, at_ms);
    }
    table
}

proptest! {
    #[test]
    fn merging_is_commutative(a in vec(any_entry(NOW), 0..9), b in vec(any_entry(NOW), 0..9)) {
        let (a, b) = (merged(&[&a], NOW), merged(&[&b], NOW));
        prop_assert_eq!(merged(&[&a, &b], NOW), merged(&[&b, &a], NOW));
    }

    #[test]
    fn merging_is_idempotent(a in vec(any_entry(NOW), 0..9), b in vec(any_entry(NOW), 0..9)) {
        let (a, b) = (merged(&[&a], NOW), merged(&[&b], NOW));
        let mut table = empty();
        table.merge(a.clone(), 0, NOW);
        table.merge(b.clone(), 0, NOW);
        let once = table.clone().into_entries();
        for again in [a, b, once.clone()] {
            table.merge(again, 0, NOW);
            prop_assert_eq!(&table.clone().into_entries(), &once);
        }
    }

    #[test]
    fn no_time_is_in_the_future_after_a_merge(a in vec(any_entry(u64::MAX), 0..9)) {
        let times = merged(&[&a], NOW);
        prop_assert!(times.iter().flat_map(Entry::times_ms).all(|at_ms| at_ms <= NOW));
    }
}

#[test]
fn peers_reached_last_are_offered_first() {
    let mut newest_first: Vec<_> = (0..9).map(peer).collect();
    newest_first.reverse();
    assert_eq!(order(&reached(9), NOW), newest_first);
}

#[test]
fn rumours_come_after_whoever_was_reached() {
    let mut table = reached(2);
    table.on_record(record(peer(7), &[public(7)], NOW), NOW);
    table.on_record(record(peer(8), &[public(8)], NOW - 1), NOW - 1);
    assert_eq!(order(&table, NOW), [1, 0, 7, 8].map(peer));
}

#[test]
fn failures_demote_and_are_forgiven() {
    let mut table = reached(3);
    for _ in 0..3 {
        table.on_failed(&public(2), Some(peer(2)), NOW);
    }
    assert_eq!(order(&table, NOW), [1, 0, 2].map(peer));
    assert_eq!(order(&table, NOW + 12 * DAY), [2, 1, 0].map(peer));
}

#[test]
fn ten_failures_in_a_row_remove() {
    let mut table = reached(2);
    for _ in 0..9 {
        assert!(table.on_failed(&public(0), Some(peer(0)), NOW));
    }
    assert_eq!(table.len(), 2);
    table.on_reached(&public(0), peer(0), RTT, NOW + 1);
    for _ in 0..9 {
        table.on_failed(&public(0), None, NOW + 2);
    }
    assert_eq!(table.len(), 2, "a success between begins a new row");
    table.on_failed(&public(0), Some(peer(0)), NOW + 3);
    assert_eq!(order(&table, NOW), [peer(1)]);
}

#[test]
fn peer_stays_while_one_address_of_it_works() {
    let mut table = reached(1);
    let another = addr("utp://192.0.2.1:1");
    table.on_reached(&another, peer(0), RTT, NOW);
    for _ in 0..20 {
        table.on_failed(&public(0), Some(peer(0)), NOW + 1);
    }
    assert_eq!(table.offers(NOW), [(peer(0), vec![another])]);
}

#[test]
fn failures_of_a_node_that_reaches_nobody_remove_nobody() {
    let mut table = reached(3);
    table.set_online(false);
    for minute in 0..600 {
        for number in 0..3 {
            table.on_failed(&public(number), Some(peer(number)), NOW + minute * 60_000);
        }
    }
    assert_eq!(table.len(), 3);
    table.set_online(true);
    for number in 0..3 {
        table.on_failed(&public(number), Some(peer(number)), NOW + DAY);
    }
    assert_eq!(table.len(), 3, "nor does the first failure after it");
}

#[test]
fn removed_peer_does_not_come_back_from_the_file_but_by_news() {
    let mut table = reached(2);
    let file = reached(2).into_entries();
    table.on_record(record(peer(0), &[public(0)], 5), NOW);
    for _ in 0..10 {
        table.on_failed(&public(0), Some(peer(0)), NOW);
    }
    table.merge(file, 0, NOW);
    assert_eq!(order(&table, NOW), [peer(1)]);
    assert!(!table.on_record(record(peer(0), &[public(0)], 5), NOW));
    assert!(table.on_record(record(peer(0), &[public(0)], 6), NOW));
    assert_eq!(table.len(), 2);
}

#[test]
fn our_own_entry_never_gets_in() {
    let own = peer(OWN);
    let mut table = empty();
    assert!(!table.on_reached(&public(1), own, RTT, NOW));
    assert!(!table.on_record(record(own, &[public(1)], NOW), NOW));
    assert_eq!(table.on_import(own, &public(1), NOW), Err(NotKept::Oneself));
    table.merge([typical(OWN, NOW)], 0, NOW);
    assert_eq!(table.len(), 0);
}

#[test]
fn there_are_fifteen_hundred_peers_at_most_and_the_best_stay() {
    let table = reached(1_600);
    assert_eq!(table.len(), MAX_PEERS);
    assert_eq!(order(&table, NOW)[MAX_PEERS - 1], peer(100));
}

#[test]
fn no_flood_of_rumours_drives_out_who_was_reached() {
    let mut table = reached(100);
    for number in 0..100 {
        for _ in 0..5 {
            table.on_failed(&public(number), Some(peer(number)), NOW);
        }
    }
    for number in 1_000..5_000 {
        table.on_record(record(peer(number), &[public(number)], NOW), NOW);
    }
    assert_eq!(table.len(), MAX_PEERS);
    let left = table.into_entries();
    assert_eq!(left.iter().filter(|entry| entry.was_reached()).count(), 100);
}

#[test]
fn a_peer_has_sixteen_addresses_at_most_and_the_best_stay() {
    let mut table = empty();
    for number in 0..40 {
        table.on_reached(&public(number), peer(1), RTT, NOW + u64::from(number));
    }
    let offers = table.offers(NOW + 100);
    let newest: Vec<_> = (24..40).rev().map(public).collect();
    assert_eq!(offers, [(peer(1), newest)]);
}

#[test]
fn later_record_replaces_the_rumours_of_an_earlier_one() {
    let mut table = empty();
    table.on_reached(&public(1), peer(1), RTT, NOW);
    assert!(table.on_record(record(peer(1), &[public(2)], 5), NOW));
    assert!(table.on_record(record(peer(1), &[public(3)], 6), NOW));
    assert!(!table.on_record(record(peer(1), &[public(4)], 6 - 1), NOW));
    assert_eq!(table.offers(NOW), [(peer(1), vec![public(1), public(3)])]);
}

#[test]
fn record_from_the_future_yields_to_one_that_is_not() {
    let mut table = empty();
    let future = NOW + 3_650 * DAY;
    assert!(table.on_record(record(peer(1), &[public(1)], future), NOW));
    assert!(table.on_record(record(peer(1), &[public(2)], NOW), NOW));
    assert!(!table.on_record(record(peer(1), &[public(1)], future), NOW));
    assert_eq!(table.offers(NOW), [(peer(1), vec![public(2)])]);
}

#[test]
fn clock_ten_years_ahead_for_a_while_loses_nobody_and_puts_nobody_first_for_ever() {
    let ahead = NOW + 3_650 * DAY;
    let mut table = reached(3);
    table.on_reached(&public(7), peer(7), RTT, ahead + 1);
    table.on_reached(&public(8), peer(8), RTT, ahead);
    let mut restarted = empty();
    restarted.merge(table.into_entries(), 0, NOW);
    assert_eq!(order(&restarted, NOW), [7, 8, 2, 1, 0].map(peer));
    restarted.on_reached(&public(0), peer(0), RTT, NOW + 1);
    assert_eq!(order(&restarted, NOW + 1), [0, 7, 8, 2, 1].map(peer));
}

#[test]
fn clock_ten_years_behind_for_a_while_loses_nobody_and_keeps_their_order() {
    for behind in [NOW - 3_650 * DAY, 1_000] {
        let mut table = empty();
        table.merge(reached(5).into_entries(), NOW - 1, behind);
        let newest_first = [4, 3, 2, 1, 0].map(peer);
        assert_eq!(order(&table, NOW)[..3], newest_first[..3]);
        assert_eq!(table.len(), 5);
        table.on_reached(&public(1), peer(1), RTT, behind + 1);
        table.merge([], 0, NOW);
        assert_eq!(order(&table, NOW)[0], peer(1));
    }
}

#[test]
fn clock_that_says_1970_loses_nobody() {
    let mut table = empty();
    table.merge(reached(5).into_entries(), NOW, 0);
    assert_eq!(table.len(), 5);
}

#[test]
fn lan_addresses_are_offered_in_their_lan_only() {
    let mut table = empty();
    let (lan, home) = (addr("tcp://192.168.1.5:1"), lans("192.168.1.7/24"));
    table.on_reached(&lan, peer(1), RTT, NOW);
    assert_eq!(table.len(), 0, "without a LAN there are none");
    table.set_lans(home.clone());
    table.on_reached(&lan, peer(1), RTT, NOW);
    table.on_reached(&public(1), peer(1), RTT, NOW - 1);
    assert_eq!(table.offers(NOW), [(peer(1), vec![lan.clone(), public(1)])]);
    table.set_lans(lans("10.0.0.7/8"));
    assert_eq!(table.offers(NOW), [(peer(1), vec![public(1)])]);
    table.set_lans(home);
    assert_eq!(table.offers(NOW)[0].1[0], lan);
}

#[test]
fn record_with_addresses_of_somebody_elses_lan_is_not_kept() {
    let mut table = empty();
    table.set_lans(lans("10.0.0.7/24"));
    let foreign = [public(1), addr("tcp://192.168.1.5:1")];
    assert!(table.on_record(record(peer(1), &foreign, NOW), NOW));
    assert_eq!(table.offers(NOW), [(peer(1), vec![public(1)])]);
    assert!(table.records(9, NOW).is_empty());
    let older = record(peer(1), &[public(3)], NOW - 1);
    assert!(!table.on_record(older, NOW), "nor is an older one");
    let ours = [public(2), addr("tcp://10.0.0.5:1")];
    table.on_record(record(peer(2), &ours, NOW), NOW);
    assert_eq!(table.records(9, NOW).len(), 1);
    table.set_lans(lans("10.0.1.7/24"));
    assert!(table.records(9, NOW).is_empty(), "nor handed on elsewhere");
}

#[test]
fn expired_records_are_not_handed_on() {
    let mut table = empty();
    let mut expired = record(peer(1), &[public(1)], 5);
    expired.said.expires = NOW;
    table.on_record(expired, 6);
    assert_eq!(table.records(9, NOW - 1).len(), 1);
    assert!(table.records(9, NOW).is_empty());
    assert_eq!(
        order(&table, NOW),
        [peer(1)],
        "its addresses may still be right"
    );
}

#[test]
fn clearing_reaches_those_who_share_the_file() {
    let mut cleared = reached(3);
    cleared.clear(NOW);
    let mut other = reached(3);
    other.on_reached(&public(9), peer(9), RTT, NOW + 1);
    other.merge(cleared.into_entries(), NOW, NOW + 2);
    assert_eq!(order(&other, NOW + 2), [peer(9)]);
}

#[test]
fn imported_address_is_tried_after_those_that_were_reached() {
    let mut table = reached(1);
    assert_eq!(table.on_import(peer(5), &public(5), NOW), Ok(true));
    assert_eq!(table.on_import(peer(5), &public(5), NOW), Ok(false));
    assert_eq!(order(&table, NOW), [0, 5].map(peer));
}

#[test]
fn unknown_peers_and_addresses_cannot_fail() {
    let mut table = reached(1);
    assert!(!table.on_failed(&public(9), Some(peer(0)), NOW));
    assert!(!table.on_failed(&public(0), Some(peer(9)), NOW));
    assert!(!table.on_failed(&public(9), None, NOW));
    let failures = |known: &Known| known.failures();
    let left = table.into_entries();
    assert_eq!(left[0].known.iter().map(failures).max(), Some(0));
}

fn lans(text: &str) -> Lans {
    Lans::new([text.parse().unwrap()])
}
