//! Bytes to packets and back (RFC 6887 §7, §11.1, §14.1.1).

mod options;

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU16,
};

use thiserror::Error;

use super::result_code::ResultCode;
use crate::{Protocol, gateway::port::InternalPort};

/// What a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The address that the request is sent from.
    pub client: IpAddr,
    /// Seconds; zero deletes.
    pub lifetime_s: u32,
    /// What it asks for.
    pub body: RequestBody,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// How long the server has kept its state (§14.1).
    Announce,
    /// A mapping, or its end (§11).
    Map {
        /// The mapping, with what is wished for as its external end.
        map: Map,
        /// Whether to have nothing rather than something else (§13.2).
        prefer_failure: bool,
    },
}

/// The fields of a MAP (§11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// By which the client knows the answer, and the server the client.
    pub nonce: [u8; 12],
    /// The port of the client.
    pub port: InternalPort,
    /// The external port; zero for any, and in a deletion.
    pub external_port: u16,
    /// The external address; unspecified for any, and in a deletion.
    pub external_ip: IpAddr,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// ANNOUNCE.
    Announce,
    /// MAP.
    Map,
}

impl Request {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let opcode = match self.body {
            RequestBody::Announce => Opcode::Announce,
            RequestBody::Map { .. } => Opcode::Map,
        };
        let mut bytes = vec![VERSION, opcode.number(), 0, 0];
        bytes.extend(self.lifetime_s.to_be_bytes());
        bytes.extend(octets(self.client));
        if let RequestBody::Map {
            map,
            prefer_failure,
        } = self.body
        {
            map.put(&mut bytes);
            if prefer_failure {
                bytes.extend(options::PREFER_FAILURE);
            }
        }
        bytes
    }

    /// Reads what a client sent, for servers; `None` where it is no request, or one with an option that is not known here.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION, opcode, _, _], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let (lifetime, rest) = rest.split_first_chunk()?;
        let (client, rest) = rest.split_first_chunk::<16>()?;
        let body = match Opcode::from_number(opcode)? {
            Opcode::Announce if rest.is_empty() => RequestBody::Announce,
            Opcode::Announce => return None,
            Opcode::Map => {
                let (map, rest) = rest.split_first_chunk()?;
                RequestBody::Map {
                    map: Map::read(map)?,
                    prefer_failure: match rest {
                        [] => false,
                        _ if *rest == options::PREFER_FAILURE => true,
                        _ => return None,
                    },
                }
            }
        };
        Some(Self {
            client: ip(*client),
            lifetime_s: u32::from_be_bytes(*lifetime),
            body,
        })
    }
}

/// What a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Seconds since the server lost its state (§8.5).
    pub epoch_s: u32,
    /// Seconds for which a mapping, or a refusal, holds.
    pub lifetime_s: u32,
    /// What it says.
    pub answer: Answer,
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The server is there.
    Announce,
    /// A mapping was made or, with a lifetime of zero, ended.
    Map(Map),
    /// The server refused.
    Refused {
        /// The operation asked for, where it is known here.
        opcode: Option<Opcode>,
        /// The mapping asked for, where the server repeats it.
        map: Option<Map>,
        /// Why.
        code: ResultCode,
    },
}

impl Response {
    /// The bytes on the wire, of a server without options.
    pub fn encode(&self) -> Vec<u8> {
        let (opcode, map, code) = match &self.answer {
            Answer::Announce => (Opcode::Announce, None, 0),
            Answer::Map(map) => (Opcode::Map, Some(map), 0),
            Answer::Refused { opcode, map, code } => {
                let opcode = opcode.unwrap_or(Opcode::Announce);
                (opcode, map.as_ref(), code.number())
            }
        };
        let mut bytes = vec![VERSION, RESPONSE | opcode.number(), 0, code];
        bytes.extend(self.lifetime_s.to_be_bytes());
        bytes.extend(self.epoch_s.to_be_bytes());
        bytes.extend([0; 12]);
        if let Some(map) = map {
            map.put(&mut bytes);
        }
        bytes
    }

