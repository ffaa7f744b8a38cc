//! What goes over the wire in a handshake cannot be told from random bytes, nor by its length.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::collections::HashMap;

use crust_crypto::{Handshake, Identity, Keys, NetworkKey};

const HANDSHAKES: u32 = 10_000;

/// Both at once, because ten thousand handshakes take their time.
#[test]
fn no_byte_departs_from_uniform_and_no_length_is_common() {
    let identity = Identity::generate();
    let keys = Keys::new(&identity, NetworkKey::default());
    let (mut dialer, mut listener) = (Direction::default(), Direction::default());
    for _ in 0..HANDSHAKES {
        let (sent, answered) = transcript(&keys);
        dialer.count(&sent);
        listener.count(&answered);
    }
    for direction in [dialer, listener] {
        direction.assert_no_length_is_common();
        direction.assert_uniform();
    }
}

/// All that the dialer sent, and all that the listener sent.
fn transcript(keys: &Keys) -> (Vec<u8>, Vec<u8>) {
    let mut dialer = Handshake::dialer(keys, None);
    let mut listener = Handshake::listener(keys);
    let mut sent = dialer.poll_output().unwrap();
    listener.handle_input(&sent).unwrap();
    let answered = listener.poll_output().unwrap();
    dialer.handle_input(&answered).unwrap();
    let proof = dialer.poll_output().unwrap();
    listener.handle_input(&proof).unwrap();
    assert!(listener.poll_keyed().is_some());
    sent.extend_from_slice(&proof);
    (sent, answered)
}

/// How often each byte stood at each place of one direction's bytes.
#[derive(Default)]
struct Direction {
    places: Vec<[u32; 256]>,
    lens: HashMap<usize, u32>,
}

impl Direction {
    fn count(&mut self, bytes: &[u8]) {
        *self.lens.entry(bytes.len()).or_default() += 1;
        if self.places.len() < bytes.len() {
            self.places.resize(bytes.len(), [0; 256]);
        }
        for (place, byte) in self.places.iter_mut().zip(bytes) {
            place[usize::from(*byte)] += 1;
        }
    }

    /// A listener's lengths are 256 equally likely ones, a dialer's more; 2 % is five times what is expected.
    fn assert_no_length_is_common(&self) {
        let (len, count) = self.lens.iter().max_by_key(|(_, count)| **count).unwrap();
        assert!(*count <= HANDSHAKES / 50, "{count} of {len} bytes");
    }

    /// Over all places together, a false alarm has odds of about 10^-9.
    fn assert_uniform(&self) {
        let mut tested = 0;
        for (place, counts) in self.places.iter().enumerate() {
            if counts.iter().sum::<u32>() >= MIN_SAMPLES {
                let chi_square = chi_square(counts);
                assert!(chi_square < LIMIT, "{chi_square} at byte {place}");
                tested += 1;
            }
        }
        assert!(
            tested >= 240,
            "only {tested} places were long enough to test"
        );
    }
}

fn chi_square(counts: &[u32; 256]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / 256.0;
    let departure = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    counts.iter().map(departure).sum()
}

/// Ten for each value of a byte, from which on the sum is distributed as chi-square to good approximation.
const MIN_SAMPLES: u32 = 2_560;

/// The value that chi-square with 255 degrees of freedom exceeds with odds of 1.3 * 10^-12: seven standard deviations
/// by Wilson and Hilferty's cube root, 255 * (1 - 2/(9 * 255) + 7 * sqrt(2/(9 * 255)))^3. Bonferroni over the 1,300
/// places at most gives 1.7 * 10^-9, three orders below the 10^-6 that is allowed, for what the approximation lacks.
const LIMIT: f64 = 447.0;

#[test]
fn the_measure_sees_a_byte_that_is_a_little_too_frequent() {
    let mut counts = [39; 256];
    assert!(chi_square(&counts) < LIMIT);
    counts[0] += 150;
    assert!(chi_square(&counts) > LIMIT);
}
