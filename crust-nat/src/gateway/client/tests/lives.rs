//! What becomes of a mapping: renewals, changes, refusals, its end.

use super::*;

#[test]
fn other_external_address_has_the_mapping_made_again() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL);
    scene.address(1_060, [23, 0, 0, 1]);
    assert!(scene.lost());
    scene.map(1_060, 9, 7_200);
    assert_eq!(scene.grants()[0].external, ([23, 0, 0, 1], 9).into());
}

#[test]
fn address_that_changed_during_a_silence_has_the_mapping_made_again() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL * 2);
    scene.pass(CHECK_INTERVAL);
    assert!(!scene.lost());
    scene.address(1_180, [23, 0, 0, 1]);
    assert!(scene.lost());
}

#[test]
fn mapping_is_renewed_at_half_its_life() {
    let mut scene = Scene::mapped();
    for minute in 1..=75 {
        scene.pass(CHECK_INTERVAL);
        if scene.asked().len() > usize::try_from(minute).unwrap() {
            break;
        }
        scene.address(1_000 + minute * 60, [22, 0, 0, 1]);
        let renewals = scene.asked();
        let is_map = |request: &nat_pmp::Request| matches!(request, nat_pmp::Request::Map { .. });
        if renewals.iter().any(is_map) {
            break;
        }
    }
    let passed = scene.now - scene.started_at;
    assert!(
        passed >= HOUR && passed <= HOUR + 16 * CHECK_INTERVAL,
        "{passed:?}"
    );
    assert!(!scene.lost());
}

#[test]
fn gateway_that_falls_silent_loses_the_mapping_when_that_runs_out() {
    let mut scene = Scene::mapped();
    scene.pass(2 * HOUR - SECOND);
    assert!(!scene.lost());
    scene.pass(CHECK_INTERVAL);
    assert!(scene.lost());
}

#[test]
fn gateway_that_is_back_after_a_silence_is_found_within_a_minute() {
    let (mut scene, map) = Scene::asking();
    scene.grant(1_000, map);
    scene.pass(HOUR / 2);
    scene.sent.clear();
    scene.pass(CHECK_INTERVAL + CHECK_INTERVAL / 10);
    assert!(!scene.sent.is_empty());
}

#[test]
fn grants_that_are_none_are_refused() {
    for (external_port, lifetime_s, failure) in [
        (0, 7_200, MappingFailure::ExternalPortZero),
        (9, 0, MappingFailure::LeaseZero),
    ] {
        let mut scene = Scene::nat_pmp();
        scene.address(1_000, [22, 0, 0, 1]);
        scene.want();
        scene.map(1_000, external_port, lifetime_s);
        assert_eq!(scene.refusals(), [failure]);
        assert_eq!(scene.grants(), []);
    }
}

#[test]
fn lease_of_136_years_is_renewed_within_a_day() {
    let mut scene = Scene::nat_pmp();
    scene.address(1_000, [22, 0, 0, 1]);
    scene.want();
    scene.map(1_000, 9, u32::MAX);
    let day = Some(scene.now + 24 * HOUR);
    assert_eq!(scene.grants()[0].expires_at, day);
}

#[test]
fn external_address_that_is_none_is_refused() {
    for ip in [
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [224, 0, 0, 1],
        [127, 0, 0, 1],
    ] {
        let mut scene = Scene::nat_pmp();
        scene.address(1_000, ip);
        let ip = ip.into();
        let failure = MappingFailure::ExternalAddress { ip };
        assert_eq!(scene.events, [Event::Failed(failure)]);
    }
}

#[test]
fn refusal_is_told_with_its_code_and_tried_again_when_the_server_allows() {
    let (mut scene, map) = Scene::asking();
    let code = pcp::ResultCode::NO_RESOURCES;
    let refused = pcp::Answer::Refused {
        opcode: Some(pcp::Opcode::Map),
        map: Some(map),
        code,
    };
    scene.pcp_answer(1_000, 40, refused);
    assert_eq!(scene.refusals(), [MappingFailure::Pcp { code }]);
    scene.sent.clear();
    scene.pass(35 * SECOND);
    assert_eq!(scene.sent, []);
    scene.pass(10 * SECOND);
    assert_eq!(scene.asked_map(), map);
}

