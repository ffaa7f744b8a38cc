//! What is wanted of one gateway by one protocol, what it granted, and what is to be asked next.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    port::{InternalPort, PortRequest},
    rng::Rng,
};

/// The ports that are mapped, or to be mapped, by one protocol at one gateway.
#[derive(Debug)]
pub(crate) struct Leases {
    lifetime: Duration,
    slots: BTreeMap<InternalPort, Slot>,
    rng: Rng,
}

/// A mapping that the gateway holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) external: SocketAddr,
    /// `None` where it lasts until it is deleted.
    pub(crate) expires_at: Option<Instant>,
}

/// What the gateway is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Delete {
        port: InternalPort,
        external_port: u16,
    },
    /// To make a mapping, or make it last longer.
    Make {
        port: InternalPort,
        external_port: u16,
        external_ip: Option<IpAddr>,
        lifetime: Duration,
    },
}

impl Job {
    pub(crate) const fn port(&self) -> InternalPort {
        match *self {
            Self::Delete { port, .. } | Self::Make { port, .. } => port,
        }
    }
}

#[derive(Debug)]
struct Slot {
    /// The external end that is wished for, or was had before.
    external_port: u16,
    external_ip: Option<IpAddr>,
    state: State,
}

#[derive(Debug)]
enum State {
    Granted {
        grant: Grant,
        renew_at: Instant,
    },
    /// To be deleted.
    Unwanted,
    Wanted {
        ask_at: Instant,
        /// Refusals in a row.
        failures: u32,
        /// Whether the gateway may have made it without our having heard of it.
        was_asked: bool,
    },
}

impl Leases {
    pub(crate) const fn new(lifetime: Duration, rng: Rng) -> Self {
        Self {
            lifetime,
            slots: BTreeMap::new(),
            rng,
        }
    }

    /// Wants `request` from now on; the wish of one that is wanted already is left as it is.
    pub(crate) fn want(&mut self, now: Instant, request: &PortRequest) {
        let is_wanted = |slot: &Slot| !matches!(slot.state, State::Unwanted);
        if self.slots.get(&request.port).is_some_and(is_wanted) {
            return;
        }
        let slot = Slot {
            external_port: request.external_port.get(),
            external_ip: None,
            state: State::Wanted {
                ask_at: now,
                failures: 0,
                was_asked: false,
            },
        };
        self.slots.insert(request.port, slot);
    }

    /// Wants `port` no more; it is deleted where the gateway may have it.
    pub(crate) fn unwant(&mut self, port: InternalPort) {
        let Some(slot) = self.slots.get_mut(&port) else {
            return;
        };
        match slot.state {
            State::Wanted {
                was_asked: false, ..
            } => {
                self.slots.remove(&port);
            }
            State::Granted { .. } | State::Unwanted | State::Wanted { .. } => {
                slot.state = State::Unwanted;
            }
        }
    }

    pub(crate) fn unwant_all(&mut self) {
        let ports: Vec<InternalPort> = self.slots.keys().copied().collect();
        ports.into_iter().for_each(|port| self.unwant(port));
    }

