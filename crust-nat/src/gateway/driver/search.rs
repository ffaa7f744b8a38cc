//! A search for a gateway's UPnP device.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    time::Duration,
};

use async_io::Async;
use crust_core::rt;
use futures::future::{Either, select};
use socket2::{Domain, Protocol, Socket, Type};

use crate::gateway::{
    address::Gateway,
    failure::MappingFailure,
    upnp::{Location, SEARCH_TARGETS, admit, search},
};

/// Where `gateway` says that its description is.
///
/// It is asked by multicast as UPnP wants it, and by unicast for those that a switch keeps multicast from.
pub(crate) async fn find_location(gateway: &Gateway) -> Result<Location, MappingFailure> {
    let socket = bind(gateway).map_err(|error| MappingFailure::from_io(&error))?;
    let ask = async {
        for pause in PAUSES {
            send_all(gateway, &socket);
            rt::sleep(pause).await;
        }
    };
    let mut refusal = MappingFailure::NoAnswer;
    let hear = async {
        let mut buffer = [0; MAX_LEN];
        loop {
            // Whoever floods the port must not keep the clock from being looked at.
            rt::yield_now().await;
            let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
                // It tells of an earlier datagram, that nobody was there.
                rt::sleep(ERROR_PAUSE).await;
                continue;
            };
            match admit(gateway, from, &buffer[..len]) {
                Ok(location) => return location,
                Err(source) if from.ip() == gateway.addr => {
                    refusal = MappingFailure::Answer { source };
                }
                // Other devices on the LAN.
                Err(_) => {}
            }
        }
    };
    let found = match select(std::pin::pin!(ask), std::pin::pin!(hear)).await {
        Either::Right((location, _)) => Some(location),
        Either::Left(_) => None,
    };
    found.ok_or(refusal)
}

fn bind(gateway: &Gateway) -> io::Result<Async<UdpSocket>> {
    let local = SocketAddr::new(gateway.local, 0);
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    match gateway.local {
        IpAddr::V4(ip) => {
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_ttl_v4(MULTICAST_TTL)?;
        }
        IpAddr::V6(_) => socket.set_multicast_if_v6(gateway.scope_id)?,
    }
    socket.bind(&local.into())?;
    socket.set_nonblocking(true)?;
    Async::new(socket.into())
}

/// What is not sent is as if it were lost; it is sent again.
fn send_all(gateway: &Gateway, socket: &Async<UdpSocket>) {
    let group = match gateway.local {
        IpAddr::V4(_) => SocketAddr::from((GROUP_V4, gateway.ssdp_port)),
        IpAddr::V6(_) => SocketAddrV6::new(GROUP_V6, gateway.ssdp_port, 0, gateway.scope_id).into(),
    };
    for to in [group, gateway.socket_addr(gateway.ssdp_port)] {
        for target in SEARCH_TARGETS {
            let _ = socket.get_ref().send_to(&search(to, target), to);
        }
    }
}

/// UDA 1.1 §1.3.2.
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// Link-local scope (UDA 1.1 annex A).
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
/// UDA 1.1 §1.3.2.
const MULTICAST_TTL: u32 = 2;
/// Devices answer within the second of `MX: 1`; two seconds in all.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(500),
    Duration::from_millis(1_200),
];
/// Longer answers have no more to say.
const MAX_LEN: usize = 2_048;
const ERROR_PAUSE: Duration = Duration::from_millis(50);
