//! Addresses, in clear and masked (RFC 8489 §14.1, §14.2).

use std::net::{IpAddr, SocketAddr};

use super::header::{COOKIE, TransactionId};

/// Writes `addr`, as IPv4 where it is an IPv4 address in IPv6 clothes.
pub(super) fn encode(addr: SocketAddr, out: &mut Vec<u8>) {
    put(canonical(addr), out);
}

/// Writes `addr` so that no gateway on the way finds and translates it.
pub(super) fn encode_masked(addr: SocketAddr, id: &TransactionId, out: &mut Vec<u8>) {
    put(mask(canonical(addr), id), out);
}

pub(super) fn decode(value: &[u8]) -> Option<SocketAddr> {
    read(value).map(canonical)
}

pub(super) fn decode_masked(value: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    read(value).map(|masked| canonical(mask(masked, id)))
}

fn put(addr: SocketAddr, out: &mut Vec<u8>) {
    out.extend([0, if addr.is_ipv4() { IPV4 } else { IPV6 }]);
    out.extend(addr.port().to_be_bytes());
    match addr.ip() {
        IpAddr::V4(ip) => out.extend(ip.octets()),
        IpAddr::V6(ip) => out.extend(ip.octets()),
    }
}

fn read(value: &[u8]) -> Option<SocketAddr> {
    let ([_, family, p0, p1], ip) = value.split_first_chunk()?;
    let ip: IpAddr = match *family {
        IPV4 => <[u8; 4]>::try_from(ip).ok()?.into(),
        IPV6 => <[u8; 16]>::try_from(ip).ok()?.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([*p0, *p1])))
}

/// Done twice, it is undone.
fn mask(addr: SocketAddr, id: &TransactionId) -> SocketAddr {
    let cookie = COOKIE.to_be_bytes();
    let port = addr.port() ^ u16::from_be_bytes([cookie[0], cookie[1]]);
    let ip: IpAddr = match addr.ip() {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() ^ COOKIE).into()),
        IpAddr::V6(ip) => {
            let mut mask = [0; 16];
            mask[..4].copy_from_slice(&cookie);
            mask[4..].copy_from_slice(id.as_bytes());
            IpAddr::V6((ip.to_bits() ^ u128::from_be_bytes(mask)).into())
        }
    };
    SocketAddr::new(ip, port)
}

/// Without the scope and flow of IPv6, which mean nothing to others.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

const IPV4: u8 = 1;
const IPV6: u8 = 2;
