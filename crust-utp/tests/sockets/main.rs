//! Streams between two sockets on loopback.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod meeting;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

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

/// Carries datagrams between `there` and whoever sends to the address that it gives, as a program with a buffer of `len` bytes
/// does: what is longer is cut, and nobody is told. Nothing comes through any more once it `is_black`.
fn through(there: SocketAddr, len: usize, is_black: Arc<AtomicBool>) -> SocketAddr {
    let middle = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = middle.local_addr().unwrap();
    middle
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    std::thread::spawn(move || {
        let (mut buf, mut here) = (vec![0; 65_536], None);
        while let Ok((whole, from)) = middle.recv_from(&mut buf) {
            let to = if from == there {
                here
            } else {
                here = Some(from);
                Some(there)
            };
            if !is_black.load(Ordering::SeqCst) {
                // As though it were lost on its way, where the system has no room for it.
                let _ = to.map(|to| middle.send_to(&buf[..whole.min(len)], to));
            }
        }
    });
    addr
}

#[test]
fn bytes_come_whole_though_the_other_side_cuts_long_datagrams() {
    for len in [
        1_399, 1_451, 1_471, 1_472, 1_500, 2_048, 3_000, 3_999, 4_096, 8_192, 8_971, 9_000, 16_383,
    ] {
        run(async {
            let (here, there) = (bind(), bind());
            let addr = through(there.local_addr(), len, Arc::default());
            let (dialed, (mut accepted, _)) = join(here.connect(addr), there.accept()).await;
            let mut dialed = dialed.unwrap();
            let data: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
            let write = async {
                dialed.write_all(&data).await.unwrap();
                dialed.close().await.unwrap();
            };
            let mut came = Vec::new();
            let (_, read) = join(write, accepted.read_to_end(&mut came)).await;
            read.unwrap();
            assert!(came == data, "cut at {len} bytes");
        });
    }
}

#[test]
fn end_is_not_waited_for_long_where_the_other_side_has_ended_and_gone() {
    run(async {
        let (here, there) = (bind(), bind());
        let is_black = Arc::new(AtomicBool::new(false));
        let addr = through(there.local_addr(), 2_000, is_black.clone());
        let (dialed, (mut accepted, _)) = join(here.connect(addr), there.accept()).await;
        let mut dialed = dialed.unwrap();
        accepted.close().await.unwrap();
        assert_eq!(dialed.read(&mut [0; 8]).await.unwrap(), 0);
        is_black.store(true, Ordering::SeqCst);
        let closed = rt::timeout(Duration::from_secs(10), dialed.close()).await;
        closed.unwrap().unwrap();
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

#[test]
fn ten_thousand_streams_on_one_port_are_idle_and_then_speak() {
    rt::block_on(async {
        let (here, there) = (bind(), bind());
        let addr = there.local_addr();
        let mut streams = Vec::new();
        while streams.len() < 10_000 {
            let dials = futures::future::join_all((0..100).map(|_| here.connect(addr)));
            let accepts = async {
                let mut accepted = Vec::new();
                while accepted.len() < 100 {
                    accepted.push(there.accept().await.0);
                }
                accepted
            };
            let (dialed, accepted) = rt::timeout(Duration::from_secs(30), join(dials, accepts))
                .await
                .unwrap();
            streams.extend(dialed.into_iter().map(Result::unwrap).zip(accepted));
        }
        // Those that were dialed together are not accepted in that order: each says which it is.
        for (number, (dialed, _)) in streams.iter_mut().enumerate() {
            let number = u32::try_from(number).unwrap();
            dialed.write_all(&number.to_be_bytes()).await.unwrap();
        }
        let mut heard = Vec::new();
        for (_, accepted) in &mut streams {
            let mut number = [0; 4];
            let read = accepted.read_exact(&mut number);
            rt::timeout(Duration::from_secs(30), read)
                .await
                .unwrap()
                .unwrap();
            heard.push(u32::from_be_bytes(number));
        }
        heard.sort_unstable();
        assert!((0..10_000).eq(heard));
    });
}

#[test]
fn slow_reader_holds_its_window_and_stops_no_other() {
    run(async {
        let (here, there) = (bind(), bind());
        let addr = there.local_addr();
        let (slow, (held, _)) = join(here.connect(addr), there.accept()).await;
        let mut slow = slow.unwrap();
        let (quick, (mut reader, _)) = join(here.connect(addr), there.accept()).await;
        let mut quick = quick.unwrap();
        // Nobody reads: as much goes out as the window and what the sender keeps.
        let taken = async {
            let (mut taken, chunk) = (0, vec![0; 65_536]);
            loop {
                let write = rt::timeout(Duration::from_secs(2), slow.write(&chunk));
                match write.await {
                    Ok(len) => taken += len.unwrap(),
                    Err(_) => return taken,
                }
            }
        };
        let other = async {
            let (mut rounds, mut word) = (0, [0; 4]);
            while rounds < 1_000 {
                quick.write_all(b"word").await.unwrap();
                reader.read_exact(&mut word).await.unwrap();
                rounds += 1;
            }
        };
        let (taken, ()) = join(taken, other).await;
        // The window, and what the sender keeps.
        assert!(
            (16 << 20..=(16 + 33) << 20).contains(&taken),
            "{taken} bytes were taken"
        );
        drop(held);
    });
}
