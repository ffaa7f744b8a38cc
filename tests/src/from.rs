//! Dials that come from another address of this machine: all of 127.0.0.0/8 is ours.

use crust::{
    Addr, Node, NodeBuilder,
    core::{Connection, DialOpts, Listener, Transport, TransportError, async_trait},
};
use crust_tcp::TcpTransport;

/// TCP of which every dial comes from `tcp://IP:0`.
#[derive(Debug)]
pub struct TcpFrom {
    tcp: TcpTransport,
    from: Addr,
}

impl TcpFrom {
    /// Dials from `ip`.
    pub fn new(ip: &str) -> Self {
        let from = format!("tcp://{ip}:0");
        Self {
            tcp: TcpTransport::new(),
            from: from.parse().expect("an address"),
        }
    }
}

#[async_trait]
impl Transport for TcpFrom {
    fn schemes(&self) -> &[&'static str] {
        self.tcp.schemes()
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        let opts = opts.clone().with_from(self.from.clone());
        self.tcp.dial(addr, &opts).await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        self.tcp.listen(addr).await
    }
}

/// A connection from `ip`.
pub async fn dial_from(ip: &str, addr: &Addr) -> Connection {
    let dialed = TcpFrom::new(ip).dial(addr, &DialOpts::default()).await;
    dialed.expect("a listener's backlog takes it")
}

/// A node that listens nowhere and dials from `ip`.
pub fn builder_from(ip: &str) -> NodeBuilder {
    Node::builder()
        .without_built_in_transports()
        .transport(TcpFrom::new(ip))
        .dial_only()
}
