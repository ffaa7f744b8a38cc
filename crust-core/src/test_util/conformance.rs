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

pub mod transport;

use std::{future::Future, io, time::Duration};

use thiserror::Error;

use crate::{TransportError, rt};

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
