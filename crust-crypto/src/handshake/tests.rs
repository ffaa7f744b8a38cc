//! Laws of the handshake that need to look inside: what is sent, what is computed, and what a flipped bit does.

use proptest::prelude::*;

use super::*;
use crate::{Identity, NetworkKey, Opened, resolver::X25519, resolver::tests::DH_CALLS};

fn keys() -> Keys {
    Keys::new(&Identity::generate(), NetworkKey::default())
}

/// The same peer each time, with an empty memory.
fn fixed_keys(seed: u8) -> Keys {
    Keys::with_static_key(
        &Identity::from_seed(&[seed; 32]),
        NetworkKey::default(),
        X25519::from_private([seed; 32]),
    )
}

/// Zeros: the same salt and ephemeral key each time, and no padding.
fn zeros() -> Random {
    Random::script(&[0; 200])
}

pub(crate) fn fixed_dialer() -> Handshake {
    Handshake::dialer_with(&fixed_keys(1), None, zeros())
}

pub(crate) fn fixed_listener() -> Handshake {
    Handshake::listener_with(&fixed_keys(2), zeros())
}

/// The three messages between the two above.
pub(crate) fn fixed_messages() -> [Vec<u8>; 3] {
    let (mut dialer, mut listener) = (fixed_dialer(), fixed_listener());
    let first = dialer.poll_output().unwrap();
    listener.handle_input(&first).unwrap();
    let answer = listener.poll_output().unwrap();
    dialer.handle_input(&answer).unwrap();
    let proof = dialer.poll_output().unwrap();
    listener.handle_input(&proof).unwrap();
    assert!(dialer.poll_keyed().is_some() && listener.poll_keyed().is_some());
    [first, answer, proof]
}

