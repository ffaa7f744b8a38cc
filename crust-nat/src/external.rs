//! What is believed of this machine's external addresses, from what others say that they see.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use crust_core::Reach;

use crate::Protocol;

/// The external addresses of this machine, as far as others agree on them.
///
/// Each observer says which address it sees where a port of this machine should be. One may lie, so an address is believed
/// once observers of two different networks (/24, /48) name it. It is then kept until two of them contradict it, one after
/// the other; if they agree, the other one is believed. A single liar, whoever it is, neither makes an address believed nor takes one away.
///
/// A NAT with a mapping for each destination shows each observer another port: then no port is believed, and the IP
/// address is ([`ExternalAddrs::ip`]).
///
/// It holds [`MAX_PORTS`](Self::MAX_PORTS) ports and interfaces, and of each the last word of
/// [`MAX_OBSERVERS`](Self::MAX_OBSERVERS) networks.
#[derive(Debug, Default)]
pub struct ExternalAddrs {
    ports: BTreeMap<LocalPort, Votes<SocketAddr>>,
    interfaces: BTreeMap<IpAddr, Votes<IpAddr>>,
}

/// One port of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPort {
    /// Of which protocol.
    pub protocol: Protocol,
    /// The interface's address and the port, as bound.
    pub addr: SocketAddr,
}

/// What somebody says that it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalObservation {
    /// The port that it speaks of. Port 0 is one that a connection was given by chance: then the IP address counts alone.
    pub port: LocalPort,
    /// Who says so: where its packets come from.
    pub observer: IpAddr,
    /// Where it sees that port.
    pub observed_addr: SocketAddr,
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalChange {
    /// Of which port.
    pub port: LocalPort,
    /// What is believed now; `None` where what was believed was contradicted.
    pub external: Option<SocketAddr>,
}

impl ExternalAddrs {
    /// Ports of which something is remembered: more than a node has listeners on interfaces.
    pub const MAX_PORTS: usize = 64;
    /// Networks whose last word on one port is remembered.
    pub const MAX_OBSERVERS: usize = 32;

    /// Nothing is believed yet.
    pub const fn new() -> Self {
        Self {
            ports: BTreeMap::new(),
            interfaces: BTreeMap::new(),
        }
    }

    /// Takes somebody's word. Returns what is believed of the port from now on, where that changes.
    ///
    /// An observer in a network that is not the world's (private, loopback) sees this side of the NAT: its word is
    /// ignored, as is that of an address that nobody can have. So is a port beyond [`MAX_PORTS`](Self::MAX_PORTS).
    pub fn observe(&mut self, observation: &ExternalObservation) -> Option<ExternalChange> {
        let ExternalObservation {
            port,
            observed_addr: seen,
            ..
        } = *observation;
        let observer = Network::of_world(observation.observer)?;
        let (interface, ip) = (port.addr.ip().to_canonical(), seen.ip().to_canonical());
        Network::of_world(ip)?;
        if seen.port() == 0 || ip.is_ipv4() != interface.is_ipv4() {
            return None;
        }
        hear(&mut self.interfaces, interface, observer, ip);
        if port.addr.port() == 0 {
            return None;
        }
        let seen = SocketAddr::new(ip, seen.port());
        let external = hear(&mut self.ports, port, observer, seen)?;
        Some(ExternalChange { port, external })
    }

    /// Forgets the interfaces and their ports for which `is_there` says no: they lost their address.
    pub fn retain(&mut self, mut is_there: impl FnMut(IpAddr) -> bool) {
        self.interfaces.retain(|ip, _| is_there(*ip));
        self.ports
            .retain(|port, _| is_there(port.addr.ip().to_canonical()));
    }

    /// Forgets everything: the machine is in another network, or woke up in one.
    pub fn clear(&mut self) {
        self.ports.clear();
        self.interfaces.clear();
    }

    /// Where the world sees this port, as far as that is believed.
    pub fn external(&self, port: &LocalPort) -> Option<SocketAddr> {
        self.ports.get(port)?.believed
    }

    /// The external address of an interface, whatever happens to its ports.
    pub fn ip(&self, interface: IpAddr) -> Option<IpAddr> {
        self.interfaces.get(&interface.to_canonical())?.believed
    }

    /// All ports of which something is believed.
    pub fn iter(&self) -> impl Iterator<Item = (LocalPort, SocketAddr)> {
        let believed =
            |(port, votes): (&LocalPort, &Votes<SocketAddr>)| Some((*port, votes.believed?));
        self.ports.iter().filter_map(believed)
    }
}

