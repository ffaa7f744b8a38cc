//! Lets a single datagram be taken apart on its way, where the system has a way for that.

use std::{io, net::UdpSocket};

/// Lets what `socket` sends be fragmented from now on: by routers (IPv4), or here, to what the system knows of the path.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn allow(socket: &UdpSocket, is_v6: bool) -> io::Result<()> {
    set(
        socket,
        is_v6,
        sockopt::Ipv4PathMtuDiscovery::DONT,
        sockopt::Ipv6PathMtuDiscovery::DONT,
    )
}

/// Sends whole datagrams or none from now on, whatever the system holds the path to take: as `quinn-udp` prepares sockets.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn forbid(socket: &UdpSocket, is_v6: bool) -> io::Result<()> {
    set(
        socket,
        is_v6,
        sockopt::Ipv4PathMtuDiscovery::PROBE,
        sockopt::Ipv6PathMtuDiscovery::PROBE,
    )
}

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::sockopt;

/// A socket for IPv6 sends IPv4 too, under the option of that.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set(
    socket: &UdpSocket,
    is_v6: bool,
    v4: sockopt::Ipv4PathMtuDiscovery,
    v6: sockopt::Ipv6PathMtuDiscovery,
) -> io::Result<()> {
    if is_v6 {
        sockopt::set_ipv6_mtu_discover(socket, v6)?;
    }
    sockopt::set_ip_mtu_discover(socket, v4)?;
    Ok(())
}

/// No crate in the tree sets the option of this system without `unsafe`: what is too long for a path stays lost.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn allow(_: &UdpSocket, _: bool) -> io::Result<()> {
    Ok(())
}

/// As it is already.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn forbid(_: &UdpSocket, _: bool) -> io::Result<()> {
    Ok(())
}
