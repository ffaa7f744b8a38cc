//! What somebody who has the network key can do: sign nothing, but put the records of others into messages of his own.

use super::*;

impl Datagram {
    pub(in crate::machine::tests) fn is_from(&self, node: usize) -> bool {
        self.from == node
    }

    pub(in crate::machine::tests) fn message(&self) -> &Message {
        &self.message
    }
}

impl Lan {
    /// The token of what `node` sent last.
    pub(in crate::machine::tests) fn last_token(&self, node: usize) -> u64 {
        let mut sent = self.recorded.iter().rev();
        let last = sent.find(|datagram| datagram.from == node).unwrap();
        last.message.token
    }

    /// Gives `node` a recorded datagram in which all but the record may be changed.
    pub(in crate::machine::tests) fn forge(
        &mut self,
        node: usize,
        recorded: &Datagram,
        change: impl FnOnce(&mut Message),
    ) {
        let mut message = (*recorded.message).clone();
        message.echo = None;
        message.time_ms = self.time_of(node).unix_ms;
        change(&mut message);
        self.last_id += 1;
        message.token = self.last_id;
        let forged = Datagram {
            source: SocketAddr::new(ip(FORGER, 0), 1),
            stamp: self.last_id,
            message: Arc::new(message),
            ..*recorded
        };
        self.hear(node, &forged);
    }

    /// Asks everybody, to be answered at some port on the link.
    pub(in crate::machine::tests) fn ask_all(&mut self, change: impl FnOnce(&mut Message)) {
        self.ask(Destination::Everybody, change);
    }

    /// Asks `node` alone.
    pub(in crate::machine::tests) fn ask_one(&mut self, node: usize) {
        let host = self.ip_of(node);
        let to = Destination::One(SocketAddr::new(host, 5483));
        self.ask(to, |message| message.asked = Some(host));
    }

    fn ask(&mut self, to: Destination, change: impl FnOnce(&mut Message)) {
        self.last_id += 1;
        let mut message = Message {
            kind: Kind::Query,
            flags: Flags::UNICAST,
            time_ms: self.time_of(0).unix_ms,
            token: self.last_id,
            echo: None,
            record: None,
            asked: None,
        };
        change(&mut message);
        let datagram = Datagram {
            from: FORGER,
            source: SocketAddr::new(ip(FORGER, 0), 1),
            to,
            stamp: self.last_id,
            message: Arc::new(message),
        };
        self.push(self.now, Event::Arrives(datagram));
    }
}

const FORGER: usize = 5_000;
