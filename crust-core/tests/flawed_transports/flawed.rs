//! The in-memory transport with one flaw.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker, ready},
};

use crust_core::{
    Addr, Connection, DialOpts, Incoming, Listener, MemoryTransport, Transport, TransportError,
    async_trait,
};
use futures::{
    AsyncRead, AsyncWrite, StreamExt,
    io::IoSlice,
    stream::{self, BoxStream},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    CloseForgets,
    CloseIsSilent,
    ClosesBothWays,
    CutsOffShortReads,
    DialsForEver,
    DropIsSilent,
    EndsWithListener,
    ChangesBytes,
    ForgetsAccepts,
    ForgetsReads,
    KeepsCancelledDials,
    KeepsListeners,
    ListenerEnds,
    MovesListeners,
    RefusesSchemes,
    ReversesSlices,
    SwapsAddresses,
    TakesEverything,
    WritesAfterReads,
}

#[derive(Clone)]
pub(crate) struct Flawed {
    inner: MemoryTransport,
    flaw: Flaw,
    /// What should have been dropped.
    kept: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
}

impl Flawed {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Self {
            inner: MemoryTransport::new(),
            flaw,
            kept: Arc::default(),
        }
    }

    fn keep<T: Send + 'static>(&self, kept: T) {
        self.kept.lock().unwrap().push(Box::new(kept));
    }

    fn wrap(&self, connection: Connection) -> (Connection, Slot) {
        let mut addrs = (
            connection.local_addr().clone(),
            connection.remote_addr().clone(),
        );
        let slot = Arc::new(Mutex::new(Some(connection)));
        if matches!(self.flaw, Flaw::DropIsSilent | Flaw::KeepsCancelledDials) {
            self.keep(slot.clone());
        }
        if self.flaw == Flaw::SwapsAddresses {
            addrs = (addrs.1, addrs.0);
        }
        let io = FlawedIo {
            slot: slot.clone(),
            flaw: self.flaw,
            unsent: Vec::new(),
            read_to_end: false,
            closed: false,
        };
        (Connection::new(io, addrs.0, addrs.1), slot)
    }

    fn stream(&self, listener: Listener) -> Incomings {
        let flawed = self.clone();
        let mut hostages = Hostages(Vec::new());
        let mut wrap = move |connection| {
            let (connection, slot) = flawed.wrap(connection);
            if flawed.flaw == Flaw::EndsWithListener {
                hostages.0.push(slot);
            }
            Ok(Incoming::ready(connection))
        };
        let accept =
            |incoming: Result<Incoming, TransportError>| async { incoming?.accept().await };
        listener
            .then(accept)
            .map(move |connection| wrap(connection?))
            .boxed()
    }
}

#[async_trait]
impl Transport for Flawed {
    fn schemes(&self) -> &[&'static str] {
        self.inner.schemes()
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        match self.inner.dial(addr, opts).await {
            Ok(connection) => {
                let (connection, _) = self.wrap(connection);
                give_way().await;
                Ok(connection)
            }
            Err(_) if self.flaw == Flaw::DialsForEver => std::future::pending().await,
            Err(_) if self.flaw == Flaw::RefusesSchemes => {
                Err(TransportError::Refused { addr: addr.clone() })
            }
            Err(error) => Err(error),
        }
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        let listener = match self.inner.listen(addr).await {
            Err(TransportError::InUse { .. }) if self.flaw == Flaw::MovesListeners => {
                self.inner.listen(&"memory://0".parse().unwrap()).await
            }
            other => other,
        };
        let listener = listener?;
        let local = listener.local_addr().clone();
        let mut incoming = self.stream(listener);
        Ok(match self.flaw {
            Flaw::ListenerEnds => Listener::new(local, incoming.take(1)),
            Flaw::ForgetsAccepts => {
                let forgetful = move |_: &mut Context<'_>| incoming.poll_next_unpin(&mut nobody());
                Listener::new(local, stream::poll_fn(forgetful))
            }
            Flaw::KeepsListeners => {
                let shared = Arc::new(Mutex::new(incoming));
                self.keep(shared.clone());
                let poll = move |cx: &mut Context<'_>| shared.lock().unwrap().poll_next_unpin(cx);
                Listener::new(local, stream::poll_fn(poll))
            }
            _ => Listener::new(local, incoming),
        })
    }
}

impl fmt::Debug for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flawed({:?})", self.flaw)
    }
}

type Incomings = BoxStream<'static, Result<Incoming, TransportError>>;

/// A connection that others than its owner can end, or keep from ending.
type Slot = Arc<Mutex<Option<Connection>>>;

/// Connections that end when this is dropped.
struct Hostages(Vec<Slot>);

impl Drop for Hostages {
    fn drop(&mut self) {
        for slot in &self.0 {
            slot.lock().unwrap().take();
        }
    }
}

struct FlawedIo {
    slot: Slot,
    flaw: Flaw,
    unsent: Vec<u8>,
    read_to_end: bool,
    closed: bool,
}

impl FlawedIo {
    fn with<T>(
        &self,
        poll: impl FnOnce(Pin<&mut Connection>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.slot.lock().unwrap() {
            Some(connection) => poll(Pin::new(connection)),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_cut_off(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut own = [0; 1000];
        let len = ready!(self.with(|inner| inner.poll_read(cx, &mut own)))?;
        let fits = len.min(buf.len());
        buf[..fits].copy_from_slice(&own[..fits]);
        Poll::Ready(Ok(fits))
    }
}

impl AsyncRead for FlawedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = ready!(match self.flaw {
            Flaw::CutsOffShortReads => self.poll_cut_off(cx, buf),
            Flaw::ForgetsReads => self.with(|inner| inner.poll_read(&mut nobody(), buf)),
            _ => self.with(|inner| inner.poll_read(cx, buf)),
        })?;
        self.read_to_end |= len == 0;
        if self.flaw == Flaw::ChangesBytes && len > 0 {
            buf[0] = buf[0].wrapping_add(1);
        }
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for FlawedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.flaw {
            Flaw::CloseForgets | Flaw::TakesEverything => {
                self.unsent.extend_from_slice(buf);
                Poll::Ready(Ok(buf.len()))
            }
            Flaw::WritesAfterReads if !self.read_to_end => Poll::Pending,
            _ => self.with(|inner| inner.poll_write(cx, buf)),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.flaw == Flaw::ReversesSlices {
            let reversed: Vec<_> = bufs.iter().rev().map(|buf| IoSlice::new(buf)).collect();
            return self.with(|inner| inner.poll_write_vectored(cx, &reversed));
        }
        self.with(|inner| inner.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.closed && !self.unsent.is_empty() {
            let len = ready!(self.with(|inner| inner.poll_write(cx, &self.unsent)))?;
            self.unsent.drain(..len);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        if self.flaw == Flaw::CloseIsSilent {
            return Poll::Ready(Ok(()));
        }
        ready!(self.with(|inner| inner.poll_close(cx)))?;
        if self.flaw == Flaw::ClosesBothWays {
            self.slot.lock().unwrap().take();
        }
        Poll::Ready(Ok(()))
    }
}

/// Lets everything else run once.
pub(crate) async fn give_way() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Whoever polls for nobody is never woken.
fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
