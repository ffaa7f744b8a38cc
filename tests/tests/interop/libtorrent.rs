//! libtorrent, the library under many BitTorrent clients: a file goes each way, whoever dials, with and without loss.
//!
//! What is to be known of it, in version 2.0.8: it receives into 1,500 bytes and takes a longer datagram for whole; its selective
//! acknowledgements have bytes and not words; it is gone, and answers nothing, when its FIN has arrived; and at each SYN
//! that is sent again it begins its numbers anew. `libtorrent_peer.py` says where it takes losses badly.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crust_core::rt;
use crust_tests::in_namespace;
use crust_utp::{UtpSocket, UtpStream};

use crate::{
    bittorrent::Peer,
    content::{MIB, tell},
    loopback::{self, NFT},
    torrent::{LIBTORRENT, Libtorrent, Torrent},
};

/// Who opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialer {
    Libtorrent,
    We,
}

#[test]
fn libtorrent_downloads_from_us_when_it_dials() {
    let test = "libtorrent::libtorrent_downloads_from_us_when_it_dials";
    with_and_without_loss(test, "it dials, downloads", |torrent| {
        upload(torrent, Dialer::Libtorrent)
    });
}

#[test]
fn libtorrent_downloads_from_us_when_we_dial() {
    let test = "libtorrent::libtorrent_downloads_from_us_when_we_dial";
    with_and_without_loss(test, "we dial, it downloads", |torrent| {
        upload(torrent, Dialer::We)
    });
}

#[test]
fn we_download_from_libtorrent_when_it_dials() {
    let test = "libtorrent::we_download_from_libtorrent_when_it_dials";
    with_and_without_loss(test, "it dials, we download", |torrent| {
        download(torrent, Dialer::Libtorrent)
    });
}

#[test]
fn we_download_from_libtorrent_when_we_dial() {
    let test = "libtorrent::we_download_from_libtorrent_when_we_dial";
    with_and_without_loss(test, "we dial, download", |torrent| {
        download(torrent, Dialer::We)
    });
}

fn with_and_without_loss(test: &str, what: &str, transfer: impl Fn(&Torrent) -> Duration) {
    in_namespace(test, &[LIBTORRENT, NFT], || {
        let torrent = Torrent::new(100 * MIB);
        for percent in [0, 2] {
            if percent > 0 {
                loopback::lose(percent);
            }
            let took = transfer(&torrent);
            tell(
                &format!("libtorrent: {what}"),
                percent,
                torrent.content.len(),
                took,
            );
        }
    });
}

fn upload(torrent: &Torrent, dialer: Dialer) -> Duration {
    let mut libtorrent = torrent.leecher();
    let (socket, stream) = connect(&mut libtorrent, dialer);
    let start = rt::now();
    let (hash, content) = (torrent.info_hash, Arc::clone(&torrent.content));
    let serving = rt::spawn(async move {
        let mut peer = Peer::shake_hands(stream, hash).await.unwrap();
        peer.serve(&content).await.unwrap();
        peer.close().await.unwrap();
    });
    libtorrent.await_file(&torrent.content, LIMIT);
    let took = rt::now() - start;
    within(serving).unwrap();
    drop(socket);
    took
}

fn download(torrent: &Torrent, dialer: Dialer) -> Duration {
    let mut libtorrent = torrent.seeder();
    let (_socket, stream) = connect(&mut libtorrent, dialer);
    let start = rt::now();
    within(async {
        let mut peer = Peer::shake_hands(stream, torrent.info_hash).await.unwrap();
        peer.download(&torrent.content).await.unwrap();
        let took = rt::now() - start;
        peer.close().await.unwrap();
        took
    })
}

/// A connection with libtorrent, and the socket on our side of it.
fn connect(libtorrent: &mut Libtorrent, dialer: Dialer) -> (UtpSocket, UtpStream) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = UtpSocket::bind(any).unwrap();
    socket.listen();
    let stream = match dialer {
        Dialer::We => within(socket.connect(libtorrent.addr)).unwrap(),
        Dialer::Libtorrent => {
            libtorrent.dial(socket.local_addr());
            within(socket.accept()).0
        }
    };
    (socket, stream)
}

fn within<F: Future>(future: F) -> F::Output {
    rt::block_on(rt::timeout(LIMIT, future)).expect("it comes to its end in time")
}

/// A slow machine with other work takes its time.
const LIMIT: Duration = Duration::from_secs(120);
