//! How a client speaks NAT-PMP.

use std::{net::IpAddr, time::Duration};

use super::wire::{Answer, AnswerError, Request, Response};
use crate::gateway::{
    dialect::{Ask, Dialect, Reply, Said},
    epoch::EpochRule,
    failure::MappingFailure,
    leases::Job,
    rng::Rng,
    seconds::whole_seconds,
};

/// NAT-PMP. The gateway's external address is the probe.
#[derive(Debug)]
pub(crate) struct NatPmp;

impl Dialect for NatPmp {
    const EPOCH_RULE: EpochRule = EpochRule::NatPmp;

    fn encode(&self, ask: &Ask) -> Vec<u8> {
        request(ask).encode()
    }

    fn decode(&self, ask: &Ask, bytes: &[u8]) -> Option<Reply> {
        let response = match Response::decode(bytes) {
            Ok(response) => response,
            Err(AnswerError::Version { version }) => return Some(Reply::Version(version)),
            Err(_) => return None,
        };
        let said = said(ask, response.answer)?;
        let epoch_s = response.epoch_s;
        Some(Reply::Said { epoch_s, said })
    }

    /// §3.1: 250 ms, doubled each time, nine attempts.
    fn patience(attempt: u32, _: &mut Rng) -> Option<Duration> {
        (attempt < ATTEMPTS).then(|| FIRST_WAIT * (1 << attempt))
    }
}

fn request(ask: &Ask) -> Request {
    match *ask {
        Ask::Probe => Request::ExternalAddress,
        Ask::Job(Job::Delete { port, .. }) => Request::Map {
            port,
            external_port: 0,
            lifetime_s: 0,
        },
        Ask::Job(Job::Make {
            port,
            external_port,
            lifetime,
            ..
        }) => Request::Map {
            port,
            external_port,
            lifetime_s: whole_seconds(lifetime),
        },
    }
}

fn said(ask: &Ask, answer: Answer) -> Option<Said> {
    match (ask, answer) {
        (_, Answer::Refused { opcode, code }) => {
            let is_ours = request(ask).encode().get(1) == Some(&opcode);
            let failure = MappingFailure::NatPmp { code };
            is_ours.then_some(Said::Refused {
                failure,
                lifetime: None,
            })
        }
        (Ask::Probe, Answer::ExternalAddress(ip)) => Some(Said::Here {
            external_ip: Some(IpAddr::V4(ip)),
        }),
        (
            Ask::Job(job),
            Answer::Map {
                port,
                external_port,
                lifetime_s,
            },
        ) if job.port() == port => match job {
            Job::Delete { .. } => (lifetime_s == 0).then_some(Said::Deleted),
            Job::Make { .. } => Some(Said::Granted {
                external_port,
                external_ip: None,
                lifetime: Duration::from_secs(lifetime_s.into()),
            }),
        },
        (Ask::Probe, Answer::Map { .. }) | (Ask::Job(_), _) => None,
    }
}

/// §3.1.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const ATTEMPTS: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_those_of_the_rfc() {
        let mut rng = Rng::new(7);
        let waits: Vec<_> = (0..9).map(|n| NatPmp::patience(n, &mut rng)).collect();
        assert_eq!(waits[0], Some(Duration::from_millis(250)));
        assert_eq!(waits[8], Some(Duration::from_secs(64)));
        assert_eq!(NatPmp::patience(9, &mut rng), None);
    }
}
