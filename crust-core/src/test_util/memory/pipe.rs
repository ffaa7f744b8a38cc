//! Two bounded pipes, one for each direction of a connection.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::io::{AsyncRead, AsyncWrite, IoSlice};

/// One end of a connection.
pub(super) struct Duplex {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

impl Duplex {
    /// Both ends of a connection that holds `capacity` bytes each way.
    pub(super) fn pair(capacity: usize) -> (Self, Self) {
        let there = Arc::new(Mutex::new(Pipe::new(capacity)));
        let back = Arc::new(Mutex::new(Pipe::new(capacity)));
        let near = Self {
            incoming: back.clone(),
            outgoing: there.clone(),
        };
        let far = Self {
            incoming: there,
            outgoing: back,
        };
        (near, far)
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        with(&self.incoming, |pipe| pipe.poll_read(cx, buf))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        with(&self.outgoing, |pipe| {
            pipe.poll_write(cx, &[IoSlice::new(buf)])
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with(&self.outgoing, |pipe| pipe.poll_write(cx, bufs))
    }

    /// What is written is at the far end already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        with(&self.outgoing, |pipe| pipe.end(State::Closed));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        with(&self.outgoing, |pipe| pipe.end(State::Reset));
        with(&self.incoming, Pipe::abandon);
    }
}

/// One direction: bytes between a writer and a reader.
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    state: State,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// To be woken, or only dropped, once the lock is released: both may run code that wants it.
    woken: [Option<Waker>; 2],
    stale: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Both ends are there.
    Open,
    /// The writer is done; what it wrote can still be read.
    Closed,
    /// The writer is gone and did not close, or the reader is gone.
    Reset,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            capacity,
            state: State::Open,
            reader: None,
            writer: None,
            woken: [None, None],
            stale: None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if !self.bytes.is_empty() {
            let len = self.take(buf);
            self.wake_writer();
            return Poll::Ready(Ok(len));
        }
        match self.state {
            State::Open => {
                self.stale = self.reader.replace(cx.waker().clone());
                Poll::Pending
            }
            State::Closed => Poll::Ready(Ok(0)),
            State::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.state != State::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if self.bytes.len() == self.capacity {
            self.stale = self.writer.replace(cx.waker().clone());
            return Poll::Pending;
        }
        let len = self.put(bufs);
        self.wake_reader();
        Poll::Ready(Ok(len))
    }

    /// The writer closed, or went without that. Neither undoes the other, whichever was first.
    fn end(&mut self, state: State) {
        if self.state != State::Open {
            return;
        }
        self.state = state;
        if state == State::Reset {
            self.bytes = VecDeque::new();
        }
        self.wake_reader();
        self.wake_writer();
    }

    /// The reader is gone: nobody will read what there is, and the writer should know.
    fn abandon(&mut self) {
        self.bytes = VecDeque::new();
        self.state = State::Reset;
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        self.woken[0] = self.reader.take();
    }

    fn wake_writer(&mut self) {
        self.woken[1] = self.writer.take();
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let (front, back) = self.bytes.as_slices();
        let from_front = front.len().min(buf.len());
        buf[..from_front].copy_from_slice(&front[..from_front]);
        let from_back = back.len().min(buf.len() - from_front);
        buf[from_front..from_front + from_back].copy_from_slice(&back[..from_back]);
        self.bytes.drain(..from_front + from_back);
        from_front + from_back
    }

    fn put(&mut self, bufs: &[IoSlice<'_>]) -> usize {
        let before = self.bytes.len();
        for buf in bufs {
            let room = self.capacity - self.bytes.len();
            self.bytes.extend(&buf[..buf.len().min(room)]);
        }
        self.bytes.len() - before
    }
}

/// No holder of the lock panics, and what it guards is whole after each line.
fn with<T>(pipe: &Mutex<Pipe>, change: impl FnOnce(&mut Pipe) -> T) -> T {
    let mut locked = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    let output = change(&mut locked);
    let (woken, stale) = (std::mem::take(&mut locked.woken), locked.stale.take());
    drop(locked);
    woken.into_iter().flatten().for_each(Waker::wake);
    drop(stale);
    output
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, poll};

    use super::*;
    use crate::rt::block_on;

    #[test]
    fn direction_holds_its_capacity_and_no_more() {
        let (mut near, mut far) = Duplex::pair(10);
        block_on(async {
            assert_eq!(near.write(&[1; 7]).await.unwrap(), 7);
            assert_eq!(near.write(&[2; 7]).await.unwrap(), 3);
            let mut third = near.write(&[3; 7]);
            assert!(poll!(&mut third).is_pending());
            assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 4);
            assert_eq!(third.await.unwrap(), 4);
        });
    }

    #[test]
    fn vectored_write_fills_what_room_there_is() {
        let (mut near, mut far) = Duplex::pair(5);
        let bufs = [
            IoSlice::new(b"abc"),
            IoSlice::new(b""),
            IoSlice::new(b"defg"),
        ];
        block_on(async {
            assert_eq!(near.write_vectored(&bufs).await.unwrap(), 5);
            near.close().await.unwrap();
            let mut text = String::new();
            far.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "abcde");
        });
    }

    #[test]
    fn dropped_end_loses_what_was_not_read() {
        let (mut near, mut far) = Duplex::pair(10);
        block_on(async {
            near.write_all(b"lost").await.unwrap();
            drop(near);
            let error = far.read(&mut [0; 4]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            let error = far.write(b"late").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn closed_then_dropped_end_loses_nothing() {
        let (mut near, mut far) = Duplex::pair(10);
        block_on(async {
            near.write_all(b"kept").await.unwrap();
            near.close().await.unwrap();
            drop(near);
            let mut bytes = Vec::new();
            far.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes, b"kept");
        });
    }

    #[test]
    fn dropped_reader_wakes_a_waiting_writer() {
        let (mut near, far) = Duplex::pair(1);
        block_on(async {
            near.write_all(b"1").await.unwrap();
            let mut write = near.write(b"2");
            assert!(poll!(&mut write).is_pending());
            drop(far);
            assert!(write.now_or_never().unwrap().is_err());
        });
    }
}
