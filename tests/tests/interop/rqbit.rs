//! librqbit-utp, another uTP in Rust: bytes go both ways at once, with and without loss.
//!
//! What is to be known of it, in version 0.7: it sends its SYN once; it has no half-closed streams; and its socket is dead for good
//! when the system tells it that nobody has the other side's port.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::rt;
use crust_tests::in_namespace;
use crust_utp::{UtpSocket, UtpStream};
use futures::{AsyncReadExt, AsyncWriteExt, future::join};
use librqbit_utp::{SocketOpts, UtpSocketUdp, UtpSocketUdpOpts, UtpStream as Theirs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    content::{MIB, content, tell},
    loopback::{self, NFT},
};

/// Who opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialer {
    Librqbit,
    We,
}

#[test]
fn bytes_come_whole_both_ways_when_librqbit_dials() {
    let test = "rqbit::bytes_come_whole_both_ways_when_librqbit_dials";
    with_and_without_loss(test, "librqbit: it dials, both ways", Dialer::Librqbit);
}

#[test]
fn bytes_come_whole_both_ways_when_we_dial() {
    let test = "rqbit::bytes_come_whole_both_ways_when_we_dial";
    with_and_without_loss(test, "librqbit: we dial, both ways", Dialer::We);
}

/// It has no half-closed streams: it answers our FIN with its own, and takes our acknowledgement of its own for our FIN.
#[test]
fn librqbit_ends_when_we_end() {
    let test = "rqbit::librqbit_ends_when_we_end";
    in_namespace(test, &[], || {
        run(async {
            let Ends {
                mut ours,
                mut theirs,
                sockets: _sockets,
            } = connect(Dialer::Librqbit, 0).await;
            let say = content(3, MIB);
            let mut came = Vec::new();
            let write = async {
                ours.write_all(&say).await.unwrap();
                ours.close().await.unwrap();
                assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
            };
            let (_, read) = join(write, theirs.read_to_end(&mut came)).await;
            read.unwrap();
            assert!(came == *say, "{} bytes came to librqbit", came.len());
        });
    });
}

fn with_and_without_loss(test: &str, what: &str, dialer: Dialer) {
    in_namespace(test, &[NFT], || {
        for percent in [0, 2] {
            let took = run(exchange(dialer, percent));
            tell(what, percent, 2 * LEN, took);
        }
    });
}

/// Each side sends, and reads as much. Then they end, and we.
async fn exchange(dialer: Dialer, lost_percent: u32) -> Duration {
    let Ends {
        ours,
        theirs,
        sockets: _sockets,
    } = connect(dialer, lost_percent).await;
    let (from_us, from_them) = (content(1, LEN), content(2, LEN));
    let start = rt::now();
    let we = we_talk(ours, from_us.clone(), from_them.clone());
    // A task of its own, so that each has a thread.
    let they = tokio::spawn(they_talk(theirs, from_them, from_us));
    let (took, they) = join(we, they).await;
    they.unwrap();
    took - start
}

/// Gives when all of it had come.
async fn we_talk(ours: UtpStream, say: Arc<[u8]>, expected: Arc<[u8]>) -> Instant {
    let (mut reader, mut writer) = ours.split();
    let mut came = vec![0; LEN];
    let (written, read) = join(writer.write_all(&say), reader.read_exact(&mut came)).await;
    written.unwrap();
    read.unwrap();
    assert!(came == *expected, "it came to us otherwise than it is");
    let end = rt::now();
    assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
    writer.close().await.unwrap();
    end
}

async fn they_talk(theirs: Theirs, say: Arc<[u8]>, expected: Arc<[u8]>) {
    let (mut reader, mut writer) = theirs.split();
    let mut came = vec![0; LEN];
    let (written, read) = join(writer.write_all(&say), reader.read_exact(&mut came)).await;
    written.unwrap();
    read.unwrap();
    assert!(came == *expected, "it came to them otherwise than it is");
    // Nothing is to be read after that.
    writer.shutdown().await.unwrap();
}

/// A connection, and the sockets that it goes between: librqbit's is no more once it hears that nobody has the other port.
struct Ends {
    ours: UtpStream,
    theirs: Theirs,
    sockets: (UtpSocket, Arc<UtpSocketUdp>),
}

/// Makes a connection. Nothing is lost before it is made: librqbit sends its SYN once.
async fn connect(dialer: Dialer, lost_percent: u32) -> Ends {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let here = UtpSocket::bind(any).unwrap();
    here.listen();
    let opts = SocketOpts::default();
    let there = UtpSocketUdp::new_udp_with_opts(any, opts, UtpSocketUdpOpts::default());
    let there = there.await.unwrap();
    let (ours, theirs) = match dialer {
        Dialer::We => {
            let (ours, theirs) = join(here.connect(there.bind_addr()), there.accept()).await;
            (ours.unwrap(), theirs.unwrap())
        }
        Dialer::Librqbit => {
            let mut theirs = there.connect(here.local_addr()).await.unwrap();
            // Whoever was dialed knows of the connection by what comes next (BEP 29).
            theirs.write_all(b"!").await.unwrap();
            let (mut ours, _) = here.accept().await;
            ours.read_exact(&mut [0]).await.unwrap();
            (ours, theirs)
        }
    };
    if lost_percent > 0 {
        loopback::lose(lost_percent);
    }
    Ends {
        ours,
        theirs,
        sockets: (here, there),
    }
}

/// On tokio, which librqbit needs.
fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime
        .unwrap()
        .block_on(rt::timeout(LIMIT, future))
        .expect("it comes to its end in time")
}

const LEN: usize = 20 * MIB;
/// A slow machine with other work takes its time.
const LIMIT: Duration = Duration::from_secs(120);
