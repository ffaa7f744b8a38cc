//! One clock for all sessions of the process: a wheel of slots, and a task that turns it while anything waits.

use std::{
    future::poll_fn,
    ops::Range,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, Weak},
    task::Poll,
    time::{Duration, Instant},
};

use crust_core::rt;
use futures::task::AtomicWaker;

use crate::sync::lock;

/// Something that the clock wakes: the task of a session.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    waker: AtomicWaker,
}

impl Alarm {
    /// The task to wake from now on.
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    /// Wakes the task.
    pub(crate) fn ring(&self) {
        self.waker.wake();
    }
}

/// Rings `alarm` at `at`, up to [`TICK`] late, and at most [`Wheel::SPAN`] from now; tells when, not later than it rings.
/// Whoever is woken looks at its own deadline and sets the alarm again.
pub(crate) fn ring_at(at: Instant, alarm: &Arc<Alarm>) -> Instant {
    let now = rt::now();
    let mut clock = lock(&CLOCK);
    let clock = clock.get_or_insert_with(|| Clock {
        wheel: Wheel::new(now),
        sleeps_until: None,
    });
    clock.wheel.skip_empty(now);
    let rings_at = clock.wheel.insert(at, Arc::downgrade(alarm));
    match clock.sleeps_until {
        None => {
            clock.sleeps_until = Some(rings_at);
            rt::detach(turn());
        }
        Some(until) if rings_at < until => {
            clock.sleeps_until = Some(rings_at);
            EARLIER.ring();
        }
        Some(_) => {}
    }
    at.min(rings_at)
}

/// The last instant in a window at which others are woken too: many sessions that may choose then cost one wake-up.
///
/// A window of length w is cut where whole multiples of w lie, counted from one instant for the whole process.
pub(crate) fn choose(window: &Range<Instant>) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(rt::now);
    let step = window
        .end
        .saturating_duration_since(window.start)
        .as_nanos();
    let since = window.end.saturating_duration_since(start).as_nanos();
    let beyond = since.checked_rem(step).unwrap_or_default();
    window.end - Duration::from_nanos(u64::try_from(beyond).unwrap_or_default())
}

/// Gives `future` at most `limit`, and up to a [`TICK`] more; `None` where it needs longer.
///
/// For set-ups, of which there can be thousands at once: a timer of the runtime's for each costs several system calls.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let deadline = rt::now() + limit;
    let alarm = Arc::new(Alarm::default());
    let mut rings_at: Option<Instant> = None;
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let now = rt::now();
        if now >= deadline {
            return Poll::Ready(None);
        }
        alarm.register(cx.waker());
        if rings_at.is_none_or(|at| at <= now) {
            rings_at = Some(ring_at(deadline, &alarm));
        }
        Poll::Pending
    })
    .await
}

struct Clock {
    wheel: Wheel<Weak<Alarm>>,
    /// Until when the task that turns the wheel sleeps; `None` where there is no such task.
    sleeps_until: Option<Instant>,
}

static CLOCK: Mutex<Option<Clock>> = Mutex::new(None);
/// Wakes the task that turns the wheel, for an alarm before all others.
static EARLIER: Alarm = Alarm {
    waker: AtomicWaker::new(),
};

/// Turns the wheel until it is empty.
async fn turn() {
    loop {
        let now = rt::now();
        let (due, next) = {
            let mut clock = lock(&CLOCK);
            let Some(clock) = clock.as_mut() else { return };
            let due = clock.wheel.handle_timeout(now);
            clock.sleeps_until = clock.wheel.poll_timeout();
            (due, clock.sleeps_until)
        };
        due.iter()
            .filter_map(Weak::upgrade)
            .for_each(|alarm| alarm.ring());
        let Some(next) = next else { return };
        sleep_until(next).await;
    }
}

/// Sleeps until `until`, or until there is an earlier alarm.
async fn sleep_until(until: Instant) {
    let mut timer = pin!(rt::sleep_until(until));
    poll_fn(|cx| {
        EARLIER.register(cx.waker());
        let earlier = lock(&CLOCK).as_ref().and_then(|clock| clock.sleeps_until) < Some(until);
        if earlier {
            Poll::Ready(())
        } else {
            timer.as_mut().poll(cx)
        }
    })
    .await;
}

/// How late an alarm may ring. Nobody wakes for a tick that rings none.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// A wheel of [`SLOTS`] slots of one [`TICK`] each.
#[derive(Debug)]
struct Wheel<T> {
    slots: Vec<Vec<T>>,
    /// The slot whose time comes next, and that time.
    next: usize,
    next_at: Instant,
    len: usize,
}

impl<T> Wheel<T> {
    /// How far ahead an entry can lie; later ones come out early.
    const SPAN: Duration = TICK.saturating_mul(SLOTS);

    fn new(now: Instant) -> Self {
        Self {
            slots: std::iter::repeat_with(Vec::new)
                .take(SLOTS as usize)
                .collect(),
            next: 0,
            next_at: now + TICK,
            len: 0,
        }
    }

