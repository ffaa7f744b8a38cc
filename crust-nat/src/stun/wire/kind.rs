//! The numbers of attributes (RFC 8489 §18.3, RFC 5780 §9.1).

/// Whether who does not know this attribute must not go on with the message (RFC 8489 §14).
#[must_use]
pub const fn is_required(kind: u16) -> bool {
    kind < 0x8000
}

/// Another server to be asked instead.
pub const ALTERNATE_SERVER: u16 = 0x8023;
/// Asks for an answer from another address.
pub const CHANGE_REQUEST: u16 = 0x0003;
/// Why a request failed.
pub const ERROR_CODE: u16 = 0x0009;
/// A checksum that tells STUN from other protocols.
pub const FINGERPRINT: u16 = 0x8028;
/// The requester's address in clear.
pub const MAPPED_ADDRESS: u16 = 0x0001;
/// HMAC-SHA1 of the message.
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// HMAC-SHA256 of the message.
pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
/// What the server wants to see again.
pub const NONCE: u16 = 0x0015;
/// Where else the server answers.
pub const OTHER_ADDRESS: u16 = 0x802c;
/// Bytes that make the message long.
pub const PADDING: u16 = 0x0026;
/// Where a user name and a password belong.
pub const REALM: u16 = 0x0014;
/// Where the answer was sent from.
pub const RESPONSE_ORIGIN: u16 = 0x802b;
/// Asks for an answer to another port.
pub const RESPONSE_PORT: u16 = 0x0027;
/// Who wrote the program.
pub const SOFTWARE: u16 = 0x8022;
/// Attributes that the server does not know.
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
/// Who asks.
pub const USERNAME: u16 = 0x0006;
/// The requester's address, so that no gateway on the way translates it.
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
