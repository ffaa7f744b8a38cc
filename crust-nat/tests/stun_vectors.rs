//! Agreement with the messages of RFC 5769, which are in `tests/vectors/stun.json`.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use crust_nat::stun::wire::{
    Attribute, Class, IntegrityError, Message, MessageWriter, TransactionId, kind,
};
use data_encoding::HEXLOWER;
use serde_json::Value;

fn each(check: impl Fn(&Value, &[u8])) {
    let vectors: Value = serde_json::from_str(include_str!("vectors/stun.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        eprintln!("{}: {}", vector["section"], vector["name"]);
        check(vector, &hex(&vector["wire"]));
    }
}

fn hex(text: &Value) -> Vec<u8> {
    HEXLOWER.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

fn numbers(value: &Value) -> Vec<u64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_u64().unwrap()).collect()
}

/// The text of an attribute as the vectors have it, and its name.
fn text(attribute: &Attribute<'_>) -> Option<(&'static str, String)> {
    Some(match attribute {
        Attribute::Nonce(text) => ("nonce", (*text).to_owned()),
        Attribute::Realm(text) => ("realm", (*text).to_owned()),
        Attribute::Software(text) => ("software", (*text).to_owned()),
        Attribute::Username(text) => ("username", (*text).to_owned()),
        Attribute::XorMappedAddress(addr) => ("xor_mapped_address", addr.to_string()),
        _ => return None,
    })
}

#[test]
fn headers_agree() {
    each(|vector, wire| {
        let message = Message::decode(wire).unwrap();
        let class = match message.class() {
            Class::Request => "request",
            Class::Success => "success",
            other => panic!("{other:?}"),
        };
        assert_eq!(class, vector["class"]);
        let id = message.transaction_id();
        assert_eq!(id.as_bytes()[..], hex(&vector["transaction_id"]));
        assert_eq!(message.method().number(), 1);
    });
}

#[test]
fn attributes_agree() {
    each(|vector, wire| {
        let message = Message::decode(wire).unwrap();
        let texts: serde_json::Map<_, _> = message
            .attributes()
            .filter_map(|attribute| text(&attribute))
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect();
        assert_eq!(Value::Object(texts), vector["attributes"]);
        let required: Vec<_> = message.unknown_required().map(u64::from).collect();
        assert_eq!(required, numbers(&vector["unknown_required"]));
        let optional: Vec<_> = message
            .attributes()
            .filter(|it| matches!(it, Attribute::Unknown { .. }))
            .map(|it| it.kind())
            .filter(|kind| !kind::is_required(*kind))
            .map(u64::from)
            .collect();
        assert_eq!(optional, numbers(&vector["unknown_optional"]));
    });
}

#[test]
fn fingerprints_agree() {
    each(|vector, wire| {
        let message = Message::decode(wire).unwrap();
        assert_eq!(message.has_fingerprint(), vector["fingerprint"]);
    });
}

#[test]
fn integrity_agrees_with_the_key_alone() {
    each(|vector, wire| {
        let message = Message::decode(wire).unwrap();
        let mut key = hex(&vector["key"]);
        assert_eq!(message.verify_integrity(&key), Ok(()));
        key[0] ^= 1;
        assert_eq!(message.verify_integrity(&key), Err(IntegrityError::Wrong));
    });
}

/// The padding of the vectors is of spaces, ours of zeros; both are right, and the checksums cover them.
#[test]
fn what_is_written_is_what_was_read_but_for_the_padding() {
    each(|vector, wire| {
        let message = Message::decode(wire).unwrap();
        let id = TransactionId::new(hex(&vector["transaction_id"]).try_into().unwrap());
        let key = hex(&vector["key"]);
        let mut writer = MessageWriter::new(message.class(), message.method(), id);
        for attribute in message.attributes() {
            writer = match attribute {
                Attribute::Fingerprint(_) => writer.with_fingerprint(),
                Attribute::MessageIntegrity(_) => writer.with_integrity(&key),
                other => writer.with(&other),
            };
        }
        let again = Message::decode(writer.as_bytes()).unwrap();
        assert_eq!(again.verify_integrity(&key), Ok(()));
        let kinds = |message: &Message<'_>| message.attributes().map(|it| it.kind()).collect();
        let (first, second): (Vec<_>, Vec<_>) = (kinds(&message), kinds(&again));
        assert_eq!(first, second);
        let differ = wire.iter().zip(writer.as_bytes()).filter(|(a, b)| a != b);
        // Three of padding at most, the HMAC, and the checksum.
        assert!(wire.len() == writer.as_bytes().len() && differ.count() <= 3 + 20 + 4);
    });
}

#[test]
fn no_bit_of_a_vector_with_a_fingerprint_can_be_flipped() {
    each(|vector, wire| {
        if vector["fingerprint"] != true {
            return;
        }
        for bit in 0..wire.len() * 8 {
            let mut other = wire.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            // A fingerprint whose number is changed is none, and what is left of the message says so.
            let is_refused =
                Message::decode(&other).map_or(true, |message| !message.has_fingerprint());
            assert!(is_refused, "{bit}");
        }
    });
}
