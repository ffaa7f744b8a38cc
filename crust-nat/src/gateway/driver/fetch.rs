//! One HTTP exchange with a gateway, within bounds of time and length.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use async_io::Async;
use crust_core::rt;
use futures::{AsyncReadExt, AsyncWriteExt};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::gateway::{
    failure::MappingFailure,
    upnp::{AnswerError, Request, Response, ResponseReader},
};

/// Sends `request` from the address `local`, and gives the response.
pub(crate) async fn fetch(
    local: IpAddr,
    request: &Request<'_>,
) -> Result<Response, MappingFailure> {
    let exchanged = rt::timeout(TIME_LIMIT, exchange(local, request)).await;
    exchanged.unwrap_or(Err(MappingFailure::Answer {
        source: AnswerError::TimedOut,
    }))
}

async fn exchange(local: IpAddr, request: &Request<'_>) -> Result<Response, MappingFailure> {
    let from_io = |error: io::Error| MappingFailure::from_io(&error);
    let unusable = |source| MappingFailure::Answer { source };
    let connected = connect(local, request.location.addr()).await;
    let mut stream = connected.map_err(from_io)?;
    stream.write_all(&request.encode()).await.map_err(from_io)?;
    let mut reader = ResponseReader::default();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let len = stream.read(&mut buffer).await.map_err(from_io)?;
        if len == 0 || reader.push(&buffer[..len]).map_err(unusable)? {
            return reader.finish().map_err(unusable);
        }
    }
}

/// From `local`, for gateways map ports for whoever asks.
async fn connect(local: IpAddr, remote: SocketAddr) -> io::Result<Async<TcpStream>> {
    let local = SocketAddr::new(local, 0);
    let socket = Socket::new(
        Domain::for_address(remote),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.bind(&local.into())?;
    socket.set_nonblocking(true)?;
    // Before it is registered: a socket that is not connecting yet says that it is writable.
    if let Err(error) = socket.connect(&remote.into())
        && !is_under_way(&error)
    {
        return Err(error);
    }
    let stream = Async::new_nonblocking(TcpStream::from(socket))?;
    stream.writable().await?;
    match stream.get_ref().take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

/// Windows says the latter.
fn is_under_way(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::INPROGRESS | Errno::WOULDBLOCK))
}

/// From the first byte to the last, connecting included; on one's own link, all of it takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(5);
const BUFFER_LEN: usize = 4_096;
