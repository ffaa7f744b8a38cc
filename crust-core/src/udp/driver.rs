//! The task of a port: receives and hands out.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{batch::Batch, shared::Shared};
use crate::rt;

/// The receiving half of a [`UdpPort`](super::UdpPort); its owner runs it as a task.
#[derive(Debug)]
#[must_use = "nothing is received before `run` is polled"]
pub struct UdpDriver {
    shared: Arc<Shared>,
    batch: Batch,
}

impl UdpDriver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            batch: Batch::new(),
        }
    }

    /// Receives for the protocols of the port until that is closed. No error of the socket is its last, and a new socket may
    /// follow.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the receiving for good; datagrams of one batch have all been handed out, or none.
    pub async fn run(mut self) {
        let mut batches = 0_u32;
        loop {
            match poll_fn(|cx| self.poll_receive(cx)).await {
                Ok(()) => self.deliver(),
                Err(_) if self.shared.socket().is_closed() => return,
                Err(error) => self.after(&error).await,
            }
            batches = batches.wrapping_add(1);
            if batches.is_multiple_of(YIELD_INTERVAL) {
                rt::yield_now().await;
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Held until the end, so that rebinding wakes this task or has happened before.
        let socket = self.shared.socket();
        loop {
            match socket.receive(&mut self.batch) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
            self.shared.receiver.register(cx.waker());
            ready!(socket.poll_readable(cx))?;
        }
    }

    fn deliver(&self) {
        let datagrams = self.batch.datagrams();
        let delivered = self.shared.protocols.deliver(rt::now(), datagrams);
        self.shared.count(&delivered);
    }

    async fn after(&self, error: &io::Error) {
        self.shared.count_error();
        if !is_about_a_datagram(error) {
            rt::sleep(ERROR_PAUSE).await;
        }
    }
}

/// Whether the system tells what became of an earlier datagram, so that the next call may well succeed.
fn is_about_a_datagram(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;

    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
    ) || quinn_udp::is_msg_size_err(error)
}

/// Batches received in a row before other tasks have their turn; some hundred microseconds.
const YIELD_INTERVAL: u32 = 8;
/// A socket that only fails does not take a core.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
