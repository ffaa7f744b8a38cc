//! What happens to a node, as it is told.

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use crust::{Event, Node, Session, rt};
use futures::{FutureExt, select_biased};

use super::{load, log::Log, rates::Rates};
use crate::exit::sentence;

/// Tells what happens until the node ends.
#[derive(Debug)]
pub(super) struct Watch {
    node: Node,
    log: Arc<Log>,
    rates: Rates,
    /// Set until the first peer is there.
    speed: Option<NonZeroU64>,
}

impl Watch {
    pub(super) fn new(node: Node, log: Arc<Log>, speed: Option<NonZeroU64>) -> Self {
        let rates = Rates::default();
        Self {
            node,
            log,
            rates,
            speed,
        }
    }

    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut looked_at = rt::now();
        loop {
            let look = rt::sleep_until(looked_at + LOOK);
            select_biased! {
                () = look.fuse() => {
                    let now = rt::now();
                    if let Some(rate) = self.rates.look(now - looked_at) {
                        self.log.rate(&rate);
                    }
                    looked_at = now;
                }
                event = node.next_event().fuse() => match event {
                    Some(event) => self.on_event(event),
                    None => return,
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Abuse {
                source,
                kind,
                count,
                refused,
            } => self.log.abuse(source, kind, count, refused),
            Event::Connected { session } => {
                self.log.connected(&session);
                self.rates.on_connected(session.clone());
                if let Some(rate) = self.speed.take() {
                    self.start_load(session, rate);
                }
            }
            Event::Disconnected { peer, reason } => {
                self.rates.on_disconnected(peer);
                self.log.disconnected(peer, &reason);
            }
            Event::Discovered { peer, source } => self.log.discovered(peer, source),
            Event::Message { session, message } => self.log.message(&session, &message),
            Event::Reachability {
                scheme,
                reachability,
            } => self.log.reachability(&self.node, &scheme, reachability),
            _ => {}
        }
    }

    fn start_load(&self, session: Session, rate: NonZeroU64) {
        let log = self.log.clone();
        rt::detach(async move {
            if let Err(error) = load::send(session, rate).await {
                log.error(&format!("no more random messages: {}", sentence(&error)));
            }
        });
    }
}

/// Between two looks at the rates.
const LOOK: Duration = Duration::from_secs(1);