    /// What to ask now. Whoever asks tells how it went before the next call.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Job> {
        let due = |slot: &&mut Slot| slot.due_at().is_none_or(|at| now >= at);
        let mut slots = self.slots.iter_mut();
        let unwanted = slots.find(|(_, slot)| matches!(slot.state, State::Unwanted));
        if let Some((port, slot)) = unwanted {
            return Some(Job::Delete {
                port: *port,
                external_port: slot.external_port,
            });
        }
        let mut slots = self.slots.iter_mut();
        let (port, slot) = slots.find(|(_, slot)| due(slot))?;
        if let State::Wanted { was_asked, .. } = &mut slot.state {
            *was_asked = true;
        }
        Some(Job::Make {
            port: *port,
            external_port: slot.external_port,
            external_ip: slot.external_ip,
            lifetime: self.lifetime,
        })
    }

    /// When there is something to ask, or something runs out.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let due = self.slots.values().map(|slot| slot.due_at().unwrap_or(now));
        due.chain(self.next_expiry()).min()
    }

    /// When the next mapping that is held runs out.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.slots.values().filter_map(Slot::expires_at).min()
    }

    /// The gateway made the mapping for `lifetime`, or for ever. Gives it where it is still wanted.
    pub(crate) fn on_granted(
        &mut self,
        now: Instant,
        port: InternalPort,
        external: SocketAddr,
        lifetime: Option<Duration>,
    ) -> Option<Grant> {
        let slot = self.slots.get_mut(&port)?;
        slot.external_port = external.port();
        slot.external_ip = Some(external.ip());
        if matches!(slot.state, State::Unwanted) {
            return None;
        }
        let lifetime = lifetime.map(|lifetime| lifetime.min(MAX_LIFETIME));
        let grant = Grant {
            external,
            expires_at: lifetime.map(|lifetime| now + lifetime),
        };
        let renew_at = renew_at(now, lifetime.unwrap_or(REFRESH * 2), &mut self.rng);
        slot.state = State::Granted { grant, renew_at };
        Some(grant)
    }

    /// The gateway did not make it, and wants to be left alone for `leave_alone`, where it says so.
    pub(crate) fn on_refused(
        &mut self,
        now: Instant,
        port: InternalPort,
        leave_alone: Option<Duration>,
    ) {
        self.put_off(now, port, leave_alone.unwrap_or_default());
        let slot = self.slots.get_mut(&port);
        if let Some(State::Wanted { was_asked, .. }) = slot.map(|slot| &mut slot.state) {
            *was_asked = false;
        }
    }

    /// The gateway did not answer; it may have made it.
    pub(crate) fn on_unheard(&mut self, now: Instant, port: InternalPort) {
        self.put_off(now, port, Duration::ZERO);
    }

    /// Asks again after a pause of `least`, or more.
    fn put_off(&mut self, now: Instant, port: InternalPort, least: Duration) {
        let Some(slot) = self.slots.get_mut(&port) else {
            return;
        };
        match &mut slot.state {
            State::Granted {
                grant,
                renew_at: at,
            } => {
                let rest = grant.expires_at.map(|at| at.saturating_duration_since(now));
                *at = renew_at(now, rest.unwrap_or(REFRESH), &mut self.rng);
            }
            State::Unwanted => {}
            State::Wanted {
                ask_at, failures, ..
            } => {
                let wait = FIRST_PAUSE.saturating_mul(1 << (*failures).min(16));
                *failures += 1;
                *ask_at = now + self.rng.around(wait.max(least).min(MAX_PAUSE));
            }
        }
    }

    /// The gateway has it no more, or will not say.
    pub(crate) fn on_deleted(&mut self, port: InternalPort) {
        let slot = self.slots.get(&port);
        if slot.is_some_and(|slot| matches!(slot.state, State::Unwanted)) {
            self.slots.remove(&port);
        }
    }

    /// All that are held are to be renewed at once.
    pub(crate) fn renew_all(&mut self, now: Instant) {
        for slot in self.slots.values_mut() {
            if let State::Granted { renew_at, .. } = &mut slot.state {
                *renew_at = now;
            }
        }
    }

    /// The gateway forgot `port`: it is to be made again at once, with the external end it had. Whether it was held.
    pub(crate) fn forget(&mut self, now: Instant, port: InternalPort) -> bool {
        let Some(slot) = self.slots.get_mut(&port) else {
            return false;
        };
        let was_held = matches!(slot.state, State::Granted { .. });
        match slot.state {
            State::Unwanted => {
                self.slots.remove(&port);
            }
            State::Granted { .. } | State::Wanted { .. } => {
                slot.state = State::Wanted {
                    ask_at: now,
                    failures: 0,
                    was_asked: false,
                };
            }
        }
        was_held
    }

    /// The gateway forgot all; those that were held.
    pub(crate) fn forget_all(&mut self, now: Instant) -> Vec<InternalPort> {
        let mut ports: Vec<InternalPort> = self.slots.keys().copied().collect();
        ports.retain(|port| self.forget(now, *port));
        ports
    }

    /// Those that have run out; they are made again.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<InternalPort> {
        let slots = self.slots.iter();
        let out = slots.filter(|(_, slot)| slot.expires_at().is_some_and(|at| now >= at));
        let ports: Vec<InternalPort> = out.map(|(port, _)| *port).collect();
        for port in &ports {
            self.forget(now, *port);
        }
        ports
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The mappings that are held.
    pub(crate) fn held(&self) -> impl Iterator<Item = (InternalPort, Grant)> {
        self.slots
            .iter()
            .filter_map(|(port, slot)| match slot.state {
                State::Granted { grant, .. } => Some((*port, grant)),
                State::Unwanted | State::Wanted { .. } => None,
            })
    }

    pub(crate) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

impl Slot {
    /// When the gateway is to be asked; `None` for at once.
    const fn due_at(&self) -> Option<Instant> {
        match self.state {
            State::Granted { renew_at, .. } => Some(renew_at),
            State::Unwanted => None,
            State::Wanted { ask_at, .. } => Some(ask_at),
        }
    }

    const fn expires_at(&self) -> Option<Instant> {
        match self.state {
            State::Granted { grant, .. } => grant.expires_at,
            State::Unwanted | State::Wanted { .. } => None,
        }
    }
}

/// Half of what is left, and up to an eighth more, so that hosts that were started together part (RFC 6887 §11.2.1).
fn renew_at(now: Instant, left: Duration, rng: &mut Rng) -> Instant {
    now + (left / 2 + rng.up_to(left / 8)).max(MIN_RENEWAL)
}

/// What is believed of a lease: RFC 6887 §15 lets servers grant a day at most.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// RFC 6887 §11.2.1: renewals are no closer than that.
const MIN_RENEWAL: Duration = Duration::from_secs(4);
/// A mapping for ever is made again as often, for gateways forget.
const REFRESH: Duration = Duration::from_secs(3_600);
/// After a first refusal; each doubles the next.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// RFC 6887 §7.4 calls 30 minutes the time for which an error that does not pass by itself is to be believed.
const MAX_PAUSE: Duration = Duration::from_secs(30 * 60);

#[cfg(test)]
mod tests;