    /// Puts `entry` into the slot of `at`; tells when that comes out.
    fn insert(&mut self, at: Instant, entry: T) -> Instant {
        let ahead = at
            .saturating_duration_since(self.next_at)
            .min(Self::SPAN - TICK);
        let ticks = u32::try_from(ahead.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(SLOTS - 1);
        let slot = (self.next + ticks as usize) % self.slots.len();
        self.slots[slot].push(entry);
        self.len += 1;
        self.next_at + TICK * ticks
    }

    /// Leaves behind the slots before `now` that hold nothing.
    fn skip_empty(&mut self, now: Instant) {
        if self.len == 0 {
            self.next_at = self.next_at.max(now);
        }
        while self.next_at < now && self.slots[self.next].is_empty() {
            self.next = (self.next + 1) % self.slots.len();
            self.next_at += TICK;
        }
    }

    /// When the next entry comes out.
    fn poll_timeout(&self) -> Option<Instant> {
        let ahead = (0..SLOTS).find(|ahead| {
            let slot = (self.next + *ahead as usize) % self.slots.len();
            !self.slots[slot].is_empty()
        });
        ahead.map(|ahead| self.next_at + TICK * ahead)
    }

    /// Takes out what is due.
    fn handle_timeout(&mut self, now: Instant) -> Vec<T> {
        let mut due = Vec::new();
        let mut turned = 0;
        while self.next_at <= now && turned < self.slots.len() {
            due.append(&mut std::mem::take(&mut self.slots[self.next]));
            self.next = (self.next + 1) % self.slots.len();
            self.next_at += TICK;
            turned += 1;
        }
        if self.next_at <= now {
            // The machine slept: every slot is empty, so the wheel may start anew.
            self.next_at = now + TICK;
        }
        self.len -= due.len();
        due
    }
}

/// A wheel of 25.6 s: more than the default time to lose a peer.
const SLOTS: u32 = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entry_comes_out_at_its_time_and_at_most_a_tick_late(
            waits in prop::collection::vec(0_u64..25_000, 1..50),
            steps in prop::collection::vec(1_u64..300, 1..50),
        ) {
            let start = rt::now();
            let mut wheel = Wheel::new(start);
            for wait in &waits {
                wheel.insert(start + Duration::from_millis(*wait), *wait);
            }
            let mut now = 0;
            let mut before = 0;
            let mut out = 0;
            for step in steps.iter().cycle() {
                now += step;
                for wait in wheel.handle_timeout(start + Duration::from_millis(now)) {
                    prop_assert!(wait <= now && wait + 50 + (now - before) >= now, "{wait} at {now}");
                    out += 1;
                }
                before = now;
                if wheel.poll_timeout().is_none() {
                    break;
                }
            }
            prop_assert_eq!(out, waits.len());
        }
    }

    #[test]
    fn entry_beyond_the_span_comes_out_early() {
        let start = rt::now();
        let mut wheel = Wheel::new(start);
        wheel.insert(start + Duration::from_secs(3600), ());
        assert!(
            wheel
                .handle_timeout(start + Duration::from_secs(20))
                .is_empty()
        );
        assert_eq!(
            wheel.handle_timeout(start + Duration::from_secs(26)).len(),
            1
        );
    }

    #[test]
    fn entry_never_comes_out_before_the_time_that_was_given_for_it() {
        let start = rt::now();
        for wait in [Duration::from_secs(1), Duration::from_secs(3600)] {
            let mut wheel = Wheel::new(start);
            // Asked for when the wheel is late by most of a tick, as it is between two turns.
            let at = start + TICK * 2 - Duration::from_millis(1) + wait;
            let given = wheel.insert(at, ());
            let given = given.min(at);
            let before = given - Duration::from_millis(1);
            assert!(wheel.handle_timeout(before).is_empty());
            assert_eq!(wheel.handle_timeout(given + TICK).len(), 1);
        }
    }

    #[test]
    fn machine_that_slept_rings_everything_once() {
        let start = rt::now();
        let mut wheel = Wheel::new(start);
        wheel.insert(start + Duration::from_secs(5), ());
        let later = start + Duration::from_secs(100_000);
        assert_eq!(wheel.handle_timeout(later).len(), 1);
        wheel.insert(later + Duration::from_secs(1), ());
        assert!(
            wheel
                .handle_timeout(later + Duration::from_millis(500))
                .is_empty()
        );
        assert_eq!(
            wheel
                .handle_timeout(later + Duration::from_millis(1_200))
                .len(),
            1
        );
    }

    #[test]
    fn future_over_its_time_is_given_up() {
        let limit = Duration::from_millis(50);
        assert_eq!(
            rt::block_on(timeout(limit, std::future::pending::<()>())),
            None
        );
        assert_eq!(rt::block_on(timeout(limit, std::future::ready(7))), Some(7));
    }

    #[test]
    fn alarm_beyond_the_span_says_that_it_rings_before() {
        let alarm = Arc::new(Alarm::default());
        let far = rt::now() + Duration::from_secs(60);
        assert!(ring_at(far, &alarm) <= rt::now() + Wheel::<()>::SPAN);
    }

    #[test]
    fn choices_of_one_second_lie_on_a_grid_within_their_windows() {
        let start = rt::now();
        let second = Duration::from_secs(1);
        let chosen = |ms| {
            let end = start + Duration::from_millis(ms) + 10 * second;
            let window = end - second..end;
            let at = choose(&window);
            assert!(at > window.start && at <= window.end);
            at
        };
        let mut different: Vec<_> = (0..3_000).step_by(7).map(chosen).collect();
        different.dedup();
        assert!(different.len() <= 4);
        assert_eq!(choose(&(start..start)), start);
    }

    #[test]
    fn alarm_rings() {
        let alarm = Arc::new(Alarm::default());
        let rung = poll_fn({
            let start = rt::now();
            let alarm = alarm.clone();
            move |cx| {
                alarm.register(cx.waker());
                let elapsed = rt::now().saturating_duration_since(start);
                if elapsed >= Duration::from_millis(150) {
                    Poll::Ready(elapsed)
                } else {
                    Poll::Pending
                }
            }
        });
        ring_at(rt::now() + Duration::from_millis(200), &alarm);
        assert!(rt::block_on(rung) < Duration::from_secs(5));
    }
}
