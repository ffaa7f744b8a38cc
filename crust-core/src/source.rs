//! From which of its addresses this machine sends.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// The address of this machine from which the system sends to `remote`.
///
/// Nothing is sent: a UDP socket that is connected tells it.
///
/// # Errors
///
/// What the system says where there is no way to `remote`.
pub fn source_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(remote)?;
    let source = socket.local_addr()?.ip();
    if source.is_unspecified() {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_from_loopback() {
        let remote = "127.0.0.1:9".parse().unwrap();
        assert!(source_towards(remote).unwrap().is_loopback());
    }
}
