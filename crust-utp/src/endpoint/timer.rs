//! When which link is to be served though nothing is heard of it.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

use futures::future::BoxFuture;

use crust_core::{rt, udp::UdpPort};

use super::lock;
use crate::link::Link;

/// The timers of all links of a port, and the links for which it had no room.
#[derive(Debug, Default)]
pub(super) struct Timer(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each link has a few at most: one that is later than another is not set.
    due: BTreeMap<(Instant, u64), Weak<Link>>,
    blocked: Vec<Arc<Link>>,
    task: Option<Waker>,
    /// What the task sleeps until.
    sleeps_until: Option<Instant>,
}

impl Timer {
    /// Serves `link` at `at`.
    pub(super) fn set(&self, at: Instant, link: &Arc<Link>) {
        let mut state = lock(&self.0);
        state.due.insert((at, link.id), Arc::downgrade(link));
        let is_sooner = state.sleeps_until.is_none_or(|until| at < until);
        let task = if is_sooner { state.task.take() } else { None };
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    /// Serves `link` when the port has room.
    pub(super) fn block(&self, link: &Arc<Link>) {
        let mut state = lock(&self.0);
        state.blocked.push(link.clone());
        let task = state.task.take();
        drop(state);
        task.into_iter().for_each(Waker::wake);
    }

    /// The next links to be served.
    pub(super) async fn next(&self, port: &UdpPort) -> Vec<Arc<Link>> {
        let mut writable = port.writable();
        let mut sleep: Option<(Instant, BoxFuture<'static, ()>)> = None;
        poll_fn(|cx| {
            loop {
                let now = rt::now();
                let mut links = self.due(now, cx);
                if self.is_blocked() && Pin::new(&mut writable).poll(cx).is_ready() {
                    links.extend(std::mem::take(&mut lock(&self.0).blocked));
                }
                if !links.is_empty() {
                    return Poll::Ready(links);
                }
                let next = lock(&self.0).due.keys().next().map(|(at, _)| *at);
                lock(&self.0).sleeps_until = next;
                let Some(at) = next else { return Poll::Pending };
                if sleep.as_ref().is_none_or(|(until, _)| *until != at) {
                    sleep = Some((at, Box::pin(rt::sleep_until(at))));
                }
                if let Some((_, timer)) = &mut sleep
                    && timer.as_mut().poll(cx).is_pending()
                {
                    return Poll::Pending;
                }
                sleep = None;
            }
        })
        .await
    }

    /// Those whose time has come; and who is to be woken for a sooner one.
    fn due(&self, now: Instant, cx: &Context<'_>) -> Vec<Arc<Link>> {
        let mut state = lock(&self.0);
        state.task = Some(cx.waker().clone());
        let mut links = Vec::new();
        while let Some(entry) = state.due.first_entry()
            && entry.key().0 <= now
        {
            links.extend(entry.remove().upgrade());
        }
        links
    }

    fn is_blocked(&self) -> bool {
        !lock(&self.0).blocked.is_empty()
    }
}
