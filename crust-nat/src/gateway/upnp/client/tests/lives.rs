//! What becomes of a mapping: checks, changes, its end; and pinholes.

use super::*;

#[test]
fn forgotten_mapping_is_made_again_at_the_next_check() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL);
    assert_eq!(scene.actions, [Action::ExternalAddress]);
    scene.address("22.0.0.1");
    assert!(matches!(scene.actions[1], Action::FindMapping { .. }));
    scene.answer(refused(714));
    assert!(scene.lost());
    assert_eq!(scene.asked(), (4_000, 7_200));
}

#[test]
fn mapping_that_is_now_another_hosts_is_made_again() {
    for (client, is_lost) in [("192.168.1.2", false), ("192.168.1.66", true)] {
        let mut scene = Scene::mapped();
        scene.pass(CHECK_INTERVAL);
        scene.address("22.0.0.1");
        scene.answer(Ok(Arguments::of([("NewInternalClient", client)])));
        assert_eq!(scene.lost(), is_lost, "{client}");
    }
}

#[test]
fn other_external_address_has_the_mapping_made_again() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL);
    scene.address("23.0.0.1");
    assert!(scene.lost());
    scene.answer(Ok(Arguments::default()));
    assert_eq!(scene.grants()[0].external, ([23, 0, 0, 1], 4_000).into());
}

#[test]
fn gateway_that_is_gone_is_looked_for() {
    let mut scene = Scene::mapped();
    scene.pass(CHECK_INTERVAL);
    scene.answer(Err(MappingFailure::Closed));
    assert_eq!(scene.events, [Event::Failed(MappingFailure::Closed)]);
    scene.pass(3 * SECOND);
    assert_eq!(scene.finds, 2);
}

#[test]
fn closing_deletes_the_mapping() {
    let mut scene = Scene::mapped();
    scene.client.close(scene.now);
    scene.drain();
    assert!(!scene.client.is_done());
    let delete = Action::DeleteMapping {
        port: port(),
        external_port: 4_000,
    };
    assert_eq!(scene.actions, [delete]);
    scene.answer(Ok(Arguments::default()));
    assert!(scene.client.is_done());
}

#[test]
fn closing_deletes_what_was_being_made() {
    let mut scene = Scene::asking();
    scene.client.close(scene.now);
    scene.drain();
    scene.answer(Ok(Arguments::default()));
    assert!(matches!(
        scene.actions.last(),
        Some(Action::DeleteMapping { .. })
    ));
    assert_eq!(scene.grants(), []);
}

#[test]
fn closing_does_not_wait_for_a_gateway_that_cannot_be_found() {
    let mut scene = Scene::mapped();
    scene.client.close(scene.now);
    scene.answer(Err(MappingFailure::NoAnswer));
    assert!(scene.client.is_done());
}

#[test]
fn pinhole_is_opened_kept_open_and_closed() {
    let local: IpAddr = "2001:db8::2".parse().unwrap();
    let mut scene = Scene::new(local, ServiceKind::WanIpv6FirewallControl);
    scene.find();
    scene.answer(Ok(Arguments::default()));
    scene.want();
    assert!(matches!(
        scene.actions.last(),
        Some(Action::AddPinhole { .. })
    ));
    scene.answer(Ok(Arguments::of([("UniqueID", "17")])));
    assert_eq!(scene.grants()[0].external, SocketAddr::new(local, 4_000));
    scene.actions.clear();
    let at = scene.now + 4_600 * SECOND;
    while scene.now < at && !matches!(scene.actions.last(), Some(Action::UpdatePinhole { .. })) {
        scene.pass(CHECK_INTERVAL);
        if scene.actions.last() == Some(&Action::FirewallStatus) {
            scene.answer(Ok(Arguments::default()));
        }
    }
    let lease_s = 7_200;
    assert_eq!(
        scene.actions.last(),
        Some(&Action::UpdatePinhole { id: 17, lease_s })
    );
    scene.client.close(scene.now);
    // The renewal that was under way.
    scene.answer(Ok(Arguments::default()));
    assert_eq!(
        scene.actions.last(),
        Some(&Action::DeletePinhole { id: 17 })
    );
}

#[test]
fn pinhole_that_is_gone_is_opened_again() {
    let local: IpAddr = "2001:db8::2".parse().unwrap();
    let mut scene = Scene::new(local, ServiceKind::WanIpv6FirewallControl);
    scene.find();
    scene.answer(Ok(Arguments::default()));
    scene.want();
    scene.answer(Ok(Arguments::of([("UniqueID", "17")])));
    while !matches!(scene.actions.last(), Some(Action::UpdatePinhole { .. })) {
        scene.pass(CHECK_INTERVAL);
        if scene.actions.last() == Some(&Action::FirewallStatus) {
            scene.answer(Ok(Arguments::default()));
        }
    }
    scene.answer(refused(704));
    assert!(matches!(
        scene.actions.last(),
        Some(Action::AddPinhole { .. })
    ));
    scene.answer(Ok(Arguments::of([("UniqueID", "18")])));
    scene.client.close(scene.now);
    scene.drain();
    while scene.actions.last() == Some(&Action::FirewallStatus) {
        scene.answer(Ok(Arguments::default()));
    }
    let delete = Action::DeletePinhole { id: 18 };
    assert_eq!(scene.actions.last(), Some(&delete));
}
