//! What a beacon says.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::Arc,
    time::Instant,
};

use crust_core::{Addr, Announcement, PeerId, PeerRecord, SIGNATURE_LEN, SignedRecord, Signer};

use crate::{
    freshness::Source,
    link::{Destination, Link},
    replies::{Reply, ReplyKind},
    rng::Rng,
    wire::{Flags, Kind, Message},
};

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) at: Instant,
    /// Milliseconds since the Unix epoch, as far as this host knows.
    pub(crate) unix_ms: u64,
}

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Transmit {
    pub(crate) link: u32,
    pub(crate) to: Destination,
    pub(crate) message: Message,
}

/// What a beacon says: it makes messages, within the limits of each link.
pub(crate) struct Voice {
    signer: Option<Arc<dyn Signer>>,
    announcement: Option<Announcement>,
    /// The port where others are asked.
    port: u16,
    offers_contacts: bool,
    /// The number of the record that was signed last.
    last_seq: u64,
    rng: Rng,
    transmits: VecDeque<Transmit>,
    /// Messages not sent because of a limit.
    held_back: u64,
}

impl Voice {
    pub(crate) fn new(signer: Option<Arc<dyn Signer>>, port: u16, rng: Rng) -> Self {
        Self {
            signer,
            announcement: None,
            port,
            offers_contacts: false,
            last_seq: 0,
            rng,
            transmits: VecDeque::new(),
            held_back: 0,
        }
    }

    pub(crate) fn set_offers_contacts(&mut self, offers: bool) {
        self.offers_contacts = offers;
    }

    /// Replaces what is announced; gives what was.
    pub(crate) fn set_announcement(&mut self, new: Option<Announcement>) -> Option<Announcement> {
        std::mem::replace(&mut self.announcement, new)
    }

    pub(crate) fn announcement(&self) -> Option<&Announcement> {
        self.announcement.as_ref()
    }

    /// Says what is due on a link by its schedules. `knows_enough`: whether it is of no use to ask again.
    pub(crate) fn say_what_is_due(
        &mut self,
        now: Now,
        link: &mut Link,
        knows_enough: impl FnOnce() -> bool,
    ) -> bool {
        let is_announced = link.announcing.due(now.at, &mut self.rng).is_some();
        let rounds = link.querying.due(now.at, &mut self.rng);
        let asks = rounds.is_some_and(|rounds| rounds == 0 || !knows_enough());
        if asks {
            // Says what an announcement does, and asks.
            self.query(now, link, Destination::Everybody, Draft::new(Kind::Query));
        } else if is_announced && self.has_news_for(link) {
            self.say(
                now,
                link,
                Destination::Everybody,
                Draft::new(Kind::Announce),
            );
        }
        asks || is_announced
    }

    /// Says goodbye for `announcement`, which holds no longer.
    pub(crate) fn goodbye(&mut self, now: Now, link: &mut Link, announcement: &Announcement) {
        let draft = Draft::new(Kind::Goodbye);
        let record = self.sign(now, announcement.peer, Vec::new());
        self.send(now, link, Destination::Everybody, draft, record);
    }

    /// Sends a reply whose time has come.
    pub(crate) fn reply(&mut self, now: Now, link: &mut Link, reply: &Reply) {
        let mut draft = Draft::new(Kind::Answer);
        draft.echo = Some(reply.token);
        match reply.kind {
            ReplyKind::Challenge => {
                draft.kind = Kind::Query;
                if link.limits.challenges.admit(now.at, 1) {
                    self.query(now, link, reply.to, draft);
                } else {
                    self.held_back += 1;
                }
            }
            ReplyKind::Answer { .. } | ReplyKind::AnswerAlways => {
                let offers = self.offers_contacts && reply.wants_contacts;
                draft.flags = draft.flags.with_if(offers, Flags::OFFERS_CONTACTS);
                if self.has_news_for(link) {
                    self.say(now, link, reply.to, draft);
                }
            }
        }
    }

