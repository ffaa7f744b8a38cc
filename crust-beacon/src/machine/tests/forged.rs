//! Members of the network that put the records of others into messages of their own.

use super::{
    lan::{Datagram, Lan},
    *,
};

const SECOND: Duration = Duration::from_secs(1);

/// What node 0 said of itself until now, oldest first.
fn said(lan: &Lan) -> Vec<Datagram> {
    let mut all = lan.recorded();
    all.retain(|datagram| datagram.is_from(0) && datagram.message().record.is_some());
    all
}

#[test]
fn goodbye_with_the_record_of_an_announcement_is_refused() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(SECOND);
    let recorded = said(&lan);
    lan.forge(1, recorded.last().unwrap(), |m| m.kind = Kind::Goodbye);
    assert_eq!(lan.known(1), [0]);
    assert_eq!(lan.counters(1).refused, 1);
}

#[test]
fn record_of_a_goodbye_is_refused_in_all_else() {
    for kind in [Kind::Announce, Kind::Query, Kind::Answer] {
        let mut lan = Lan::new(2);
        lan.start(0);
        lan.run(SECOND);
        lan.stop(0);
        lan.run(SECOND);
        let goodbye = said(&lan).pop().unwrap();
        assert_eq!(goodbye.message().kind, Kind::Goodbye);
        lan.forge(1, &goodbye, |m| m.kind = kind);
        assert_eq!(lan.counters(1).refused, 1);
        assert_eq!(lan.known(1), []);
    }
}

#[test]
fn older_record_replaces_none_though_its_message_repeats_our_token() {
    let mut lan = Lan::new(2);
    (0..2).for_each(|node| lan.start(node));
    lan.run(SECOND);
    let old = said(&lan).remove(0);
    lan.move_to(0, 200);
    lan.run(SECOND);
    let token = lan.last_token(1);
    lan.forge(1, &old, |m| {
        (m.kind, m.echo) = (Kind::Answer, Some(token));
        m.time_ms = old.message().time_ms;
    });
    assert_eq!(lan.addrs_of(1, 0), ["tcp://10.9.0.200:5483"]);
}

#[test]
fn record_that_is_told_again_does_not_renew_a_dead_node() {
    let mut lan = Lan::new(2);
    lan.start(0);
    lan.run(SECOND);
    lan.unplug(0);
    let recorded = said(&lan);
    for _ in 0..18 {
        lan.run(10 * SECOND);
        lan.forge(1, &recorded[0], |_| {});
        lan.forge(1, recorded.last().unwrap(), |_| {});
    }
    assert_eq!(lan.known(1), [0]);
    lan.run(16 * SECOND);
    assert_eq!(lan.known(1), []);
}

#[test]
fn expired_record_is_believed_only_until_a_newer_one_is_heard() {
    let mut lan = Lan::new(2);
    (0..2).for_each(|node| lan.start(node));
    lan.run(SECOND);
    let old = said(&lan).remove(0);
    lan.move_to(0, 200);
    lan.unplug(0);
    lan.run(3_600 * SECOND);
    assert_eq!(lan.known(1), []);
    let token = lan.last_token(1);
    let told_again = |lan: &mut Lan, token| {
        lan.forge(1, &old, |m| {
            (m.kind, m.echo) = (Kind::Answer, Some(token));
            m.time_ms = old.message().time_ms;
        });
    };
    lan.restart(1);
    lan.run(SECOND / 10);
    told_again(&mut lan, token);
    assert_eq!(lan.known(1), [], "the token is not of late");
    let token = lan.last_token(1);
    told_again(&mut lan, token);
    assert_eq!(lan.addrs_of(1, 0), ["tcp://10.0.1.1:5483"]);
    lan.plug(0);
    lan.run(60 * SECOND);
    assert_eq!(lan.addrs_of(1, 0), ["tcp://10.9.0.200:5483"]);
}
