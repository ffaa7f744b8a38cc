//! The laws of dialing and accepting.

use std::{future::poll_fn, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::try_join_all, poll};

use super::{
    Subject,
    helpers::{Pair, accept, connect, give_way, next, pattern, round_trip, serve},
};
use crate::{
    Listener,
    conformance::{Violation, broken, ensure, waiting},
    rt,
};

/// A listener that waits already is woken by a dial.
///
/// Fails with a hand-written `poll_next` that forgets whom to wake; [`Listener::from_accept`] cannot.
///
/// # Errors
///
/// How it was broken.
pub async fn late_dial_wakes_a_waiting_accept(subject: &Subject) -> Result<(), Violation> {
    let mut listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    for _ in 0..3 {
        let task = waiting(async move {
            let accepted = accept(&mut listener).await;
            (listener, accepted)
        });
        let task = task.await?;
        let _dialed = subject.dial(&bound).await?;
        let (back, accepted) = task.await?;
        accepted?;
        listener = back;
    }
    Ok(())
}

/// A dial given up at any moment leaves nothing behind: its connection ends, and the next dial gets through.
///
/// # Errors
///
/// How it was broken.
pub async fn cancelled_dial_frees_what_it_opened(subject: &Subject) -> Result<(), Violation> {
    let listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    for polls in 1..=CANCELLED_DIALS {
        let mut dial = Box::pin(subject.dial(&bound));
        for _ in 0..polls {
            if poll!(&mut dial).is_ready() {
                break;
            }
            give_way().await;
        }
    }
    let patience = subject.limit() / 2;
    let found = rt::spawn(find_the_real_one(listener, patience));
    let mut dialed = subject.dial(&bound).await?;
    dialed.write_all(b"!").await?;
    dialed.flush().await?;
    found.await?
}

/// Dropping an [`Incoming`](crate::Incoming) hangs up on the dialer and leaves the listener as it was.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_incoming_hangs_up_and_the_listener_goes_on(
    subject: &Subject,
) -> Result<(), Violation> {
    let mut listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    let dialer = subject.clone();
    let addr = bound.clone();
    let dialed = rt::spawn(async move {
        let mut dialed = dialer.dial(&addr).await.ok()?;
        dialed.read(&mut [0; 1]).await.ok()
    });
    drop(next(&mut listener).await?);
    let read = dialed.await?;
    ensure(matches!(read, None | Some(0)), || {
        "a dropped dial received a byte".into()
    })?;
    connect(subject, &bound, &mut listener).await.map(|_| ())
}

/// Many connections at once, each with bytes of its own, get them back each.
///
/// # Errors
///
/// How it was broken.
pub async fn many_connections_at_once_do_not_mix(subject: &Subject) -> Result<(), Violation> {
    let listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    let _echoes = serve(listener);
    let exchange = |seed| {
        let (subject, bound) = (subject.clone(), bound.clone());
        rt::spawn(async move {
            let mut dialed = subject.dial(&bound).await?;
            for round in 1..=3 {
                round_trip(&mut dialed, &pattern(round * 5000, seed)).await?;
            }
            Ok::<_, Violation>(())
        })
    };
    let results = try_join_all((0..MANY).map(exchange)).await?;
    results.into_iter().collect()
}

/// Dialing, listening, accepting, reading and writing can all move between threads.
///
/// # Errors
///
/// How it was broken.
pub async fn futures_are_send(subject: &Subject) -> Result<(), Violation> {
    let subject = subject.clone();
    let everything = async move {
        let mut pair = Pair::new(&subject).await?;
        pair.dialed.write_all(b"moved").await?;
        pair.dialed.close().await?;
        let accepted = super::helpers::read_all(&mut pair.accepted).await?;
        super::helpers::same(b"moved", &accepted)
    };
    rt::spawn(everything).await?
}

/// A listener whose accepts fail one after another (no file descriptors left) reports a few errors in a while, is not
/// polled all the time, and works again once `recover` has put things right.
///
/// The caller brings about the failing, in a process of its own where it exhausts something; so this is not a part of
/// [`transport_conformance!`](crate::transport_conformance). `subject` dials `listener` after `recover`.
///
/// # Errors
///
/// How it was broken.
pub async fn failing_accepts_do_not_spin<R>(
    subject: &Subject,
    mut listener: Listener,
    recover: R,
) -> Result<(), Violation>
where
    R: FnOnce(),
{
    let (mut errors, mut polls) = (0, 0);
    let watch = async {
        loop {
            let item = poll_fn(|cx| {
                polls += 1;
                listener.poll_next_unpin(cx)
            });
            match item.await {
                Some(Ok(_)) => return broken("an accept succeeded that was to fail"),
                Some(Err(_)) => errors += 1,
                None => return broken("the listener's stream ended"),
            }
        }
    };
    if let Ok(violation) = rt::timeout(WATCHED, watch).await {
        return Err(violation);
    }
    ensure(errors > 0, || "no accept failed".into())?;
    ensure(polls <= MOST_POLLS, || {
        format!("{errors} errors and {polls} polls in {WATCHED:?}")
    })?;
    recover();
    let bound = listener.local_addr().clone();
    let _echoes = serve_despite_errors(listener);
    let mut dialed = subject.dial(&bound).await?;
    round_trip(&mut dialed, &pattern(1000, 1)).await
}

/// Accepts until somebody sends a byte; all others must end without one.
async fn find_the_real_one(mut listener: Listener, patience: Duration) -> Result<(), Violation> {
    loop {
        let Ok(mut accepted) = accept(&mut listener).await else {
            continue;
        };
        let read = rt::timeout(patience, async { accepted.read(&mut [0; 1]).await }).await;
        match read {
            Ok(Ok(1)) => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(broken("the connection of a cancelled dial stays open")),
        }
    }
}

fn serve_despite_errors(mut listener: Listener) -> rt::Task<()> {
    rt::spawn(async move {
        let mut echoes = Vec::new();
        while let Some(incoming) = listener.next().await {
            let Ok(incoming) = incoming else { continue };
            echoes.push(rt::spawn(async move {
                if let Ok(accepted) = incoming.accept().await {
                    let _ = super::helpers::echo(accepted).await;
                }
            }));
        }
    })
}

/// Enough to be dropped at each stage of a dial that takes a few wake-ups.
const CANCELLED_DIALS: usize = 16;

/// More than any default of a small backlog with room for all in one.
const MANY: u8 = 32;

const WATCHED: Duration = Duration::from_millis(500);

/// [`Listener::from_accept`] makes 7 attempts in this time, two polls each; one that spins makes thousands.
const MOST_POLLS: u32 = 50;
