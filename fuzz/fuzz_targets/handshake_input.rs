//! Handshakes: junk gets no byte back, and a message changed on its way keys nobody who reads it.
#![no_main]

use crust_crypto::Handshake;
use crust_fuzz::keys;
use libfuzzer_sys::fuzz_target;

/// How one handshake is disturbed: in the message `turn`, the byte `at` (counted round) is changed by `change`, and
/// all messages arrive in pieces of `piece` bytes.
type Disturbance = (u8, u16, u8, u8);

fuzz_target!(|input: (Disturbance, &[u8])| {
    let (disturbance, junk) = input;
    junk_gets_no_answer(junk);
    changed_message_keys_nobody(disturbance);
});

fn junk_gets_no_answer(junk: &[u8]) {
    let mut listener = Handshake::listener(&keys());
    let mut dialer = Handshake::dialer(&keys(), None);
    let first = dialer.poll_output().expect("a dialer speaks first");
    for end in [&mut listener, &mut dialer] {
        let _ = end.handle_input(junk);
        assert!(end.poll_output().is_none());
        assert!(end.poll_keyed().is_none());
    }
    assert!(!first.is_empty());
}

fn changed_message_keys_nobody((turn, at, change, piece): Disturbance) {
    let turn = turn % 3;
    let (near, far) = (keys(), keys());
    let mut dialer = Handshake::dialer(&near, Some(far.peer_id()));
    let mut listener = Handshake::listener(&far);
    for now in 0..3 {
        let (from, to) = match now % 2 {
            0 => (&mut dialer, &mut listener),
            _ => (&mut listener, &mut dialer),
        };
        let mut message = from.poll_output().expect("it is this end's turn");
        if now == turn {
            let at = usize::from(at) % message.len();
            message[at] ^= change;
        }
        let whole = message
            .chunks(usize::from(piece).max(1))
            .try_for_each(|piece| to.handle_input(piece).map(drop));
        if now == turn && change != 0 {
            assert!(to.poll_output().is_none());
            assert!(to.poll_keyed().is_none());
            return;
        }
        whole.expect("nobody disturbed it yet");
    }
    assert_eq!(
        dialer.poll_keyed().expect("undisturbed").peer,
        far.peer_id()
    );
    assert_eq!(
        listener.poll_keyed().expect("undisturbed").peer,
        near.peer_id()
    );
}
