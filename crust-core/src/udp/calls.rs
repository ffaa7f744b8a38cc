//! The system calls that move datagrams: many at a time, or one by one where the network stack is too plain for that.

use std::{
    io::{self, IoSliceMut},
    net::UdpSocket,
};

use async_io::Async;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};

/// How a socket sends and receives.
#[derive(Debug)]
pub(super) enum Calls {
    Batched(UdpSocketState),
    /// Without marks, local addresses and don't-fragment. Wine's IPv4 sockets and some sandboxes offer no more.
    Plain,
}

impl Calls {
    /// Sets what batches need on `socket`.
    pub(super) fn prepare(socket: &Async<UdpSocket>) -> Self {
        UdpSocketState::new(socket.into()).map_or(Self::Plain, Self::Batched)
    }

    pub(super) fn max_gso_segments(&self) -> usize {
        match self {
            Self::Batched(state) => state.max_gso_segments(),
            Self::Plain => 1,
        }
    }

    pub(super) fn send(
        &self,
        socket: &Async<UdpSocket>,
        transmit: &Transmit<'_>,
    ) -> io::Result<()> {
        let Self::Batched(state) = self else {
            let sent = socket
                .get_ref()
                .send_to(transmit.contents, transmit.destination);
            return sent.map(|_| ());
        };
        state.try_send(socket.into(), transmit)
    }

    /// Fills `buffers`, and tells how many.
    pub(super) fn receive(
        &self,
        socket: &Async<UdpSocket>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        let Self::Batched(state) = self else {
            let (len, from) = socket.get_ref().recv_from(&mut buffers[0])?;
            let mut meta = RecvMeta::default();
            (meta.addr, meta.len, meta.stride) = (from, len, len);
            metas[0] = meta;
            return Ok(1);
        };
        state.recv(socket.into(), buffers, metas)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{rt, udp::batch::Batch};

    #[test]
    fn plain_stack_moves_datagrams_too() {
        let socket = Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let local = socket.get_ref().local_addr().unwrap();
        for contents in [&b""[..], b"plain"] {
            let transmit = Transmit {
                destination: local,
                ecn: None,
                contents,
                segment_size: None,
                src_ip: None,
            };
            Calls::Plain.send(&socket, &transmit).unwrap();
        }
        let mut batch = Batch::new();
        for expected in [&b""[..], b"plain"] {
            rt::block_on(socket.readable()).unwrap();
            let receive = |buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]| {
                Calls::Plain.receive(&socket, buffers, metas)
            };
            batch.fill(receive).unwrap();
            let datagrams: Vec<_> = batch.datagrams().map(|it| (it.from, it.data)).collect();
            assert_eq!(datagrams, [(local, expected)]);
        }
    }
}
