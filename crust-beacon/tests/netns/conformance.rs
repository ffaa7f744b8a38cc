//! The laws of a discovery, on a host that has the addresses that the laws announce.

use std::sync::Arc;

use crust_core::{
    conformance::{self, discovery::Subject},
    rt,
};

use crate::{
    hosts::builder,
    lab::{in_namespace, run},
};

macro_rules! laws {
    ($($law:ident)*) => {$(
        #[test]
        fn $law() {
            in_namespace(concat!("conformance::", stringify!($law)), || {
                run("ip addr add 192.0.2.1/24 dev br0; ip addr add 192.0.2.2/24 dev br0
                     ip addr add 2001:db8::1/64 dev br0 nodad");
                let subject = subject();
                let law = conformance::discovery::$law(&subject);
                conformance::check(stringify!($law), subject.limit(), law);
            });
        }
    )*};
}

laws! {
    announcement_is_found
    dropped_search_stops
    empty_announcement_takes_back
    futures_are_send
    late_announcement_wakes_a_search
    later_announcement_replaces
    name_is_the_source
    report_about_a_stranger_is_taken
    search_starts_at_the_first_poll
}

fn subject() -> Subject {
    let made: Arc<std::sync::Mutex<Vec<Arc<crust_beacon::Beacon>>>> = Arc::default();
    let counted = made.clone();
    let make = move || {
        let beacon = Arc::new(builder("lan").start());
        made.lock().unwrap().push(beacon.clone());
        // Its sockets are open once it knows its links; a datagram before that is lost, as before any start.
        while beacon.links() == 0 {
            rt::block_on(rt::sleep(std::time::Duration::from_millis(1)));
        }
        beacon
    };
    let count = move || {
        let made = counted.lock().unwrap();
        made.iter().map(|beacon| beacon.searches()).sum()
    };
    Subject::new(make).with_searches(count)
}
