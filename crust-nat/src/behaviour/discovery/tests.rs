use super::*;

const SERVER: &str = "192.0.2.1:3478";
const OTHER: &str = "192.0.2.2:3479";
const MAIN: &str = "10.0.0.2:4000";
const FRESH: &str = "10.0.0.2:5000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn silence(probe: Probe) -> StunError {
    StunError::TimedOut {
        server: probe.destination,
        requests: 5,
    }
}

/// Runs the tests with what `answer` says to each: from where an answer comes.
fn behaviour(
    other: Option<&str>,
    answer: impl Fn(Probe) -> Result<SocketAddr, StunError>,
) -> Behaviour {
    let mut discovery = Discovery::new(addr(SERVER));
    let mut asked = VecDeque::new();
    loop {
        match discovery.poll_output() {
            Some(DiscoveryOutput::Finished(behaviour)) => return behaviour,
            Some(DiscoveryOutput::Probe(probe)) => asked.push_back(probe),
            None => {
                let probe = asked.pop_front().expect("it ends");
                let result = answer(probe).map(|answered_from| Binding {
                    observed_addr: addr("203.0.113.1:6000"),
                    answered_from,
                    other_addr: other.map(addr),
                    rtt: None,
                });
                let local = match probe.port {
                    ProbePort::Main => MAIN,
                    ProbePort::Fresh => FRESH,
                };
                discovery.handle_result(probe, addr(local), &result);
            }
        }
    }
}

/// A server that is all there, behind a filter that lets nobody in.
fn filtered(probe: Probe) -> Result<SocketAddr, StunError> {
    match probe.change {
        Change::NONE => Ok(probe.destination),
        _ => Err(silence(probe)),
    }
}

#[test]
fn silence_of_all_places_that_answer_others_is_a_filter() {
    let behaviour = behaviour(Some(OTHER), filtered);
    let expected = Some(Filtering::AddressAndPortDependent);
    assert_eq!(behaviour.filtering, expected);
    assert_eq!(behaviour.mapping, Some(Mapping::EndpointIndependent));
    assert_eq!(behaviour.is_translated, Some(true));
    assert_eq!(behaviour.observations.len(), 5);
}

#[test]
fn silence_of_a_place_that_answers_nobody_is_unknown() {
    for dead in [OTHER, "192.0.2.1:3479"] {
        let behaviour = behaviour(Some(OTHER), |probe| match probe.change {
            Change::NONE if probe.destination == addr(dead) => Err(silence(probe)),
            _ => filtered(probe),
        });
        assert_eq!(behaviour.filtering, None, "{dead}");
    }
}

#[test]
fn silence_towards_a_port_that_hears_nothing_is_unknown() {
    let behaviour = behaviour(Some(OTHER), |probe| match probe.port {
        ProbePort::Fresh => Err(silence(probe)),
        ProbePort::Main => Ok(probe.destination),
    });
    assert_eq!(behaviour.filtering, None);
    assert_eq!(behaviour.mapping, Some(Mapping::EndpointIndependent));
}

#[test]
fn refusal_is_no_silence() {
    let behaviour = behaviour(Some(OTHER), |probe| match probe.change {
        Change::NONE => Ok(probe.destination),
        _ => Err(StunError::Refused {
            server: probe.destination,
            code: 420,
        }),
    });
    assert_eq!(behaviour.filtering, None);
}

#[test]
fn answer_from_elsewhere_than_asked_is_unknown() {
    let behaviour = behaviour(Some(OTHER), |probe| Ok(probe.destination));
    assert_eq!(behaviour.filtering, None);
}

#[test]
fn server_with_one_place_ends_it_with_what_it_saw() {
    let behaviour = behaviour(None, filtered);
    assert_eq!(behaviour.filter_tests, FilterTests::default());
    assert_eq!((behaviour.mapping, behaviour.filtering), (None, None));
    assert_eq!(behaviour.is_translated, Some(true));
}

#[test]
fn other_place_on_this_host_is_not_asked() {
    for other in ["127.0.0.1:3479", "[2001:db8::1]:3479"] {
        let behaviour = behaviour(Some(other), filtered);
        let destinations = behaviour.observations.iter().map(|it| it.destination);
        assert!(destinations.clone().count() > 0);
        assert!(destinations.into_iter().all(|it| it == addr(SERVER)));
    }
}

#[test]
fn silent_server_leaves_all_unknown() {
    let behaviour = behaviour(Some(OTHER), |probe| Err(silence(probe)));
    assert_eq!(behaviour, Behaviour::default());
}

#[test]
fn address_that_others_see_as_it_is_has_no_nat() {
    let observation = |local| Observation {
        local: addr(local),
        destination: addr(SERVER),
        observed_addr: addr(MAIN),
    };
    let cases = [
        (MAIN, Some(false)),
        ("10.0.0.3:4000", Some(true)),
        ("0.0.0.0:4001", Some(true)),
        ("0.0.0.0:4000", None),
    ];
    for (local, expected) in cases {
        assert_eq!(is_translated(&observation(local)), expected, "{local}");
    }
}
