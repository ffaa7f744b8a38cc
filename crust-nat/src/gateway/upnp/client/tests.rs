//! A client and a gateway in virtual time.

mod lives;

use std::num::NonZeroU16;

use super::*;
use crate::gateway::{
    leases::Grant,
    upnp::{Location, error_code::ErrorCode},
};

const SECOND: Duration = Duration::from_secs(1);

fn port() -> InternalPort {
    InternalPort::udp(NonZeroU16::new(4_000).unwrap())
}

fn service(kind: ServiceKind) -> Service {
    Service {
        kind,
        version: 1,
        control: Location::parse("http://192.168.1.1/ctl").unwrap(),
    }
}

fn refused(number: u16) -> Result<Arguments, MappingFailure> {
    let code = ErrorCode::new(number);
    Err(MappingFailure::Upnp { code })
}

/// A client, the time, and what it has done since it was looked at.
struct Scene {
    client: Client,
    now: Instant,
    service: Service,
    finds: usize,
    actions: Vec<Action>,
    events: Vec<Event>,
}

impl Scene {
    fn new(local: IpAddr, kind: ServiceKind) -> Self {
        let now = crust_core::rt::now();
        let lifetime = 7_200 * SECOND;
        let mut scene = Self {
            client: Client::new(local, "test".to_owned(), lifetime, 7, now),
            now,
            service: service(kind),
            finds: 0,
            actions: Vec::new(),
            events: Vec::new(),
        };
        scene.drain();
        scene
    }

    fn ipv4() -> Self {
        Self::new([192, 168, 1, 2].into(), ServiceKind::WanIpConnection)
    }

    /// One whose gateway is found, and whose port is asked for.
    fn asking() -> Self {
        let mut scene = Self::ipv4();
        scene.find();
        scene.address("22.0.0.1");
        scene.want();
        scene
    }

    /// One that has a mapping.
    fn mapped() -> Self {
        let mut scene = Self::asking();
        scene.answer(Ok(Arguments::default()));
        assert_eq!(scene.external_ports(), [4_000]);
        scene.actions.clear();
        scene.events.clear();
        scene
    }

    fn find(&mut self) {
        let services = vec![self.service.clone()];
        self.client.handle_found(self.now, Ok(services));
        self.drain();
    }

    fn want(&mut self) {
        self.client.want(self.now, &PortRequest::new(port()));
        self.drain();
    }

    fn address(&mut self, ip: &str) {
        self.answer(Ok(Arguments::of([("NewExternalIPAddress", ip)])));
    }

    fn answer(&mut self, answer: Result<Arguments, MappingFailure>) {
        let service = self.service.clone();
        self.client.handle_answer(self.now, &service, answer);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.client.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Call(call) => self.actions.push(call.action),
                Output::Event(event) => self.events.push(event),
                Output::Find => self.finds += 1,
            }
        }
    }

    fn grants(&self) -> Vec<Grant> {
        let grants = self.events.iter().filter_map(|event| match event {
            Event::Mapped { grant, .. } => Some(*grant),
            _ => None,
        });
        grants.collect()
    }

    fn external_ports(&self) -> Vec<u16> {
        self.grants()
            .iter()
            .map(|grant| grant.external.port())
            .collect()
    }

    /// The external port and the lease of the mapping asked for last.
    fn asked(&self) -> (u16, u32) {
        match self.actions.last() {
            Some(Action::AddMapping {
                external_port,
                lease_s,
                ..
            }) => (*external_port, *lease_s),
            other => panic!("a mapping was to be asked for, not {other:?}"),
        }
    }

    fn lost(&self) -> bool {
        self.events.contains(&Event::Lost { port: port() })
    }
}

#[test]
fn port_is_mapped() {
    let mut scene = Scene::asking();
    assert_eq!(scene.asked(), (4_000, 7_200));
    scene.answer(Ok(Arguments::default()));
    let grant = Grant {
        external: ([22, 0, 0, 1], 4_000).into(),
        expires_at: Some(scene.now + 7_200 * SECOND),
    };
    assert_eq!(scene.grants(), [grant]);
}

