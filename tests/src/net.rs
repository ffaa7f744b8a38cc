//! Nodes that can reach one another: in memory, or over TCP on loopback.

use crust::{
    Addr, Contact, Identity, Limits, Node, NodeBuilder, Session, Timeouts, core::MemoryTransport,
};

use crate::wait::{connected, soon};

/// Where the nodes of a test meet.
#[derive(Debug, Clone)]
pub enum Net {
    /// A memory transport of its own.
    Memory(MemoryTransport),
    /// TCP on loopback.
    Tcp,
}

impl Net {
    /// One in memory.
    pub fn memory() -> Self {
        Self::Memory(MemoryTransport::new())
    }

    /// One of each kind.
    pub fn each() -> [Self; 2] {
        [Self::memory(), Self::Tcp]
    }

    /// A node that will listen in this net.
    pub fn builder(&self) -> NodeBuilder {
        match self {
            Self::Memory(transport) => Node::builder()
                .without_built_in_transports()
                .transport(transport.clone())
                .listen(addr("memory://0")),
            Self::Tcp => Node::builder().listen(addr("tcp://127.0.0.1:0")),
        }
    }

    /// A node that listens in this net.
    pub async fn node(&self) -> Node {
        start(self.builder()).await
    }

    /// Two nodes with a session, of which the events are told already.
    pub async fn pair(&self) -> Pair {
        self.pair_with(Limits::default(), Timeouts::default()).await
    }

    /// Two such nodes, set up like this.
    pub async fn pair_with(&self, limits: Limits, timeouts: Timeouts) -> Pair {
        let builder = || {
            self.builder()
                .limits(limits.clone())
                .timeouts(timeouts.clone())
        };
        Pair::new(start(builder()).await, start(builder()).await).await
    }
}

/// Two nodes with a session between them.
#[derive(Debug)]
pub struct Pair {
    /// The node that dialed.
    pub near: Node,
    /// The node that was dialed.
    pub far: Node,
    /// The session as `near` has it.
    pub to_far: Session,
    /// The session as `far` has it.
    pub to_near: Session,
}

impl Pair {
    /// Connects two nodes and takes both events.
    pub async fn new(near: Node, far: Node) -> Self {
        let to_far = soon(near.connect(contact(&far)))
            .await
            .expect("a node that listens is reached");
        assert_eq!(connected(&near).await, to_far);
        let to_near = connected(&far).await;
        Self {
            near,
            far,
            to_far,
            to_near,
        }
    }
}

/// Two identities, the one with the lower id first.
pub fn two_identities() -> [Identity; 2] {
    let mut both = [Identity::generate(), Identity::generate()];
    both.sort_by_key(Identity::peer_id);
    both
}

/// Where to dial a node that listens.
pub fn contact(node: &Node) -> Contact {
    node.contact().expect("the node listens")
}

/// The address that `text` is.
pub fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

/// Starts a node.
pub async fn start(builder: NodeBuilder) -> Node {
    builder.start().await.expect("a node starts")
}
