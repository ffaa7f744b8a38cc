use proptest::prelude::*;

use super::*;
use crate::stun::{client::Request, wire::TransactionId};

const CLIENT: &str = "198.51.100.7:40000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn places() -> Places {
    Places::new(
        ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
        [3478, 3479],
    )
}

fn plain() -> (Server, Instant) {
    let now = crust_core::rt::now();
    (Server::new(ServerConfig::default(), now), now)
}

fn arrival(from: &str) -> Arrival {
    Arrival {
        from: addr(from),
        at: Place::PRIMARY,
        carrier: Carrier::Datagram,
    }
}

fn writer(class: Class) -> MessageWriter {
    MessageWriter::new(class, Method::BINDING, TransactionId::new([9; 12]))
}

fn request(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let writer = attributes
        .iter()
        .fold(writer(Class::Request), MessageWriter::with);
    writer.into_bytes()
}

/// The answer of a plain server.
fn answer(from: &str, bytes: &[u8]) -> Option<Answer> {
    let (mut server, now) = plain();
    server.handle_message(now, arrival(from), &Message::decode(bytes).unwrap())
}

fn code(answer: &Answer) -> Option<u16> {
    let message = Message::decode(&answer.data).unwrap();
    message.attributes().find_map(|attribute| match attribute {
        Attribute::ErrorCode { code, .. } => Some(code),
        _ => None,
    })
}

#[test]
fn answer_tells_the_source_of_the_request() {
    for from in [CLIENT, "[2001:db8::7]:40000"] {
        let answer = answer(from, &request(&[])).unwrap();
        let message = Message::decode(&answer.data).unwrap();
        assert_eq!(answer.to, addr(from));
        assert_eq!(message.class(), Class::Success);
        let attributes: Vec<_> = message.attributes().collect();
        assert_eq!(attributes, [Attribute::XorMappedAddress(addr(from))]);
    }
}

#[test]
fn answer_is_longer_than_the_request_by_the_address_alone() {
    for (from, bytes) in [(CLIENT, 12), ("[2001:db8::7]:40000", 24)] {
        let plain = request(&[]);
        let marked = writer(Class::Request).with_fingerprint().into_bytes();
        for request in [plain, marked] {
            let answer = answer(from, &request).unwrap();
            assert_eq!(answer.data.len(), request.len() + bytes);
        }
    }
}

#[test]
fn answer_has_a_fingerprint_where_the_request_has_one() {
    let bytes = writer(Class::Request).with_fingerprint().into_bytes();
    let answer = answer(CLIENT, &bytes).unwrap();
    assert!(Message::decode(&answer.data).unwrap().has_fingerprint());
}

#[test]
fn only_requests_are_answered() {
    for class in [Class::Indication, Class::Success, Class::Error] {
        assert_eq!(answer(CLIENT, writer(class).as_bytes()), None);
    }
    let other = Method::new(3).unwrap();
    let allocate = MessageWriter::new(Class::Request, other, TransactionId::new([9; 12]));
    assert_eq!(answer(CLIENT, allocate.as_bytes()), None);
}

#[test]
fn who_cannot_be_a_host_gets_no_answer() {
    let nobody = [
        "192.0.2.1:0",
        "0.0.0.0:5",
        "255.255.255.255:5",
        "224.0.0.1:5",
        "[ff02::1]:5",
        "[::]:5",
    ];
    for from in nobody {
        assert_eq!(answer(from, &request(&[])), None, "{from}");
    }
}

