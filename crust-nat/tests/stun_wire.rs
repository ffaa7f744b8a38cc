//! Laws of the codec.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::net::SocketAddr;

use crust_nat::stun::wire::{
    Attribute, AttributeKinds, Change, Class, DecodeError, IntegrityError, MAX_ATTRIBUTES, MAX_LEN,
    Message, MessageWriter, Method, TransactionId, looks_like_stun, message_len,
};
use proptest::{collection::vec, prelude::*};

/// An attribute that owns its value.
#[derive(Debug, Clone)]
enum Owned {
    Addr(u8, SocketAddr),
    Bytes(u8, Vec<u8>),
    Change(bool, bool),
    Error(u16, String),
    Text(u8, String),
}

impl Owned {
    fn get(&self) -> Attribute<'_> {
        match self {
            Self::Addr(0, addr) => Attribute::AlternateServer(*addr),
            Self::Addr(1, addr) => Attribute::MappedAddress(*addr),
            Self::Addr(2, addr) => Attribute::OtherAddress(*addr),
            Self::Addr(3, addr) => Attribute::ResponseOrigin(*addr),
            Self::Addr(4, addr) => Attribute::ResponsePort(addr.port()),
            Self::Addr(_, addr) => Attribute::XorMappedAddress(*addr),
            Self::Bytes(0, bytes) => Attribute::Padding(bytes),
            Self::Bytes(1, bytes) => {
                let whole = &bytes[..bytes.len() / 2 * 2];
                Attribute::UnknownAttributes(AttributeKinds::new(whole).unwrap())
            }
            Self::Bytes(kind, bytes) => Attribute::Unknown {
                kind: u16::from(*kind) << 8 | 0x7f,
                value: bytes,
            },
            Self::Change(ip, port) => Attribute::ChangeRequest(Change {
                ip: *ip,
                port: *port,
            }),
            Self::Error(code, reason) => Attribute::ErrorCode {
                code: *code,
                reason,
            },
            Self::Text(0, text) => Attribute::Nonce(text),
            Self::Text(1, text) => Attribute::Realm(text),
            Self::Text(2, text) => Attribute::Software(text),
            Self::Text(_, text) => Attribute::Username(text),
        }
    }
}

fn address() -> impl Strategy<Value = SocketAddr> {
    // IPv4 in IPv6 clothes is read as IPv4.
    any::<SocketAddr>().prop_map(|addr| SocketAddr::new(addr.ip().to_canonical(), addr.port()))
}

fn attribute() -> impl Strategy<Value = Owned> {
    prop_oneof![
        (0_u8..6, address()).prop_map(|(kind, addr)| Owned::Addr(kind, addr)),
        (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| Owned::Bytes(kind, bytes)),
        any::<(bool, bool)>().prop_map(|(ip, port)| Owned::Change(ip, port)),
        (300_u16..700, "\\PC{0,8}").prop_map(|(code, reason)| Owned::Error(code, reason)),
        (0_u8..4, "\\PC{0,8}").prop_map(|(kind, text)| Owned::Text(kind, text)),
    ]
}

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![
        Class::Error,
        Class::Indication,
        Class::Request,
        Class::Success,
    ])
}

fn binding(attributes: &[Attribute<'_>]) -> MessageWriter {
    let id = TransactionId::new([7; 12]);
    let empty = MessageWriter::new(Class::Request, Method::BINDING, id);
    attributes.iter().fold(empty, MessageWriter::with)
}

proptest! {
    #[test]
    fn message_that_is_written_is_read_the_same(
        class in class(),
        number in 0_u16..0x1000,
        id: [u8; 12],
        attributes in vec(attribute(), 0..10),
        has_fingerprint: bool,
        key: Option<[u8; 16]>,
    ) {
        let (method, id) = (Method::new(number).unwrap(), TransactionId::new(id));
        let mut writer = MessageWriter::new(class, method, id);
        for attribute in &attributes {
            writer = writer.with(&attribute.get());
        }
        if let Some(key) = &key {
            writer = writer.with_integrity(key).with_integrity_sha256(key);
        }
        if has_fingerprint {
            writer = writer.with_fingerprint();
        }
        let message = Message::decode(writer.as_bytes()).unwrap();
        prop_assert_eq!((message.class(), message.method()), (class, method));
        prop_assert_eq!(message.transaction_id(), id);
        prop_assert_eq!(message.has_fingerprint(), has_fingerprint);
        let read: Vec<_> = message.attributes().take(attributes.len()).collect();
        let written: Vec<_> = attributes.iter().map(Owned::get).collect();
        prop_assert_eq!(read, written);
        if let Some(key) = &key {
            prop_assert_eq!(message.verify_integrity(key), Ok(()));
            prop_assert_eq!(message.verify_integrity_sha256(key), Ok(()));
        }
        prop_assert!(looks_like_stun(writer.as_bytes()));
        prop_assert_eq!(message_len(&writer.as_bytes()[..20]), Ok(writer.as_bytes().len()));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        let _ = looks_like_stun(&bytes);
        let _ = message_len(&bytes);
        let _ = Message::decode(&bytes);
    }

    #[test]
    fn any_attributes_are_read_without_panic(mut body in vec(any::<u8>(), 0..200), id: [u8; 12]) {
        body.truncate(body.len() / 4 * 4);
        let head = MessageWriter::new(Class::Success, Method::BINDING, TransactionId::new(id));
        let mut bytes = head.into_bytes();
        bytes[3] = u8::try_from(body.len()).unwrap();
        bytes.extend(body);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert!(message.attributes().count() <= MAX_ATTRIBUTES);
            let _ = message.verify_integrity(b"key");
        }
    }
}

