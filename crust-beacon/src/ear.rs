//! What a beacon believes of what it hears.

use std::{fmt, net::SocketAddr, sync::Arc};

use crust_core::{PeerId, PeerRecord, RecordError, SIGNATURE_LEN, Verifier};

use crate::{
    link::Link,
    neighbours::{Neighbour, Neighbours},
    voice::Now,
    wire::{Flags, Kind, Message},
};

/// What a beacon believes of what it hears, and whom it knows by it.
pub(crate) struct Ear {
    verifier: Option<Arc<dyn Verifier>>,
    neighbours: Neighbours,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is believed.
    Taken,
    /// Its record is not.
    Refused,
    /// What it says of its sender is not news; the rest may be.
    Older,
    /// It is our own.
    Own,
}

impl Ear {
    pub(crate) fn new(verifier: Option<Arc<dyn Verifier>>) -> Self {
        Self {
            verifier,
            neighbours: Neighbours::default(),
        }
    }

    /// Learns from a fresh message of a neighbour. `own` is who we are.
    pub(crate) fn learn(
        &mut self,
        now: Now,
        (link, from): (&Link, SocketAddr),
        message: &Message,
        own: Option<PeerId>,
    ) -> Verdict {
        let record = match self.read(message) {
            Ok(None) => return Verdict::Taken,
            Ok(Some(record)) if Some(record.peer) == own => return Verdict::Own,
            Ok(Some(record)) => record,
            Err(error) => {
                tracing::debug!(%from, %error, "record refused");
                return Verdict::Refused;
            }
        };
        // The signature covers the record alone: that it has no addresses is what says goodbye.
        if (message.kind == Kind::Goodbye) != record.addrs.is_empty() {
            return Verdict::Refused;
        }
        if message.kind == Kind::Goodbye {
            let index = link.interface.index;
            self.neighbours.leave(index, record.peer, record.seq);
            return Verdict::Taken;
        }
        self.hear(now, (link, from), message, &record)
    }

    pub(crate) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    pub(crate) fn neighbours_mut(&mut self) -> &mut Neighbours {
        &mut self.neighbours
    }

    /// The record in `message`. Whether it expired is asked of the clock that signed it: ours may be another.
    fn read(&self, message: &Message) -> Result<Option<PeerRecord>, RecordError> {
        let Some(record) = &message.record else {
            return Ok(None);
        };
        let verifier = self.verifier.as_deref().unwrap_or(&Anybody);
        record.verify(verifier, message.time_ms).map(Some)
    }

    fn hear(
        &mut self,
        now: Now,
        (link, from): (&Link, SocketAddr),
        message: &Message,
        record: &PeerRecord,
    ) -> Verdict {
        let addrs = link.interface.dialable(&record.addrs);
        if addrs.is_empty() {
            return Verdict::Refused;
        }
        let index = link.interface.index;
        let mut heard = Neighbour {
            peer: record.peer,
            addrs,
            interface: link.interface.name.clone(),
            source: from.ip(),
            last_heard: now.at,
            offers_contacts: message.flags.has(Flags::OFFERS_CONTACTS),
        };
        if message.kind != Kind::Answer {
            heard.offers_contacts = self.neighbours.offers_contacts(index, record.peer);
        }
        if self.neighbours.hear(index, record.seq, heard) {
            Verdict::Taken
        } else {
            Verdict::Older
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear")
            .field("neighbours", &self.neighbours)
            .finish_non_exhaustive()
    }
}

/// Believes each member of the network.
struct Anybody;

impl Verifier for Anybody {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        true
    }
}
