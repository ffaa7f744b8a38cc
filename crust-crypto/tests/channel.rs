//! The channel through its public API, over TCP on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use async_io::Async;
use crust_core::{PeerId, rt};
use crust_crypto::{Channel, Cipher, HandshakeError, Identity, Keys, NetworkKey};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};

type Stream = Async<TcpStream>;

fn keys() -> Keys {
    Keys::new(&Identity::generate(), NetworkKey::default())
}

fn streams() -> (Stream, Stream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let dialer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (listener, _) = listener.accept().unwrap();
    (Async::new(dialer).unwrap(), Async::new(listener).unwrap())
}

async fn channels(dialer: &Keys, listener: &Keys) -> (Channel<Stream>, Channel<Stream>) {
    let (near, far) = streams();
    let (near, far) = join(
        Channel::dial(near, dialer, Some(listener.peer_id())),
        Channel::accept(far, listener),
    )
    .await;
    (near.unwrap(), far.unwrap())
}

#[test]
fn each_end_learns_the_others_key() {
    let (dialer, listener) = (keys(), keys());
    let (near, far) = rt::block_on(channels(&dialer, &listener));
    assert_eq!(near.peer_id(), listener.peer_id());
    assert_eq!(far.peer_id(), dialer.peer_id());
}

#[test]
fn all_four_capability_pairs_talk() {
    for (dialer_aes, listener_aes) in [(false, false), (false, true), (true, false), (true, true)] {
        let able = |keys: Keys, aes| if aes { keys } else { keys.without_aes() };
        let (dialer, listener) = (able(keys(), dialer_aes), able(keys(), listener_aes));
        let expected = if dialer.has_aes() && listener.has_aes() {
            Cipher::Aes256Gcm
        } else {
            Cipher::ChaCha20Poly1305
        };
        rt::block_on(async {
            let (mut near, mut far) = channels(&dialer, &listener).await;
            assert_eq!((near.cipher(), far.cipher()), (expected, expected));
            exchange(&mut near, &mut far).await;
            exchange(&mut far, &mut near).await;
        });
    }
}

async fn exchange(from: &mut Channel<Stream>, to: &mut Channel<Stream>) {
    let mut read = [0; 5];
    from.write_all(b"hello").await.unwrap();
    from.flush().await.unwrap();
    to.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
}

#[test]
fn a_mebibyte_each_way_at_once_arrives_whole_and_ends() {
    let sent: Vec<u8> = (0..1 << 20).map(|i: u32| i.to_be_bytes()[2]).collect();
    rt::block_on(async {
        let (near, far) = channels(&keys(), &keys()).await;
        let (near, far) = join(talk(near, &sent), talk(far, &sent)).await;
        assert!(near == sent && far == sent);
    });
}

/// Writes `text`, closes, and reads to the end.
async fn talk(channel: Channel<Stream>, text: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = channel.split();
    let mut read = Vec::new();
    let (written, ended) = join(
        async {
            writer.write_all(text).await?;
            writer.close().await
        },
        reader.read_to_end(&mut read),
    )
    .await;
    written.unwrap();
    ended.unwrap();
    read
}

#[test]
fn a_cut_stream_is_an_error_and_not_an_end() {
    rt::block_on(async {
        let (mut near, mut far) = channels(&keys(), &keys()).await;
        near.write_all(b"hello").await.unwrap();
        near.flush().await.unwrap();
        drop(near);
        let mut read = Vec::new();
        let error = far.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read, b"hello");
    });
}

#[test]
fn nothing_is_written_after_a_close() {
    rt::block_on(async {
        let (mut near, _far) = channels(&keys(), &keys()).await;
        near.close().await.unwrap();
        let error = near.write_all(b"late").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn another_network_key_closes_without_an_answer() {
    let listener = Keys::new(&Identity::generate(), NetworkKey::from_name("elsewhere"));
    let (near, far) = rt::block_on(async {
        let (near, far) = streams();
        join(
            Channel::dial(near, &keys(), None),
            Channel::accept(far, &listener),
        )
        .await
    });
    assert!(matches!(near, Err(HandshakeError::Closed)));
    assert!(matches!(far, Err(HandshakeError::Junk)));
}

#[test]
fn dial_that_names_another_peer_fails() {
    let (dialer, listener) = (keys(), keys());
    let wanted = PeerId::from_bytes([7; 32]);
    let (near, far) = rt::block_on(async {
        let (near, far) = streams();
        join(
            Channel::dial(near, &dialer, Some(wanted)),
            Channel::accept(far, &listener),
        )
        .await
    });
    let Err(HandshakeError::WrongPeer { expected, found }) = near else {
        panic!("{near:?}");
    };
    assert_eq!((expected, found), (wanted, listener.peer_id()));
    assert!(matches!(far, Err(HandshakeError::Closed)));
}
