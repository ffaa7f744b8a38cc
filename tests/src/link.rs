//! A link between two nodes that a test slows down or cuts.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use async_io::Timer;
use crust::{
    Addr,
    core::{Connection, DialOpts, Listener, Transport, TransportError, async_trait},
};
use futures::{AsyncRead, AsyncWrite, FutureExt};

/// What a test does to the connections dialed over a [`LinkTransport`].
#[derive(Debug, Clone, Default)]
pub struct Link(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    /// Bytes a millisecond; 0 is no limit.
    rate: AtomicUsize,
    written: AtomicU64,
    /// Bytes that may pass still; without it there is no limit.
    allowed: Mutex<Allowance>,
    dials: AtomicU64,
    /// Writes until the cable is pulled, the last of which is lost; 0 where it stays.
    writes_left: AtomicUsize,
    /// Connections that one end has dropped after the cut: the other must not see it.
    held: Mutex<Vec<Connection>>,
}

#[derive(Debug, Default)]
struct Allowance {
    left: Option<usize>,
    writers: Vec<Waker>,
}

impl Link {
    /// Pulls the cable: what is written is lost, nothing is read, and no end hears that the other has gone.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::SeqCst);
    }

    /// Pulls the cable at the `nth` write from now on, which is lost.
    pub fn cut_at_write(&self, nth: usize) {
        self.0.writes_left.store(nth, Ordering::SeqCst);
    }

    /// Mends it for new connections; the old ones stay dead.
    pub fn mend(&self) {
        self.0.cut.store(false, Ordering::SeqCst);
    }

    /// Lets so many bytes through in a millisecond, and no more than that in one write.
    pub fn slow_down(&self, bytes_per_ms: usize) {
        self.0.rate.store(bytes_per_ms, Ordering::SeqCst);
    }

    /// Lets just so many bytes more through; what is written beyond them waits.
    pub fn allow(&self, bytes: usize) {
        let mut allowed = self.0.allowed.lock().expect("no holder panics");
        allowed.left = Some(bytes);
        allowed.writers.drain(..).for_each(Waker::wake);
    }

    /// Bytes written from the dialing side.
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::SeqCst)
    }

    /// Who holds this: one for each handle, transport and connection. For tests that nothing is left.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Connections dialed.
    pub fn dials(&self) -> u64 {
        self.0.dials.load(Ordering::SeqCst)
    }
}

/// Another transport, with a [`Link`] under each connection that is dialed.
#[derive(Debug)]
pub struct LinkTransport<T> {
    inner: T,
    link: Link,
}

impl<T: Transport> LinkTransport<T> {
    /// Puts `link` under what `inner` dials.
    pub const fn new(inner: T, link: Link) -> Self {
        Self { inner, link }
    }
}

#[async_trait]
impl<T: Transport> Transport for LinkTransport<T> {
    fn schemes(&self) -> &[&'static str] {
        self.inner.schemes()
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        let connection = self.inner.dial(addr, opts).await?;
        self.link.0.dials.fetch_add(1, Ordering::SeqCst);
        let (local, remote) = (
            connection.local_addr().clone(),
            connection.remote_addr().clone(),
        );
        let stream = Stream {
            connection: Some(connection),
            state: self.link.0.clone(),
            pause: None,
            dead: false,
        };
        Ok(Connection::new(stream, local, remote))
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        self.inner.listen(addr).await
    }
}

impl State {
    /// How many bytes may be written now.
    fn poll_allowed(&self, cx: &Context<'_>) -> Poll<usize> {
        let mut allowed = self.allowed.lock().expect("no holder panics");
        if allowed.left == Some(0) {
            allowed.writers.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(allowed.left.unwrap_or(usize::MAX))
    }

    fn on_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::SeqCst);
        let mut allowed = self.allowed.lock().expect("no holder panics");
        allowed.left = allowed.left.map(|left| left.saturating_sub(bytes));
    }
}

struct Stream {
    connection: Option<Connection>,
    state: Arc<State>,
    pause: Option<Timer>,
    dead: bool,
}

impl Stream {
    fn is_dead(&mut self) -> bool {
        self.dead |= self.state.cut.load(Ordering::SeqCst);
        self.dead
    }

    fn connection(&mut self) -> Pin<&mut Connection> {
        Pin::new(self.connection.as_mut().expect("taken on drop alone"))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_dead() {
            return Poll::Pending;
        }
        self.connection().poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let counting = |left: usize| left.checked_sub(1);
        let left = &self.state.writes_left;
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counting) == Ok(1) {
            self.state.cut.store(true, Ordering::SeqCst);
        }
        if self.is_dead() {
            return Poll::Ready(Ok(buf.len()));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.poll_unpin(cx));
            self.pause = None;
        }
        let rate = self.state.rate.load(Ordering::SeqCst);
        let most = if rate == 0 { buf.len() } else { rate };
        let most = ready!(self.state.poll_allowed(cx)).min(most);
        let buf = &buf[..buf.len().min(most)];
        let written = ready!(self.connection().poll_write(cx, buf))?;
        self.state.on_written(written);
        if rate != 0 {
            self.pause = Some(Timer::after(Duration::from_millis(1)));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Ready(Ok(()));
        }
        self.connection().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Ready(Ok(()));
        }
        self.connection().poll_close(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_dead()
            && let Some(connection) = self.connection.take()
        {
            let mut held = self.state.held.lock().expect("no holder panics");
            held.push(connection);
        }
    }
}