#[test]
fn unknown_required_attributes_are_named() {
    let unknown = [0x0024, 0x8029, 0x7fff].map(|kind| Attribute::Unknown { kind, value: b"" });
    let answer = answer(CLIENT, &request(&unknown)).unwrap();
    assert_eq!(code(&answer), Some(420));
    let message = Message::decode(&answer.data).unwrap();
    let kinds = message.attributes().find_map(|attribute| match attribute {
        Attribute::UnknownAttributes(kinds) => Some(kinds.iter().collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(kinds, Some(vec![0x0024, 0x7fff]));
}

#[test]
fn server_of_one_port_refuses_to_answer_from_elsewhere_or_at_length() {
    let wishes = [
        Attribute::ChangeRequest(Change::BOTH),
        Attribute::Padding(&[0; 64]),
    ];
    for wish in wishes {
        let answer = answer(CLIENT, &request(&[wish])).unwrap();
        assert_eq!(code(&answer), Some(420), "{wish:?}");
    }
}

#[test]
fn server_of_four_places_answers_from_where_it_is_asked_to() {
    let (server, now) = plain();
    let mut server = server.with_places(places());
    for at in Place::ALL {
        for (ip, port) in [(false, false), (false, true), (true, false), (true, true)] {
            let change = Change { ip, port };
            let bytes = Request::new(places().addr(at))
                .with_change(change)
                .encode(TransactionId::new([9; 12]));
            let arrival = Arrival {
                at,
                ..arrival(CLIENT)
            };
            let message = Message::decode(&bytes).unwrap();
            let answer = server.handle_message(now, arrival, &message).unwrap();
            let origin = places().addr(answer.from);
            let to = places().addr(at);
            assert_eq!(origin.ip() != to.ip(), ip);
            assert_eq!(origin.port() != to.port(), port);
            let message = Message::decode(&answer.data).unwrap();
            let attributes: Vec<_> = message.attributes().take(4).collect();
            let other = places().addr(at.changed(Change::BOTH));
            let expected = [
                Attribute::XorMappedAddress(addr(CLIENT)),
                Attribute::MappedAddress(addr(CLIENT)),
                Attribute::ResponseOrigin(origin),
                Attribute::OtherAddress(other),
            ];
            assert_eq!(attributes, expected);
        }
    }
}

#[test]
fn response_port_is_of_the_requester_and_not_zero() {
    let (mut server, now) = plain();
    let mut ask = |port| {
        let bytes = request(&[Attribute::ResponsePort(port)]);
        let message = Message::decode(&bytes).unwrap();
        server
            .handle_message(now, arrival(CLIENT), &message)
            .unwrap()
    };
    assert_eq!(ask(5).to, addr("198.51.100.7:5"));
    let refused = ask(0);
    assert_eq!((refused.to, code(&refused)), (addr(CLIENT), Some(400)));
}

#[test]
fn stream_is_answered_at_its_own_port_alone() {
    let (server, now) = plain();
    let mut server = server.with_places(places());
    let arrival = Arrival {
        carrier: Carrier::Stream,
        ..arrival(CLIENT)
    };
    let bytes = request(&[Attribute::ResponsePort(5)]);
    let message = Message::decode(&bytes).unwrap();
    let answer = server.handle_message(now, arrival, &message).unwrap();
    assert_eq!(code(&answer), Some(420));
    let bytes = request(&[Attribute::ChangeRequest(Change::BOTH)]);
    let message = Message::decode(&bytes).unwrap();
    let answer = server.handle_message(now, arrival, &message).unwrap();
    assert_eq!(
        (answer.to, answer.from),
        (addr(CLIENT), Place::PRIMARY.changed(Change::BOTH))
    );
}

#[test]
fn requests_beyond_the_limit_are_counted_and_not_answered() {
    let now = crust_core::rt::now();
    let config = ServerConfig::default().with_per_prefix_per_s(3);
    let mut server = Server::new(config, now);
    let bytes = request(&[]);
    let message = Message::decode(&bytes).unwrap();
    let answers = (0..10).filter_map(|_| server.handle_message(now, arrival(CLIENT), &message));
    assert_eq!(answers.count(), 3);
    let stats = server.stats();
    assert_eq!((stats.answered, stats.limited), (3, 7));
}

proptest! {
    /// Whatever the request holds.
    #[test]
    fn answer_is_never_longer_than_the_request_by_more_than_the_attribute(
        kinds in proptest::collection::vec((any::<u16>(), 0_usize..8), 0..20),
        has_fingerprint: bool,
    ) {
        let value = [0; 8];
        let mut writer = writer(Class::Request);
        for (kind, len) in &kinds {
            writer = writer.with(&Attribute::Unknown { kind: *kind, value: &value[..*len] });
        }
        if has_fingerprint {
            writer = writer.with_fingerprint();
        }
        let bytes = writer.into_bytes();
        // Some numbers are those of known attributes.
        if let Ok(message) = Message::decode(&bytes) {
            let (mut server, now) = plain();
            let answer = server.handle_message(now, arrival(CLIENT), &message).unwrap();
            prop_assert!(answer.data.len() <= bytes.len() + 12, "{}", answer.data.len());
        }
    }
}
