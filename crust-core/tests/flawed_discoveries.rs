//! Each law of the discovery suite catches the flaw it is there for.
#![cfg(feature = "test-util")]
#![expect(clippy::unwrap_used, reason = "tests may")]

use std::{
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use crust_core::{
    Addr, Announcement, DialOutcome, Discovery, DiscoveryError, FoundPeers, MemoryDiscovery,
    async_trait,
    conformance::{
        Violation,
        discovery::{self, Subject},
        judge,
    },
};
use futures::{FutureExt, StreamExt, future, stream};

crust_core::discovery_conformance!(subject(Flaw::None));

mod searching {
    use super::*;

    crust_core::discovery_conformance!(search_only subject(Flaw::None));
}

/// `test: flaw, law => violation`.
macro_rules! caught {
    ($($test:ident: $flaw:ident, $law:ident => $violation:pat,)*) => {$(
        #[test]
        fn $test() {
            let subject = subject(Flaw::$flaw).with_limit(HUNG);
            let verdict = judge(subject.limit(), discovery::$law(&subject));
            assert!(matches!(verdict, Err($violation)), "{verdict:?}");
        }
    )*};
}

caught! {
    address_left_out: LeavesOut, announcement_is_found => Violation::Broken { .. },
    dropped_search_that_goes_on: KeepsSearches, dropped_search_stops => Violation::Broken { .. },
    name_of_two_words: WrongName, name_is_the_source => Violation::Broken { .. },
    nothing_found: FindsNothing, announcement_is_found => Violation::Hung { .. },
    old_announcement_beside_the_new: Accumulates, later_announcement_replaces => Violation::Broken { .. },
    panic_at_a_report: PanicsAtReports, report_about_a_stranger_is_taken => Violation::Panicked(_),
    search_before_the_first_poll: IsEager, search_starts_at_the_first_poll => Violation::Broken { .. },
    searcher_that_is_forgotten: Forgets, late_announcement_wakes_a_search => Violation::Hung { .. },
    source_that_is_another: WrongSource, name_is_the_source => Violation::Broken { .. },
    taken_back_and_found: Accumulates, empty_announcement_takes_back => Violation::Broken { .. },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    Accumulates,
    FindsNothing,
    Forgets,
    IsEager,
    KeepsSearches,
    LeavesOut,
    PanicsAtReports,
    WrongName,
    WrongSource,
}

fn subject(flaw: Flaw) -> Subject {
    let world = Arc::new(MemoryDiscovery::new());
    let observer = world.clone();
    let flawed = move || Flawed {
        inner: world.neighbour(),
        flaw,
        older: Mutex::default(),
    };
    Subject::new(flawed).with_searches(move || observer.searches())
}

/// The in-memory discovery with one flaw.
#[derive(Debug)]
struct Flawed {
    inner: MemoryDiscovery,
    flaw: Flaw,
    /// Announcements that go on though they were replaced.
    older: Mutex<Vec<MemoryDiscovery>>,
}

#[async_trait]
impl Discovery for Flawed {
    fn name(&self) -> &'static str {
        match self.flaw {
            Flaw::WrongName => "two words",
            _ => self.inner.name(),
        }
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        let mut announcement = announcement.clone();
        match self.flaw {
            Flaw::FindsNothing => return Ok(()),
            Flaw::LeavesOut => announcement.addrs.truncate(1),
            Flaw::Accumulates => {
                let another = self.inner.neighbour();
                another.announce(&announcement).await?;
                self.older.lock().unwrap().push(another);
                return Ok(());
            }
            _ => {}
        }
        self.inner.announce(&announcement).await
    }

    fn discover(&self) -> FoundPeers {
        let flaw = self.flaw;
        let mut search = self.inner.discover();
        match flaw {
            Flaw::IsEager => {
                let first = search.next().now_or_never().flatten();
                stream::iter(first).chain(search).boxed()
            }
            Flaw::Forgets => {
                let forgetful = move |_: &mut Context<'_>| {
                    search.poll_next_unpin(&mut Context::from_waker(Waker::noop()))
                };
                stream::poll_fn(forgetful).boxed()
            }
            Flaw::KeepsSearches => {
                let kept = Kept(Some(search));
                stream::unfold(kept, |mut kept| async move {
                    let item = kept.0.as_mut()?.next().await?;
                    Some((item, kept))
                })
                .boxed()
            }
            _ => search
                .map(move |found| {
                    let mut found = found?;
                    if flaw == Flaw::WrongSource {
                        found.source = "somebody";
                    }
                    Ok(found)
                })
                .boxed(),
        }
    }

    fn report(&self, _: &Addr, _: &DialOutcome) {
        assert_ne!(self.flaw, Flaw::PanicsAtReports, "as it should");
    }
}

/// A search that is never dropped.
struct Kept(Option<FoundPeers>);

impl Drop for Kept {
    fn drop(&mut self) {
        let search = self.0.take().unwrap();
        crust_core::rt::detach(async move {
            let _search = search;
            future::pending().await
        });
    }
}

/// Several times what the suite takes for silence; what hangs would hang for ever.
const HUNG: Duration = Duration::from_secs(2);
