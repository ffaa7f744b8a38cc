use std::time::Duration;

use super::*;

const SERVER: &str = "192.0.2.1:3478";
const US: &str = "198.51.100.7:40000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn id(number: u8) -> TransactionId {
    TransactionId::new([number; 12])
}

fn answer(id: TransactionId, attributes: &[Attribute<'_>]) -> Vec<u8> {
    let empty = MessageWriter::new(Class::Success, Method::BINDING, id);
    let writer = attributes.iter().fold(empty, MessageWriter::with);
    writer.with_fingerprint().into_bytes()
}

fn refusal(id: TransactionId, code: u16) -> Vec<u8> {
    let empty = MessageWriter::new(Class::Error, Method::BINDING, id);
    empty
        .with(&Attribute::ErrorCode { code, reason: "no" })
        .into_bytes()
}

/// A client that has asked `request`, and when.
fn asking(request: Request) -> (Client, Instant) {
    let now = crust_core::rt::now();
    let mut client = Client::new();
    client.request(now, id(1), request).unwrap();
    (client, now)
}

fn handle(client: &mut Client, now: Instant, from: &str, bytes: &[u8]) {
    client.handle_message(now, addr(from), &Message::decode(bytes).unwrap());
}

fn finished(client: &mut Client) -> Option<Result<Binding, StunError>> {
    while let Some(output) = client.poll_output() {
        if let ClientOutput::Finished { result, .. } = output {
            return Some(result);
        }
    }
    None
}

/// Runs the client to its end without an answer; gives when it sent, and when it was at its end.
fn unanswered(client: &mut Client, start: Instant) -> (Vec<Duration>, Duration) {
    let (mut now, mut sent) = (start, Vec::new());
    loop {
        while let Some(output) = client.poll_output() {
            match output {
                ClientOutput::Transmit { .. } => sent.push(now - start),
                ClientOutput::Finished { result, .. } => {
                    assert!(matches!(result, Err(StunError::TimedOut { requests, .. })
                        if requests as usize == sent.len()));
                    return (sent, now - start);
                }
            }
        }
        now = client.poll_timeout().unwrap();
        client.handle_timeout(now);
    }
}

#[test]
fn request_without_answer_is_sent_as_the_rfc_says() {
    let (mut client, start) = asking(Request::new(addr(SERVER)));
    let (sent, end) = unanswered(&mut client, start);
    let ms = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(Duration::from_millis);
    assert_eq!(sent, ms);
    assert_eq!(end, Duration::from_millis(39_500));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn quick_request_is_given_up_after_two_seconds() {
    let request = Request::new(addr(SERVER)).with_retransmission(Retransmission::QUICK);
    let (mut client, start) = asking(request);
    let (sent, end) = unanswered(&mut client, start);
    assert_eq!((sent.len(), end), (5, Duration::from_millis(2_100)));
}

#[test]
fn answer_tells_the_address_and_the_round_trip() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let other = addr("192.0.2.2:3479");
    let bytes = answer(
        id(1),
        &[
            Attribute::XorMappedAddress(addr(US)),
            Attribute::OtherAddress(other),
        ],
    );
    let rtt = Duration::from_millis(50);
    handle(&mut client, now + rtt, SERVER, &bytes);
    let binding = finished(&mut client).unwrap().unwrap();
    let expected = Binding {
        observed_addr: addr(US),
        answered_from: addr(SERVER),
        other_addr: Some(other),
        rtt: Some(rtt),
    };
    assert_eq!(binding, expected);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn round_trip_of_a_request_that_was_sent_twice_is_unknown() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let later = now + Duration::from_millis(510);
    client.handle_timeout(later);
    let bytes = answer(id(1), &[Attribute::XorMappedAddress(addr(US))]);
    handle(&mut client, later, SERVER, &bytes);
    assert_eq!(finished(&mut client).unwrap().unwrap().rtt, None);
}

#[test]
fn answer_with_another_transaction_changes_nothing() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let bytes = answer(id(2), &[Attribute::XorMappedAddress(addr(US))]);
    handle(&mut client, now, SERVER, &bytes);
    assert!(finished(&mut client).is_none());
    assert_eq!(client.strays(), 1);
    assert!(client.poll_timeout().is_some());
}

