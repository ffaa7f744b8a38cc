//! A client of one gateway by NAT-PMP or PCP, without I/O.

mod presence;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use self::presence::Presence;
use super::{
    dialect::{Ask, Dialect, Reply, Said},
    event::Event,
    failure::MappingFailure,
    leases::{Job, Leases},
    port::{InternalPort, PortRequest},
    retry::{CHECK_INTERVAL, Retry, RetryKind},
    rng::Rng,
};

/// A client of one gateway.
///
/// It asks one thing at a time, as RFC 6886 §3.1 wishes it. After each call, do what [`poll_output`](Self::poll_output)
/// gives, and call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub(crate) struct Client<D> {
    dialect: D,
    server: SocketAddr,
    leases: Leases,
    exchange: Exchange,
    presence: Presence,
    retry: Retry,
    /// Whether it was told that the gateway is silent, which it is no more once it answers.
    is_told_silent: bool,
    /// All that is known is to be asked again.
    is_stale: bool,
    is_closing: bool,
    outputs: VecDeque<Output>,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    Event(Event),
    Transmit(Vec<u8>),
}

#[derive(Debug)]
enum Exchange {
    Idle {
        probe_at: Instant,
    },
    Waiting {
        ask: Ask,
        attempt: u32,
        resend_at: Instant,
    },
}

impl<D: Dialect> Client<D> {
    pub(crate) fn new(
        dialect: D,
        server: SocketAddr,
        lifetime: Duration,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut client = Self {
            dialect,
            server,
            leases: Leases::new(lifetime, Rng::new(seed)),
            exchange: Exchange::Idle { probe_at: now },
            presence: Presence::default(),
            retry: Retry::default(),
            is_told_silent: false,
            is_stale: false,
            is_closing: false,
            outputs: VecDeque::new(),
        };
        client.proceed(now);
        client
    }

    /// Maps a port from now on.
    pub(crate) fn want(&mut self, now: Instant, request: &PortRequest) {
        if !self.is_closing {
            self.leases.want(now, request);
            self.proceed(now);
        }
    }

    /// Ends the mapping of a port.
    pub(crate) fn unwant(&mut self, now: Instant, port: InternalPort) {
        self.leases.unwant(port);
        if let Exchange::Waiting {
            ask: Ask::Job(job), ..
        } = &self.exchange
            && matches!(job, Job::Make { .. })
            && job.port() == port
        {
            self.rest(now);
        }
        self.proceed(now);
    }

    /// Ends all mappings, and takes no new ones.
    pub(crate) fn close(&mut self, now: Instant) {
        self.is_closing = true;
        self.leases.unwant_all();
        if !matches!(
            &self.exchange,
            Exchange::Waiting {
                ask: Ask::Job(Job::Delete { .. }),
                ..
            }
        ) {
            self.rest(now);
        }
        self.proceed(now);
    }

    /// Looks at once whether the gateway is there, and asks for all mappings again: it may be another one at the same address.
    pub(crate) fn check(&mut self, now: Instant) {
        self.is_stale = true;
        if let Exchange::Waiting {
            ask: Ask::Probe, ..
        } = self.exchange
        {
            // The pause may be long by now.
            self.is_stale = false;
            self.leases.renew_all(now);
            self.ask(now, Ask::Probe, 0);
        }
        self.proceed(now);
    }

