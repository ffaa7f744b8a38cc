//! Members of the network that put the records of others into messages of their own.

use super::{
    lan::{Datagram, Lan, TEN_YEARS_MS},
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
