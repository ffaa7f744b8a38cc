//! Reads one socket, and does not let a flood take the machine.

use std::{io::ErrorKind, net::UdpSocket, sync::Arc, time::Duration};

use async_io::Async;
use crust_core::rt;
use tracing::debug;

use crate::{shared::Shared, wire::MAX_DATAGRAM};

/// Reads `socket` of `link` until it is dropped.
pub(crate) async fn read(shared: Arc<Shared>, link: u32, socket: Arc<Async<UdpSocket>>) {
    loop {
        let is_readable = socket.readable().await;
        match is_readable.and_then(|()| read_batch(&shared, link, socket.get_ref())) {
            Ok(count) if count < BUSY => {}
            Ok(_) => rt::sleep(PAUSE).await,
            Err(error) => {
                debug!(link, %error, "socket not read");
                rt::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

/// Takes what is there, [`BATCH`] datagrams at most, and gives their number.
fn read_batch(shared: &Shared, link: u32, socket: &UdpSocket) -> std::io::Result<usize> {
    // One byte more, so that a datagram that is too long shows.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    for count in 0..BATCH {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => shared.receive(link, from, &mut buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
            // Windows tells so what became of a datagram sent before, or that one was longer than the buffer.
            Err(_) if cfg!(windows) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(BATCH)
}

/// More than an honest LAN sends at a time. From so many on, the socket is left alone for [`PAUSE`]: a wake-up for each
/// datagram would cost ten times what the datagram does.
const BUSY: usize = 8;
/// Far below the delay of an answer, and not long enough for a flood of 50,000 a second to fill the buffer.
const PAUSE: Duration = Duration::from_millis(5);
/// With [`PAUSE`], some 50,000 datagrams a second are looked at; the system drops the rest.
const BATCH: usize = 256;
/// An interface that went away is noticed within a second.
const ERROR_PAUSE: Duration = Duration::from_millis(100);
