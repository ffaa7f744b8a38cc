//! What a probe has seen, in the words of RFC 4787.

use std::net::SocketAddr;

use crust_tests::netlab::{Allocation, Filtering, Mapping, Nat};

/// What a probe found out about a NAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) mapping: Mapping,
    pub(crate) filtering: Filtering,
    pub(crate) allocation: Allocation,
}

impl From<Nat> for Findings {
    fn from(nat: Nat) -> Self {
        Self {
            mapping: nat.mapping,
            filtering: nat.filtering,
            allocation: nat.allocation,
        }
    }
}

/// From what one internal endpoint looks like to two ports of one address, and to two of another.
pub(crate) fn mapping(seen: [SocketAddr; 4]) -> Mapping {
    let [a, b, c, d] = seen;
    match (a == b, c == d, a == c) {
        (true, true, true) => Mapping::EndpointIndependent,
        (true, true, false) => Mapping::AddressDependent,
        (false, false, false) => Mapping::AddressAndPortDependent,
        _ => panic!("no kind of mapping: {seen:?}"),
    }
}

/// From who came through to an endpoint that had sent to one port of one address only.
pub(crate) fn filtering(came: Came) -> Filtering {
    match (came.other_port, came.other_addr, came.stranger) {
        (true, true, true) => Filtering::EndpointIndependent,
        (true, false, false) => Filtering::AddressDependent,
        (false, false, false) => Filtering::AddressAndPortDependent,
        _ => panic!("no kind of filtering: {came:?}"),
    }
}

/// From the internal and external ports of endpoints one after another.
pub(crate) fn allocation(ports: &[(u16, u16)]) -> Allocation {
    assert!(ports.len() > 2, "two may be neighbours by chance");
    if ports.iter().all(|(inside, outside)| inside == outside) {
        return Allocation::Preserving;
    }
    let mut steps = ports.windows(2).map(|it| it[1].1.wrapping_sub(it[0].1));
    if steps.all(|step| step == 1) {
        return Allocation::Sequential;
    }
    Allocation::Random
}

/// Who came through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    pub(crate) other_port: bool,
    pub(crate) other_addr: bool,
    pub(crate) stranger: bool,
}
