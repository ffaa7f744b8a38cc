//! A port that listens for what comes from outside.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crust_core::{Addr, Incoming, Listener, Transport, rt};
use futures::{
    SinkExt, StreamExt,
    channel::mpsc::{Receiver, Sender, channel},
};

use crate::{
    report::probe::any,
    stun::{
        TransactionId,
        tcp::read_message,
        wire::{MAX_LEN, Message},
    },
};

/// A listening port, and the first message on each connection that came to it.
#[derive(Debug)]
pub(super) struct Ear {
    /// Its address, to dial from.
    pub(super) addr: Addr,
    heard: Receiver<Heard>,
    _task: rt::Task<()>,
}

/// A message that came in on a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// Who opened the connection.
    pub(super) from: SocketAddr,
    /// Of what it speaks.
    pub(super) id: TransactionId,
}

impl Ear {
    /// Listens on a fresh port; `None` where the system gives none.
    pub(super) async fn open(transport: &Arc<dyn Transport>, family: IpAddr) -> Option<Self> {
        let addr = Addr::from_socket_addr(super::SCHEME, SocketAddr::new(any(family), 0));
        let listener = transport.listen(&addr).await.ok()?;
        let addr = listener.local_addr().clone();
        let (sender, heard) = channel(0);
        Some(Self {
            addr,
            heard,
            _task: rt::spawn(listen(listener, sender)),
        })
    }

    /// The next message; pends for ever once the listener has ended.
    pub(super) async fn hear(&mut self) -> Heard {
        match self.heard.next().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }
}

async fn listen(listener: Listener, heard: Sender<Heard>) {
    let incoming = listener.filter_map(|incoming| std::future::ready(incoming.ok()));
    let visit = |incoming: Incoming| {
        let mut heard = heard.clone();
        async move {
            if let Ok(Some(message)) = rt::timeout(LONGEST_VISIT, first_message(incoming)).await {
                let _ = heard.send(message).await;
            }
        }
    };
    incoming.for_each_concurrent(MAX_VISITS, visit).await;
}

async fn first_message(incoming: Incoming) -> Option<Heard> {
    let mut connection = incoming.accept().await.ok()?;
    let from = connection.remote_addr().socket_addr()?;
    let mut buffer = Vec::with_capacity(MAX_LEN);
    read_message(&mut connection, &mut buffer)
        .await
        .ok()?
        .ok()?;
    let id = Message::decode(&buffer).ok()?.transaction_id();
    Some(Heard { from, id })
}

/// Connections that are listened to at once. Strangers may come too: the port is open to whoever finds it.
const MAX_VISITS: usize = 16;
/// No report takes longer.
const LONGEST_VISIT: Duration = Duration::from_secs(3);
