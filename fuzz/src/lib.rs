//! What several fuzz targets need: two ends that know the same network key.

use crust_crypto::{Handshake, Identity, Keyed, Keys, NetworkKey};

/// Fresh keys on the network of the targets.
pub fn keys() -> Keys {
    Keys::new(&Identity::generate(), NetworkKey::from_name("fuzz"))
}

/// A handshake that nobody disturbs: what dialer and listener end with.
pub fn keyed_pair() -> (Keyed, Keyed) {
    let (near, far) = (keys(), keys());
    let mut dialer = Handshake::dialer(&near, Some(far.peer_id()));
    let mut listener = Handshake::listener(&far);
    for turn in 0..3 {
        let (from, to) = match turn % 2 {
            0 => (&mut dialer, &mut listener),
            _ => (&mut listener, &mut dialer),
        };
        let message = from.poll_output().expect("it is this end's turn");
        let taken = to.handle_input(&message).expect("nobody disturbed it");
        assert_eq!(taken, message.len());
    }
    let keyed = "three messages are the whole handshake";
    (
        dialer.poll_keyed().expect(keyed),
        listener.poll_keyed().expect(keyed),
    )
}
