//! How a client speaks PCP.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{
    nonce::Nonces,
    result_code::ResultCode,
    wire::{Answer, AnswerError, Map, Opcode, Request, RequestBody, Response},
};
use crate::gateway::{
    dialect::{Ask, Dialect, Reply, Said},
    epoch::EpochRule,
    failure::MappingFailure,
    leases::Job,
    port::InternalPort,
    rng::Rng,
    seconds::whole_seconds,
};

/// PCP, from one address of this host. An ANNOUNCE is the probe.
#[derive(Debug)]
pub(crate) struct Pcp {
    server: SocketAddr,
    client: IpAddr,
    nonces: Nonces,
}

impl Pcp {
    pub(crate) const fn new(server: SocketAddr, client: IpAddr, nonces: Nonces) -> Self {
        Self {
            server,
            client,
            nonces,
        }
    }

    fn request(&self, ask: &Ask) -> Request {
        let (lifetime_s, body) = match *ask {
            Ask::Probe => (0, RequestBody::Announce),
            Ask::Job(Job::Delete { port, .. }) => (0, self.map(port, 0, None)),
            Ask::Job(Job::Make {
                port,
                external_port,
                external_ip,
                lifetime,
            }) => (
                whole_seconds(lifetime),
                self.map(port, external_port, external_ip),
            ),
        };
        Request {
            client: self.client,
            lifetime_s,
            body,
        }
    }

    fn map(&self, port: InternalPort, external_port: u16, ip: Option<IpAddr>) -> RequestBody {
        let unspecified: IpAddr = match self.client {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let map = Map {
            nonce: self.nonce(port),
            port,
            external_port,
            external_ip: ip.unwrap_or(unspecified),
        };
        RequestBody::Map {
            map,
            prefer_failure: false,
        }
    }

    fn nonce(&self, port: InternalPort) -> [u8; 12] {
        self.nonces.nonce(self.server, self.client, port)
    }

    fn said(&self, ask: &Ask, response: &Response) -> Option<Said> {
        let lifetime = Duration::from_secs(response.lifetime_s.into());
        match (ask, response.answer) {
            (Ask::Probe, Answer::Announce) => Some(Said::Here { external_ip: None }),
            (Ask::Probe, Answer::Refused { code, .. }) => Some(probed(code, lifetime)),
            (Ask::Job(job), Answer::Refused { opcode, map, code }) => {
                let is_map = opcode.is_none_or(|opcode| opcode == Opcode::Map);
                let is_ours = map.is_none_or(|map| self.is_about(&map, job.port()));
                (is_map && is_ours).then_some(Said::Refused {
                    failure: MappingFailure::Pcp { code },
                    lifetime: Some(lifetime),
                })
            }
            (Ask::Job(job), Answer::Map(map)) if self.is_about(&map, job.port()) => match job {
                Job::Delete { .. } => lifetime.is_zero().then_some(Said::Deleted),
                Job::Make { .. } => Some(Said::Granted {
                    external_port: map.external_port,
                    external_ip: Some(map.external_ip),
                    lifetime,
                }),
            },
            (Ask::Job(_), Answer::Announce | Answer::Map(_)) | (Ask::Probe, Answer::Map(_)) => None,
        }
    }

    /// §11.4: nonce, protocol and internal port are those of the request.
    fn is_about(&self, map: &Map, port: InternalPort) -> bool {
        map.port == port && map.nonce == self.nonce(port)
    }
}

impl Dialect for Pcp {
    const EPOCH_RULE: EpochRule = EpochRule::Pcp;

    fn encode(&self, ask: &Ask) -> Vec<u8> {
        self.request(ask).encode()
    }

    fn decode(&self, ask: &Ask, bytes: &[u8]) -> Option<Reply> {
        let response = match Response::decode(bytes) {
            Ok(response) => response,
            Err(AnswerError::Version { version }) => return Some(Reply::Version(version)),
            Err(_) => return None,
        };
        let said = self.said(ask, &response)?;
        let epoch_s = response.epoch_s;
        Some(Reply::Said { epoch_s, said })
    }

    /// Those of NAT-PMP at first, then those of §8.1.1 from 3 s on, doubled up to 1,024 s, a tenth more or less.
    ///
    /// §8.1.1 begins with 3 s. On the link to one's own gateway, which answers in a millisecond, that would make a single lost
    /// datagram the longest part of a start; and three small datagrams are what the same gateway bears by NAT-PMP.
    fn patience(attempt: u32, rng: &mut Rng) -> Option<Duration> {
        let wait = match attempt {
            0..QUICK => QUICK_WAIT * (1 << attempt),
            _ => (FIRST_WAIT * (1 << (attempt - QUICK).min(16))).min(MAX_WAIT),
        };
        Some(rng.around(wait))
    }
}

/// A server that does not know ANNOUNCE, or lets nobody ask, is there all the same.
fn probed(code: ResultCode, lifetime: Duration) -> Said {
    match code {
        ResultCode::UNSUPPORTED_OPCODE => Said::Here { external_ip: None },
        _ => Said::Refused {
            failure: MappingFailure::Pcp { code },
            lifetime: Some(lifetime),
        },
    }
}

const QUICK: u32 = 3;
const QUICK_WAIT: Duration = Duration::from_millis(250);
/// IRT of §8.1.1.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// MRT of §8.1.1.
const MAX_WAIT: Duration = Duration::from_secs(1_024);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_quick_at_first_and_then_those_of_the_rfc() {
        let mut rng = Rng::new(7);
        for (attempt, expected_ms) in [
            (0, 250),
            (2, 1_000),
            (3, 3_000),
            (4, 6_000),
            (11, 768_000),
            (12, 1_024_000),
            (1_000, 1_024_000),
        ] {
            let expected = Duration::from_millis(expected_ms);
            let wait = Pcp::patience(attempt, &mut rng).unwrap();
            assert!(wait.abs_diff(expected) <= expected / 10, "{attempt}");
        }
    }
}
