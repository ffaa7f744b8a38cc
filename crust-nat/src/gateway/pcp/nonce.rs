//! By which a client proves that a mapping is its own (RFC 6887 §11.2, §11.3).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use ring::hmac;

use crate::gateway::port::InternalPort;

/// Gives each mapping its nonce.
///
/// A server refuses to change a mapping for whoever does not know its nonce. So the same key gives the same nonce for the same
/// mapping: a node that was started again can take up what it left behind.
#[derive(Clone)]
pub(crate) struct Nonces(hmac::Key);

impl Nonces {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The nonce for `port` of the address `local` at `server`.
    pub(crate) fn nonce(&self, server: SocketAddr, local: IpAddr, port: InternalPort) -> [u8; 12] {
        let mut context = hmac::Context::with_key(&self.0);
        for ip in [server.ip(), local] {
            context.update(&octets(ip));
        }
        context.update(&server.port().to_be_bytes());
        context.update(&[port.protocol.number()]);
        context.update(&port.number.get().to_be_bytes());
        let tag = context.sign();
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&tag.as_ref()[..12]);
        nonce
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces")
    }
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, num::NonZeroU16};

    use super::*;

    #[test]
    fn each_mapping_has_its_own_nonce_and_keeps_it() {
        let nonces = Nonces::new(&[7; 32]);
        let servers: [SocketAddr; 2] = [
            ([192, 168, 1, 1], 5351).into(),
            ([192, 168, 2, 1], 5351).into(),
        ];
        let number = NonZeroU16::new(1).unwrap();
        let mut seen = BTreeSet::new();
        for server in servers {
            for port in [InternalPort::tcp(number), InternalPort::udp(number)] {
                let local = IpAddr::from([192, 168, 1, 2]);
                let nonce = nonces.nonce(server, local, port);
                assert_eq!(Nonces::new(&[7; 32]).nonce(server, local, port), nonce);
                assert_ne!(Nonces::new(&[8; 32]).nonce(server, local, port), nonce);
                seen.insert(nonce);
            }
        }
        assert_eq!(seen.len(), 4);
    }
}
