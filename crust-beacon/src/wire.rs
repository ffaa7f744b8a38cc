//! What is inside a datagram of the beacon: bytes to types and back. `docs/beacon.md` describes each byte.

use std::net::{IpAddr, Ipv6Addr};

use crust_core::{
    SIGNATURE_LEN, SignedRecord,
    codec::{self, CodecError},
};
use thiserror::Error;

/// What one datagram says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is for.
    pub(crate) kind: Kind,
    /// How it is to be taken.
    pub(crate) flags: Flags,
    /// Milliseconds since the Unix epoch by the sender's clock, which may be wrong.
    pub(crate) time_ms: u64,
    /// Random; whoever answers repeats it.
    pub(crate) token: u64,
    /// The token of the message that this one answers: proof that it was made after that.
    pub(crate) echo: Option<u64>,
    /// Who sends it, and where it can be dialed on this link. A node that only searches does not say.
    pub(crate) record: Option<SignedRecord>,
    /// In a query: the one host that is asked, where it was sent to that alone.
    pub(crate) asked: Option<IpAddr>,
}

impl Message {
    /// Bytes of the longest: head, the longest record, and who is asked.
    pub(crate) const MAX_LEN: usize = HEAD_LEN + RECORD_LIMIT + ASKED_LEN;

    /// Appends its bytes, padded to the shortest of `sizes` that it fits into.
    ///
    /// # Errors
    ///
    /// [`WireError::TooLong`] where it fits into none.
    pub(crate) fn encode(&self, sizes: &[usize], out: &mut Vec<u8>) -> Result<(), WireError> {
        let record = match &self.record {
            Some(record) => codec::encode::<_, RECORD_LIMIT>(record)?,
            None => Vec::new(),
        };
        let asked = self.asked.map(to_sixteen_bytes);
        let len = HEAD_LEN + record.len() + asked.map_or(0, |asked| asked.len());
        let fitting = sizes.iter().copied().filter(|size| *size >= len).min();
        let padded = fitting.ok_or(WireError::TooLong(len))?;
        let record_len = u16::try_from(record.len()).map_err(|_| WireError::TooLong(len))?;
        let start = out.len();
        let flags = self.flags.with_if(asked.is_some(), Flags::ASKED);
        out.extend_from_slice(&[VERSION, self.kind.to_byte(), flags.0]);
        for word in [self.time_ms, self.token, self.echo.unwrap_or(NO_ECHO)] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(&record_len.to_be_bytes());
        out.extend_from_slice(&record);
        out.extend(asked.into_iter().flatten());
        out.resize(start + padded, 0);
        Ok(())
    }

    /// Reads one; what follows is padding, whatever it holds.
    ///
    /// # Errors
    ///
    /// Each variant of [`WireError`], as it says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (head, rest) = bytes
            .split_first_chunk::<HEAD_LEN>()
            .ok_or(WireError::Short)?;
        let [version, kind, flags, words @ .., high, low] = *head;
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        let record_len = usize::from(u16::from_be_bytes([high, low]));
        let (record, rest) = rest.split_at_checked(record_len).ok_or(WireError::Short)?;
        let flags = Flags(flags);
        let asked = flags.has(Flags::ASKED).then(|| decode_asked(rest));
        let [time_ms, token, echo] = three_words(words);
        Ok(Self {
            kind: Kind::from_byte(kind)?,
            flags: flags.known(),
            time_ms,
            token,
            echo: (echo != NO_ECHO).then_some(echo),
            record: decode_record(record)?,
            asked: asked.transpose()?,
        })
    }
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Here I am.
    Announce,
    /// Who is there? Or, with an echo: say that again, I cannot tell whether it is new.
    Query,
    /// Here I am, since you ask.
    Answer,
    /// I am gone; the record has no addresses.
    Goodbye,
}