#[test]
fn answer_from_another_source_changes_nothing() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let bytes = answer(id(1), &[Attribute::XorMappedAddress(addr(US))]);
    for from in ["192.0.2.1:3479", "192.0.2.2:3478"] {
        handle(&mut client, now, from, &bytes);
        handle(&mut client, now, from, &refusal(id(1), 500));
    }
    assert!(finished(&mut client).is_none());
    assert_eq!(client.strays(), 4);
    handle(&mut client, now, SERVER, &bytes);
    assert!(finished(&mut client).unwrap().is_ok());
}

#[test]
fn answer_that_is_asked_for_from_elsewhere_comes_from_there() {
    let bytes = answer(id(1), &[Attribute::XorMappedAddress(addr(US))]);
    let cases = [
        (Change::PORT, "192.0.2.1:3479", true),
        (Change::PORT, "192.0.2.2:3479", false),
        (Change::BOTH, "192.0.2.2:3479", true),
    ];
    for (change, from, is_taken) in cases {
        let (mut client, now) = asking(Request::new(addr(SERVER)).with_change(change));
        handle(&mut client, now, from, &bytes);
        let answered_from = finished(&mut client).map(|it| it.unwrap().answered_from);
        assert_eq!(answered_from, is_taken.then(|| addr(from)), "{change:?}");
    }
}

#[test]
fn late_and_doubled_answers_are_counted_and_nothing_else() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let bytes = answer(id(1), &[Attribute::XorMappedAddress(addr(US))]);
    handle(&mut client, now, SERVER, &bytes);
    assert!(finished(&mut client).is_some());
    handle(&mut client, now, SERVER, &bytes);
    assert!(finished(&mut client).is_none());
    assert_eq!(client.strays(), 1);
}

#[test]
fn request_is_no_answer() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let bytes = Request::new(addr(SERVER)).encode(id(1));
    handle(&mut client, now, SERVER, &bytes);
    assert!(finished(&mut client).is_none());
    assert_eq!(client.strays(), 1);
}

#[test]
fn error_is_told_with_its_code() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    handle(&mut client, now, SERVER, &refusal(id(1), 420));
    let error = finished(&mut client).unwrap().unwrap_err();
    assert!(
        matches!(error, StunError::Refused { code: 420, .. }),
        "{error}"
    );
}

#[test]
fn answer_without_a_usable_address_is_an_error() {
    let nobody = ["0.0.0.0:1", "192.0.2.1:0", "224.0.0.1:1", "[ff02::1]:1"];
    let cases = nobody.map(|text| vec![Attribute::XorMappedAddress(addr(text))]);
    for attributes in cases.iter().map(Vec::as_slice).chain([&[][..]]) {
        let (mut client, now) = asking(Request::new(addr(SERVER)));
        handle(&mut client, now, SERVER, &answer(id(1), attributes));
        let error = finished(&mut client).unwrap().unwrap_err();
        assert!(matches!(error, StunError::NoAddress { .. }), "{error}");
    }
}

#[test]
fn answer_that_is_not_understood_is_an_error() {
    let (mut client, now) = asking(Request::new(addr(SERVER)));
    let unknown = Attribute::Unknown {
        kind: 0x7fff,
        value: b"",
    };
    let bytes = answer(id(1), &[Attribute::XorMappedAddress(addr(US)), unknown]);
    handle(&mut client, now, SERVER, &bytes);
    let error = finished(&mut client).unwrap().unwrap_err();
    assert!(
        matches!(error, StunError::Unknown { kind: 0x7fff, .. }),
        "{error}"
    );
}

#[test]
fn requests_without_answers_are_bounded() {
    let now = crust_core::rt::now();
    let mut client = Client::new();
    let id = |number: usize| {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        TransactionId::new(bytes)
    };
    let request = Request::new(addr(SERVER));
    for number in 0..MAX_TRANSACTIONS {
        client.request(now, id(number), request).unwrap();
    }
    let error = client.request(now, id(MAX_TRANSACTIONS), request);
    assert!(matches!(error, Err(StunError::Full { .. })));
    client.cancel(id(0));
    client.request(now, id(MAX_TRANSACTIONS), request).unwrap();
}

#[test]
fn cancelled_request_is_sent_no_more() {
    let (mut client, _) = asking(Request::new(addr(SERVER)));
    assert!(finished(&mut client).is_none());
    client.cancel(id(1));
    assert_eq!(client.poll_timeout(), None);
}
