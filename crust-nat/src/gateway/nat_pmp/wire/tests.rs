//! The fields of RFC 6886's figures, and laws of the codec.

use proptest::prelude::*;

use super::*;

fn port(protocol: Protocol, number: u16) -> InternalPort {
    let number = NonZeroU16::new(number).unwrap();
    InternalPort { protocol, number }
}

#[test]
fn requests_have_the_fields_of_the_rfc() {
    let map = Request::Map {
        port: port(Protocol::Tcp, 0x1234),
        external_port: 0x5678,
        lifetime_s: 7_200,
    };
    assert_eq!(Request::ExternalAddress.encode(), [0, 0]);
    let expected = [0, 2, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x1c, 0x20];
    assert_eq!(map.encode(), expected);
}

#[test]
fn external_address_is_read() {
    let bytes = [0, 128, 0, 0, 0, 0, 1, 2, 22, 0, 0, 1];
    let answer = Answer::ExternalAddress(Ipv4Addr::new(22, 0, 0, 1));
    let epoch_s = 258;
    assert_eq!(Response::decode(&bytes), Ok(Response { epoch_s, answer }));
}

#[test]
fn mapping_is_read() {
    let bytes = [0, 129, 0, 0, 0, 0, 0, 1, 0, 80, 0x1f, 0x90, 0, 0, 0, 60];
    let answer = Answer::Map {
        port: port(Protocol::Udp, 80),
        external_port: 8_080,
        lifetime_s: 60,
    };
    assert_eq!(Response::decode(&bytes).unwrap().answer, answer);
}

#[test]
fn refusal_is_read_in_every_length() {
    let bytes = [0, 130, 0, 3, 0, 0, 0, 9, 0, 80, 0, 0, 0, 0, 0, 0];
    for len in [8, 12, 16] {
        let response = Response::decode(&bytes[..len]).unwrap();
        let code = ResultCode::NETWORK_FAILURE;
        assert_eq!(response.answer, Answer::Refused { opcode: 2, code });
        assert_eq!(response.epoch_s, 9);
    }
    assert_eq!(Response::decode(&bytes[..7]), Err(AnswerError::Length));
}

#[test]
fn success_of_another_length_is_refused() {
    let bytes = [0, 129, 0, 0, 0, 0, 0, 1, 0, 80, 0x1f, 0x90, 0, 0, 0, 60, 0];
    for len in [8, 12, 15, 17] {
        assert_eq!(Response::decode(&bytes[..len]), Err(AnswerError::Length));
    }
}

#[test]
fn pcp_and_our_own_requests_are_told_apart() {
    let version = AnswerError::Version { version: 2 };
    assert_eq!(Response::decode(&[2, 0x81, 0, 1]), Err(version));
    assert_eq!(Response::decode(&[0, 0]), Err(AnswerError::Request));
}

#[test]
fn mapping_of_port_zero_is_refused() {
    let bytes = [0, 129, 0, 0, 0, 0, 0, 1, 0, 0, 0x1f, 0x90, 0, 0, 0, 60];
    assert_eq!(Response::decode(&bytes), Err(AnswerError::Port));
}

fn ports() -> impl Strategy<Value = InternalPort> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (protocol, 1..=u16::MAX).prop_map(|(protocol, number)| port(protocol, number))
}

fn requests() -> impl Strategy<Value = Request> {
    let map = (ports(), any::<u16>(), any::<u32>());
    let map = map.prop_map(|(port, external_port, lifetime_s)| Request::Map {
        port,
        external_port,
        lifetime_s,
    });
    prop_oneof![Just(Request::ExternalAddress), map]
}

fn answers() -> impl Strategy<Value = Answer> {
    let map = (ports(), any::<u16>(), any::<u32>());
    let map = map.prop_map(|(port, external_port, lifetime_s)| Answer::Map {
        port,
        external_port,
        lifetime_s,
    });
    let refused = (0..128_u8, 1..=u16::MAX).prop_map(|(opcode, code)| Answer::Refused {
        opcode,
        code: ResultCode::new(code).unwrap(),
    });
    let address = any::<[u8; 4]>().prop_map(|octets| Answer::ExternalAddress(octets.into()));
    prop_oneof![map, refused, address]
}

proptest! {
    #[test]
    fn request_is_read_as_it_was_written(request in requests()) {
        prop_assert_eq!(Request::decode(&request.encode()), Some(request));
    }

    #[test]
    fn response_is_read_as_it_was_written(epoch_s: u32, answer in answers()) {
        let response = Response { epoch_s, answer };
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
        let _ = (Request::decode(&bytes), Response::decode(&bytes));
    }
}
