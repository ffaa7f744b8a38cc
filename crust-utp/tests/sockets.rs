//! Streams between two sockets on loopback. Not on Windows yet, as the laws of transports.
#![cfg(not(windows))]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{io, net::SocketAddr, time::Duration};

use crust_core::rt;
use crust_utp::{UtpSocket, UtpStream};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};

fn bind() -> UtpSocket {
    let socket = UtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen();
    socket
}

fn run<F: Future>(future: F) -> F::Output {
    rt::block_on(async { rt::timeout(Duration::from_secs(30), future).await.unwrap() })
}

async fn pair() -> (UtpStream, UtpStream, [UtpSocket; 2]) {
    let (here, there) = (bind(), bind());
    let (dialed, (accepted, _)) = join(here.connect(there.local_addr()), there.accept()).await;
    (dialed.unwrap(), accepted, [here, there])
}

#[test]
fn bytes_come_out_as_they_went_in_both_ways_at_once() {
    run(async {
        let (mut here, mut there, _sockets) = pair().await;
        let data: Vec<u8> = (0..3_000_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let turn = |stream: UtpStream, data: Vec<u8>| async move {
            let (mut reader, mut writer) = stream.split();
            let write = async {
                writer.write_all(&data).await.unwrap();
                writer.close().await.unwrap();
            };
            let mut came = Vec::new();
            let read = async { reader.read_to_end(&mut came).await.unwrap() };
            join(write, read).await;
            came
        };
        here.flush().await.unwrap();
        there.flush().await.unwrap();
        let (one, other) = join(turn(here, data.clone()), turn(there, data.clone())).await;
        assert!(one == data && other == data);
    });
}

#[test]
fn stream_that_is_dropped_without_an_end_is_cut_on_the_other_side() {
    run(async {
        let (here, mut there, _sockets) = pair().await;
        drop(here);
        let error = there.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn dial_to_a_port_where_nobody_listens_is_refused() {
    run(async {
        let (here, there) = (
            bind(),
            UtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap(),
        );
        let error = here.connect(there.local_addr()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn many_dials_at_once_all_succeed() {
    run(async {
        let (here, there) = (bind(), bind());
        let addr: SocketAddr = there.local_addr();
        let accept = async {
            let mut streams = Vec::new();
            while streams.len() < 500 {
                streams.push(there.accept().await);
            }
            streams
        };
        let dials = futures::future::join_all((0..500).map(|_| here.connect(addr)));
        let (dialed, accepted) = join(dials, accept).await;
        assert!(dialed.iter().all(Result::is_ok));
        assert_eq!(accepted.len(), 500);
    });
}
