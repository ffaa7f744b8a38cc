//! What a channel costs: a handshake, and sealing and opening by length.

use crust_crypto::{Handshake, Identity, Keyed, Keys, NetworkKey, Opened, RECORD_OVERHEAD};
use divan::{Bencher, black_box, counter::BytesCount};

fn main() {
    divan::main();
}

fn keys() -> Keys {
    Keys::new(&Identity::generate(), NetworkKey::default())
}

/// Both ends of a channel.
fn keyed(dialer: &Keys, listener: &Keys) -> (Keyed, Keyed) {
    let mut near = Handshake::dialer(dialer, None);
    let mut far = Handshake::listener(listener);
    loop {
        while let Some(bytes) = near.poll_output() {
            far.handle_input(&bytes).expect("the handshake is right");
        }
        while let Some(bytes) = far.poll_output() {
            near.handle_input(&bytes).expect("the handshake is right");
        }
        if let Some(far) = far.poll_keyed() {
            return (near.poll_keyed().expect("both ends are done"), far);
        }
    }
}

#[divan::bench]
fn handshake_of_both_ends(bencher: Bencher<'_, '_>) {
    let (dialer, listener) = (keys(), keys());
    bencher.bench_local(|| keyed(&dialer, &listener));
}

/// What a listener pays for a first message of somebody without the network key.
#[divan::bench]
fn refuse_junk(bencher: Bencher<'_, '_>) {
    let keys = keys();
    bencher.bench_local(|| {
        let refused = Handshake::listener(&keys).handle_input(black_box(&[7; 80]));
        assert!(refused.is_err());
    });
}

const LENS: [usize; 3] = [100, 1024, 16 * 1024];

/// What a reader pays that closes the gaps between records.
#[divan::bench(args = LENS)]
fn seal_and_open_to_aes(bencher: Bencher<'_, '_>, len: usize) {
    let keys = keys();
    let (mut near, mut far) = keyed(&keys, &keys);
    let mut buf = vec![0; GAP + len + RECORD_OVERHEAD];
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        near.sealer.seal(black_box(&mut buf[GAP..]));
        let opened = far.opener.open_to(black_box(&mut buf), GAP);
        assert!(matches!(opened, Ok(Opened::Data(_))));
    });
}

const GAP: usize = 22;

#[divan::bench(args = LENS)]
fn seal_aes(bencher: Bencher<'_, '_>, len: usize) {
    seal(bencher, len, &keys());
}

#[divan::bench(args = LENS)]
fn seal_chacha(bencher: Bencher<'_, '_>, len: usize) {
    seal(bencher, len, &keys().without_aes());
}

fn seal(bencher: Bencher<'_, '_>, len: usize, keys: &Keys) {
    let (mut near, _) = keyed(keys, keys);
    let mut record = vec![0; len + RECORD_OVERHEAD];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| near.sealer.seal(black_box(&mut record)));
}

#[divan::bench(args = LENS)]
fn seal_and_open_aes(bencher: Bencher<'_, '_>, len: usize) {
    seal_and_open(bencher, len, &keys());
}

#[divan::bench(args = LENS)]
fn seal_and_open_chacha(bencher: Bencher<'_, '_>, len: usize) {
    seal_and_open(bencher, len, &keys().without_aes());
}

fn seal_and_open(bencher: Bencher<'_, '_>, len: usize, keys: &Keys) {
    let (mut near, mut far) = keyed(keys, keys);
    let mut record = vec![0; len + RECORD_OVERHEAD];
    bencher.counter(BytesCount::new(len)).bench_local(|| {
        near.sealer.seal(black_box(&mut record));
        let opened = far.opener.open(black_box(&mut record));
        assert!(matches!(opened, Ok(Opened::Data(_))));
    });
}
