//! Which dial-backs a node makes for others: to the asker's own address, one for each request, and not many.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crust_core::{Addr, PeerId, Reach};

use crate::{node::inner::ip_of, recent::Recent};

/// Bounds what others can have this node do.
#[derive(Debug)]
pub(crate) struct Helper {
    peers: Recent<PeerId, Instant>,
    running: usize,
}

impl Helper {
    pub(crate) fn new() -> Self {
        Self {
            peers: Recent::new(MAX_PEERS),
            running: 0,
        }
    }

    /// Whether `peer`, which is seen at `remote`, is dialed at `addr`. Each yes is followed by one [`Helper::on_done`].
    ///
    /// Its own address alone is: else a peer could have this node dial whom it likes. One in a network that is not the world's
    /// proves nothing to the world.
    pub(crate) fn admit(&mut self, now: Instant, peer: PeerId, remote: &Addr, addr: &Addr) -> bool {
        let is_recent = self
            .peers
            .get(&peer)
            .is_some_and(|at| now.saturating_duration_since(*at) < PEER_EVERY);
        let is_admitted = self.running < AT_ONCE && !is_recent && is_own(remote, addr);
        if is_admitted {
            self.running += 1;
            self.peers.insert(peer, now);
        }
        is_admitted
    }

    /// A dial-back has ended.
    pub(crate) const fn on_done(&mut self) {
        self.running = self.running.saturating_sub(1);
    }
}

fn is_own(remote: &Addr, addr: &Addr) -> bool {
    let is_of_world = |ip: &IpAddr| Reach::of_ip(*ip) == Reach::Everywhere;
    let socket = addr.socket_addr().filter(|socket| socket.port() != 0);
    let asked = socket.map(|socket| socket.ip().to_canonical());
    asked.filter(is_of_world).is_some() && asked == ip_of(remote)
}

/// Peers whose last request is remembered; with more, [`AT_ONCE`] alone bounds what is done for them.
const MAX_PEERS: usize = 1_024;
/// Between two dial-backs for one peer.
const PEER_EVERY: Duration = Duration::from_secs(2);
/// Dial-backs at one time, of a few seconds each.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Addr {
        text.parse().unwrap()
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn is_admitted(remote: &str, asked: &str) -> bool {
        let now = crust_core::rt::now();
        Helper::new().admit(now, peer(1), &addr(remote), &addr(asked))
    }

    #[test]
    fn peer_is_dialed_at_its_own_address_by_whatever_port_and_transport() {
        assert!(is_admitted("tcp://22.0.0.1:40000", "utp://22.0.0.1:5483"));
        assert!(is_admitted("tcp://[::ffff:22.0.0.1]:1", "tcp://22.0.0.1:2"));
    }

    #[test]
    fn nobody_else_is_dialed_for_it() {
        for asked in [
            "tcp://22.0.0.2:5483",
            "tcp://22.0.0.1:0",
            "tcp://localhost:5483",
            "tcp://example.org:5483",
            "memory://22.0.0.1",
        ] {
            assert!(!is_admitted("tcp://22.0.0.1:40000", asked), "{asked}");
        }
    }

    #[test]
    fn addresses_that_are_not_the_worlds_are_not_dialed() {
        for ip in ["192.168.1.2", "100.64.0.1", "127.0.0.1", "169.254.1.1"] {
            let text = format!("tcp://{ip}:5483");
            assert!(!is_admitted(&text, &text), "{ip}");
        }
    }

    #[test]
    fn one_peer_is_helped_now_and_then() {
        let mut helper = Helper::new();
        let now = crust_core::rt::now();
        let own = addr("tcp://22.0.0.1:5483");
        let mut ask = |now| helper.admit(now, peer(1), &own, &own);
        assert!(ask(now));
        assert!(!ask(now));
        assert!(ask(now + PEER_EVERY));
    }

    #[test]
    fn dial_backs_at_one_time_are_bounded() {
        let mut helper = Helper::new();
        let now = crust_core::rt::now();
        let own = addr("tcp://22.0.0.1:5483");
        let admitted = (0..100).filter(|number| helper.admit(now, peer(*number), &own, &own));
        assert_eq!(admitted.count(), AT_ONCE);
        helper.on_done();
        assert!(helper.admit(now, peer(200), &own, &own));
    }
}
