//! What the core reads and changes of a packet: where from, where to, and how many hops it has left.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Sender and receiver of an IP packet (RFC 791 §3.1, RFC 8200 §3); `None` where it is too short for one.
pub(super) fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match packet.first()? >> 4 {
        4 => {
            let addr = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
            Some((addr(12)?.into(), addr(16)?.into()))
        }
        6 => {
            let addr = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?));
            Some((addr(8)?.into(), addr(24)?.into()))
        }
        _ => None,
    }
}

/// Whether packets from or to `ip` stay on their link.
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    ip.is_multicast()
        || ip.is_unspecified()
        || match ip {
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
}

/// Takes a hop from a packet whose addresses were read; false where it has none left.
pub(super) fn take_hop(packet: &mut [u8]) -> bool {
    let is_v4 = packet[0] >> 4 == 4;
    let ttl = if is_v4 { 8 } else { 7 };
    if packet[ttl] <= 1 {
        return false;
    }
    packet[ttl] -= 1;
    if is_v4 {
        // RFC 1624 §3: the word of TTL and protocol is less by 0x100, so the sum's complement is more by that.
        let sum = u16::from_be_bytes([packet[10], packet[11]]);
        let (sum, carry) = sum.overflowing_add(0x100);
        packet[10..12].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v4(ttl: u8, id: u16) -> [u8; 20] {
        let mut packet = [
            0x45, 0, 0, 20, 0, 0, 0, 0, ttl, 17, 0, 0, 11, 0, 0, 10, 22, 0, 0, 1,
        ];
        packet[4..6].copy_from_slice(&id.to_be_bytes());
        let sum = !ones_sum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn ones_sum(packet: &[u8]) -> u16 {
        let words = packet
            .chunks(2)
            .map(|it| u16::from_be_bytes([it[0], it[1]]));
        words.fold(0, |sum: u16, word| {
            let (sum, carry) = sum.overflowing_add(word);
            sum + u16::from(carry)
        })
    }

    #[test]
    fn addresses_are_those_of_the_header() {
        let found = addresses(&v4(64, 0)).unwrap();
        assert_eq!(
            found,
            ("11.0.0.10".parse().unwrap(), "22.0.0.1".parse().unwrap())
        );
        let mut v6 = [0; 40];
        (v6[0], v6[23], v6[39]) = (0x60, 1, 2);
        let found = addresses(&v6).unwrap();
        assert_eq!(found, ("::1".parse().unwrap(), "::2".parse().unwrap()));
    }

    #[test]
    fn last_hop_is_not_taken() {
        assert!(!take_hop(&mut v4(1, 0)));
        assert!(!take_hop(&mut v4(0, 0)));
    }

    proptest! {
        #[test]
        fn checksum_holds_after_each_hop(ttl in 2..=255_u8, id: u16) {
            let mut packet = v4(ttl, id);
            prop_assert!(take_hop(&mut packet));
            prop_assert_eq!(packet[8], ttl - 1);
            prop_assert_eq!(ones_sum(&packet), 0xffff);
        }

        #[test]
        fn no_packet_panics(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut packet = packet;
            if addresses(&packet).is_some() {
                take_hop(&mut packet);
            }
        }
    }
}
