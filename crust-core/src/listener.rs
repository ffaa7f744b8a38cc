//! A bound address that takes connections.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    future::BoxFuture,
    stream::{self, BoxStream, Stream, StreamExt},
};

use crate::{Addr, Connection, TransportError, rt};

/// A bound address that takes connections: a stream of [`Incoming`] that never ends by itself.
///
/// An error it yields is about one connection, or about the moment (no file descriptors left); the next poll goes on.
/// Dropping it frees the address.
pub struct Listener {
    local: Addr,
    incoming: BoxStream<'static, Result<Incoming, TransportError>>,
}

impl Listener {
    /// Makes a listener of an `accept` function that owns its state and hands it back.
    ///
    /// The right way to write one: the state lives inside the running future, so no wake-up is lost between polls.
    /// After an error the next `accept` waits, from 5 ms doubling to 1 s while errors follow one another, so that a
    /// process out of file descriptors does not spin.
    pub fn from_accept<S, F, Fut>(local: Addr, state: S, accept: F) -> Self
    where
        S: Send + 'static,
        F: FnMut(S) -> Fut + Send + 'static,
        Fut: Future<Output = (S, Result<Incoming, TransportError>)> + Send + 'static,
    {
        let start = (state, accept, Duration::ZERO);
        let incoming = stream::unfold(start, |(state, mut accept, pause)| async move {
            if !pause.is_zero() {
                rt::sleep(pause).await;
            }
            let (state, result) = accept(state).await;
            let pause = if result.is_ok() {
                Duration::ZERO
            } else {
                longer(pause)
            };
            Some((result, (state, accept, pause)))
        });
        Self::new(local, incoming)
    }

    /// Wraps a stream that must keep what the type promises.
    pub fn new<S>(local: Addr, incoming: S) -> Self
    where
        S: Stream<Item = Result<Incoming, TransportError>> + Send + 'static,
    {
        Self {
            local,
            incoming: incoming.boxed(),
        }
    }

    /// The bound address, with the port that was given where port 0 was asked for.
    pub fn local_addr(&self) -> &Addr {
        &self.local
    }
}

impl Stream for Listener {
    type Item = Result<Incoming, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.local)
    }
}

/// Somebody who dialed us: accept it or drop it.
///
/// Looking at the address and dropping costs nothing; what the transport still has to exchange with the far end
/// happens in [`Incoming::accept`], which belongs in a task of its own.
pub struct Incoming {
    local: Addr,
    remote: Addr,
    accept: BoxFuture<'static, Result<Connection, TransportError>>,
}

impl Incoming {
    /// One that needs work before it is a connection.
    pub fn new<F>(local: Addr, remote: Addr, accept: F) -> Self
    where
        F: Future<Output = Result<Connection, TransportError>> + Send + 'static,
    {
        Self {
            local,
            remote,
            accept: Box::pin(accept),
        }
    }

    /// One that is a connection already.
    pub fn ready(connection: Connection) -> Self {
        let (local, remote) = (
            connection.local_addr().clone(),
            connection.remote_addr().clone(),
        );
        Self::new(local, remote, std::future::ready(Ok(connection)))
    }

    /// The address that was dialed.
    pub fn local_addr(&self) -> &Addr {
        &self.local
    }

    /// The address it comes from.
    pub fn remote_addr(&self) -> &Addr {
        &self.remote
    }

    /// Takes the connection.
    ///
    /// # Errors
    ///
    /// What the transport met on the way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub async fn accept(self) -> Result<Connection, TransportError> {
        self.accept.await
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({} <- {})", self.local, self.remote)
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE)
}

/// Short enough that one aborted connection delays nobody noticeably.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// What polling once a second costs is nothing; descriptors may come back at any time.
const LAST_PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Listener {
        let addr: Addr = "test://x".parse().unwrap();
        Listener::from_accept(addr.clone(), 0_u32, move |count| {
            let addr = addr.clone();
            async move { (count + 1, Err(TransportError::Refused { addr })) }
        })
    }

    #[test]
    fn errors_in_a_row_do_not_spin() {
        let mut listener = failing();
        let mut errors = 0;
        let _ = rt::block_on(rt::timeout(Duration::from_millis(300), async {
            while listener.next().await.is_some() {
                errors += 1;
            }
        }));
        assert!((2..=7).contains(&errors), "{errors} errors in 300 ms");
    }

    #[test]
    fn pause_grows_to_a_second() {
        let pauses: Vec<_> =
            std::iter::successors(Some(longer(Duration::ZERO)), |pause| Some(longer(*pause)))
                .take(10)
                .collect();
        assert_eq!((pauses[0], pauses[9]), (FIRST_PAUSE, LAST_PAUSE));
    }
}
