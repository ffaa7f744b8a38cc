//! STUN and uTP on one port.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::time::Duration;

use crust_core::rt;
use crust_nat::stun::{Stun, StunConfig};
use crust_utp::UtpSocket;
use futures::{
    AsyncReadExt, AsyncWriteExt,
    future::{join, join3},
};

/// A port that speaks both.
fn both() -> (UtpSocket, Stun) {
    let utp = UtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let stun = Stun::new(utp.port(), StunConfig::default()).unwrap();
    (utp, stun)
}

#[test]
fn stream_and_bindings_between_the_same_ports_disturb_each_other_not() {
    let ((here, stun), (there, _stun)) = (both(), both());
    there.listen();
    let sent: Vec<u8> = (0..LEN).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let mut came = Vec::new();
    let all = async {
        let (dialed, (mut accepted, _)) =
            join(here.connect(there.local_addr()), there.accept()).await;
        let mut dialed = dialed.unwrap();
        let write = async {
            dialed.write_all(&sent).await.unwrap();
            dialed.close().await.unwrap();
        };
        let ask = async {
            for _ in 0..BINDINGS {
                let binding = stun.binding(there.local_addr()).await.unwrap();
                assert_eq!(binding.observed_addr, here.local_addr());
            }
        };
        let (_, read, ()) = join3(write, accepted.read_to_end(&mut came), ask).await;
        read.unwrap();
    };
    rt::block_on(rt::timeout(LIMIT, all)).expect("it ends in time");
    assert!(came == sent, "{} bytes came", came.len());
}

const LEN: usize = 1024 * 1024;
/// Less than are answered in a second.
const BINDINGS: usize = 50;
/// A slow machine with other work takes its time.
const LIMIT: Duration = Duration::from_secs(60);
