//! The laws of announcements.

use super::{Subject, subject::announcement};
use crate::{
    PeerId,
    conformance::{Violation, broken, ensure},
    rt,
};

/// What one node announces, another finds: the peer, all its addresses, and who found it.
///
/// # Errors
///
/// How it was broken.
pub async fn announcement_is_found(subject: &Subject) -> Result<(), Violation> {
    let (here, there) = (subject.discovery(), subject.discovery());
    let announced = announcement(PEER, &["tcp://192.0.2.1:1", "utp://[2001:db8::1]:2"]);
    there.announce(&announced).await?;
    let found = subject.next_about(&mut here.discover(), PEER).await?;
    ensure(found.source == here.name(), || {
        format!(
            "{} found it, but {} is said to have",
            here.name(),
            found.source
        )
    })?;
    ensure(found.addrs == announced.addrs, || {
        format!(
            "{:?} were announced, {:?} found",
            announced.addrs, found.addrs
        )
    })
}

/// A search that waits already is woken by an announcement.
///
/// # Errors
///
/// How it was broken.
pub async fn late_announcement_wakes_a_search(subject: &Subject) -> Result<(), Violation> {
    let (here, there) = (subject.discovery(), subject.discovery());
    let searcher = subject.clone();
    let search = crate::conformance::waiting(async move {
        let mut search = here.discover();
        searcher.next_about(&mut search, PEER).await
    });
    let search = search.await?;
    let announced = announcement(PEER, &["tcp://192.0.2.1:1"]);
    there.announce(&announced).await?;
    let found = search.await??;
    ensure(found.addrs == announced.addrs, || {
        format!(
            "{:?} were announced, {:?} found",
            announced.addrs, found.addrs
        )
    })
}

/// A later announcement replaces the one before it: who searches after that finds the new one alone.
///
/// # Errors
///
/// How it was broken.
pub async fn later_announcement_replaces(subject: &Subject) -> Result<(), Violation> {
    let there = subject.discovery();
    let old = announcement(PEER, &["tcp://192.0.2.1:1"]);
    let new = announcement(PEER, &["tcp://192.0.2.2:2"]);
    there.announce(&old).await?;
    let watcher = subject.discovery();
    let mut before = watcher.discover();
    subject.next_about(&mut before, PEER).await?;
    there.announce(&new).await?;
    let here = subject.discovery();
    let mut search = here.discover();
    let found = subject.next_about(&mut search, PEER).await?;
    ensure(found.addrs == new.addrs, || {
        format!(
            "{:?} replaced {:?}, {:?} was found",
            new.addrs, old.addrs, found.addrs
        )
    })?;
    match rt::timeout(subject.quiet(), subject.next_about(&mut search, PEER)).await {
        Ok(Ok(found)) if found.addrs != new.addrs => Err(broken(format!(
            "what was replaced is found after it: {:?}",
            found.addrs
        ))),
        _ => Ok(()),
    }
}

/// An empty announcement takes back the one before it: who searches after that finds nothing.
///
/// # Errors
///
/// How it was broken.
pub async fn empty_announcement_takes_back(subject: &Subject) -> Result<(), Violation> {
    let there = subject.discovery();
    there
        .announce(&announcement(PEER, &["tcp://192.0.2.1:1"]))
        .await?;
    let watcher = subject.discovery();
    let mut before = watcher.discover();
    subject.next_about(&mut before, PEER).await?;
    there.announce(&announcement(PEER, &[])).await?;
    let here = subject.discovery();
    let mut search = here.discover();
    match rt::timeout(subject.quiet(), subject.next_about(&mut search, PEER)).await {
        Ok(Ok(found)) if !found.addrs.is_empty() => Err(broken(format!(
            "what was taken back is found: {:?}",
            found.addrs
        ))),
        _ => Ok(()),
    }
}

const PEER: PeerId = PeerId::from_bytes([7; 32]);