impl Kind {
    fn to_byte(self) -> u8 {
        match self {
            Self::Announce => 1,
            Self::Query => 2,
            Self::Answer => 3,
            Self::Goodbye => 4,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, WireError> {
        Ok(match byte {
            1 => Self::Announce,
            2 => Self::Query,
            3 => Self::Answer,
            4 => Self::Goodbye,
            unknown => return Err(WireError::Kind(unknown)),
        })
    }
}

/// How a message is to be taken. Bits that are not known are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// In a query: answer to the port it comes from; the sender does not hear what everybody hears.
    pub(crate) const UNICAST: Self = Self(1);
    /// In a query: tell whether you have bootstrap contacts to give.
    pub(crate) const WANTS_CONTACTS: Self = Self(2);
    /// In an answer: ask me for bootstrap contacts, over a session.
    pub(crate) const OFFERS_CONTACTS: Self = Self(4);

    /// In a query: the host that is asked follows the record. Only on the wire; else [`Message::asked`] says it.
    const ASKED: Self = Self(8);
    const KNOWN: u8 = 7;

    /// Those of them that mean something.
    const fn known(self) -> Self {
        Self(self.0 & Self::KNOWN)
    }

    /// These and `others`.
    #[must_use]
    pub(crate) const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These and `others`, where `condition` holds.
    #[must_use]
    pub(crate) const fn with_if(self, condition: bool, others: Self) -> Self {
        if condition { self.with(others) } else { self }
    }

    /// Whether all of `others` are among these.
    pub(crate) const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// Why bytes are no message, or a message no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum WireError {
    /// A later version may know it.
    #[error("messages of kind {0} are not known")]
    Kind(u8),
    /// The record is none.
    #[error("the record cannot be read or written")]
    Record(#[from] CodecError),
    /// Bytes are missing.
    #[error("the message is cut short")]
    Short,
    /// It fits into no datagram.
    #[error("a message of {0} bytes fits into no datagram")]
    TooLong(usize),
    /// Another version wrote it.
    #[error("version {0} of the beacon is not known")]
    Version(u8),
}

fn decode_record(bytes: &[u8]) -> Result<Option<SignedRecord>, WireError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(codec::decode::<_, RECORD_LIMIT>(bytes)?))
}

fn decode_asked(bytes: &[u8]) -> Result<IpAddr, WireError> {
    let asked = bytes.first_chunk::<ASKED_LEN>().ok_or(WireError::Short)?;
    Ok(Ipv6Addr::from(*asked).to_canonical())
}

/// An address of IPv4 is mapped (RFC 4291 §2.5.5.2).
fn to_sixteen_bytes(ip: IpAddr) -> [u8; ASKED_LEN] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn three_words(bytes: [u8; 24]) -> [u64; 3] {
    let word = |at: usize| {
        let word = bytes[at..].first_chunk().expect("there are three words");
        u64::from_be_bytes(*word)
    };
    [word(0), word(8), word(16)]
}

/// The largest datagram: with the headers of IPv6 and UDP it fits into the smallest MTU of IPv6, 1,280 bytes.
pub(crate) const MAX_DATAGRAM: usize = 1_200;

/// All lengths that a datagram has, seal included. The longest is three times the shortest and each query has that, so
/// that no answer is more than three times its query.
pub(crate) const SIZES: [usize; 3] = [400, 800, MAX_DATAGRAM];

/// What a seal may add, so that the longest message still fits.
pub(crate) const MAX_OVERHEAD: usize = MAX_DATAGRAM - Message::MAX_LEN;

const VERSION: u8 = 1;
/// Version, kind, flags, three words, and the record's length.
const HEAD_LEN: usize = 3 + 3 * 8 + 2;
/// An address of IPv6.
const ASKED_LEN: usize = 16;
/// Record, signature, and their lengths.
const RECORD_LIMIT: usize = SignedRecord::MAX_LEN + SIGNATURE_LEN + 2 * 3;
/// Tokens are never this.
pub(crate) const NO_ECHO: u64 = 0;

#[cfg(test)]
mod tests {
    use crust_core::{Addr, PeerId, PeerRecord, Signer};
    use proptest::prelude::*;

    use super::*;

    struct Toy;

    impl Signer for Toy {
        fn peer_id(&self) -> PeerId {
            PeerId::from_bytes([1; 32])
        }

        fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
            [9; SIGNATURE_LEN]
        }
    }

    fn record(addrs: Vec<Addr>) -> SignedRecord {
        let record = PeerRecord {
            peer: Toy.peer_id(),
            addrs,
            seq: u64::MAX,
            expires: u64::MAX,
        };
        record.sign(&Toy).unwrap()
    }

    fn any_record() -> impl Strategy<Value = SignedRecord> {
        let port = prop::collection::vec(any::<u16>(), 0..=16);
        port.prop_map(|ports| {
            let text = |port| format!("utp://[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:{port}");
            record(ports.iter().map(|p| text(p).parse().unwrap()).collect())
        })
    }

    prop_compose! {
        fn any_message()(
            kind in 1_u8..=4,
            flags in 0_u8..8,
            time_ms: u64,
            token: u64,
            echo in prop::option::of(1_u64..),
            record in prop::option::of(any_record()),
            asked in prop::option::of(any::<IpAddr>()),
        ) -> Message {
            let (kind, flags) = (Kind::from_byte(kind).unwrap(), Flags(flags));
            let asked = asked.map(|ip| ip.to_canonical());
            Message { kind, flags, time_ms, token, echo, record, asked }
        }
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(message in any_message()) {
            let mut bytes = Vec::new();
            message.encode(&SIZES, &mut bytes).unwrap();
            prop_assert!(SIZES.contains(&bytes.len()));
            prop_assert_eq!(Message::decode(&bytes), Ok(message));
        }

        #[test]
        fn any_bytes_decode_without_panic(mut bytes: Vec<u8>, known: bool) {
            if let (true, [version, kind, ..]) = (known, &mut bytes[..]) {
                *version = VERSION;
                *kind = *kind % 4 + 1;
            }
            let _ = Message::decode(&bytes);
        }

        #[test]
        fn message_with_any_record_bytes_decodes_without_panic(record: Vec<u8>) {
            let mut bytes = vec![VERSION, 1, 0];
            bytes.resize(HEAD_LEN - 2, 7);
            bytes.extend_from_slice(&u16::try_from(record.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(&record);
            let _ = Message::decode(&bytes);
        }
    }

    #[test]
    fn no_size_is_more_than_three_times_another() {
        assert!(SIZES.iter().max() <= SIZES.iter().min().map(|size| size * 3).as_ref());
    }

    #[test]
    fn question_to_a_host_that_is_not_named_is_cut_short() {
        let mut bytes = vec![VERSION, 2, Flags::ASKED.0];
        bytes.resize(HEAD_LEN + ASKED_LEN, 0);
        assert!(Message::decode(&bytes).is_ok());
        bytes.pop();
        assert_eq!(Message::decode(&bytes), Err(WireError::Short));
    }

    #[test]
    fn unknown_kinds_and_versions_are_named() {
        let message = Message {
            kind: Kind::Announce,
            flags: Flags::default(),
            time_ms: 1,
            token: 2,
            echo: None,
            record: None,
            asked: None,
        };
        let mut bytes = Vec::new();
        message.encode(&SIZES, &mut bytes).unwrap();
        bytes[1] = 99;
        assert_eq!(Message::decode(&bytes), Err(WireError::Kind(99)));
        bytes[0] = 2;
        assert_eq!(Message::decode(&bytes), Err(WireError::Version(2)));
    }

    #[test]
    fn record_that_claims_ten_thousand_addresses_is_no_message_worth_memory() {
        // Peer, then a sequence of 10,000 addresses (bincode's mark for 16 bits is 251) that are not there.
        let mut claim = vec![1_u8; 32];
        claim.extend_from_slice(&[251, 0x10, 0x27]);
        let signed = codec::encode::<_, 2_000>(&(claim, vec![0_u8; 64])).unwrap();
        let signed: SignedRecord = codec::decode::<_, 2_000>(&signed).unwrap();
        struct Anyone;
        impl crust_core::Verifier for Anyone {
            fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
                true
            }
        }
        assert!(signed.verify(&Anyone, 0).is_err());
    }
}