fn each_flip(message: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..8 * message.len()).map(|bit| {
        let mut flipped = message.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// It has failed, says nothing, and stays so.
fn assert_failed(end: &mut Handshake) {
    assert!(end.poll_output().is_none());
    assert!(end.poll_keyed().is_none());
    let after = end.handle_input(&[0]);
    assert!(matches!(after, Err(HandshakeError::Rejected)));
}

fn dh_calls() -> u32 {
    DH_CALLS.with(std::cell::Cell::get)
}

#[test]
fn a_flipped_bit_in_the_first_message_gets_no_answer_and_costs_no_dh() {
    let [first, ..] = fixed_messages();
    let before = dh_calls();
    for flipped in each_flip(&first) {
        let mut listener = fixed_listener();
        let result = listener.handle_input(&flipped);
        assert!(matches!(result, Err(HandshakeError::Junk)), "{result:?}");
        assert_failed(&mut listener);
    }
    assert_eq!(dh_calls(), before);
}

#[test]
fn a_flipped_bit_in_the_answer_ends_the_handshake() {
    let [_, answer, _] = fixed_messages();
    let before = dh_calls();
    for flipped in each_flip(&answer) {
        let mut dialer = fixed_dialer();
        dialer.poll_output();
        let error = dialer.handle_input(&flipped).unwrap_err();
        let is_expected = matches!(error, HandshakeError::Junk | HandshakeError::Rejected);
        assert!(is_expected, "{error:?}");
        assert_failed(&mut dialer);
    }
    assert_eq!(dh_calls(), before);
}

#[test]
fn a_flipped_bit_in_the_proof_ends_the_handshake() {
    let [first, _, proof] = fixed_messages();
    for flipped in each_flip(&proof) {
        let mut listener = fixed_listener();
        listener.handle_input(&first).unwrap();
        listener.poll_output();
        let result = listener.handle_input(&flipped);
        assert!(matches!(result, Err(HandshakeError::Rejected)));
        assert_failed(&mut listener);
    }
}

#[test]
fn messages_may_come_byte_by_byte_and_nothing_ends_before_the_last() {
    let [first, answer, proof] = fixed_messages();
    let (mut dialer, mut listener) = (fixed_dialer(), fixed_listener());
    assert_eq!(dialer.poll_output(), Some(first.clone()));
    trickle(&mut listener, &first);
    assert_eq!(listener.poll_output(), Some(answer.clone()));
    trickle(&mut dialer, &answer);
    assert_eq!(dialer.poll_output(), Some(proof.clone()));
    assert!(dialer.poll_keyed().is_some());
    trickle(&mut listener, &proof);
    assert!(listener.poll_keyed().is_some());
}

fn trickle(end: &mut Handshake, message: &[u8]) {
    for byte in message {
        assert!(end.poll_output().is_none() && end.poll_keyed().is_none());
        assert_eq!(end.handle_input(&[*byte]).unwrap(), 1);
    }
}

#[test]
fn bytes_after_the_last_are_left() {
    let [first, _, proof] = fixed_messages();
    let mut listener = fixed_listener();
    listener.handle_input(&first).unwrap();
    listener.poll_output();
    let more = [proof.as_slice(), b"more"].concat();
    assert_eq!(listener.handle_input(&more).unwrap(), proof.len());
    assert_eq!(listener.handle_input(b"more").unwrap(), 0);
    assert!(listener.poll_keyed().is_some());
    assert_eq!(listener.handle_input(b"more").unwrap(), 0);
}

#[test]
fn another_network_key_gets_no_byte_back_and_costs_no_dh() {
    let network = NetworkKey::from_name("elsewhere");
    let stranger = Keys::new(&Identity::generate(), network);
    let first = Handshake::dialer(&stranger, None).poll_output().unwrap();
    let before = dh_calls();
    let mut listener = Handshake::listener(&keys());
    let result = listener.handle_input(&first);
    assert!(matches!(result, Err(HandshakeError::Junk)));
    assert_failed(&mut listener);
    assert_eq!(dh_calls(), before);
}

#[test]
fn a_replayed_first_message_gets_no_byte_back_and_costs_no_dh() {
    let listener_keys = keys();
    let first = Handshake::dialer(&keys(), None).poll_output().unwrap();
    let mut listener = Handshake::listener(&listener_keys);
    listener.handle_input(&first).unwrap();
    assert!(listener.poll_output().is_some());
    let before = dh_calls();
    for _ in 0..3 {
        let mut listener = Handshake::listener(&listener_keys.clone());
        let result = listener.handle_input(&first);
        assert!(matches!(result, Err(HandshakeError::Replayed)));
        assert_failed(&mut listener);
    }
    assert_eq!(dh_calls(), before);
}

#[test]
fn a_changed_first_message_does_not_shut_out_the_true_one() {
    let listener_keys = keys();
    let first = Handshake::dialer(&keys(), None).poll_output().unwrap();
    let mut changed = first.clone();
    *changed.last_mut().unwrap() ^= 1;
    let result = Handshake::listener(&listener_keys).handle_input(&changed);
    assert!(matches!(result, Err(HandshakeError::Junk)));
    let result = Handshake::listener(&listener_keys).handle_input(&first);
    assert_eq!(result.unwrap(), first.len());
}

#[test]
fn another_peer_than_the_one_named_is_not_told_who_dialed() {
    let (dialer_keys, listener_keys) = (keys(), keys());
    let wanted = PeerId::from_bytes([7; 32]);
    let mut dialer = Handshake::dialer(&dialer_keys, Some(wanted));
    let mut listener = Handshake::listener(&listener_keys);
    listener
        .handle_input(&dialer.poll_output().unwrap())
        .unwrap();
    let result = dialer.handle_input(&listener.poll_output().unwrap());
    let Err(HandshakeError::WrongPeer { expected, found }) = result else {
        panic!("{result:?}");
    };
    assert_eq!((expected, found), (wanted, listener_keys.peer_id()));
    assert_failed(&mut dialer);
}

#[test]
fn keys_of_both_ends_fit_and_name_the_peers() {
    let (dialer_keys, listener_keys) = (keys(), keys());
    let mut dialer = Handshake::dialer(&dialer_keys, Some(listener_keys.peer_id()));
    let mut listener = Handshake::listener(&listener_keys);
    listener
        .handle_input(&dialer.poll_output().unwrap())
        .unwrap();
    dialer
        .handle_input(&listener.poll_output().unwrap())
        .unwrap();
    assert!(dialer.poll_keyed().is_none(), "the proof is not out yet");
    listener
        .handle_input(&dialer.poll_output().unwrap())
        .unwrap();
    let mut near = dialer.poll_keyed().unwrap();
    let mut far = listener.poll_keyed().unwrap();
    assert_eq!(near.peer, listener_keys.peer_id());
    assert_eq!(far.peer, dialer_keys.peer_id());
    assert!(dialer.poll_keyed().is_none() && listener.poll_keyed().is_none());
    pass(&mut near.sealer, &mut far.opener);
    pass(&mut far.sealer, &mut near.opener);
}

fn pass(sealer: &mut Sealer, opener: &mut Opener) {
    let mut record = [7; 100];
    sealer.seal(&mut record);
    let opened = opener.open(&mut record);
    assert!(matches!(opened, Ok(Opened::Data(text)) if *text == [7; 78]));
}

#[test]
fn another_version_is_named_to_the_user_alone() {
    let mut payload = keys().payload().encode();
    payload[0] = 2;
    let (mut dialer, answer) = answered_with(&payload);
    let result = dialer.handle_input(&answer);
    assert!(matches!(result, Err(HandshakeError::Version { found: 2 })));
    assert_failed(&mut dialer);
}

/// Mallory holds a network key and a static key, but shows the proof of somebody else.
#[test]
fn a_proof_for_another_static_key_is_rejected() {
    let (mut dialer, answer) = answered_with(&keys().payload().encode());
    let result = dialer.handle_input(&answer);
    assert!(matches!(result, Err(HandshakeError::Rejected)));
    assert_failed(&mut dialer);
}

#[test]
fn payloads_of_other_lengths_are_rejected() {
    for len in [0, 1, 2, 34, 97] {
        let payload = keys().payload().encode();
        let (mut dialer, answer) = answered_with(&payload[..len]);
        let result = dialer.handle_input(&answer);
        assert!(matches!(result, Err(HandshakeError::Rejected)));
        assert_failed(&mut dialer);
    }
}

/// A dialer, and the answer of a listener that says `payload`.
fn answered_with(payload: &[u8]) -> (Handshake, Vec<u8>) {
    let mut dialer = Handshake::dialer(&keys(), None);
    let first = dialer.poll_output().unwrap();
    let listener = keys();
    let mut unwrapper = Unwrapper::new(listener.network().clone(), Role::Dialer);
    let (_, message) = unwrapper.take(&first).unwrap();
    let mut noise = Noise::new(listener.static_key(), Role::Listener, &Random::System);
    noise.read(&message.unwrap()).unwrap();
    let answer = noise.write(payload).unwrap();
    let mut wrapper = Wrapper::new(listener.network(), Role::Listener, Random::System);
    (dialer, wrapper.wrap(&answer))
}

/// Mallory holds a network key and sends a key share that makes the shared secret one that everybody knows.
#[test]
fn a_key_share_of_small_order_is_rejected_without_an_answer() {
    let listener_keys = keys();
    let mut wrapper = Wrapper::new(listener_keys.network(), Role::Dialer, Random::System);
    let mut listener = Handshake::listener(&listener_keys);
    let result = listener.handle_input(&wrapper.wrap(&[0; 32]));
    assert!(matches!(result, Err(HandshakeError::Rejected)));
    assert_failed(&mut listener);
}

/// Bytes of messages wrapped with the right key are hostile all the same.
#[test]
fn short_and_overlong_messages_under_the_right_key_are_refused() {
    for len in [0, 1, 31, 513, 600, 5_000] {
        let listener_keys = keys();
        let mut wrapper = Wrapper::new(listener_keys.network(), Role::Dialer, Random::System);
        let mut listener = Handshake::listener(&listener_keys);
        let result = listener.handle_input(&wrapper.wrap(&vec![7; len]));
        assert!(result.is_err(), "{len} bytes");
        assert_failed(&mut listener);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic_answer_or_dh(bytes: Vec<u8>) {
        let before = dh_calls();
        let mut listener = Handshake::listener(&fixed_keys(2));
        let result = listener.handle_input(&bytes);
        // Salt and header: what the gate looks at.
        prop_assert_eq!(result.is_err(), bytes.len() >= 30);
        prop_assert!(listener.poll_output().is_none());
        let mut dialer = fixed_dialer();
        dialer.poll_output();
        prop_assert_eq!(dialer.handle_input(&bytes).is_err(), bytes.len() >= 30);
        prop_assert!(dialer.poll_output().is_none());
        prop_assert_eq!(dh_calls(), before);
    }

    #[test]
    fn any_payload_under_the_right_keys_is_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..98)) {
        let (mut dialer, answer) = answered_with(&bytes);
        prop_assert!(dialer.handle_input(&answer).is_err());
    }
}
