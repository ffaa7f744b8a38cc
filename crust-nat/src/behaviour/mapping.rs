//! On what it depends which external address a NAT gives to a local one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::observation::Observation;

/// On what it depends which external address a NAT gives to a local one (RFC 4787 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mapping {
    /// On nothing: all destinations see the same.
    EndpointIndependent,
    /// On the destination's IP address.
    AddressDependent,
    /// On the destination's IP address and port.
    AddressAndPortDependent,
}

impl Mapping {
    /// What follows from `observations` of one NAT at one time; `None` where they leave it open.
    ///
    /// Those of one local port are compared with one another. That two ports of one host see different addresses shows
    /// [`AddressAndPortDependent`](Self::AddressAndPortDependent), that two hosts see the same shows
    /// [`EndpointIndependent`](Self::EndpointIndependent); for the third, ports of one host must have seen the same, and
    /// hosts different ones. What contradicts itself is open too, but for the first, which one pair shows.
    #[must_use]
    pub fn of(observations: &[Observation]) -> Option<Self> {
        let mut pairs = Pairs::default();
        for (place, one) in observations.iter().enumerate() {
            for other in &observations[..place] {
                pairs.add(one, other);
            }
        }
        match pairs {
            Pairs {
                same_host_differs: true,
                ..
            } => Some(Self::AddressAndPortDependent),
            Pairs {
                hosts_agree: true,
                hosts_differ: false,
                ..
            } => Some(Self::EndpointIndependent),
            Pairs {
                same_host_agrees: true,
                hosts_differ: true,
                hosts_agree: false,
                ..
            } => Some(Self::AddressDependent),
            _ => None,
        }
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}

/// What there is among pairs of observations.
#[derive(Debug, Default)]
struct Pairs {
    hosts_agree: bool,
    hosts_differ: bool,
    same_host_agrees: bool,
    same_host_differs: bool,
}

impl Pairs {
    fn add(&mut self, one: &Observation, other: &Observation) {
        let is_comparable = one.local == other.local
            && one.destination.is_ipv4() == other.destination.is_ipv4()
            && one.destination != other.destination;
        if !is_comparable {
            return;
        }
        let is_one_host = one.destination.ip() == other.destination.ip();
        let agree = one.observed_addr == other.observed_addr;
        let seen = match (is_one_host, agree) {
            (false, true) => &mut self.hosts_agree,
            (false, false) => &mut self.hosts_differ,
            (true, true) => &mut self.same_host_agrees,
            (true, false) => &mut self.same_host_differs,
        };
        *seen = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observations of a port by destinations, each a host and a port, at external ports.
    fn of(seen: &[(u8, u16, u16)]) -> Option<Mapping> {
        let observation = |&(host, port, external): &(u8, u16, u16)| Observation {
            local: ([10, 0, 0, 2], 7).into(),
            destination: ([192, 0, 2, host], port).into(),
            observed_addr: ([203, 0, 113, 1], external).into(),
        };
        Mapping::of(&seen.iter().map(observation).collect::<Vec<_>>())
    }

    #[test]
    fn four_observations_tell_the_three_kinds_apart() {
        use Mapping::*;
        let kinds = [
            ([9, 9, 9, 9], EndpointIndependent),
            ([9, 9, 8, 8], AddressDependent),
            ([9, 8, 7, 6], AddressAndPortDependent),
        ];
        for (external, kind) in kinds {
            let [a, b, c, d] = external;
            let seen = [(1, 1, a), (1, 2, b), (2, 1, c), (2, 2, d)];
            assert_eq!(of(&seen), Some(kind));
        }
    }

    #[test]
    fn too_few_observations_tell_nothing() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(1, 1, 9)]), None);
        // Ports of one host agree: the address may still matter.
        assert_eq!(of(&[(1, 1, 9), (1, 2, 9)]), None);
        // Hosts differ: the port may matter too.
        assert_eq!(of(&[(1, 1, 9), (2, 2, 8)]), None);
        // The same destination again shows nothing but that a mapping ended.
        assert_eq!(of(&[(1, 1, 9), (1, 1, 8)]), None);
    }

    #[test]
    fn two_hosts_that_agree_are_enough_for_independence() {
        let independent = Some(Mapping::EndpointIndependent);
        assert_eq!(of(&[(1, 1, 9), (2, 1, 9)]), independent);
    }

    #[test]
    fn contradiction_is_no_verdict() {
        assert_eq!(of(&[(1, 1, 9), (2, 1, 9), (3, 1, 8)]), None);
    }

    #[test]
    fn other_local_ports_and_families_are_not_compared() {
        let observation = |local: &str, destination: &str, observed: &str| Observation {
            local: local.parse().unwrap(),
            destination: destination.parse().unwrap(),
            observed_addr: observed.parse().unwrap(),
        };
        let seen = [
            observation("[::]:7", "192.0.2.1:1", "203.0.113.1:9"),
            observation("[::]:7", "[2001:db8::1]:2", "[2001:db8::7]:7"),
            observation("[::]:8", "192.0.2.1:2", "203.0.113.1:8"),
            observation("10.0.0.2:7", "192.0.2.2:2", "203.0.113.1:7"),
            observation("10.0.1.2:7", "192.0.2.3:2", "203.0.113.1:6"),
        ];
        assert_eq!(Mapping::of(&seen), None);
    }
}
