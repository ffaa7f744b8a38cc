//! Leases in virtual time.

use std::num::NonZeroU16;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

fn port(number: u16) -> InternalPort {
    InternalPort::udp(NonZeroU16::new(number).unwrap())
}

fn external(port: u16) -> SocketAddr {
    ([22, 0, 0, 1], port).into()
}

fn leases() -> (Leases, Instant) {
    let now = crust_core::rt::now();
    let mut leases = Leases::new(2 * HOUR, Rng::new(7));
    leases.want(now, &PortRequest::new(port(1)));
    (leases, now)
}

/// One that is granted for `lifetime` from `now` on.
fn granted(lifetime: Option<Duration>) -> (Leases, Instant) {
    let (mut leases, now) = leases();
    assert!(leases.next(now).is_some());
    let grant = leases.on_granted(now, port(1), external(9), lifetime);
    assert_eq!(grant.unwrap().external, external(9));
    (leases, now)
}

fn wish(leases: &mut Leases, now: Instant) -> Option<u16> {
    match leases.next(now)? {
        Job::Make { external_port, .. } => Some(external_port),
        Job::Delete { .. } => None,
    }
}

#[test]
fn wish_is_asked_for_at_once() {
    let (mut leases, now) = leases();
    assert_eq!(leases.poll_timeout(now), Some(now));
    assert_eq!(wish(&mut leases, now), Some(1));
}

#[test]
fn lease_is_renewed_at_half_its_life_with_the_same_port() {
    let (mut leases, now) = granted(Some(2 * HOUR));
    let at = leases.poll_timeout(now).unwrap();
    assert!(at >= now + HOUR && at <= now + HOUR + HOUR / 4);
    assert_eq!(leases.next(now + HOUR - SECOND), None);
    assert_eq!(wish(&mut leases, at), Some(9));
}

#[test]
fn renewal_that_fails_is_tried_at_half_of_what_is_left() {
    let (mut leases, now) = granted(Some(2 * HOUR));
    let at = leases.poll_timeout(now).unwrap();
    leases.on_refused(at, port(1), None);
    let left = now + 2 * HOUR - at;
    let again = leases.poll_timeout(at).unwrap();
    assert!(again >= at + left / 2 && again <= at + left / 2 + left / 8);
    assert_eq!(leases.held().count(), 1);
}

#[test]
fn lease_that_ran_out_is_made_again() {
    let (mut leases, now) = granted(Some(60 * SECOND));
    assert_eq!(leases.expire(now + 59 * SECOND), []);
    assert_eq!(leases.expire(now + 60 * SECOND), [port(1)]);
    assert_eq!(leases.held().count(), 0);
    assert_eq!(wish(&mut leases, now + 60 * SECOND), Some(9));
}

#[test]
fn lease_of_136_years_is_believed_for_a_day() {
    let (leases, now) = granted(Some(SECOND * u32::MAX));
    let (_, grant) = leases.held().next().unwrap();
    assert_eq!(grant.expires_at, Some(now + 24 * HOUR));
    assert!(leases.poll_timeout(now).unwrap() <= now + 15 * HOUR);
}

#[test]
fn lease_of_a_second_makes_no_more_than_a_request_in_four() {
    let (leases, now) = granted(Some(SECOND));
    let renewal = leases.slots[&port(1)].due_at();
    assert_eq!(renewal, Some(now + 4 * SECOND));
}

#[test]
fn lease_for_ever_is_refreshed() {
    let (mut leases, now) = granted(None);
    let at = leases.poll_timeout(now).unwrap();
    assert!(at >= now + HOUR && at <= now + 2 * HOUR);
    assert!(leases.expire(now + 1_000 * HOUR).is_empty());
    assert_eq!(wish(&mut leases, at), Some(9));
}

#[test]
fn forgotten_lease_is_made_again_at_once_with_the_same_port() {
    let (mut leases, now) = granted(Some(HOUR));
    let later = now + SECOND;
    assert_eq!(leases.forget_all(later), [port(1)]);
    assert_eq!(wish(&mut leases, later), Some(9));
}

#[test]
fn refusals_make_the_pauses_longer_up_to_half_an_hour() {
    let (mut leases, mut now) = leases();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert!(leases.next(now).is_some());
        leases.on_refused(now, port(1), None);
        let at = leases.poll_timeout(now).unwrap();
        pauses.push(at - now);
        now = at;
    }
    assert!(pauses[0] <= 17 * SECOND);
    assert!(pauses[3] > pauses[0] * 5);
    assert!(pauses[11] <= HOUR / 2 + HOUR / 20);
}

#[test]
fn refusal_holds_as_long_as_the_gateway_says_within_reason() {
    for (said, least, most) in [(60, 54, 66), (u32::MAX, 1_620, 1_980)] {
        let (mut leases, now) = leases();
        assert!(leases.next(now).is_some());
        leases.on_refused(now, port(1), Some(SECOND * said));
        let pause = leases.poll_timeout(now).unwrap() - now;
        assert!(
            pause >= SECOND * least && pause <= SECOND * most,
            "{pause:?}"
        );
    }
}

#[test]
fn lease_that_is_unwanted_is_deleted() {
    let (mut leases, now) = granted(Some(HOUR));
    leases.unwant(port(1));
    let delete = Job::Delete {
        port: port(1),
        external_port: 9,
    };
    assert_eq!(leases.next(now), Some(delete));
    leases.on_deleted(port(1));
    assert!(leases.is_empty());
}

#[test]
fn wish_that_nobody_heard_is_dropped_without_a_word() {
    let (mut leases, _) = leases();
    leases.unwant(port(1));
    assert!(leases.is_empty());
}

#[test]
fn wish_that_may_have_been_granted_is_deleted() {
    let (mut leases, now) = leases();
    assert!(leases.next(now).is_some());
    leases.unwant(port(1));
    assert!(matches!(leases.next(now), Some(Job::Delete { .. })));
    assert_eq!(leases.on_granted(now, port(1), external(9), None), None);
    assert!(!leases.is_empty());
}

#[test]
fn wish_that_was_refused_is_dropped_without_a_word_and_one_unheard_is_deleted() {
    for (is_heard, is_dropped) in [(true, true), (false, false)] {
        let (mut leases, now) = leases();
        assert!(leases.next(now).is_some());
        match is_heard {
            true => leases.on_refused(now, port(1), None),
            false => leases.on_unheard(now, port(1)),
        }
        leases.unwant(port(1));
        assert_eq!(leases.is_empty(), is_dropped);
    }
}
