//! Notices that this machine is in another network, or was asleep: then what was measured no longer holds.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use crust_core::{rt, source_towards};
use futures::{StreamExt, stream, stream::BoxStream};
use if_addrs::IfOperStatus;

/// What happened to the network of this machine. With several at once, the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NetworkChange {
    /// It slept, or stood still for long: any mapping may have run out, and any connection may be dead.
    Woke,
    /// An interface has another address, has come up, or is gone.
    Addresses,
    /// Packets to the world leave from another address.
    DefaultRoute,
}

/// Every change of this machine's network from now on, within two seconds of it.
///
/// Addresses, default routes and clocks are looked at once a second, while the stream is polled: that is the same on every
/// system and costs less than 0.1 % of a core. It never ends.
pub fn network_changes() -> BoxStream<'static, NetworkChange> {
    let next = |mut last: NetworkLook| async move {
        loop {
            rt::sleep(LOOK_EVERY).await;
            let look = NetworkLook::take();
            let change = look.changed_since(&last);
            last = look;
            if let Some(change) = change {
                tracing::info!(?change, "network changed");
                return Some((change, last));
            }
        }
    };
    // The first look is taken now: what happens before the first poll is not missed.
    stream::unfold(NetworkLook::take(), next).boxed()
}

/// This machine's place in the network at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkLook {
    /// When.
    pub at: Instant,
    /// The same moment by the clock that goes on while the machine sleeps: time since the Unix epoch.
    pub unix_time: Duration,
    /// The interfaces that are up, by their index where the system has one, and their addresses. An interface that was
    /// replaced by one with the same address is another.
    pub addrs: BTreeSet<(Option<u32>, IpAddr)>,
    /// From which address packets to the world leave, IPv4 first; `None` where there is no way out.
    pub default_route: [Option<IpAddr>; 2],
}

impl NetworkLook {
    /// Asks the system, which takes less than a millisecond. Nothing is sent.
    pub fn take() -> Self {
        let is_up = |interface: &if_addrs::Interface| {
            // A status that is not known is that of interfaces without a cable.
            matches!(
                interface.oper_status,
                IfOperStatus::Up | IfOperStatus::Unknown
            )
        };
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let interfaces = interfaces.into_iter().filter(is_up);
        Self {
            at: rt::now(),
            unix_time: rt::unix_time(),
            addrs: interfaces
                .map(|interface| (interface.index, interface.ip()))
                .collect(),
            default_route: SOMEWHERE.map(|ip| source_towards(SocketAddr::new(ip, DISCARD)).ok()),
        }
    }

    /// What happened between `last` and this look.
    pub fn changed_since(&self, last: &Self) -> Option<NetworkChange> {
        if self.is_after_sleep(last) {
            Some(NetworkChange::Woke)
        } else if self.addrs != last.addrs {
            Some(NetworkChange::Addresses)
        } else if self.default_route != last.default_route {
            Some(NetworkChange::DefaultRoute)
        } else {
            None
        }
    }

    /// On some systems the monotonic clock stands still in a sleep and the other one does not, on others both go on. A clock
    /// that was set looks the same as a sleep; to refresh too often does no harm.
    fn is_after_sleep(&self, last: &Self) -> bool {
        let by_monotonic = self.at.saturating_duration_since(last.at);
        let by_unix = self.unix_time.saturating_sub(last.unix_time);
        by_monotonic > ASLEEP || by_unix > by_monotonic + ASLEEP
    }
}

/// Addresses that only a default route leads to: those of documentation (RFC 5737, RFC 3849).
const SOMEWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];
/// Some port; nothing is sent to it (RFC 863).
const DISCARD: u16 = 9;
/// A change is to be known within three seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// No busy machine keeps a timer of a second waiting for so long.
const ASLEEP: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: Instant, unix_s: u64) -> NetworkLook {
        NetworkLook {
            at,
            unix_time: Duration::from_secs(unix_s),
            addrs: [(Some(2), "192.168.1.2".parse().unwrap())].into(),
            default_route: [Some("192.168.1.2".parse().unwrap()), None],
        }
    }

    #[test]
    fn second_that_passes_is_no_change() {
        let start = rt::now();
        let next = look(start + Duration::from_secs(1), 1_001);
        assert_eq!(next.changed_since(&look(start, 1_000)), None);
    }

    #[test]
    fn another_address_and_another_route_are_changes() {
        let start = rt::now();
        let mut next = look(start, 1_000);
        next.default_route[1] = Some("2d00::1".parse().unwrap());
        let last = look(start, 1_000);
        assert_eq!(next.changed_since(&last), Some(NetworkChange::DefaultRoute));
        next.addrs.insert((Some(3), "10.0.0.1".parse().unwrap()));
        assert_eq!(next.changed_since(&last), Some(NetworkChange::Addresses));
    }

    #[test]
    fn interface_that_was_replaced_is_a_change_though_its_address_is_the_same() {
        let start = rt::now();
        let mut next = look(start, 1_000);
        next.addrs = next.addrs.iter().map(|(_, ip)| (Some(7), *ip)).collect();
        let change = next.changed_since(&look(start, 1_000));
        assert_eq!(change, Some(NetworkChange::Addresses));
    }

    #[test]
    fn sleep_is_noticed_whether_or_not_the_monotonic_clock_slept_too() {
        let start = rt::now();
        let last = look(start, 1_000);
        let stood_still = look(start + Duration::from_secs(1), 4_600);
        assert_eq!(stood_still.changed_since(&last), Some(NetworkChange::Woke));
        let went_on = look(start + Duration::from_secs(3_600), 4_600);
        assert_eq!(went_on.changed_since(&last), Some(NetworkChange::Woke));
    }

    #[test]
    fn clock_that_is_set_back_is_no_sleep() {
        let start = rt::now();
        let set_back = look(start + Duration::from_secs(1), 10);
        assert_eq!(set_back.changed_since(&look(start, 1_000)), None);
    }

    #[test]
    fn loopback_is_an_address_of_each_machine() {
        let look = NetworkLook::take();
        assert!(look.addrs.iter().any(|(_, ip)| ip.is_loopback()));
    }
}
