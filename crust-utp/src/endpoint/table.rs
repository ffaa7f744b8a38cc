//! Connections by the address of the other side and the number in its packets.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::SocketAddr,
    sync::Arc,
};

use crate::{
    connection::Connection,
    link::Link,
    rng::Rng,
    wire::{Header, Kind},
};

#[derive(Debug)]
pub(super) struct Table {
    links: HashMap<(SocketAddr, u16), Arc<Link>>,
    last_id: u64,
    rng: Rng,
    /// Those that linger, the oldest first.
    lingering: VecDeque<Arc<Link>>,
    /// Those whose other side dials too and may show itself at another port, by their number: a few for each.
    meeting: HashMap<u16, Vec<Arc<Link>>>,
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            links: HashMap::new(),
            last_id: 0,
            rng: Rng::new(seed),
            lingering: VecDeque::new(),
            meeting: HashMap::new(),
        }
    }

    /// A dial, under a number that is free; `None` where none is. `make` takes it, and a random one for the SYN.
    pub(super) fn insert_dial(
        &mut self,
        remote: SocketAddr,
        make: impl FnOnce(u16, u16) -> Connection,
    ) -> Option<Arc<Link>> {
        // The other side has the number after it, and those of its own dials.
        let near = |id: u16| [id.wrapping_sub(1), id, id.wrapping_add(1)];
        let is_taken = |id| near(id).iter().any(|id| self.is_taken(remote, *id));
        // Of 65,536 numbers one is soon found, or there are very many connections to that address.
        let mut rng = self.rng.clone();
        let mut ids = std::iter::repeat_with(|| rng.next_u16()).take(MAX_TRIES);
        let id = ids.find(|id| !is_taken(*id));
        let syn = rng.next_u16();
        self.rng = rng;
        Some(self.insert(remote, make(id?, syn)))
    }

    /// A dial where the other side dials too, with the same number; `None` where that is in use. `make` takes a random
    /// number for the SYN.
    pub(super) fn insert_meeting(
        &mut self,
        remote: SocketAddr,
        id: u16,
        make: impl FnOnce(u16) -> Connection,
    ) -> Option<Arc<Link>> {
        // Which of the two is in its packets is decided when SYNs cross.
        let ids = [id, id.wrapping_add(1)];
        if ids.iter().any(|id| self.is_taken(remote, *id)) {
            return None;
        }
        let syn = self.rng.next_u16();
        self.last_id += 1;
        let link = Arc::new(Link::new(self.last_id, remote, make(syn)));
        self.links
            .extend(ids.map(|id| ((remote, id), link.clone())));
        let meeting = self.meeting.entry(id).or_default();
        if meeting.len() == MAX_MEETING {
            meeting.remove(0);
        }
        meeting.push(link.clone());
        Some(link)
    }

    /// The link whose other side shows itself at `from` with this packet, where it was not held to be.
    pub(super) fn find_meeting(&mut self, from: SocketAddr, header: &Header) -> Option<Arc<Link>> {
        if !matches!(header.kind, Kind::Syn | Kind::State) {
            return None;
        }
        let id = header.conn_id;
        let ids = [id, id.wrapping_add(1)];
        if ids.iter().any(|id| self.is_taken(from, *id)) {
            return None;
        }
        let meeting = self.meeting.get(&id)?;
        let met = |link: &Arc<Link>| Some((link.meet_at(from, header)?, link.clone()));
        let (before, link) = meeting.iter().find_map(met)?;
        for id in ids {
            self.links.remove(&(before, id));
            self.links.insert((from, id), link.clone());
        }
        Some(link)
    }

    pub(super) fn insert(&mut self, remote: SocketAddr, connection: Connection) -> Arc<Link> {
        self.last_id += 1;
        let key = (remote, connection.ids().receive);
        let link = Arc::new(Link::new(self.last_id, remote, connection));
        self.links.insert(key, link.clone());
        link
    }

    /// Whose packet it is.
    pub(super) fn find(&self, from: SocketAddr, header: &Header) -> Option<Arc<Link>> {
        let id = header.conn_id;
        // A SYN that is sent again has the number of whoever dialed; a RESET may have that of either side.
        let places: &[u16] = match header.kind {
            Kind::Syn => &[id.wrapping_add(1)],
            Kind::Reset => &[id, id.wrapping_add(1), id.wrapping_sub(1)],
            Kind::Data | Kind::Fin | Kind::State => &[id],
        };
        let mut links = places.iter().filter_map(|id| self.links.get(&(from, *id)));
        links.find(|link| link.knows(header)).cloned()
    }

    /// `link` is over but for those who did not hear of it. Beyond [`MAX_LINGERING`] of them the oldest are forgotten: others
    /// open and close as many as they like.
    pub(super) fn linger(&mut self, link: &Arc<Link>) {
        self.lingering.push_back(link.clone());
        if self.lingering.len() > MAX_LINGERING
            && let Some(oldest) = self.lingering.pop_front()
        {
            self.remove(&oldest);
        }
    }

    /// Whether packets from there with this number have a connection.
    pub(super) fn is_taken(&self, from: SocketAddr, receive_id: u16) -> bool {
        self.links.contains_key(&(from, receive_id))
    }

    pub(super) fn remove(&mut self, link: &Arc<Link>) {
        let (remote, id) = (link.remote(), link.receive_id());
        // Two that dialed each other have both numbers.
        for id in [id, id.wrapping_sub(1), id.wrapping_add(1)] {
            if let Entry::Occupied(known) = self.links.entry((remote, id))
                && Arc::ptr_eq(known.get(), link)
            {
                known.remove();
            }
            if let Entry::Occupied(mut meeting) = self.meeting.entry(id) {
                meeting.get_mut().retain(|known| !Arc::ptr_eq(known, link));
                if meeting.get().is_empty() {
                    meeting.remove();
                }
            }
        }
        if let Some(oldest) = self.lingering.front()
            && Arc::ptr_eq(oldest, link)
        {
            self.lingering.pop_front();
        }
        if self.links.is_empty() {
            self.links = HashMap::new();
            self.lingering = VecDeque::new();
            self.meeting = HashMap::new();
        }
    }
}

/// Some 4 MiB of connections.
const MAX_LINGERING: usize = 2_048;
const MAX_TRIES: usize = 1_024;
/// Addresses at which one that is to be met may be looked for at a time, and more.
const MAX_MEETING: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, seq_nr::SeqNr};

    #[test]
    fn those_that_linger_are_bounded_however_many_open_and_close() {
        let mut table = Table::new(1);
        let now = crust_core::rt::now();
        for port in 1..=3 * MAX_LINGERING {
            let remote = SocketAddr::from(([192, 0, 2, 1], u16::try_from(port).unwrap()));
            let dial = |id, syn| Connection::dial(Config::default(), now, id, SeqNr(syn), false);
            let link = table.insert_dial(remote, dial).unwrap();
            table.linger(&link);
        }
        assert_eq!(table.links.len(), MAX_LINGERING);
        assert_eq!(table.lingering.len(), MAX_LINGERING);
    }
}
