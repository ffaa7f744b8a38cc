//! Beacons on a simulated LAN, in simulated time.

mod forged;
mod lan;

use std::time::Duration;

use self::lan::{Lan, TEN_YEARS_MS};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_nodes_find_each_other_within_a_second() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(30 * SECOND);
    lan.start(1);
    lan.run(SECOND / 2);
    assert_eq!((lan.known(0), lan.known(1)), (vec![1], vec![0]));
}

#[test]
fn silent_node_sends_nothing() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(120 * SECOND);
    assert_eq!(lan.sent_by(1), 0);
    assert_eq!(lan.known(1), [0]);
}

#[test]
fn search_alone_finds_but_is_not_found() {
    let mut lan = Lan::new(2);
    lan.announce(0);
    lan.run(30 * SECOND);
    lan.search(1);
    lan.run(SECOND / 2);
    assert_eq!((lan.known(0), lan.known(1)), (vec![], vec![0]));
}

#[test]
fn node_with_a_clock_ten_years_off_finds_and_is_found() {
    for off_ms in [TEN_YEARS_MS, -TEN_YEARS_MS] {
        let mut lan = Lan::new(3);
        lan.set_clock(1, off_ms);
        for node in [0, 2, 1] {
            lan.start(node);
            lan.run(SECOND);
        }
        assert_eq!(lan.known(1), [0, 2], "{off_ms}");
        assert_eq!(lan.known(0), [1, 2], "{off_ms}");
        lan.run(600 * SECOND);
        assert_eq!(lan.known(1), [0, 2], "{off_ms}");
        assert_eq!(lan.known(2), [0, 1], "{off_ms}");
    }
}

#[test]
fn node_with_a_wrong_clock_is_found_whoever_was_there_first() {
    let mut lan = Lan::new(2);
    lan.set_clock(0, TEN_YEARS_MS);
    lan.announce(0);
    lan.run(30 * SECOND);
    lan.start(1);
    lan.run(SECOND / 2);
    assert_eq!(lan.known(1), [0]);
}

#[test]
fn clock_that_was_put_right_does_not_hide_a_node() {
    let mut lan = Lan::new(2);
    lan.set_clock(1, TEN_YEARS_MS);
    lan.start(0);
    lan.start(1);
    lan.run(SECOND);
    lan.set_clock(1, 0);
    lan.move_to(1, 200);
    lan.run(SECOND);
    assert_eq!(lan.addrs_of(0, 1), ["tcp://10.9.0.200:5483"]);
}

#[test]
fn node_restarted_with_a_clock_set_back_is_taken_when_what_it_said_before_expires() {
    let mut lan = Lan::new(2);
    lan.set_clock(1, TEN_YEARS_MS);
    (0..2).for_each(|node| lan.start(node));
    lan.run(SECOND);
    lan.set_clock(1, 0);
    lan.restart_at(1, 200);
    lan.run(SECOND);
    assert_eq!(lan.known(1), [0], "it finds at once all the same");
    lan.run(180 * SECOND);
    assert_eq!(lan.addrs_of(0, 1), ["tcp://10.0.1.2:5483"]);
    lan.run(75 * SECOND);
    assert_eq!(lan.addrs_of(0, 1), ["tcp://10.9.0.200:5483"]);
}

#[test]
fn node_that_said_goodbye_may_come_back_with_a_clock_set_back() {
    let mut lan = Lan::new(2);
    lan.set_clock(1, TEN_YEARS_MS);
    (0..2).for_each(|node| lan.start(node));
    lan.run(SECOND);
    lan.stop(1);
    lan.set_clock(1, 0);
    lan.run(SECOND);
    lan.restart(1);
    lan.run(SECOND);
    assert_eq!(lan.known(0), [1]);
}

#[test]
fn datagram_sent_again_is_not_believed() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(SECOND);
    let recorded = lan.recorded();
    assert!(!recorded.is_empty());
    let taken = lan.counters(1).taken;
    recorded.iter().for_each(|datagram| lan.replay(1, datagram));
    assert_eq!(lan.counters(1).taken, taken);
    assert_eq!(lan.counters(1).repeated, recorded.len() as u64);
    lan.stop(0);
    lan.run(3_600 * SECOND);
    assert_eq!(lan.known(1), []);
    recorded.iter().for_each(|datagram| lan.replay(1, datagram));
    lan.run(SECOND);
    assert_eq!(lan.known(1), []);
    assert_eq!(lan.counters(1).taken, taken + 1);
}

#[test]
fn old_datagram_sent_again_and_again_takes_no_place_from_new_ones() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(SECOND);
    let old = lan.recorded();
    lan.stop(0);
    lan.forget_replays(1);
    lan.run(600 * SECOND);
    (0..10_000).for_each(|_| lan.replay(1, &old[0]));
    assert_eq!(lan.counters(1).stale, 1);
    lan.start(0);
    lan.run(SECOND / 2);
    assert_eq!(lan.known(1), [0]);
    assert_eq!(lan.counters(1).over_limit, 0);
}

#[test]
fn stopped_node_is_forgotten_at_once_and_a_dead_one_in_minutes() {
    let mut lan = Lan::new(3);
    (0..3).for_each(|node| lan.start(node));
    lan.run(SECOND);
    lan.stop(0);
    lan.unplug(1);
    lan.run(SECOND / 10);
    assert_eq!(lan.known(2), [1]);
    lan.run(200 * SECOND);
    assert_eq!(lan.known(2), []);
}