#[test]
fn required_attribute_without_sense_makes_a_message_none() {
    let value = &[0, 9, 1, 1, 1, 1, 1, 1];
    let bytes = binding(&[Attribute::Unknown {
        kind: 0x0020,
        value,
    }])
    .into_bytes();
    let expected = DecodeError::Attribute { kind: 0x0020 };
    assert_eq!(Message::decode(&bytes), Err(expected));
}

#[test]
fn other_attribute_without_sense_is_unknown() {
    let senseless = Attribute::Unknown {
        kind: 0x802c,
        value: &[0, 9, 1, 1],
    };
    let bytes = binding(&[senseless]).into_bytes();
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(message.attributes().next(), Some(senseless));
    assert_eq!(message.unknown_required().count(), 0);
}

#[test]
fn attributes_after_integrity_do_not_count() {
    let inside = Attribute::Username("in");
    let bytes = binding(&[inside])
        .with_integrity(b"key")
        .with(&Attribute::Username("out"))
        .with_fingerprint()
        .into_bytes();
    let message = Message::decode(&bytes).unwrap();
    let names = message
        .attributes()
        .filter(|it| matches!(it, Attribute::Username(_)));
    assert_eq!(names.collect::<Vec<_>>(), [inside]);
    assert!(message.has_fingerprint());
}

#[test]
fn integrity_after_that_of_sha256_does_not_count() {
    let bytes = binding(&[])
        .with_integrity_sha256(b"key")
        .with_integrity(b"key")
        .into_bytes();
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(message.verify_integrity_sha256(b"key"), Ok(()));
    let sha1 = message.verify_integrity(b"key");
    assert_eq!(sha1, Err(IntegrityError::Missing));
}

#[test]
fn nothing_follows_a_fingerprint() {
    let bytes = binding(&[])
        .with_fingerprint()
        .with(&Attribute::Padding(b""))
        .into_bytes();
    assert_eq!(Message::decode(&bytes), Err(DecodeError::AfterFingerprint));
}

#[test]
fn attributes_are_bounded() {
    let padding = [Attribute::Padding(b""); MAX_ATTRIBUTES + 1];
    let most = binding(&padding[1..]);
    assert!(Message::decode(most.as_bytes()).is_ok());
    let more = binding(&padding);
    assert_eq!(Message::decode(more.as_bytes()), Err(DecodeError::Many));
}

#[test]
fn length_is_bounded() {
    let most = vec![0; MAX_LEN - 24];
    let longest = binding(&[Attribute::Padding(&most)]).into_bytes();
    assert_eq!(longest.len(), MAX_LEN);
    assert!(Message::decode(&longest).is_ok());
    let mut longer = longest;
    longer.extend([0; 4]);
    let len = u16::try_from(longer.len() - 20).unwrap();
    longer[2..4].copy_from_slice(&len.to_be_bytes());
    assert_eq!(Message::decode(&longer), Err(DecodeError::Long));
}

#[test]
fn cut_messages_are_refused() {
    let bytes = binding(&[Attribute::Padding(b"abcdefg")]).into_bytes();
    for len in 0..bytes.len() {
        let mut cut = bytes[..len].to_vec();
        assert!(Message::decode(&cut).is_err(), "{len}");
        if len >= 20 {
            cut[3] = u8::try_from(len - 20).unwrap();
            let is_whole = len == 20;
            assert_eq!(Message::decode(&cut).is_ok(), is_whole, "{len}");
        }
    }
}
