//! Streams between two sockets on loopback.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

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
use crust_utp::{CongestionKind, UtpSocket, UtpStream};
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

/// A socket that takes no connections.
fn quiet() -> UtpSocket {
    UtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

async fn meet(socket: &UtpSocket, at: SocketAddr, number: u16) -> UtpStream {
    let met = socket.connect_simultaneously(at, number, CongestionKind::Cubic);
    met.await.unwrap()
}

/// A word each way.
async fn talk(one: &mut UtpStream, other: &mut UtpStream) {
    let mut word = [0; 4];
    one.write_all(b"ping").await.unwrap();
    other.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    other.write_all(b"pong").await.unwrap();
    one.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"pong");
}

#[test]
fn two_that_dial_each_other_at_once_get_one_connection() {
    run(async {
        let (here, there) = (quiet(), quiet());
        for number in [7, 20, 1_000, u16::MAX, 0x8000] {
            let both = join(
                meet(&here, there.local_addr(), number),
                meet(&there, here.local_addr(), number),
            );
            let (mut one, mut other) = both.await;
            talk(&mut one, &mut other).await;
            let (one, other) = join(one.close(), other.close()).await;
            one.unwrap();
            other.unwrap();
        }
    });
}

#[test]
fn one_that_dials_before_the_other_is_met_when_that_does() {
    // Whoever listens answers the first as it answers anybody.
    for listens in [false, true] {
        run(async {
            let (here, there) = (quiet(), if listens { bind() } else { quiet() });
            let late = async {
                rt::sleep(Duration::from_millis(100)).await;
                meet(&there, here.local_addr(), 70).await
            };
            let (mut one, mut other) = join(meet(&here, there.local_addr(), 70), late).await;
            talk(&mut one, &mut other).await;
            talk(&mut other, &mut one).await;
        });
    }
}

#[test]
fn one_that_shows_itself_at_another_port_is_met_there() {
    run(async {
        let (here, there, elsewhere) = (quiet(), quiet(), quiet());
        let both = join(
            meet(&here, elsewhere.local_addr(), 300),
            meet(&there, here.local_addr(), 300),
        );
        let (mut one, mut other) = both.await;
        assert_eq!(one.remote_addr(), there.local_addr());
        talk(&mut one, &mut other).await;
    });
}

#[test]
fn early_one_at_another_port_is_met_by_one_that_listens_too() {
    run(async {
        let (here, there, elsewhere) = (quiet(), bind(), quiet());
        let late = async {
            rt::sleep(Duration::from_millis(100)).await;
            meet(&there, elsewhere.local_addr(), 300).await
        };
        let (mut one, mut other) = join(meet(&here, there.local_addr(), 300), late).await;
        assert_eq!(other.remote_addr(), here.local_addr());
        talk(&mut one, &mut other).await;
    });
}

/// Other systems have no second loopback address; Wine sends from 127.0.0.1 whatever is bound.
#[cfg(target_os = "linux")]
#[test]
fn one_at_another_address_is_not_met() {
    run(async {
        let (here, there) = (quiet(), quiet());
        let stranger = UtpSocket::bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let late = stranger.connect_simultaneously(here.local_addr(), 44, CongestionKind::Cubic);
        let met = here.connect_simultaneously(there.local_addr(), 44, CongestionKind::Cubic);
        let limit = Duration::from_millis(1_500);
        let (late, met) = join(rt::timeout(limit, late), rt::timeout(limit, met)).await;
        assert!(late.is_err() && met.is_err(), "{late:?} {met:?}");
    });
}

#[test]
fn stranger_in_the_same_batch_does_not_move_a_connection() {
    for _ in 0..20 {
        run(async {
            let here = quiet();
            let [there, stranger] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
            let there_addr = there.local_addr().unwrap();
            let met = rt::spawn({
                let here = here.clone();
                async move {
                    here.connect_simultaneously(there_addr, 5, CongestionKind::Cubic)
                        .await
                }
            });
            let mut syn = [0; 64];
            let (_, from) = rt::unblock(move || {
                let (len, from) = there.recv_from(&mut syn).unwrap();
                // A STATE that answers it: ack_nr is its seq_nr.
                let mut state = syn[..len].to_vec();
                state[0] = 0x21;
                state.copy_within(16..18, 18);
                there.send_to(&state, from).unwrap();
                stranger.send_to(&state, from).unwrap();
                (len, from)
            })
            .await
            .unwrap();
            assert_eq!(from, here.local_addr());
            assert_eq!(met.await.unwrap().unwrap().remote_addr(), there_addr);
        });
    }
}

#[test]
fn number_that_is_in_use_between_two_is_refused() {
    run(async {
        let (here, there) = (quiet(), quiet());
        let both = join(
            meet(&here, there.local_addr(), 9),
            meet(&there, here.local_addr(), 9),
        );
        let (mut one, mut other) = both.await;
        for number in [8, 9, 10] {
            let again =
                here.connect_simultaneously(there.local_addr(), number, CongestionKind::Cubic);
            assert_eq!(again.await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
        talk(&mut one, &mut other).await;
    });
}

#[test]
fn nobody_else_changes_where_one_is_that_was_met() {
    run(async {
        let (here, there, stranger) = (quiet(), quiet(), quiet());
        let both = join(
            meet(&here, there.local_addr(), 500),
            meet(&there, here.local_addr(), 500),
        );
        let (mut one, mut other) = both.await;
        let late = stranger.connect_simultaneously(here.local_addr(), 500, CongestionKind::Cubic);
        let late = rt::timeout(Duration::from_millis(700), late).await;
        assert!(late.is_err(), "{late:?}");
        assert_eq!(one.remote_addr(), there.local_addr());
        talk(&mut one, &mut other).await;
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
