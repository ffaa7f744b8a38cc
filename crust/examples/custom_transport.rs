//! A transport of one's own against `crust-core` alone, Unix sockets at `unix://PATH`, and two nodes that meet over it.

#[cfg(unix)]
pub(crate) mod unix {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::task::{Context as Cx, Poll};
    use std::{fs, io, net::Shutdown, path::PathBuf, pin::Pin};

    use async_io::Async;
    use crust_core::{Addr, Connection, DialOpts, Incoming, Listener, Transport, TransportError};
    use futures::io::{AsyncRead, AsyncWrite};

    #[derive(Debug)]
    pub(crate) struct UnixTransport;

    #[crust_core::async_trait]
    impl Transport for UnixTransport {
        fn schemes(&self) -> &[&'static str] {
            &["unix"]
        }

        async fn dial(&self, addr: &Addr, _: &DialOpts) -> Result<Connection, TransportError> {
            let dialed = Async::<UnixStream>::connect(path(addr)?).await;
            let io = dialed.map_err(|error| TransportError::from_io(addr, error))?;
            Ok(Connection::new(Stream(io), unnamed(), addr.clone()))
        }

        async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
            let bound = Async::<UnixListener>::bind(path(addr)?);
            let io = bound.map_err(|error| TransportError::from_io(addr, error))?;
            let bound = Bound(addr.clone(), io);
            Ok(Listener::from_accept(addr.clone(), bound, accept))
        }
    }

    async fn accept(bound: Bound) -> (Bound, Result<Incoming, TransportError>) {
        let incoming = match bound.1.accept().await {
            Ok((io, _)) => Ok(Connection::new(Stream(io), bound.0.clone(), unnamed())),
            Err(error) => Err(TransportError::from_io(&bound.0, error)),
        };
        (bound, incoming.map(Incoming::ready))
    }

    /// A listening socket; its file goes with it.
    struct Bound(Addr, Async<UnixListener>);
    impl Drop for Bound {
        fn drop(&mut self) {
            let _ = fs::remove_file(self.0.body());
        }
    }

    /// The end that dialed has no name.
    fn unnamed() -> Addr {
        "unix://unnamed".parse().expect("it is an address")
    }

    fn path(addr: &Addr) -> Result<PathBuf, TransportError> {
        match addr.scheme() {
            "unix" => Ok(addr.body().into()),
            _ => Err(TransportError::Unsupported { addr: addr.clone() }),
        }
    }

    /// The socket's own stream, but for the close: it ends this direction and leaves the other.
    struct Stream(Async<UnixStream>);
    type IoPoll<T> = Poll<io::Result<T>>;

    impl AsyncRead for Stream {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Cx<'_>, buf: &mut [u8]) -> IoPoll<usize> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Stream {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Cx<'_>, buf: &[u8]) -> IoPoll<usize> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> IoPoll<()> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Cx<'_>) -> IoPoll<()> {
            Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(unix)]
    crust::rt::block_on(async {
        let path = std::env::temp_dir().join(format!("crust-{}", std::process::id()));
        let addr: crust::Addr = format!("unix://{}", path.display()).parse()?;
        let node = || crust::Node::builder().transport(unix::UnixTransport);
        let bob = node().listen(addr.clone()).start().await?;
        let session = node().dial_only().start().await?.connect(addr).await?;
        assert_eq!(session.peer(), bob.id());
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    Ok(())
}