    /// Reads what a server sent.
    ///
    /// # Errors
    ///
    /// Each variant of [`AnswerError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AnswerError> {
        let (&[version, opcode, _, code], rest) =
            bytes.split_first_chunk().ok_or(AnswerError::Length)?;
        if version != VERSION {
            return Err(AnswerError::Version { version });
        }
        if opcode & RESPONSE == 0 {
            return Err(AnswerError::Request);
        }
        if bytes.len() > MAX_LEN || !bytes.len().is_multiple_of(4) {
            return Err(AnswerError::Length);
        }
        let (lifetime, rest) = rest.split_first_chunk().ok_or(AnswerError::Length)?;
        let (epoch, rest) = rest.split_first_chunk().ok_or(AnswerError::Length)?;
        let (_, body) = rest.split_first_chunk::<12>().ok_or(AnswerError::Length)?;
        Ok(Self {
            epoch_s: u32::from_be_bytes(*epoch),
            lifetime_s: u32::from_be_bytes(*lifetime),
            answer: Answer::decode(opcode & !RESPONSE, code, body)?,
        })
    }
}

impl Answer {
    fn decode(opcode: u8, code: u8, body: &[u8]) -> Result<Self, AnswerError> {
        let known = Opcode::from_number(opcode);
        if let Some(code) = ResultCode::new(code) {
            let map = body.first_chunk().filter(|_| known == Some(Opcode::Map));
            return Ok(Self::Refused {
                opcode: known,
                map: map.and_then(Map::read),
                code,
            });
        }
        let (answer, rest) = match known {
            None => return Err(AnswerError::Opcode { opcode }),
            Some(Opcode::Announce) => (Self::Announce, body),
            Some(Opcode::Map) => {
                let (map, rest) = body.split_first_chunk().ok_or(AnswerError::Length)?;
                (Self::Map(Map::read(map).ok_or(AnswerError::Map)?), rest)
            }
        };
        match options::are_whole(rest) {
            true => Ok(answer),
            false => Err(AnswerError::Options),
        }
    }
}

impl Map {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.nonce);
        bytes.extend([self.port.protocol.number(), 0, 0, 0]);
        bytes.extend(self.port.number.get().to_be_bytes());
        bytes.extend(self.external_port.to_be_bytes());
        bytes.extend(octets(self.external_ip));
    }

    /// `None` where it is about a protocol or a port that is never asked for here.
    fn read(bytes: &[u8; MAP_LEN]) -> Option<Self> {
        let (nonce, rest) = bytes.split_first_chunk()?;
        let (&[protocol, _, _, _, a, b, c, d], rest) = rest.split_first_chunk()?;
        let protocol = Protocol::from_number(protocol)?;
        let number = NonZeroU16::new(u16::from_be_bytes([a, b]))?;
        Some(Self {
            nonce: *nonce,
            port: InternalPort { protocol, number },
            external_port: u16::from_be_bytes([c, d]),
            external_ip: ip(*rest.first_chunk()?),
        })
    }
}

impl Opcode {
    const fn number(self) -> u8 {
        match self {
            Self::Announce => 0,
            Self::Map => 1,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Announce),
            1 => Some(Self::Map),
            _ => None,
        }
    }
}

/// Why bytes are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Longer or shorter than a response is.
    #[error("the length is wrong")]
    Length,
    /// A mapping of a protocol or port that is never asked for.
    #[error("a mapping of another protocol or of port 0")]
    Map,
    /// A success of an operation that there is not.
    #[error("operation {opcode} is unknown")]
    Opcode {
        /// Without the bit of a response.
        opcode: u8,
    },
    /// The options are longer than the packet.
    #[error("the options are not whole")]
    Options,
    /// A request, perhaps our own.
    #[error("a request and no response")]
    Request,
    /// Another version; 0 is NAT-PMP.
    #[error("version {version}")]
    Version {
        /// The version.
        version: u8,
    },
}

/// An address in 128 bits (§5).
fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn ip(octets: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
}

const VERSION: u8 = 2;
const RESPONSE: u8 = 0x80;
const MAP_LEN: usize = 36;
/// §7.
const MAX_LEN: usize = 1_100;

#[cfg(test)]
mod tests;