    /// Asks one host, where the link lets nothing through to everybody.
    pub(crate) fn probe(&mut self, now: Now, link: &mut Link, host: IpAddr) {
        let to = match host {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, self.port, 0, link.interface.index).into()
            }
            host => SocketAddr::new(host, self.port),
        };
        let mut draft = Draft::new(Kind::Query);
        draft.flags = Flags::UNICAST;
        draft.asked = Some(host);
        self.query(now, link, Destination::One(to), draft);
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn held_back(&self) -> u64 {
        self.held_back
    }

    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Whether there is anything to announce on a link.
    pub(crate) fn has_news_for(&self, link: &Link) -> bool {
        let announcement = self.announcement.as_ref();
        announcement.is_some_and(|a| !link.interface.own_addrs(&a.addrs).is_empty())
    }

    /// Asks, and says who asks.
    fn query(&mut self, now: Now, link: &mut Link, to: Destination, mut draft: Draft) {
        draft.flags = draft
            .flags
            .with(Flags::WANTS_CONTACTS)
            .with_if(!link.hears, Flags::UNICAST);
        self.say(now, link, to, draft);
    }

    fn say(&mut self, now: Now, link: &mut Link, to: Destination, draft: Draft) {
        let announcement = self.announcement.as_ref();
        let own = announcement.map(|a| (a.peer, link.interface.own_addrs(&a.addrs)));
        let own = own.filter(|(_, addrs)| !addrs.is_empty());
        let record = own.and_then(|(peer, addrs)| self.sign(now, peer, addrs));
        self.send(now, link, to, draft, record);
    }

    fn send(
        &mut self,
        now: Now,
        link: &mut Link,
        to: Destination,
        draft: Draft,
        record: Option<SignedRecord>,
    ) {
        let count = link.datagrams_to(&to);
        // Whoever was asked too much can still say goodbye.
        let reserved = match draft.kind {
            Kind::Goodbye => 0,
            _ => link.datagrams_to(&Destination::Everybody),
        };
        if !link.limits.sent.admit_beside(now.at, count, reserved) {
            self.held_back += count as u64;
            return;
        }
        if record.is_some() {
            link.on_said(now.at, &to);
        }
        let token = self.rng.token();
        link.tokens.remember(now.at, token, Source::Own);
        let message = Message {
            kind: draft.kind,
            flags: draft.flags,
            time_ms: now.unix_ms,
            token,
            echo: draft.echo,
            record,
            asked: draft.asked,
        };
        self.transmits.push_back(Transmit {
            link: link.interface.index,
            to,
            message,
        });
    }

    /// Signs a record, without its last addresses where it would be too long.
    ///
    /// Numbers grow though the clock be set back: others take no record that is older than one they know.
    fn sign(&mut self, now: Now, peer: PeerId, addrs: Vec<Addr>) -> Option<SignedRecord> {
        self.last_seq = now.unix_ms.max(self.last_seq.saturating_add(1));
        let mut record = PeerRecord {
            peer,
            addrs,
            seq: self.last_seq,
            expires: now.unix_ms.saturating_add(RECORD_LIFETIME_MS),
        };
        let signer = self.signer.as_deref().unwrap_or(&Nobody);
        loop {
            match record.sign(signer) {
                Ok(signed) => return Some(signed),
                Err(error) => {
                    let left_out = record.addrs.pop()?;
                    tracing::debug!(addr = %left_out, %error, "address not announced");
                }
            }
        }
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voice")
            .field("announcement", &self.announcement)
            .field("held_back", &self.held_back)
            .finish_non_exhaustive()
    }
}

/// What a message is to say, beside the record.
struct Draft {
    kind: Kind,
    flags: Flags,
    echo: Option<u64>,
    asked: Option<IpAddr>,
}

impl Draft {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            flags: Flags::default(),
            echo: None,
            asked: None,
        }
    }
}

/// Signs with zeros: for beacons that believe each member of the network.
struct Nobody;

impl Signer for Nobody {
    fn peer_id(&self) -> PeerId {
        PeerId::from_bytes([0; PeerId::LEN])
    }

    fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
        [0; SIGNATURE_LEN]
    }
}

/// Longer than a neighbour remembers it, by the clock of whoever signed it.
const RECORD_LIFETIME_MS: u64 = 300_000;
