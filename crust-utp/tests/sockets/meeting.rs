//! Two sockets that dial each other.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use crust_core::rt;
use crust_utp::{CongestionKind, UtpSocket, UtpStream};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};

use crate::{bind, run};

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
