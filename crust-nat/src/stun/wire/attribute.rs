//! Attributes (RFC 8489 §14, RFC 5780 §7).

use std::net::SocketAddr;

use super::{address, header::TransactionId, kind};

/// One attribute of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// Another server to be asked instead.
    AlternateServer(SocketAddr),
    /// From where the answer is to come.
    ChangeRequest(Change),
    /// Why a request failed.
    ErrorCode {
        /// From 300 to 699.
        code: u16,
        /// The reason for people; may be empty.
        reason: &'a str,
    },
    /// The checksum of the message.
    Fingerprint(u32),
    /// The requester's address in clear.
    MappedAddress(SocketAddr),
    /// HMAC-SHA1 of the message.
    MessageIntegrity(&'a [u8; 20]),
    /// HMAC-SHA256 of the message. Truncated ones are not taken: no usage that allows them is served.
    MessageIntegritySha256(&'a [u8; 32]),
    /// What the server wants to see again.
    Nonce(&'a str),
    /// Where else the server answers: its other address and its other port.
    OtherAddress(SocketAddr),
    /// Bytes that make the message long.
    Padding(&'a [u8]),
    /// Where a user name and a password belong.
    Realm(&'a str),
    /// Where the answer was sent from.
    ResponseOrigin(SocketAddr),
    /// The port that the answer is to go to.
    ResponsePort(u16),
    /// Who wrote the program.
    Software(&'a str),
    /// One that is not known here, or that is not required and makes no sense.
    Unknown {
        /// Its number.
        kind: u16,
        /// Its value.
        value: &'a [u8],
    },
    /// Those that the server does not know.
    UnknownAttributes(AttributeKinds<'a>),
    /// Who asks.
    Username(&'a str),
    /// The requester's address, masked on the wire.
    XorMappedAddress(SocketAddr),
}

impl<'a> Attribute<'a> {
    /// Its number.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        match self {
            Self::AlternateServer(_) => kind::ALTERNATE_SERVER,
            Self::ChangeRequest(_) => kind::CHANGE_REQUEST,
            Self::ErrorCode { .. } => kind::ERROR_CODE,
            Self::Fingerprint(_) => kind::FINGERPRINT,
            Self::MappedAddress(_) => kind::MAPPED_ADDRESS,
            Self::MessageIntegrity(_) => kind::MESSAGE_INTEGRITY,
            Self::MessageIntegritySha256(_) => kind::MESSAGE_INTEGRITY_SHA256,
            Self::Nonce(_) => kind::NONCE,
            Self::OtherAddress(_) => kind::OTHER_ADDRESS,
            Self::Padding(_) => kind::PADDING,
            Self::Realm(_) => kind::REALM,
            Self::ResponseOrigin(_) => kind::RESPONSE_ORIGIN,
            Self::ResponsePort(_) => kind::RESPONSE_PORT,
            Self::Software(_) => kind::SOFTWARE,
            Self::Unknown { kind, .. } => *kind,
            Self::UnknownAttributes(_) => kind::UNKNOWN_ATTRIBUTES,
            Self::Username(_) => kind::USERNAME,
            Self::XorMappedAddress(_) => kind::XOR_MAPPED_ADDRESS,
        }
    }

    /// Reads a value; `None` where it makes no sense.
    pub(super) fn decode(kind: u16, value: &'a [u8], id: &TransactionId) -> Option<Self> {
        let text = || str::from_utf8(value).ok();
        Some(match kind {
            kind::ALTERNATE_SERVER => Self::AlternateServer(address::decode(value)?),
            kind::CHANGE_REQUEST => Self::ChangeRequest(Change::decode(value)?),
            kind::ERROR_CODE => error_code(value)?,
            kind::FINGERPRINT => Self::Fingerprint(u32::from_be_bytes(value.try_into().ok()?)),
            kind::MAPPED_ADDRESS => Self::MappedAddress(address::decode(value)?),
            kind::MESSAGE_INTEGRITY => Self::MessageIntegrity(value.try_into().ok()?),
            kind::MESSAGE_INTEGRITY_SHA256 => Self::MessageIntegritySha256(value.try_into().ok()?),
            kind::NONCE => Self::Nonce(text()?),
            kind::OTHER_ADDRESS => Self::OtherAddress(address::decode(value)?),
            kind::PADDING => Self::Padding(value),
            kind::REALM => Self::Realm(text()?),
            kind::RESPONSE_ORIGIN => Self::ResponseOrigin(address::decode(value)?),
            kind::RESPONSE_PORT => Self::ResponsePort(response_port(value)?),
            kind::SOFTWARE => Self::Software(text()?),
            kind::UNKNOWN_ATTRIBUTES => Self::UnknownAttributes(AttributeKinds::new(value)?),
            kind::USERNAME => Self::Username(text()?),
            kind::XOR_MAPPED_ADDRESS => Self::XorMappedAddress(address::decode_masked(value, id)?),
            _ => Self::Unknown { kind, value },
        })
    }

    /// Writes the value.
    pub(super) fn encode(&self, id: &TransactionId, out: &mut Vec<u8>) {
        match self {
            Self::AlternateServer(addr)
            | Self::MappedAddress(addr)
            | Self::OtherAddress(addr)
            | Self::ResponseOrigin(addr) => address::encode(*addr, out),
            Self::ChangeRequest(change) => out.extend(change.encode()),
            Self::ErrorCode { code, reason } => {
                let [_, class] = (code / 100).to_be_bytes();
                let [_, number] = (code % 100).to_be_bytes();
                out.extend([0, 0, class, number]);
                out.extend(reason.as_bytes());
            }
            Self::Fingerprint(crc) => out.extend(crc.to_be_bytes()),
            Self::MessageIntegrity(hmac) => out.extend(*hmac),
            Self::MessageIntegritySha256(hmac) => out.extend(*hmac),
            Self::Nonce(text) | Self::Realm(text) | Self::Software(text) | Self::Username(text) => {
                out.extend(text.as_bytes());
            }
            Self::Padding(bytes) | Self::Unknown { value: bytes, .. } => out.extend(*bytes),
            Self::ResponsePort(port) => {
                out.extend(port.to_be_bytes());
                out.extend([0, 0]);
            }
            Self::UnknownAttributes(kinds) => out.extend(kinds.0),
            Self::XorMappedAddress(addr) => address::encode_masked(*addr, id, out),
        }
    }
}

/// What of the address that a request goes to is to be another where the answer comes from (RFC 5780 §7.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The IP address.
    pub ip: bool,
    /// The port.
    pub port: bool,
}

impl Change {
    /// The answer comes from where the request went to.
    pub const NONE: Self = Self {
        ip: false,
        port: false,
    };
    /// The answer comes from another port.
    pub const PORT: Self = Self {
        ip: false,
        port: true,
    };
    /// The answer comes from another address and another port.
    pub const BOTH: Self = Self {
        ip: true,
        port: true,
    };

    fn decode(value: &[u8]) -> Option<Self> {
        let flags = u32::from_be_bytes(value.try_into().ok()?);
        Some(Self {
            ip: flags & CHANGE_IP != 0,
            port: flags & CHANGE_PORT != 0,
        })
    }

    fn encode(self) -> [u8; 4] {
        let ip = if self.ip { CHANGE_IP } else { 0 };
        let port = if self.port { CHANGE_PORT } else { 0 };
        (ip | port).to_be_bytes()
    }
}

/// The numbers of several attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeKinds<'a>(&'a [u8]);

impl<'a> AttributeKinds<'a> {
    /// Those in `bytes`, two for each number; `None` where half of one is left.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(2) {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        let numbers = self.0.as_chunks().0.iter();
        numbers.map(|number| u16::from_be_bytes(*number))
    }
}

fn error_code(value: &[u8]) -> Option<Attribute<'_>> {
    let ([_, _, class, number], reason) = value.split_first_chunk()?;
    let (class, number) = (u16::from(class & 0x7), u16::from(*number));
    let is_code = (3..=6).contains(&class) && number < 100;
    is_code.then_some(Attribute::ErrorCode {
        code: class * 100 + number,
        reason: str::from_utf8(reason).ok()?,
    })
}

fn response_port(value: &[u8]) -> Option<u16> {
    let [p0, p1, _, _] = value else { return None };
    Some(u16::from_be_bytes([*p0, *p1]))
}

const CHANGE_IP: u32 = 0x4;
const CHANGE_PORT: u32 = 0x2;