    /// Takes a datagram. What is no answer of the gateway to what was asked changes nothing.
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Exchange::Waiting { ask, .. } = &self.exchange else {
            return;
        };
        if from.ip() != self.server.ip() || from.port() != self.server.port() {
            return;
        }
        let ask = *ask;
        match self.dialect.decode(&ask, bytes) {
            None => return,
            Some(Reply::Version(version)) => {
                self.fail(now, MappingFailure::Version { version }, RetryKind::Absent);
            }
            Some(Reply::Said { epoch_s, said }) => {
                if self.presence.on_epoch(now, epoch_s, D::EPOCH_RULE) {
                    self.forget_all(now);
                }
                self.rest(now);
                if std::mem::take(&mut self.is_told_silent) {
                    self.tell_found();
                }
                self.on_said(now, &ask, said);
            }
        }
        self.proceed(now);
    }

    /// The system says that nobody listens there, or that there is no way.
    pub(crate) fn handle_failure(&mut self, now: Instant, failure: MappingFailure) {
        if matches!(self.exchange, Exchange::Waiting { .. }) {
            self.fail(now, failure, RetryKind::Absent);
            self.proceed(now);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for port in self.leases.expire(now) {
            self.emit(Event::Lost { port });
        }
        if let Exchange::Waiting {
            ask,
            attempt,
            resend_at,
        } = self.exchange
            && now >= resend_at
        {
            self.on_silence(now, ask, attempt);
        }
        self.proceed(now);
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_done() {
            return None;
        }
        let at = match self.exchange {
            Exchange::Waiting { resend_at, .. } => resend_at,
            Exchange::Idle { probe_at } if self.presence.is_here() => {
                let leases = self.leases.poll_timeout(now);
                leases.map_or(probe_at, |at| at.min(probe_at))
            }
            Exchange::Idle { probe_at } => probe_at,
        };
        self.leases.next_expiry().into_iter().chain([at]).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether it was closed and all mappings are deleted, as far as can be known.
    pub(crate) fn is_done(&self) -> bool {
        self.is_closing && self.leases.is_empty()
    }

    /// Asks the next thing, where it is time.
    fn proceed(&mut self, now: Instant) {
        let Exchange::Idle { probe_at } = self.exchange else {
            return;
        };
        if (now >= probe_at || self.is_stale) && !self.is_closing {
            // In this order, for the address may be another.
            if std::mem::take(&mut self.is_stale) {
                self.leases.renew_all(now);
            }
            self.ask(now, Ask::Probe, 0);
            return;
        }
        if self.presence.is_here() || self.is_closing {
            let job = self.leases.next(now);
            job.into_iter()
                .for_each(|job| self.ask(now, Ask::Job(job), 0));
        }
    }

    fn ask(&mut self, now: Instant, ask: Ask, attempt: u32) {
        let Some(wait) = D::patience(attempt, self.leases.rng()) else {
            return;
        };
        self.exchange = Exchange::Waiting {
            ask,
            attempt,
            resend_at: now + self.bounded(wait),
        };
        let bytes = self.dialect.encode(&ask);
        self.outputs.push_back(Output::Transmit(bytes));
    }

    /// A gateway that held a mapping of ours will be back.
    fn bounded(&self, wait: Duration) -> Duration {
        match self.presence.is_known() {
            true => wait.min(CHECK_INTERVAL),
            false => wait,
        }
    }

    fn on_silence(&mut self, now: Instant, ask: Ask, attempt: u32) {
        let next = attempt + 1;
        let gives_up = match ask {
            Ask::Job(Job::Delete { .. }) => next >= DELETE_ATTEMPTS,
            Ask::Job(Job::Make { .. }) => next >= MAKE_ATTEMPTS,
            Ask::Probe => D::patience(next, self.leases.rng()).is_none(),
        };
        if !gives_up {
            if next == TELLING_ATTEMPTS {
                self.is_told_silent = true;
                self.emit(Event::Failed(MappingFailure::NoAnswer));
            }
            return self.ask(now, ask, next);
        }
        match ask {
            Ask::Job(Job::Delete { port, .. }) => {
                self.leases.on_deleted(port);
                self.rest(now);
            }
            Ask::Job(Job::Make { port, .. }) => {
                self.leases.on_unheard(now, port);
                let failure = MappingFailure::NoAnswer;
                self.emit(Event::Refused { port, failure });
                self.presence.leave();
                self.exchange = Exchange::Idle { probe_at: now };
            }
            Ask::Probe => self.fail(now, MappingFailure::NoAnswer, RetryKind::Absent),
        }
    }

    fn on_said(&mut self, now: Instant, ask: &Ask, said: Said) {
        match (ask, said) {
            (_, Said::Here { external_ip }) => self.on_here(now, external_ip),
            (Ask::Probe, Said::Refused { failure, .. }) => {
                self.fail(now, failure, RetryKind::Refused);
            }
            (Ask::Job(Job::Delete { port, .. }), _) => self.leases.on_deleted(*port),
            (Ask::Job(Job::Make { port, .. }), Said::Refused { failure, lifetime }) => {
                self.refuse(now, *port, failure, lifetime);
            }
            (
                Ask::Job(Job::Make { port, .. }),
                Said::Granted {
                    external_port,
                    external_ip,
                    lifetime,
                },
            ) => match self.presence.external(external_ip, external_port, lifetime) {
                Ok(external) => self.grant(now, *port, external, lifetime),
                Err(failure) => self.refuse(now, *port, failure, None),
            },
            (_, Said::Deleted | Said::Granted { .. }) => {}
        }
    }

    fn on_here(&mut self, now: Instant, ip: Option<IpAddr>) {
        self.retry = Retry::default();
        match self.presence.on_address(ip) {
            Ok(has_changed) => {
                if has_changed {
                    self.forget_all(now);
                }
                self.tell_found();
            }
            Err(failure) => self.fail(now, failure, RetryKind::Refused),
        }
    }

    fn tell_found(&mut self) {
        let found = self.presence.found();
        found
            .into_iter()
            .for_each(|found| self.emit(Event::Found(found)));
    }

    fn grant(
        &mut self,
        now: Instant,
        port: InternalPort,
        external: SocketAddr,
        lifetime: Duration,
    ) {
        if let Some(grant) = self.leases.on_granted(now, port, external, Some(lifetime)) {
            self.emit(Event::Mapped { port, grant });
        }
    }

    fn refuse(
        &mut self,
        now: Instant,
        port: InternalPort,
        failure: MappingFailure,
        lifetime: Option<Duration>,
    ) {
        self.leases.on_refused(now, port, lifetime);
        self.emit(Event::Refused { port, failure });
    }

    /// The gateway has to be found anew, after a pause.
    fn fail(&mut self, now: Instant, failure: MappingFailure, kind: RetryKind) {
        if let Exchange::Waiting {
            ask: Ask::Job(Job::Delete { port, .. }),
            ..
        } = self.exchange
        {
            self.leases.on_deleted(port);
        }
        self.presence.leave();
        let pause = self.retry.next(kind);
        let probe_at = now + self.leases.rng().around(pause);
        self.exchange = Exchange::Idle { probe_at };
        self.emit(Event::Failed(failure));
    }

    fn forget_all(&mut self, now: Instant) {
        for port in self.leases.forget_all(now) {
            self.emit(Event::Lost { port });
        }
    }

    /// Nothing is asked now; the next probe checks whether the gateway still knows us.
    fn rest(&mut self, now: Instant) {
        let probe_at = match self.presence.is_here() {
            true => now + CHECK_INTERVAL,
            false => now,
        };
        self.exchange = Exchange::Idle { probe_at };
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// A silence of 1.75 s is told of, though the gateway is asked on.
const TELLING_ATTEMPTS: u32 = 3;
/// 1.75 s: a mapping that cannot be deleted runs out by itself.
const DELETE_ATTEMPTS: u32 = 3;
/// 8 s with NAT-PMP, 11 s with PCP; a gateway that was there a moment ago.
const MAKE_ATTEMPTS: u32 = 5;

#[cfg(test)]
mod tests;
