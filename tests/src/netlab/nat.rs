//! What kinds of NAT there are, in the words of RFC 4787.

use std::str::FromStr;

/// When two packets of one internal endpoint have the same external port (RFC 4787 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// Always.
    EndpointIndependent,
    /// Where they are for the same address.
    AddressDependent,
    /// Where they are for the same address and port.
    AddressAndPortDependent,
}

/// Whose packets to an external port are let in (RFC 4787 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// Everyone's.
    EndpointIndependent,
    /// Those from addresses that were sent to.
    AddressDependent,
    /// Those from addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// Which external port a new mapping has (RFC 4787 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allocation {
    /// The internal one where it is free, else a random one.
    Preserving,
    /// The next, from 40,000 on.
    Sequential,
    /// A random one.
    Random,
}

/// How a router translates IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// When ports are the same.
    pub mapping: Mapping,
    /// Who is let in.
    pub filtering: Filtering,
    /// Which ports there are.
    pub allocation: Allocation,
    /// Whether hosts behind it reach each other by external addresses, and see such (RFC 4787 §6, REQ-9).
    pub is_hairpinning: bool,
    /// Linux's own `masquerade`, which only looks endpoint-independent while no two hosts use one port.
    pub(super) is_masquerade: bool,
}

impl Nat {
    /// Endpoint-independent in both, "full cone"; ports are preserved.
    pub const FULL_CONE: Self = Self::cone(Filtering::EndpointIndependent);
    /// An endpoint-independent mapping with address-dependent filtering; ports are preserved.
    pub const ADDRESS_RESTRICTED: Self = Self::cone(Filtering::AddressDependent);
    /// An endpoint-independent mapping with address and port-dependent filtering; ports are preserved.
    pub const PORT_RESTRICTED: Self = Self::cone(Filtering::AddressAndPortDependent);
    /// Address and port-dependent in both; ports are random.
    pub const SYMMETRIC: Self = Self::symmetric(Allocation::Random);
    /// Address and port-dependent in both; ports are sequential.
    pub const SYMMETRIC_SEQUENTIAL: Self = Self::symmetric(Allocation::Sequential);
    /// One line of `masquerade`, as most Linux routers have. While hosts use different ports it is
    /// [`Nat::PORT_RESTRICTED`]; two on one port share its external port, where their destinations differ.
    pub const LINUX: Self = Self {
        is_masquerade: true,
        ..Self::PORT_RESTRICTED
    };
    /// All of the above, with the names that [`Nat::from_str`] knows.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("full-cone", Self::FULL_CONE),
        ("address-restricted", Self::ADDRESS_RESTRICTED),
        ("port-restricted", Self::PORT_RESTRICTED),
        ("symmetric", Self::SYMMETRIC),
        ("symmetric-sequential", Self::SYMMETRIC_SEQUENTIAL),
        ("linux", Self::LINUX),
    ];

    /// Any of the kinds that there are, without hairpin.
    ///
    /// Where the mapping is dependent and the allocation preserving, an endpoint's first mapping has its own port and the
    /// others random ones.
    pub const fn new(mapping: Mapping, filtering: Filtering, allocation: Allocation) -> Self {
        Self {
            mapping,
            filtering,
            allocation,
            is_hairpinning: false,
            is_masquerade: false,
        }
    }

    /// Lets hosts behind it reach each other by external addresses.
    #[must_use]
    pub const fn with_hairpin(mut self) -> Self {
        self.is_hairpinning = true;
        self
    }

    const fn cone(filtering: Filtering) -> Self {
        Self::new(
            Mapping::EndpointIndependent,
            filtering,
            Allocation::Preserving,
        )
    }

    const fn symmetric(allocation: Allocation) -> Self {
        Self::new(
            Mapping::AddressAndPortDependent,
            Filtering::AddressAndPortDependent,
            allocation,
        )
    }
}

impl FromStr for Nat {
    type Err = UnknownNat;

    fn from_str(name: &str) -> Result<Self, UnknownNat> {
        let known = Self::NAMED.iter().find(|(known, _)| *known == name);
        known.map(|(_, nat)| *nat).ok_or(UnknownNat)
    }
}

/// No kind of NAT has this name; [`Nat::NAMED`] has those there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of NAT")]
pub struct UnknownNat;

/// What a router does with packets from outside that belong to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unsolicited {
    /// Drops them, as routers do that are sold.
    #[default]
    Drop,
    /// Tells the sender: a TCP reset, or ICMP's "port unreachable".
    Reset,
}

/// What a router lets out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Egress {
    /// Everything.
    #[default]
    All,
    /// Everything but UDP.
    NoUdp,
    /// TCP to ports 80 and 443 alone.
    WebOnly,
}
