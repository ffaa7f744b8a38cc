//! What differs between the two protocols of port 5351.

use std::{fmt, net::IpAddr, time::Duration};

use super::{epoch::EpochRule, failure::MappingFailure, leases::Job, rng::Rng};

/// NAT-PMP or PCP: what is asked as bytes, and what came as an answer.
pub(crate) trait Dialect: fmt::Debug + Send + 'static {
    /// How a lost state is told.
    const EPOCH_RULE: EpochRule;

    fn encode(&self, ask: &Ask) -> Vec<u8>;

    /// What `bytes` answer to `ask`; `None` where they are no answer to it.
    fn decode(&self, ask: &Ask, bytes: &[u8]) -> Option<Reply>;

    /// How long to wait for an answer to the attempt of this number, from zero on; `None` to give up.
    fn patience(attempt: u32, rng: &mut Rng) -> Option<Duration>;
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Job(Job),
    /// Whether anybody is there, and since when.
    Probe,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Another version is spoken here.
    Version(u8),
    /// The gateway's clock, and what it says.
    Said { epoch_s: u32, said: Said },
}

/// What the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Deleted,
    Granted {
        external_port: u16,
        /// `None` where it is that of the probe.
        external_ip: Option<IpAddr>,
        lifetime: Duration,
    },
    /// It is there; with its external address where a probe tells.
    Here {
        external_ip: Option<IpAddr>,
    },
    Refused {
        failure: MappingFailure,
        /// For how long.
        lifetime: Option<Duration>,
    },
}