#[test]
fn gateway_without_external_address_is_asked_again_within_a_minute_or_so() {
    let mut scene = Scene::nat_pmp();
    let code = nat_pmp::ResultCode::NETWORK_FAILURE;
    for _ in 0..20 {
        scene.nat_pmp_answer(1_000, nat_pmp::Answer::Refused { opcode: 0, code });
        assert_eq!(
            scene.events.pop(),
            Some(Event::Failed(MappingFailure::NatPmp { code }))
        );
        scene.sent.clear();
        scene.pass(66 * SECOND);
        assert!(!scene.sent.is_empty());
    }
}

#[test]
fn other_version_is_told() {
    let mut scene = Scene::pcp();
    scene.receive(&[0, 128, 0, 1, 0, 0, 0, 9]);
    let failure = MappingFailure::Version { version: 0 };
    assert_eq!(scene.events, [Event::Failed(failure)]);
    let mut scene = Scene::nat_pmp();
    scene.receive(&[2, 0x80, 0, 1]);
    let failure = MappingFailure::Version { version: 2 };
    assert_eq!(scene.events, [Event::Failed(failure)]);
}

#[test]
fn server_that_knows_no_announce_is_found_all_the_same() {
    let mut scene = Scene::pcp();
    let refused = pcp::Answer::Refused {
        opcode: Some(pcp::Opcode::Announce),
        map: None,
        code: pcp::ResultCode::UNSUPPORTED_OPCODE,
    };
    scene.pcp_answer(7, 0, refused);
    assert!(matches!(&scene.events[..], [Event::Found(found)] if found.epoch_s == Some(7)));
}

#[test]
fn closed_port_is_told_and_tried_again() {
    let mut scene = Scene::pcp();
    scene
        .client
        .handle_failure(scene.now, MappingFailure::Closed);
    scene.drain();
    assert_eq!(scene.events, [Event::Failed(MappingFailure::Closed)]);
    scene.sent.clear();
    scene.pass(3 * SECOND);
    assert!(!scene.sent.is_empty());
}

#[test]
fn unwanted_mapping_is_deleted() {
    let mut scene = Scene::mapped();
    scene.unwant();
    let delete = nat_pmp::Request::Map {
        port: port(),
        external_port: 0,
        lifetime_s: 0,
    };
    assert_eq!(scene.asked(), [delete]);
    scene.map(1_000, 0, 0);
    scene.client.close(scene.now);
    assert!(scene.client.is_done());
}

#[test]
fn closing_deletes_what_may_have_been_granted() {
    let (mut scene, map) = Scene::asking();
    scene.client.close(scene.now);
    scene.drain();
    let delete = scene.asked_map();
    assert_eq!((delete.nonce, delete.external_port), (map.nonce, 0));
    assert!(!scene.client.is_done());
    scene.pcp_answer(1_000, 0, pcp::Answer::Map(delete));
    assert!(scene.client.is_done());
}

#[test]
fn closing_waits_two_seconds_for_a_gateway_that_is_silent() {
    let mut scene = Scene::mapped();
    scene.client.close(scene.now);
    scene.drain();
    scene.pass(2 * SECOND);
    assert!(scene.client.is_done());
    assert_eq!(scene.client.poll_timeout(scene.now), None);
    assert_eq!(scene.sent.len(), 3);
}

#[test]
fn client_without_mappings_is_closed_at_once() {
    let mut scene = Scene::nat_pmp();
    scene.client.close(scene.now);
    assert!(scene.client.is_done());
}

#[test]
fn refresh_asks_for_each_mapping_again_though_the_epoch_keeps_pace() {
    let mut scene = Scene::mapped();
    scene.client.check(scene.now);
    scene.drain();
    scene.address(1_000, [22, 0, 0, 1]);
    let asked = scene.asked();
    let is_map = |request: &nat_pmp::Request| matches!(request, nat_pmp::Request::Map { .. });
    assert!(asked.iter().any(is_map), "{asked:?}");
    assert!(!scene.lost());
}