/// Casts a vote on `what`. Returns what is believed of it from now on, where that changes.
fn hear<K: Ord, T: Ord + Copy>(
    table: &mut BTreeMap<K, Votes<T>>,
    what: K,
    by: Network,
    seen: T,
) -> Option<Option<T>> {
    if table.len() >= ExternalAddrs::MAX_PORTS && !table.contains_key(&what) {
        return None;
    }
    let votes = table.entry(what).or_insert_with(Votes::new);
    votes.cast(by, seen);
    let decided = votes.decide();
    let changed = votes.believed != decided;
    votes.believed = decided;
    changed.then_some(decided)
}

/// The last word of each network on one thing, the oldest first.
#[derive(Debug)]
struct Votes<T> {
    cast: VecDeque<(Network, T)>,
    believed: Option<T>,
}

impl<T: Ord + Copy> Votes<T> {
    const fn new() -> Self {
        Self {
            cast: VecDeque::new(),
            believed: None,
        }
    }

    fn cast(&mut self, by: Network, seen: T) {
        self.cast.retain(|(voter, _)| *voter != by);
        if self.cast.len() >= ExternalAddrs::MAX_OBSERVERS {
            self.cast.pop_front();
        }
        self.cast.push_back((by, seen));
    }

    /// What is to be believed after the votes there are.
    fn decide(&self) -> Option<T> {
        let Some(believed) = self.believed else {
            return most_named(self.cast.iter().map(|(_, seen)| *seen));
        };
        let mut last_words = self.cast.iter().rev().map(|(_, seen)| *seen);
        match (last_words.next(), last_words.next()) {
            // As many as it takes to believe have said something else, one after the other. Those before them may be out of date.
            (Some(last), Some(before)) if last != believed && before != believed => {
                (last == before).then_some(last)
            }
            _ => Some(believed),
        }
    }
}

/// What [`AGREE`] or more name, and most do.
fn most_named<T: Ord>(named: impl Iterator<Item = T>) -> Option<T> {
    let mut counts = BTreeMap::<T, usize>::new();
    for name in named {
        *counts.entry(name).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (most.1 >= AGREE).then_some(most.0)
}

/// Networks that have to agree: with two, one liar changes nothing.
const AGREE: usize = 2;

/// Addresses that one observer can easily have all of: a /24, a /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Network {
    V4([u8; 3]),
    V6([u16; 3]),
}

