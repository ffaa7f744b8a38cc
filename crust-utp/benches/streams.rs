//! Streams between two ports of one process: what `crust perf run --raw` measures between two, in small.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use crust_core::rt;
use crust_utp::{UtpSocket, UtpStream};
use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};

fn main() {
    divan::main();
}

/// Bytes one way, until the last has come.
#[divan::bench(args = [1_000, 64 << 10])]
fn one_way(bencher: Bencher<'_, '_>, write: usize) {
    let (mut near, mut far, _sockets) = rt::block_on(pair());
    let data = vec![0; write];
    let total = (16 << 20) / write * write;
    let mut buffer = vec![0; 64 << 10];
    bencher.counter(BytesCount::new(total)).bench_local(|| {
        rt::block_on(async {
            let send = async {
                for _ in 0..total / write {
                    near.write_all(&data).await.unwrap();
                }
            };
            let receive = async {
                let mut left = total;
                while left > 0 {
                    left -= far.read(&mut buffer).await.unwrap();
                }
            };
            join(send, receive).await
        })
    });
}

/// A hundred bytes there and back.
#[divan::bench]
fn ping_pong(bencher: Bencher<'_, '_>) {
    let (mut near, mut far, _sockets) = rt::block_on(pair());
    let _echo = rt::spawn(async move {
        let mut message = [0; 100];
        while far.read_exact(&mut message).await.is_ok() {
            far.write_all(&message).await.unwrap();
        }
    });
    let mut message = [0; 100];
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        rt::block_on(async {
            near.write_all(&message).await.unwrap();
            near.read_exact(&mut message).await.unwrap();
        });
    });
}

/// Dial, and both ends dropped.
#[divan::bench]
fn connect(bencher: Bencher<'_, '_>) {
    let sockets = [bind(), bind()];
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| rt::block_on(open(&sockets)));
}

fn bind() -> UtpSocket {
    let socket = UtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen();
    socket
}

async fn open([here, there]: &[UtpSocket; 2]) -> (UtpStream, UtpStream) {
    let (dialed, (accepted, _)) = join(here.connect(there.local_addr()), there.accept()).await;
    (dialed.unwrap(), accepted)
}

async fn pair() -> (UtpStream, UtpStream, [UtpSocket; 2]) {
    let sockets = [bind(), bind()];
    let (near, far) = open(&sockets).await;
    (near, far, sockets)
}