#[test]
fn occupied_port_gives_another_one() {
    let mut scene = Scene::asking();
    for _ in 0..3 {
        let before = scene.asked();
        scene.answer(refused(718));
        assert_ne!(scene.asked(), before);
    }
    let (other, _) = scene.asked();
    scene.answer(Ok(Arguments::default()));
    assert_eq!(scene.external_ports(), [other]);
}

#[test]
fn gateway_on_which_all_ports_are_taken_is_left_alone() {
    let mut scene = Scene::asking();
    for _ in 0..20 {
        scene.answer(refused(718));
    }
    assert_eq!(scene.actions.len(), 1 + 1 + 8);
    let code = ErrorCode::CONFLICT;
    let failure = MappingFailure::Upnp { code };
    let port = port();
    assert_eq!(scene.events.last(), Some(&Event::Refused { port, failure }));
}

#[test]
fn gateway_with_permanent_leases_alone_has_one_that_is_refreshed() {
    let mut scene = Scene::asking();
    scene.answer(refused(725));
    assert_eq!(scene.asked(), (4_000, 0));
    scene.answer(Ok(Arguments::default()));
    assert_eq!(scene.grants()[0].expires_at, None);
    scene.client.unwant(scene.now, port());
    scene.drain();
    scene.answer(Ok(Arguments::default()));
    scene.want();
    assert_eq!(scene.asked(), (4_000, 0));
}

#[test]
fn same_port_is_given_where_it_is_required() {
    let mut scene = Scene::ipv4();
    scene.find();
    scene.address("22.0.0.1");
    let wish = PortRequest::new(port()).with_external_port(NonZeroU16::new(9).unwrap());
    scene.client.want(scene.now, &wish);
    scene.drain();
    assert_eq!(scene.asked(), (9, 7_200));
    scene.answer(refused(724));
    assert_eq!(scene.asked(), (4_000, 7_200));
    scene.answer(refused(724));
    assert!(matches!(scene.events.last(), Some(Event::Refused { .. })));
}

#[test]
fn line_that_is_up_is_found_among_several() {
    let mut scene = Scene::ipv4();
    let down = service(ServiceKind::WanIpConnection);
    let up = service(ServiceKind::WanPppConnection);
    scene
        .client
        .handle_found(scene.now, Ok(vec![down, up.clone()]));
    scene.drain();
    scene.answer(refused(501));
    scene.service = up;
    scene.address("22.0.0.1");
    assert!(matches!(scene.events[..], [Event::Found(_)]));
}

#[test]
fn gateway_without_external_address_is_told_with_its_code() {
    let mut scene = Scene::ipv4();
    scene.find();
    scene.answer(refused(501));
    let code = ErrorCode::ACTION_FAILED;
    let failed = Event::Failed(MappingFailure::Upnp { code });
    assert_eq!(scene.events, [failed]);
    scene.pass(3 * SECOND);
    assert_eq!(scene.finds, 2);
}

#[test]
fn external_address_that_is_none_is_refused() {
    let mut scene = Scene::ipv4();
    scene.find();
    scene.address("0.0.0.0");
    let ip = [0, 0, 0, 0].into();
    let failed = Event::Failed(MappingFailure::ExternalAddress { ip });
    assert_eq!(scene.events, [failed]);
}

#[test]
fn gateway_that_knows_that_it_has_no_address_is_told() {
    let mut scene = Scene::ipv4();
    scene.find();
    scene.address("");
    let failed = Event::Failed(MappingFailure::NoExternalAddress);
    assert_eq!(scene.events, [failed]);
}

#[test]
fn device_without_service_is_told() {
    let mut scene = Scene::ipv4();
    scene.client.handle_found(scene.now, Ok(Vec::new()));
    scene.drain();
    assert_eq!(scene.events, [Event::Failed(MappingFailure::UpnpService)]);
}
