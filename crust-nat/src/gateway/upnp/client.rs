//! A client of one gateway by UPnP, without I/O.

mod attempt;
mod check;
mod output;
mod state;
mod ways;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

pub(crate) use self::output::{Call, Output};
use self::{
    attempt::{Attempt, Next},
    check::{greeting, read_address},
    state::{Ready, State, Step},
    ways::Ways,
};
use super::{
    action::{Action, Arguments},
    service::{Service, ServiceKind},
};
use crate::gateway::{
    event::{Event, Found},
    failure::MappingFailure,
    leases::{Job, Leases},
    port::{InternalPort, PortRequest},
    retry::{CHECK_INTERVAL, Retry, RetryKind},
    rng::Rng,
};

/// A client of one gateway.
///
/// It does one thing at a time. After each call, do what [`poll_output`](Self::poll_output) gives and tell how it went, and
/// call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub(crate) struct Client {
    ways: Ways,
    leases: Leases,
    external_ip: Option<IpAddr>,
    state: State,
    retry: Retry,
    /// All that is known is to be asked again.
    is_stale: bool,
    is_closing: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    pub(crate) fn new(
        local: IpAddr,
        description: String,
        lifetime: Duration,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut client = Self {
            ways: Ways::new(local, description),
            leases: Leases::new(lifetime.clamp(MIN_LEASE, MAX_LEASE), Rng::new(seed)),
            external_ip: None,
            state: State::Absent { find_at: now },
            retry: Retry::default(),
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
        self.proceed(now);
    }

    /// Ends all mappings, and takes no new ones.
    pub(crate) fn close(&mut self, now: Instant) {
        self.is_closing = true;
        self.leases.unwant_all();
        self.proceed(now);
    }

    /// Looks at once whether the gateway is there, and asks for all mappings again: it may be another one at the same address.
    pub(crate) fn check(&mut self, now: Instant) {
        self.is_stale = true;
        if let State::Absent { find_at } = &mut self.state {
            *find_at = now;
        }
        self.proceed(now);
    }

    /// The gateway's services, or why there are none.
    pub(crate) fn handle_found(
        &mut self,
        now: Instant,
        found: Result<Vec<Service>, MappingFailure>,
    ) {
        match found {
            Ok(services) => self.greet(now, services.into(), MappingFailure::UpnpService),
            Err(failure) => self.fail(now, failure, RetryKind::Absent),
        }
        self.proceed(now);
    }

    /// How the action went.
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        service: &Service,
        answer: Result<Arguments, MappingFailure>,
    ) {
        let absent = State::Absent { find_at: now };
        match std::mem::replace(&mut self.state, absent) {
            State::Greeting { rest } => self.on_greeting(now, service, rest, answer),
            State::Calling { ready, step } => {
                self.state = State::Idle(ready);
                match answer {
                    Err(failure) if !is_of_the_action(&failure) => {
                        self.on_gone(now, &step, failure)
                    }
                    answer => self.on_step(now, step, answer),
                }
            }
            other => self.state = other,
        }
        self.proceed(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for port in self.leases.expire(now) {
            self.emit(Event::Lost { port });
        }
        self.proceed(now);
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_done() {
            return None;
        }
        let at = match &self.state {
            State::Absent { find_at } => Some(*find_at),
            State::Calling { .. } | State::Finding | State::Greeting { .. } => None,
            State::Idle(ready) => {
                let leases = self.leases.poll_timeout(now);
                leases.into_iter().chain([ready.check_at]).min()
            }
        };
        self.leases.next_expiry().into_iter().chain(at).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether it was closed and all mappings are deleted, as far as can be known.
    pub(crate) fn is_done(&self) -> bool {
        self.is_closing && self.leases.is_empty()
    }

    /// Does the next thing, where it is time.
    fn proceed(&mut self, now: Instant) {
        if self.is_done() {
            return;
        }
        match &self.state {
            State::Absent { find_at } if now >= *find_at || self.is_closing => {
                self.state = State::Finding;
                self.outputs.push_back(Output::Find);
            }
            State::Idle(_) => {
                let absent = State::Absent { find_at: now };
                if let State::Idle(ready) = std::mem::replace(&mut self.state, absent) {
                    self.on_idle(now, ready);
                }
            }
            State::Absent { .. }
            | State::Calling { .. }
            | State::Finding
            | State::Greeting { .. } => {}
        }
    }

    fn on_idle(&mut self, now: Instant, mut ready: Ready) {
        // In this order, for the address may be another.
        if std::mem::take(&mut self.is_stale) && !self.is_closing {
            self.leases.renew_all(now);
            ready.unchecked.clear();
            ready.check_at = now;
        } else if let Some(job) = self.leases.next(now) {
            return self.start(ready, &job);
        }
        while let Some(port) = ready.unchecked.pop_front() {
            let held = self.leases.held().find(|(held, _)| *held == port);
            if let Some((_, grant)) = held {
                let action = Action::FindMapping {
                    port,
                    external_port: grant.external.port(),
                };
                return self.call(ready, Step::CheckPort(port), action);
            }
        }
        if now < ready.check_at || self.is_closing {
            self.state = State::Idle(ready);
            return;
        }
        ready.check_at = now + CHECK_INTERVAL;
        let action = greeting(&ready.service);
        if ready.service.kind != ServiceKind::WanIpv6FirewallControl {
            ready.unchecked = self.leases.held().map(|(port, _)| port).collect();
        }
        self.call(ready, Step::CheckAddress, action);
    }

    fn start(&mut self, ready: Ready, job: &Job) {
        match self.ways.plan(&ready.service, job) {
            Some((step, action)) => self.call(ready, step, action),
            None => {
                self.leases.on_deleted(job.port());
                self.state = State::Idle(ready);
            }
        }
    }

    fn call(&mut self, ready: Ready, step: Step, action: Action) {
        let service = ready.service.clone();
        self.outputs
            .push_back(Output::Call(Box::new(Call { service, action })));
        self.state = State::Calling { ready, step };
    }

    /// Asks the next service whether its line is up; `why` not, where none is left.
    fn greet(&mut self, now: Instant, mut rest: VecDeque<Service>, why: MappingFailure) {
        let Some(service) = rest.pop_front() else {
            let kind = match why {
                MappingFailure::UpnpService => RetryKind::Absent,
                _ => RetryKind::Refused,
            };
            return self.fail(now, why, kind);
        };
        let action = greeting(&service);
        self.outputs
            .push_back(Output::Call(Box::new(Call { service, action })));
        self.state = State::Greeting { rest };
    }

    fn on_greeting(
        &mut self,
        now: Instant,
        service: &Service,
        rest: VecDeque<Service>,
        answer: Result<Arguments, MappingFailure>,
    ) {
        match answer.and_then(|arguments| read_address(self.ways.local, service, &arguments)) {
            Ok(ip) => {
                self.retry = Retry::default();
                self.state = State::Idle(Ready {
                    service: service.clone(),
                    check_at: now + CHECK_INTERVAL,
                    unchecked: VecDeque::new(),
                });
                self.on_address(now, service.version, ip);
            }
            Err(failure) => self.greet(now, rest, failure),
        }
    }

    fn on_address(&mut self, now: Instant, version: u8, ip: IpAddr) {
        let before = self.external_ip.replace(ip);
        if before.is_some_and(|before| before != ip) {
            for port in self.leases.forget_all(now) {
                self.emit(Event::Lost { port });
            }
        }
        self.emit(Event::Found(Found {
            version: Some(version),
            external_ip: Some(ip),
            epoch_s: None,
        }));
    }

    fn on_step(&mut self, now: Instant, step: Step, answer: Result<Arguments, MappingFailure>) {
        match step {
            Step::CheckAddress => self.on_checked_address(now, answer),
            Step::CheckPort(port) => self.on_checked_port(now, port, answer),
            Step::Delete(port) => {
                self.ways.on_deleted(port);
                self.leases.on_deleted(port);
            }
            Step::Make(attempt) => self.on_made(now, attempt, answer),
        }
    }

    fn on_made(
        &mut self,
        now: Instant,
        attempt: Attempt,
        answer: Result<Arguments, MappingFailure>,
    ) {
        let port = attempt.port();
        let next = attempt.next(answer, self.leases.rng());
        self.ways.learn(port, &next);
        match next {
            Next::Again(again) => {
                let absent = State::Absent { find_at: now };
                let (step, action) = self.ways.make(again);
                match std::mem::replace(&mut self.state, absent) {
                    State::Idle(ready) => self.call(ready, step, action),
                    other => self.state = other,
                }
            }
            Next::Made {
                external_port,
                lifetime,
                ..
            } => {
                let ip = self.external_ip.unwrap_or(self.ways.local);
                let external = SocketAddr::new(ip, external_port);
                let granted = self.leases.on_granted(now, port, external, lifetime);
                if let Some(grant) = granted {
                    self.emit(Event::Mapped { port, grant });
                }
            }
            Next::Refused(failure) => {
                self.leases.on_refused(now, port, None);
                self.emit(Event::Refused { port, failure });
            }
        }
    }

    /// The gateway did not answer, or in another language: it is to be found anew.
    fn on_gone(&mut self, now: Instant, step: &Step, failure: MappingFailure) {
        match step {
            Step::Delete(port) => self.leases.on_deleted(*port),
            Step::Make(attempt) => {
                let port = attempt.port();
                self.leases.on_unheard(now, port);
                let failure = failure.clone();
                self.emit(Event::Refused { port, failure });
            }
            Step::CheckAddress | Step::CheckPort(_) => {}
        }
        self.fail(now, failure, RetryKind::Absent);
    }

    fn fail(&mut self, now: Instant, failure: MappingFailure, kind: RetryKind) {
        let pause = self.retry.next(kind);
        let find_at = now + self.leases.rng().around(pause);
        self.state = State::Absent { find_at };
        self.emit(Event::Failed(failure));
        if self.is_closing {
            self.leases.forget_all(now);
        }
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// Whether the gateway is there, and only refuses this action.
const fn is_of_the_action(failure: &MappingFailure) -> bool {
    matches!(failure, MappingFailure::Upnp { .. })
}

/// Zero would be for ever.
const MIN_LEASE: Duration = Duration::from_secs(1);
/// WANIPv6FirewallControl:1 §2.4: a pinhole lasts a day at most.
const MAX_LEASE: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
