//! What messages are measured over: a session, plain TCP, or uTP alone.

use std::sync::LazyLock;

use bytes::Bytes;
use crust::{
    Addr, Contact, Node, Session,
    core::{DialOpts, Transport},
};
use crust_tcp::TcpTransport;
use crust_utp::UtpTransport;
use serde::de::DeserializeOwned;

use super::{
    args::Mode,
    ask::{self, Ask, Total},
    plain::{Heard, Plain, frame},
};
use crate::exit::{Exit, Failure, sentence};

/// Where a run goes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Crust(Contact),
    Plain(Addr),
}

/// Where a link starts.
#[derive(Debug)]
pub(super) enum Origin {
    Crust {
        node: Node,
        utp: UtpTransport,
        contact: Contact,
    },
    Plain(Addr),
}

/// A way to the listener.
#[derive(Debug)]
pub(super) enum Link {
    Crust {
        node: Node,
        /// The node's, which tells of packets.
        utp: UtpTransport,
        session: Session,
    },
    Plain(Box<Plain>),
}

/// A message, ready for either way.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    message: Bytes,
    framed: Bytes,
}

impl Payload {
    /// A measured message.
    pub(super) fn data(size: usize) -> Self {
        Self::new(vec![0; size].into())
    }

    pub(super) fn ask(ask: &Ask) -> Self {
        Self::new(ask::encode(ask))
    }

    fn new(message: Bytes) -> Self {
        let framed = frame(&message).into();
        Self { message, framed }
    }
}

impl Origin {
    pub(super) async fn new(place: &Place) -> Result<Self, Failure> {
        Ok(match place {
            Place::Crust(contact) => {
                let utp = UtpTransport::new();
                Self::Crust {
                    node: dialer(utp.clone()).await?,
                    utp,
                    contact: contact.clone(),
                }
            }
            Place::Plain(addr) => Self::Plain(addr.clone()),
        })
    }

    pub(super) async fn open(self) -> Result<Link, Failure> {
        match self {
            Self::Crust { node, utp, contact } => {
                let session = node.connect(contact).await?;
                Ok(Link::Crust { node, utp, session })
            }
            Self::Plain(addr) => {
                let opts = DialOpts::default();
                let dialed = match addr.scheme() {
                    "utp" => RAW.dial(&addr, &opts).await,
                    _ => TcpTransport::new().dial(&addr, &opts).await,
                };
                let io = dialed.map_err(|error| Failure {
                    exit: Exit::NotReached,
                    text: sentence(&error),
                })?;
                Ok(Link::Plain(Plain::new(io).into()))
            }
        }
    }
}

/// All raw links start at one port, as those of a program do.
static RAW: LazyLock<UtpTransport> = LazyLock::new(UtpTransport::new);

impl Link {
    /// Opens one, in Crust's case from a node of its own: there is one session between any two nodes.
    pub(super) async fn open(place: &Place) -> Result<Self, Failure> {
        Origin::new(place).await?.open().await
    }

    pub(super) async fn send(&mut self, payload: &Payload) -> Result<(), Failure> {
        match self {
            Self::Crust { session, .. } => session.send(payload.message.clone()).await?,
            Self::Plain(plain) => plain.write(&payload.framed).await?,
        }
        Ok(())
    }

    /// Waits for a measured message to come back.
    pub(super) async fn echo(&mut self) -> Result<(), Failure> {
        match self {
            Self::Crust { session, .. } => {
                session.recv().await.ok_or_else(ended)?;
                Ok(())
            }
            Self::Plain(plain) => match plain.next().await?.ok_or_else(ended)? {
                Heard::Data(_) => Ok(()),
                Heard::Ask(_) => Err(Failure::new("the listener speaks out of turn")),
            },
        }
    }

    /// Says that what is measured in this mode follows.
    pub(super) async fn begin(&mut self, mode: Mode) -> Result<(), Failure> {
        self.ask::<Total>(&Ask::Begin { mode }).await.map(drop)
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&mut self, ask: &Ask) -> Result<T, Failure> {
        self.send(&Payload::ask(ask)).await?;
        match self {
            Self::Crust { session, .. } => answer(session).await,
            Self::Plain(plain) => match plain.next().await?.ok_or_else(ended)? {
                Heard::Ask(text) => decoded(&text),
                Heard::Data(_) => Err(Failure::new("the listener speaks out of turn")),
            },
        }
    }

    /// Hangs up.
    pub(super) async fn close(self) {
        if let Self::Crust { node, .. } = self {
            node.shutdown().await;
        }
    }
}

/// Packets that these links, and others over uTP without encryption, have sent and received; none where they go over TCP.
pub(super) fn packets(links: &[Link]) -> Option<u64> {
    let over_crust = links.iter().filter_map(|link| match link {
        Link::Crust { utp, .. } => Some(utp.stats()),
        Link::Plain(_) => None,
    });
    let all = over_crust
        .chain([RAW.stats()])
        .map(|stats| stats.sent + stats.received);
    Some(all.sum()).filter(|packets| *packets > 0)
}

/// Packets since there were `before`.
pub(super) fn packets_since(before: Option<u64>, links: &[Link]) -> Option<u64> {
    packets(links)?.checked_sub(before?)
}

/// A node that only dials.
pub(super) async fn dialer(utp: UtpTransport) -> Result<Node, Failure> {
    let builder = Node::builder().without_built_in_transports();
    let builder = builder.transport(TcpTransport::new()).transport(utp);
    Ok(builder.dial_only().start().await?)
}

/// The next message, as the answer that was asked for.
async fn answer<T: DeserializeOwned>(session: &Session) -> Result<T, Failure> {
    match session.recv().await {
        Some(message) => decoded(&message.data),
        None => Err(ended()),
    }
}

fn decoded<T: DeserializeOwned>(text: &[u8]) -> Result<T, Failure> {
    let wrong = || Failure::new("the far end is no `crust perf listen` of this version");
    ask::decode(text).ok_or_else(wrong)
}

fn ended() -> Failure {
    Failure::new("the listener hung up")
}
