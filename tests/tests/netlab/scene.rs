//! A lab with what probes need: a server with two addresses, and somebody whom nobody has sent to.

use std::{
    net::SocketAddr,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crust_tests::{
    Tool,
    netlab::{Host, Lab, Link},
};

/// The lab and its public hosts.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) server: Host,
    pub(crate) stranger: Host,
    _turn: Turn,
}

/// Tests that measure time run alone.
#[derive(Debug)]
#[expect(dead_code, reason = "they are held")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Scene {
    /// `None` where the test is skipped.
    pub(crate) fn open() -> Option<Self> {
        Self::open_with(&[])
    }

    /// The same for a test that needs these tools too.
    pub(crate) fn open_with(tools: &[Tool<'_>]) -> Option<Self> {
        let turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
        let lab = Lab::open_with(tools)?;
        Some(Self::new(lab, Turn::Shared(turn)))
    }

    /// One that no other test disturbs, with these links.
    pub(crate) fn open_alone(link: Link) -> Option<Self> {
        let turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
        let mut lab = Lab::open()?;
        lab.set_link(link);
        Some(Self::new(lab, Turn::Alone(turn)))
    }

    fn new(lab: Lab, turn: Turn) -> Self {
        Self {
            server: lab.public(&["11.0.0.10", "21.0.0.10", "2d00:1::10"]),
            stranger: lab.public(&["26.0.0.10", "2d00:2::10"]),
            lab,
            _turn: turn,
        }
    }

    /// The server's two addresses with two ports each.
    pub(crate) fn server_addrs(&self) -> [SocketAddr; 4] {
        let [a, b] = [self.server.ips()[0], self.server.ips()[1]];
        [(a, PORTS[0]), (a, PORTS[1]), (b, PORTS[0]), (b, PORTS[1])].map(SocketAddr::from)
    }

    pub(crate) fn stranger_addr(&self) -> SocketAddr {
        (self.stranger.ip(), PORTS[0]).into()
    }
}

static TURNS: RwLock<()> = RwLock::new(());
/// STUN's (RFC 8489 §18.6), and another.
const PORTS: [u16; 2] = [3_478, 3_479];
