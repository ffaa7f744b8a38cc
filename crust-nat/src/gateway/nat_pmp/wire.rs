//! Bytes to packets and back (RFC 6886 §3.2 to §3.5).

use std::{net::Ipv4Addr, num::NonZeroU16};

use thiserror::Error;

use super::result_code::ResultCode;
use crate::{Protocol, gateway::port::InternalPort};

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The gateway's external address (§3.2).
    ExternalAddress,
    /// A mapping, or its end (§3.3, §3.4).
    Map {
        /// The port of the client.
        port: InternalPort,
        /// The external port wished for; zero for any, and in a deletion.
        external_port: u16,
        /// Seconds; zero deletes.
        lifetime_s: u32,
    },
}

impl Request {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            Self::ExternalAddress => vec![VERSION, EXTERNAL_ADDRESS],
            Self::Map {
                port,
                external_port,
                lifetime_s,
            } => {
                let mut bytes = vec![VERSION, opcode(port.protocol), 0, 0];
                bytes.extend(port.number.get().to_be_bytes());
                bytes.extend(external_port.to_be_bytes());
                bytes.extend(lifetime_s.to_be_bytes());
                bytes
            }
        }
    }

    /// Reads what a client sent; `None` where it is no request.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [VERSION, EXTERNAL_ADDRESS] => Some(Self::ExternalAddress),
            [VERSION, opcode, _, _, rest @ ..] => {
                let (number, rest) = rest.split_first_chunk()?;
                let (external_port, rest) = rest.split_first_chunk()?;
                let lifetime_s = u32::from_be_bytes(rest.try_into().ok()?);
                let number = NonZeroU16::new(u16::from_be_bytes(*number))?;
                let protocol = protocol(*opcode)?;
                Some(Self::Map {
                    port: InternalPort { protocol, number },
                    external_port: u16::from_be_bytes(*external_port),
                    lifetime_s,
                })
            }
            _ => None,
        }
    }
}

/// What a gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Seconds since the gateway's table was empty (§3.6).
    pub epoch_s: u32,
    /// What it says.
    pub answer: Answer,
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The gateway's external address.
    ExternalAddress(Ipv4Addr),
    /// A mapping was made or, with a lifetime of zero, ended.
    Map {
        /// The port of the client.
        port: InternalPort,
        /// The external port; zero in the answer to a deletion.
        external_port: u16,
        /// Seconds.
        lifetime_s: u32,
    },
    /// The gateway refused.
    Refused {
        /// The operation asked for.
        opcode: u8,
        /// Why.
        code: ResultCode,
    },
}

impl Response {
    /// The bytes on the wire. What a refused request had asked is left out, as §3.5 allows.
    pub fn encode(&self) -> Vec<u8> {
        let (op, code) = match self.answer {
            Answer::ExternalAddress(_) => (EXTERNAL_ADDRESS, 0),
            Answer::Map { port, .. } => (opcode(port.protocol), 0),
            Answer::Refused { opcode, code } => (opcode, code.number()),
        };
        let mut bytes = vec![VERSION, RESPONSE | op];
        bytes.extend(code.to_be_bytes());
        bytes.extend(self.epoch_s.to_be_bytes());
        match self.answer {
            Answer::ExternalAddress(ip) => bytes.extend(ip.octets()),
            Answer::Map {
                port,
                external_port,
                lifetime_s,
            } => {
                bytes.extend(port.number.get().to_be_bytes());
                bytes.extend(external_port.to_be_bytes());
                bytes.extend(lifetime_s.to_be_bytes());
            }
            Answer::Refused { .. } => {}
        }
        bytes
    }

    /// Reads what a gateway sent.
    ///
    /// # Errors
    ///
    /// Each variant of [`AnswerError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AnswerError> {
        let (&[version, opcode], rest) = bytes.split_first_chunk().ok_or(AnswerError::Length)?;
        if version != VERSION {
            return Err(AnswerError::Version { version });
        }
        if opcode & RESPONSE == 0 {
            return Err(AnswerError::Request);
        }
        let opcode = opcode & !RESPONSE;
        let (code, rest) = rest.split_first_chunk().ok_or(AnswerError::Length)?;
        let (epoch, body) = rest.split_first_chunk().ok_or(AnswerError::Length)?;
        let answer = match ResultCode::new(u16::from_be_bytes(*code)) {
            Some(code) => Answer::Refused { opcode, code },
            None => Answer::decode(opcode, body)?,
        };
        let epoch_s = u32::from_be_bytes(*epoch);
        Ok(Self { epoch_s, answer })
    }
}

impl Answer {
    fn decode(opcode: u8, body: &[u8]) -> Result<Self, AnswerError> {
        if opcode == EXTERNAL_ADDRESS {
            let octets: [u8; 4] = body.try_into().map_err(|_| AnswerError::Length)?;
            return Ok(Self::ExternalAddress(octets.into()));
        }
        let protocol = protocol(opcode).ok_or(AnswerError::Opcode { opcode })?;
        let body: &[u8; 8] = body.try_into().map_err(|_| AnswerError::Length)?;
        let [a, b, c, d, lifetime @ ..] = *body;
        let number = NonZeroU16::new(u16::from_be_bytes([a, b])).ok_or(AnswerError::Port)?;
        Ok(Self::Map {
            port: InternalPort { protocol, number },
            external_port: u16::from_be_bytes([c, d]),
            lifetime_s: u32::from_be_bytes(lifetime),
        })
    }
}

/// Why bytes are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Longer or shorter than a response is.
    #[error("the length is wrong")]
    Length,
    /// A success of an operation that there is not.
    #[error("operation {opcode} is unknown")]
    Opcode {
        /// Without the bit of a response.
        opcode: u8,
    },
    /// A mapping of port 0.
    #[error("a mapping of port 0")]
    Port,
    /// A request, perhaps our own.
    #[error("a request and no response")]
    Request,
    /// Another version; 2 is PCP.
    #[error("version {version}")]
    Version {
        /// The version.
        version: u8,
    },
}

const fn opcode(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => MAP_UDP,
        Protocol::Tcp => MAP_TCP,
    }
}

const fn protocol(opcode: u8) -> Option<Protocol> {
    match opcode {
        MAP_UDP => Some(Protocol::Udp),
        MAP_TCP => Some(Protocol::Tcp),
        _ => None,
    }
}

const VERSION: u8 = 0;
const EXTERNAL_ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;
const MAP_TCP: u8 = 2;
const RESPONSE: u8 = 0x80;

#[cfg(test)]
mod tests;
