//! What every transport and every discovery must keep, as tests that an implementer runs with one line.
//!
//! ```
//! use crust_core::{MemoryTransport, conformance::transport::Subject};
//!
//! mod memory_transport {
//!     # use super::*;
//!     crust_core::transport_conformance!(Subject::new(MemoryTransport::new(), "memory://0"));
//! }
//! # fn main() {}
//! ```
//!
//! makes one `#[test]` for each law of [`transport`], named after it; `discovery_conformance!` does the same for
//! [`discovery`]. Each law is a public function too, for another test harness: [`judge`] gives it its time and says
//! what it broke.

pub mod discovery;
pub mod transport;

use std::{
    future::{Future, poll_fn},
    io,
    task::Poll,
    time::Duration,
};

use futures::channel::oneshot;
use thiserror::Error;

use crate::{
    DiscoveryError, TransportError,
    rt::{self, Task},
};

/// Runs a law to its end.
///
/// # Errors
///
/// What the law found, or [`Violation::Hung`] where it took longer than `limit`.
pub fn judge<F>(limit: Duration, law: F) -> Result<(), Violation>
where
    F: Future<Output = Result<(), Violation>>,
{
    rt::block_on(rt::timeout(limit, law)).unwrap_or(Err(Violation::Hung { limit }))
}

/// Runs the law called `name` to its end, as a test does.
///
/// # Panics
///
/// When the law is broken or takes longer than `limit`. The message names it.
#[track_caller]
pub fn check<F>(name: &str, limit: Duration, law: F)
where
    F: Future<Output = Result<(), Violation>>,
{
    if let Err(violation) = judge(limit, law) {
        let causes: String = causes(&violation).map(|c| format!(": {c}")).collect();
        panic!("the law `{name}` is broken: {violation}{causes}");
    }
}

/// How an implementation broke a law.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// Something was not as the law says.
    #[error("{what}")]
    Broken {
        /// The fact that should not be, for people.
        what: String,
    },
    /// The discovery failed where it should not have.
    #[error("the discovery failed")]
    Discovery(#[from] DiscoveryError),
    /// It did not end in time.
    #[error("it did not end within {limit:?}")]
    Hung {
        /// The time allowed.
        limit: Duration,
    },
    /// A connection failed that should not have.
    #[error("a connection failed")]
    Io(#[from] io::Error),
    /// A task that used the implementation panicked.
    #[error("a task panicked")]
    Panicked(#[from] rt::Cancelled),
    /// The transport failed where it should not have.
    #[error("the transport failed")]
    Transport(#[from] TransportError),
}

fn broken(what: impl Into<String>) -> Violation {
    let what = what.into();
    Violation::Broken { what }
}

fn ensure(fact: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if fact {
        return Ok(());
    }
    Err(broken(otherwise()))
}

/// Runs `start` in a task of its own until it waits, and gives the task once it does.
///
/// In its own task: there nothing but the thing waited for can wake it.
async fn waiting<F>(start: F) -> Result<Task<F::Output>, Violation>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (tell, waits) = oneshot::channel();
    let task = rt::spawn(async move {
        let mut future = Box::pin(start);
        let mut tell = Some(tell);
        // Told in the poll that found nothing: from then on only a wake-up polls again.
        poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            if let (Poll::Pending, Some(tell)) = (&polled, tell.take()) {
                let _ = tell.send(());
            }
            polled
        })
        .await
    });
    match waits.await {
        Ok(()) => Ok(task),
        Err(oneshot::Canceled) => Err(broken("it was done before there was anything to wait for")),
    }
}

fn causes(violation: &Violation) -> impl Iterator<Item = &dyn std::error::Error> {
    let first = std::error::Error::source(violation);
    std::iter::successors(first, |cause| cause.source())
}

/// One `#[test]` for each law; `transport_conformance!` and its like name the laws.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($suite:ident, $subject:expr, $($law:ident)*) => {$(
        #[test]
        fn $law() {
            let subject: $crate::conformance::$suite::Subject = $subject;
            let law = $crate::conformance::$suite::$law(&subject);
            $crate::conformance::check(stringify!($law), subject.limit(), law);
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn law_over_its_time_is_hung() {
        let limit = Duration::from_millis(5);
        let verdict = judge(limit, std::future::pending());
        assert!(matches!(verdict, Err(Violation::Hung { .. })));
    }

    #[test]
    #[should_panic(expected = "the law `x` is broken: a connection failed: connection refused")]
    fn broken_law_is_named_with_its_causes() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        check("x", Duration::from_secs(1), async { Err(refused.into()) });
    }

    #[test]
    fn macros_name_every_law() {
        let transport = include_str!("conformance/transport.rs");
        let laws = [
            include_str!("conformance/transport/addresses.rs"),
            include_str!("conformance/transport/dials.rs"),
            include_str!("conformance/transport/ends.rs"),
            include_str!("conformance/transport/streams.rs"),
        ];
        let by_hand = [
            "dial_from_a_listener_comes_from_its_address",
            "failing_accepts_do_not_spin",
        ];
        assert_eq!(missing(transport, &laws), by_hand);
        let discovery = include_str!("conformance/discovery.rs");
        let laws = [
            include_str!("conformance/discovery/announcing.rs"),
            include_str!("conformance/discovery/searching.rs"),
        ];
        assert_eq!(missing(discovery, &laws), Vec::<&str>::new());
    }

    /// The public functions of `laws` that the macro in `suite` does not list.
    fn missing<'a>(suite: &str, laws: &[&'a str]) -> Vec<&'a str> {
        let (_, listed) = suite.split_once("macro_rules!").unwrap();
        let listed: Vec<&str> = listed.split_whitespace().collect();
        let names = laws.iter().flat_map(|text| {
            let functions = text.split("\npub async fn ").skip(1);
            functions.filter_map(|function| function.split(['(', '<']).next())
        });
        names.filter(|name| !listed.contains(name)).collect()
    }
}
