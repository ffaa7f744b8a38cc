//! The laws of a search.

use futures::{StreamExt, poll};

use super::{Subject, subject::announcement};
use crate::{
    Addr, DialOutcome, PeerId,
    conformance::{Violation, ensure},
    rt,
};

/// A search costs nothing until it is polled: there may be a thousand, and none is under way.
///
/// # Errors
///
/// How it was broken.
pub async fn search_starts_at_the_first_poll(subject: &Subject) -> Result<(), Violation> {
    let discovery = subject.discovery();
    let mut searches: Vec<_> = (0..1000).map(|_| discovery.discover()).collect();
    subject.searches_are(0).await?;
    let _ = poll!(searches[0].next());
    drop(searches.split_off(1));
    subject.searches_are(1).await
}

/// Dropping the stream stops the search, also where it waited for more, and another can start.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_search_stops(subject: &Subject) -> Result<(), Violation> {
    let discovery = subject.discovery();
    for _ in 0..200 {
        let mut search = discovery.discover();
        while let std::task::Poll::Ready(Some(found)) = poll!(search.next()) {
            found?;
        }
    }
    subject.searches_are(0).await?;
    let mut search = discovery.discover();
    if let std::task::Poll::Ready(Some(found)) = poll!(search.next()) {
        found?;
    }
    subject.searches_are(1).await
}

/// [`Discovery::name`](crate::Discovery::name) is one short word, always the same, and the source of what is found.
///
/// # Errors
///
/// How it was broken.
pub async fn name_is_the_source(subject: &Subject) -> Result<(), Violation> {
    let (here, there) = (subject.discovery(), subject.discovery());
    let name = here.name();
    let word = !name.is_empty() && !name.contains(char::is_whitespace);
    ensure(word, || format!("{name:?} is no word"))?;
    ensure(there.name() == name, || {
        format!("the name is {name} and then {}", there.name())
    })?;
    let peer = PeerId::from_bytes([1; 32]);
    there
        .announce(&announcement(peer, &["tcp://192.0.2.1:1"]))
        .await?;
    let mut search = here.discover();
    let first = rt::timeout(subject.quiet(), search.next()).await;
    if let Ok(Some(found)) = first {
        let source = found?.source;
        ensure(source == name, || {
            format!("{name} found it, but {source} is said to have")
        })?;
    }
    Ok(())
}

/// Announcing and searching can move between threads.
///
/// # Errors
///
/// How it was broken.
pub async fn futures_are_send(subject: &Subject) -> Result<(), Violation> {
    let discovery = subject.discovery();
    let quiet = subject.quiet();
    let everything = async move {
        let peer = PeerId::from_bytes([2; 32]);
        discovery.announce(&announcement(peer, &[])).await?;
        let mut search = discovery.discover();
        let _ = rt::timeout(quiet, search.next()).await;
        Ok(())
    };
    rt::spawn(everything).await?
}

/// Outcomes of dials to addresses that it never found are taken without a panic.
///
/// # Errors
///
/// How it was broken.
pub async fn report_about_a_stranger_is_taken(subject: &Subject) -> Result<(), Violation> {
    let discovery = subject.discovery();
    let reports = async move {
        let peer = PeerId::from_bytes([3; 32]);
        let addr: Addr = "strange://nowhere"
            .parse()
            .expect("the suite writes addresses");
        let elapsed = std::time::Duration::ZERO;
        discovery.report(&addr, &DialOutcome::Failed { peer: None });
        discovery.report(&addr, &DialOutcome::Connected { peer, elapsed });
    };
    Ok(rt::spawn(reports).await?)
}
