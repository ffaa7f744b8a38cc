//! What is typed is done.

use std::sync::Arc;

use crust::{Node, PeerId};
use futures::StreamExt;

use super::{
    AFTER_HELP,
    command::{self, Command},
    input,
    log::Log,
};
use crate::{exit::sentence, out};

/// Does what is typed, one line after the other, until `stop` or the end of the input.
#[derive(Debug)]
pub(super) struct Prompt {
    node: Node,
    log: Arc<Log>,
}

impl Prompt {
    pub(super) const fn new(node: Node, log: Arc<Log>) -> Self {
        Self { node, log }
    }

    pub(super) async fn run(self) {
        let mut lines = input::lines();
        while let Some(line) = lines.next().await {
            match command::parse(&line, &self.node.sessions()) {
                Ok(None) => {}
                Ok(Some(Command::Stop)) => return,
                Ok(Some(command)) => self.obey(command).await,
                Err(text) => self.log.error(&text),
            }
        }
    }

    async fn obey(&self, command: Command) {
        match command {
            Command::Block(who) => self.node.block(who),
            Command::Connect(target) => {
                if let Err(error) = self.node.connect(target).await {
                    self.log.error(&sentence(&error));
                }
            }
            Command::Disconnect(peer) => {
                if !self.node.disconnect(&peer).await {
                    self.log.error(&not_connected(&peer));
                }
            }
            Command::Help => help(),
            Command::Peers => self.log.peers(&self.node.sessions()),
            Command::Send { to, text } => {
                for peer in to {
                    self.send(&peer, &text).await;
                }
            }
            Command::Stats => self.log.stats(&self.node.stats()),
            Command::Stop => {}
            Command::Unblock(who) => {
                if !self.node.unblock(who) {
                    self.log.error("that was not blocked");
                }
            }
        }
    }

    async fn send(&self, peer: &PeerId, text: &str) {
        let Some(session) = self.node.session(peer) else {
            return self.log.error(&not_connected(peer));
        };
        if let Err(error) = session.send(text.to_owned()).await {
            self.log.error(&sentence(&error));
        }
    }
}

fn not_connected(peer: &PeerId) -> String {
    format!("{peer} is not connected")
}

/// The part of the help that is about commands.
fn help() {
    let commands = AFTER_HELP.split("\n\n").next().unwrap_or(AFTER_HELP);
    out::talk(commands);
}
