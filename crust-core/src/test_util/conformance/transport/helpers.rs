//! What several laws do.

use std::{future::poll_fn, io, task::Poll, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::try_join};

use super::Subject;
use crate::{
    Addr, Connection, Incoming, Listener, TransportError,
    conformance::{Violation, broken, ensure},
    rt::{self, Task},
};

/// Both ends of a new connection, and the listener that took it.
pub(super) struct Pair {
    pub(super) dialed: Connection,
    pub(super) accepted: Connection,
    pub(super) listener: Listener,
}

impl Pair {
    pub(super) async fn new(subject: &Subject) -> Result<Self, Violation> {
        let mut listener = subject.listen().await?;
        let addr = listener.local_addr().clone();
        let (dialed, accepted) = connect(subject, &addr, &mut listener).await?;
        Ok(Self {
            dialed,
            accepted,
            listener,
        })
    }

    /// Both orders: what holds for the dialing end holds for the other.
    pub(super) async fn both_orders(
        subject: &Subject,
    ) -> Result<[(Connection, Connection); 2], Violation> {
        let first = Self::new(subject).await?;
        let second = Self::new(subject).await?;
        Ok([
            (first.dialed, first.accepted),
            (second.accepted, second.dialed),
        ])
    }
}

/// Dials `addr` and accepts the dial.
pub(super) async fn connect(
    subject: &Subject,
    addr: &Addr,
    listener: &mut Listener,
) -> Result<(Connection, Connection), Violation> {
    let dial = async { Ok(subject.dial(addr).await?) };
    try_join(dial, accept(listener)).await
}

/// Takes the next connection.
pub(super) async fn accept(listener: &mut Listener) -> Result<Connection, Violation> {
    Ok(next(listener).await?.accept().await?)
}

/// Waits for the next dial.
pub(super) async fn next(listener: &mut Listener) -> Result<Incoming, Violation> {
    match listener.next().await {
        Some(incoming) => Ok(incoming?),
        None => Err(broken("the listener's stream ended")),
    }
}

/// Accepts all that come, each in its own task, and sends back to each what it sends.
pub(super) fn serve(mut listener: Listener) -> Task<Violation> {
    rt::spawn(async move {
        let mut echoes = Vec::new();
        loop {
            match next(&mut listener).await {
                Ok(incoming) => echoes.push(rt::spawn(async move {
                    if let Ok(connection) = incoming.accept().await {
                        let _ = echo(connection).await;
                    }
                })),
                Err(violation) => return violation,
            }
        }
    })
}

/// Sends back what comes until the far end closes, then closes.
pub(super) async fn echo(mut connection: Connection) -> io::Result<()> {
    let mut buf = vec![0; 16 * 1024];
    loop {
        let len = connection.read(&mut buf).await?;
        if len == 0 {
            return connection.close().await;
        }
        connection.write_all(&buf[..len]).await?;
        connection.flush().await?;
    }
}

/// Sends `bytes` to an echo and wants them back.
pub(super) async fn round_trip(connection: &mut Connection, bytes: &[u8]) -> Result<(), Violation> {
    connection.write_all(bytes).await?;
    connection.flush().await?;
    let mut back = vec![0; bytes.len()];
    connection.read_exact(&mut back).await?;
    same(bytes, &back)
}

/// Reads until the far end's end.
pub(super) async fn read_all(connection: &mut Connection) -> Result<Vec<u8>, Violation> {
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// `sent` is what arrived.
pub(super) fn same(sent: &[u8], arrived: &[u8]) -> Result<(), Violation> {
    ensure(sent.len() == arrived.len(), || {
        format!(
            "{} bytes were sent and {} arrived",
            sent.len(),
            arrived.len()
        )
    })?;
    match sent.iter().zip(arrived).position(|(a, b)| a != b) {
        Some(at) => Err(broken(format!(
            "byte {at} of {} arrived changed",
            sent.len()
        ))),
        None => Ok(()),
    }
}

/// `len` bytes in which any displacement shows.
pub(super) fn pattern(len: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Writes until there is no more room, and says how many bytes it took.
pub(super) async fn fill(connection: &mut Connection) -> Result<usize, Violation> {
    let chunk = pattern(CHUNK, 0);
    let mut total = 0;
    loop {
        let at = total % CHUNK;
        match rt::timeout(FULL_AFTER, connection.write(&chunk[at..])).await {
            Ok(written) => total += written?,
            Err(_) => return Ok(total),
        }
        ensure(total <= MOST_BUFFERED, || {
            format!("it took {total} bytes that nobody reads")
        })?;
    }
}

/// Lets everything else run once.
pub(super) async fn give_way() {
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

/// What `attempt` gives once it does what it should, tried for [`PROMPTLY`].
pub(super) async fn soon<T, A>(attempt: A, otherwise: &'static str) -> Result<T, Violation>
where
    A: AsyncFn() -> Result<Option<T>, TransportError>,
{
    let give_up = rt::now() + PROMPTLY;
    while rt::now() < give_up {
        if let Some(output) = attempt().await? {
            return Ok(output);
        }
        rt::sleep(Duration::from_millis(5)).await;
    }
    Err(broken(otherwise))
}

pub(super) const CHUNK: usize = 64 * 1024;

/// A write that waits this long will wait until somebody reads: on loopback nothing else takes so long.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// Both kernels' socket buffers at their largest (Linux: 6 MiB to read, 4 MiB to write) several times over.
const MOST_BUFFERED: usize = 64 * 1024 * 1024;

/// A driver task may have to run first before an address is free.
const PROMPTLY: Duration = Duration::from_secs(1);