#[test]
fn goodbye_is_said_by_a_node_that_was_asked_too_much() {
    let mut lan = Lan::new(2);
    (0..2).for_each(|node| lan.start(node));
    lan.run(100 * SECOND);
    let sent = lan.sent_by(0);
    (0..20).for_each(|_| lan.ask_one(0));
    lan.run(SECOND / 4);
    lan.stop(0);
    lan.run(SECOND / 10);
    assert_eq!((lan.known(1), lan.sent_by(0) - sent), (vec![], 20));
}

#[test]
fn moved_node_is_found_again_at_once() {
    let mut lan = Lan::new(2);
    (0..2).for_each(|node| lan.start(node));
    lan.run(100 * SECOND);
    lan.move_to(1, 200);
    lan.run(SECOND / 10);
    assert_eq!(lan.addrs_of(0, 1), ["tcp://10.9.0.200:5483"]);
}

#[test]
fn enough_answers_hold_back_the_rest() {
    let mut lan = Lan::new(200);
    (0..199).for_each(|node| lan.announce(node));
    lan.run(500 * SECOND);
    lan.forget_traffic();
    lan.search(199);
    lan.run(SECOND / 2);
    let answers = lan.sent(Kind::Answer);
    assert!((8..=20).contains(&answers), "{answers} answers");
}

#[test]
fn who_cannot_hear_everybody_is_answered_alone_and_not_by_all() {
    let mut lan = Lan::new(201);
    (0..200).for_each(|node| lan.announce(node));
    lan.run(500 * SECOND);
    lan.deafen(200);
    lan.forget_traffic();
    lan.search(200);
    lan.run(SECOND / 2);
    let answers = lan.sent(Kind::Answer);
    assert!((1..=40).contains(&answers), "{answers} answers");
    assert!(!lan.known(200).is_empty());
}

#[test]
fn probe_finds_where_nothing_to_everybody_gets_through() {
    let mut lan = Lan::new(2);
    lan.filter_broadcasts();
    (0..2).for_each(|node| lan.start(node));
    lan.run(10 * SECOND);
    assert_eq!(lan.known(0), []);
    lan.probe(0, &[1, 77]);
    lan.run(SECOND);
    assert_eq!((lan.known(0), lan.known(1)), (vec![1], vec![0]));
    lan.run(600 * SECOND);
    assert_eq!((lan.known(0), lan.known(1)), (vec![1], vec![0]));
}

#[test]
fn host_that_knows_two_hundred_answers_a_probe_all_the_same() {
    let mut lan = Lan::new(201);
    (0..200).for_each(|node| lan.announce(node));
    lan.run(500 * SECOND);
    lan.filter_broadcasts();
    lan.forget_traffic();
    lan.search(200);
    lan.probe(200, &[7]);
    lan.run(SECOND / 2);
    assert_eq!(lan.sent(Kind::Answer), 1);
}

#[test]
fn question_to_one_host_is_not_answered_by_the_others_though_they_hear_it() {
    let mut lan = Lan::new(200);
    (0..200).for_each(|node| lan.announce(node));
    lan.run(500 * SECOND);
    lan.forget_traffic();
    let seven = lan.ip_of(7);
    lan.ask_all(|m| m.asked = Some(seven));
    lan.run(SECOND / 2);
    assert_eq!(lan.sent(Kind::Answer), 1);
    lan.ask_all(|m| (m.asked, m.time_ms) = (Some(seven), 1));
    lan.run(SECOND / 2);
    assert_eq!(lan.sent(Kind::Query), 1);
}

#[test]
fn old_question_to_be_answered_at_one_port_is_not_doubted_by_all() {
    let mut lan = Lan::new(200);
    (0..200).for_each(|node| lan.announce(node));
    lan.run(500 * SECOND);
    lan.forget_traffic();
    lan.ask_all(|m| m.time_ms = 1);
    lan.run(SECOND / 2);
    let challenges = lan.sent(Kind::Query);
    assert!((1..=40).contains(&challenges), "{challenges} challenges");
}

#[test]
fn off_link_datagram_is_not_opened() {
    let mut lan = Lan::new(1);
    lan.start(0);
    lan.run(SECOND);
    let sent = lan.sent_by(0);
    assert!(!lan.admit_from(0, "203.0.113.5:5483"));
    assert_eq!(lan.counters(0).off_link, 1);
    lan.run(SECOND / 10);
    assert_eq!(lan.sent_by(0), sent);
}

#[test]
fn flood_of_a_member_is_cut_to_the_limit() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(10 * SECOND);
    for _ in 0..10 {
        lan.flood(1, 1_000, SECOND);
    }
    assert!(lan.counters(0).taken <= 210, "{:?}", lan.counters(0));
    assert!(lan.counters(0).over_limit >= 9_700, "{:?}", lan.counters(0));
}

#[test]
fn lan_of_a_thousand_keeps_its_limits_and_knows_itself() {
    let mut lan = Lan::new(1_000);
    (0..1_000).for_each(|node| lan.start(node));
    let mut busiest = 0;
    for second in 1..=10 {
        lan.run(SECOND);
        let (sent, taken) = lan.most_in_a_second();
        busiest = busiest.max(sent).max(taken);
        if second == 1 || second % 5 == 0 {
            let known = (0..1_000).map(|node| lan.known(node).len());
            println!(
                "{second} s: {} datagrams on the link, at most {sent} sent and {taken} taken by one node, \
                 {} known at least",
                lan.sent_since(),
                known.min().unwrap()
            );
        }
        lan.forget_traffic();
    }
    assert!(busiest <= 20, "{busiest} in one second");
    let fewest = (0..1_000).map(|node| lan.known(node).len()).min().unwrap();
    assert!(fewest >= 80, "{fewest} known");
    assert_eq!(lan.own_in_table(), 0);
}
