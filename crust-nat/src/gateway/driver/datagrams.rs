//! The task of a client by NAT-PMP or PCP.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use async_io::Async;
use crust_core::rt;

use super::{
    shared::{Order, Station},
    wake::{Woken, wake},
};
use crate::gateway::{
    client::{Client, Output},
    dialect::Dialect,
    event::Event,
    failure::MappingFailure,
    retry::{Retry, RetryKind},
};

/// Runs a client until it is closed and its mappings are deleted. `make` makes it anew where there was no socket for it.
pub(crate) async fn run<D: Dialect>(mut station: Station, make: impl Fn() -> Client<D>) {
    let mut retry = Retry::default();
    loop {
        match connect(&station) {
            Ok(socket) => return serve(station, make(), &socket).await,
            Err(error) => station.tell(Event::Failed(MappingFailure::from_io(&error))),
        }
        let at = rt::now() + retry.next(RetryKind::Absent);
        while !matches!(
            wake(std::future::pending::<()>(), &station.notify, Some(at)).await,
            Woken::TimedOut
        ) {
            let orders = station.orders();
            if orders.iter().any(|order| matches!(order, Order::Close)) {
                return;
            }
        }
    }
}

/// A connected socket has the system drop what others send, and tell of closed ports.
fn connect(station: &Station) -> io::Result<Async<UdpSocket>> {
    let gateway = &station.id.gateway;
    let socket = Async::<UdpSocket>::bind(SocketAddr::new(gateway.local, 0))?;
    let server = gateway.socket_addr(gateway.mapping_port);
    socket.get_ref().connect(server)?;
    Ok(socket)
}

async fn serve<D: Dialect>(mut station: Station, mut client: Client<D>, socket: &Async<UdpSocket>) {
    let gateway = station.id.gateway;
    let server = gateway.socket_addr(gateway.mapping_port);
    // One byte more than the longest, so that a longer one is no answer.
    let mut buffer = [0; MAX_LEN + 1];
    loop {
        obey(&mut client, &mut station);
        drain(&mut client, &station, socket);
        if client.is_done() {
            return;
        }
        let at = client.poll_timeout(rt::now());
        match wake(socket.recv(&mut buffer), &station.notify, at).await {
            Woken::Done(Ok(len)) => {
                client.handle_datagram(rt::now(), server, &buffer[..len]);
            }
            Woken::Done(Err(error)) => {
                client.handle_failure(rt::now(), MappingFailure::from_io(&error));
                rt::yield_now().await;
            }
            Woken::Noticed => {}
            Woken::TimedOut => client.handle_timeout(rt::now()),
        }
    }
}

fn obey<D: Dialect>(client: &mut Client<D>, station: &mut Station) {
    let now = rt::now();
    for order in station.orders() {
        match order {
            Order::Check => client.check(now),
            Order::Close => client.close(now),
            Order::Unwant(request) => client.unwant(now, request.port),
            Order::Want(request) => client.want(now, &request),
        }
    }
}

/// Does what the client wants done.
fn drain<D: Dialect>(client: &mut Client<D>, station: &Station, socket: &Async<UdpSocket>) {
    while let Some(output) = client.poll_output() {
        match output {
            Output::Event(event) => station.tell(event),
            Output::Transmit(bytes) => match socket.get_ref().send(&bytes) {
                // As if it were lost on its way.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    client.handle_failure(rt::now(), MappingFailure::from_io(&error));
                }
            },
        }
    }
}

/// RFC 6887 §7.
const MAX_LEN: usize = 1_100;
