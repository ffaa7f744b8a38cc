//! The fields of RFC 6887's figures, and laws of the codec.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn map() -> Map {
    Map {
        nonce: *b"abcdefghijkl",
        port: InternalPort::udp(NonZeroU16::new(0x1234).unwrap()),
        external_port: 0x5678,
        external_ip: Ipv4Addr::new(22, 0, 0, 1).into(),
    }
}

/// What follows the header in [`map`]'s packets (§11.1).
fn map_bytes() -> Vec<u8> {
    let mut bytes = b"abcdefghijkl".to_vec();
    bytes.extend([17, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 22, 0, 0, 1]);
    bytes
}

fn response_header(opcode: u8, code: u8) -> Vec<u8> {
    let mut bytes = vec![2, 0x80 | opcode, 0, code, 0, 0, 0x1c, 0x20, 0, 0, 1, 0];
    bytes.extend([0; 12]);
    bytes
}

#[test]
fn requests_have_the_fields_of_the_rfc() {
    let request = Request {
        client: Ipv4Addr::new(192, 168, 1, 2).into(),
        lifetime_s: 7_200,
        body: RequestBody::Map {
            map: map(),
            prefer_failure: true,
        },
    };
    let mut expected = vec![2, 1, 0, 0, 0, 0, 0x1c, 0x20];
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 2]);
    expected.extend(map_bytes());
    expected.extend([2, 0, 0, 0]);
    assert_eq!(request.encode(), expected);
}

#[test]
fn announce_is_a_header_alone() {
    let request = Request {
        client: Ipv6Addr::LOCALHOST.into(),
        lifetime_s: 0,
        body: RequestBody::Announce,
    };
    let mut expected = vec![2, 0, 0, 0, 0, 0, 0, 0];
    expected.extend(Ipv6Addr::LOCALHOST.octets());
    assert_eq!(request.encode(), expected);
}

#[test]
fn mapping_is_read() {
    let mut bytes = response_header(1, 0);
    bytes.extend(map_bytes());
    let response = Response::decode(&bytes).unwrap();
    assert_eq!(response.answer, Answer::Map(map()));
    assert_eq!((response.lifetime_s, response.epoch_s), (7_200, 256));
}

#[test]
fn refusal_is_read_with_and_without_its_mapping() {
    let code = ResultCode::NO_RESOURCES;
    let mut bytes = response_header(1, 8);
    for with_map in [None, Some(map())] {
        let answer = Response::decode(&bytes).unwrap().answer;
        let opcode = Some(Opcode::Map);
        let map = with_map;
        assert_eq!(answer, Answer::Refused { opcode, map, code });
        bytes.extend(map_bytes());
    }
}

#[test]
fn packets_of_another_length_are_refused() {
    let mut bytes = response_header(1, 0);
    bytes.extend(map_bytes());
    for len in [3, 23, 24, 59] {
        assert_eq!(Response::decode(&bytes[..len]), Err(AnswerError::Length));
    }
    bytes.extend([130, 0, 0, 0].repeat(261));
    assert_eq!(
        Response::decode(&bytes[..1_100]).map(|r| r.epoch_s),
        Ok(256)
    );
    assert_eq!(Response::decode(&bytes), Err(AnswerError::Length));
}

#[test]
fn options_that_are_not_whole_are_refused() {
    let mut bytes = response_header(1, 0);
    bytes.extend(map_bytes());
    bytes.extend([130, 0, 0, 1]);
    assert_eq!(Response::decode(&bytes), Err(AnswerError::Options));
}

#[test]
fn nat_pmp_and_our_own_requests_are_told_apart() {
    let version = AnswerError::Version { version: 0 };
    assert_eq!(Response::decode(&[0, 128, 0, 1, 0, 0, 0, 0]), Err(version));
    assert_eq!(Response::decode(&[2, 1, 0, 0]), Err(AnswerError::Request));
}

#[test]
fn mapping_of_a_protocol_never_asked_for_is_refused() {
    let mut bytes = response_header(1, 0);
    bytes.extend(map_bytes());
    bytes[36] = 132;
    assert_eq!(Response::decode(&bytes), Err(AnswerError::Map));
}

fn ips() -> impl Strategy<Value = IpAddr> {
    any::<[u8; 16]>().prop_map(ip)
}

fn maps() -> impl Strategy<Value = Map> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let fields = (
        any::<[u8; 12]>(),
        protocol,
        1..=u16::MAX,
        any::<u16>(),
        ips(),
    );
    fields.prop_map(
        |(nonce, protocol, number, external_port, external_ip)| Map {
            nonce,
            port: InternalPort {
                protocol,
                number: NonZeroU16::new(number).unwrap(),
            },
            external_port,
            external_ip,
        },
    )
}

fn bodies() -> impl Strategy<Value = RequestBody> {
    let map = (maps(), any::<bool>()).prop_map(|(map, prefer_failure)| RequestBody::Map {
        map,
        prefer_failure,
    });
    prop_oneof![Just(RequestBody::Announce), map]
}

fn answers() -> impl Strategy<Value = Answer> {
    let refused = (proptest::option::of(maps()), 1..=u8::MAX);
    let refused = refused.prop_map(|(map, code)| Answer::Refused {
        opcode: Some(map.map_or(Opcode::Announce, |_| Opcode::Map)),
        map,
        code: ResultCode::new(code).unwrap(),
    });
    prop_oneof![
        Just(Answer::Announce),
        maps().prop_map(Answer::Map),
        refused
    ]
}

proptest! {
    #[test]
    fn request_is_read_as_it_was_written(client in ips(), lifetime_s: u32, body in bodies()) {
        let request = Request { client, lifetime_s, body };
        prop_assert_eq!(Request::decode(&request.encode()), Some(request));
    }

    #[test]
    fn response_is_read_as_it_was_written(epoch_s: u32, lifetime_s: u32, answer in answers()) {
        let response = Response { epoch_s, lifetime_s, answer };
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..128),
        is_ours: bool,
    ) {
        if let (true, [version, opcode, ..]) = (is_ours, &mut bytes[..]) {
            (*version, *opcode) = (2, 0x80 | *opcode & 1);
        }
        let _ = (Request::decode(&bytes), Response::decode(&bytes));
    }
}