impl Network {
    /// The network of an address that all the world can have a route to.
    fn of_world(ip: IpAddr) -> Option<Self> {
        if Reach::of_ip(ip) != Reach::Everywhere {
            return None;
        }
        Some(match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, ..] = ip.segments();
                Self::V6([a, b, c])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PORT: LocalPort = LocalPort {
        protocol: Protocol::Udp,
        addr: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 2)), 5483),
    };

    /// The external addresses of [`PORT`], and what happens to them.
    #[derive(Default)]
    struct Scene(ExternalAddrs);

    impl Scene {
        fn says(&mut self, observer: &str, seen: &str) -> Option<ExternalChange> {
            self.0.observe(&ExternalObservation {
                port: PORT,
                observer: observer.parse().unwrap(),
                observed_addr: seen.parse().unwrap(),
            })
        }

        fn believed(&self) -> Option<String> {
            self.0.external(&PORT).map(|addr| addr.to_string())
        }
    }

    /// One whose address is agreed on.
    fn agreed() -> Scene {
        let mut scene = Scene::default();
        scene.says("11.0.0.1", "22.0.0.1:5483");
        scene.says("21.0.0.1", "22.0.0.1:5483");
        assert_eq!(scene.believed().as_deref(), Some("22.0.0.1:5483"));
        scene
    }

    #[test]
    fn one_observer_is_not_believed_however_often_it_says_so() {
        let mut scene = Scene::default();
        for host in 1..100 {
            assert_eq!(scene.says(&format!("11.0.0.{host}"), "22.0.0.1:1"), None);
        }
        assert_eq!(scene.believed(), None);
    }

    #[test]
    fn two_networks_that_agree_are_believed_and_that_is_told_once() {
        let mut scene = Scene::default();
        assert_eq!(scene.says("11.0.0.1", "22.0.0.1:1"), None);
        let change = scene.says("21.0.0.1", "22.0.0.1:1").unwrap();
        assert_eq!(change.external, Some("22.0.0.1:1".parse().unwrap()));
        assert_eq!(scene.says("26.0.0.1", "22.0.0.1:1"), None);
    }

    #[test]
    fn liar_changes_nothing_even_one_that_agreed_before() {
        let mut scene = agreed();
        for lie in ["66.0.0.6:6", "66.0.0.7:7", "66.0.0.6:6"] {
            assert_eq!(scene.says("21.0.0.1", lie), None);
            assert_eq!(scene.says("28.0.0.1", "22.0.0.1:5483"), None);
        }
    }

    #[test]
    fn address_is_given_up_when_two_contradict_it_and_each_other() {
        let mut scene = agreed();
        assert_eq!(scene.says("11.0.0.1", "22.0.0.1:40001"), None);
        let change = scene.says("21.0.0.1", "22.0.0.1:40002").unwrap();
        assert_eq!(change.external, None);
        assert_eq!(scene.0.ip(PORT.addr.ip()), "22.0.0.1".parse().ok());
    }

    #[test]
    fn new_address_that_two_agree_on_takes_the_place_of_the_old() {
        let mut scene = agreed();
        scene.says("11.0.0.1", "22.9.9.9:1");
        let change = scene.says("21.0.0.1", "22.9.9.9:1").unwrap();
        assert_eq!(change.external, Some("22.9.9.9:1".parse().unwrap()));
    }

    #[test]
    fn many_who_agreed_before_do_not_outweigh_two_who_see_something_else_now() {
        let mut scene = agreed();
        for observer in ["26.0.0.1", "28.0.0.1", "29.0.0.1"] {
            scene.says(observer, "22.0.0.1:5483");
        }
        scene.says("11.0.0.1", "22.9.9.9:1");
        let change = scene.says("30.0.0.1", "22.9.9.9:1").unwrap();
        assert_eq!(change.external, Some("22.9.9.9:1".parse().unwrap()));
    }

    #[test]
    fn those_on_this_side_of_the_nat_have_no_say() {
        let mut scene = Scene::default();
        for observer in ["192.168.1.3", "10.0.0.1", "100.64.0.1", "127.0.0.1"] {
            scene.says(observer, "22.0.0.1:1");
        }
        scene.says("11.0.0.1", "192.168.1.2:5483");
        scene.says("21.0.0.1", "192.168.1.2:5483");
        scene.says("11.0.0.1", "22.0.0.1:0");
        scene.says("21.0.0.1", "22.0.0.1:0");
        scene.says("11.0.0.1", "[2d00::1]:1");
        scene.says("21.0.0.1", "[2d00::1]:1");
        assert_eq!(scene.believed(), None);
    }

    #[test]
    fn ports_do_not_speak_for_one_another() {
        let scene = agreed();
        let tcp = LocalPort {
            protocol: Protocol::Tcp,
            ..PORT
        };
        assert_eq!(scene.0.external(&tcp), None);
    }

    #[test]
    fn address_that_an_interface_lost_takes_what_was_believed_with_it() {
        let mut scene = agreed();
        scene.0.retain(|ip| ip != PORT.addr.ip());
        assert_eq!(scene.believed(), None);
        assert_eq!(scene.0.ip(PORT.addr.ip()), None);
    }

    #[test]
    fn ports_given_by_chance_tell_the_ip_address_alone() {
        let mut addrs = ExternalAddrs::new();
        for (observer, seen) in [
            ("11.0.0.1", "22.0.0.1:40001"),
            ("21.0.0.1", "22.0.0.1:40002"),
        ] {
            addrs.observe(&ExternalObservation {
                port: LocalPort {
                    addr: SocketAddr::new(PORT.addr.ip(), 0),
                    ..PORT
                },
                observer: observer.parse().unwrap(),
                observed_addr: seen.parse().unwrap(),
            });
        }
        assert_eq!(addrs.ip(PORT.addr.ip()), "22.0.0.1".parse().ok());
        assert_eq!(addrs.iter().count(), 0);
    }

    #[test]
    fn what_strangers_can_fill_is_bounded() {
        let mut addrs = ExternalAddrs::new();
        for number in 0..1_000_u16 {
            let port = LocalPort {
                addr: SocketAddr::new(PORT.addr.ip(), number % 100 + 1),
                ..PORT
            };
            let [a, b] = number.to_be_bytes();
            addrs.observe(&ExternalObservation {
                port,
                observer: IpAddr::from([11, a, b, 1]),
                observed_addr: "22.0.0.1:1".parse().unwrap(),
            });
        }
        assert_eq!(addrs.ports.len(), ExternalAddrs::MAX_PORTS);
        let most = addrs.ports.values().map(|votes| votes.cast.len()).max();
        assert!(most <= Some(ExternalAddrs::MAX_OBSERVERS));
    }

    proptest! {
        /// Whatever one network says in whatever order: what others agree on is believed in the end.
        #[test]
        fn one_network_never_decides(says in prop::collection::vec((0..4_u8, 0..3_u8), 1..60)) {
            let mut scene = Scene::default();
            for (who, what) in says {
                match who {
                    0 => scene.says("66.0.0.1", &format!("33.0.0.{what}:1")),
                    honest => scene.says(&format!("{honest}.1.1.1"), "22.0.0.1:5483"),
                };
                prop_assert!(scene.believed().is_none_or(|addr| addr == "22.0.0.1:5483"));
            }
            scene.says("1.1.1.1", "22.0.0.1:5483");
            scene.says("2.1.1.1", "22.0.0.1:5483");
            prop_assert_eq!(scene.believed(), Some("22.0.0.1:5483".to_owned()));
        }
    }
}
