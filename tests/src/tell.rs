//! Events in a word or two, so that a test can compare what happened with what should.

use crust::{Event, Node};

use crate::wait::event;

/// `connected`, `message TEXT`, `disconnected REASON`, `abuse KIND`.
pub fn tell(event: &Event) -> String {
    match event {
        Event::Connected { .. } => "connected".into(),
        Event::Message { message, .. } => {
            format!("message {}", String::from_utf8_lossy(&message.data))
        }
        Event::Disconnected { reason, .. } => format!("disconnected {}", reason.name()),
        Event::Abuse { kind, .. } => format!("abuse {}", kind.name()),
        other => format!("{other:?}"),
    }
}

/// All that a node has still to tell, which must have been shut down.
pub async fn all_events(node: &Node) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = crate::wait::soon(node.next_event()).await {
        told.push(tell(&event));
    }
    told
}

/// The next `count` events.
pub async fn events(node: &Node, count: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(tell(&event(node).await));
    }
    told
}
