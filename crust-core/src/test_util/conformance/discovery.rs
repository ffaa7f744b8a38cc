//! The laws of a [`Discovery`](crate::Discovery).
//!
//! Describe yours with a [`Subject`] and run them all with [`discovery_conformance!`](crate::discovery_conformance).

mod announcing;
mod searching;
mod subject;

pub use self::{
    announcing::{
        announcement_is_found, empty_announcement_takes_back, late_announcement_wakes_a_search,
        later_announcement_replaces,
    },
    searching::{
        dropped_search_stops, futures_are_send, name_is_the_source,
        report_about_a_stranger_is_taken, search_starts_at_the_first_poll,
    },
    subject::Subject,
};

/// Makes one `#[test]` for each law of [`conformance::discovery`](crate::conformance::discovery).
///
/// Takes an expression that makes a [`Subject`](crate::conformance::discovery::Subject); each test makes its own. A
/// discovery that announces nothing, and the found peers of which come from elsewhere, writes `search_only` before it
/// and runs the laws of searching alone.
///
/// ```
/// # use std::sync::Arc;
/// # use crust_core::{MemoryDiscovery, conformance::discovery::Subject};
/// fn subject() -> Subject {
///     let world = MemoryDiscovery::new();
///     Subject::new(move || world.neighbour())
/// }
///
/// crust_core::discovery_conformance!(subject());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! discovery_conformance {
    (search_only $subject:expr) => {
        $crate::__conformance_tests! {
            discovery,
            $subject,
            dropped_search_stops
            futures_are_send
            name_is_the_source
            report_about_a_stranger_is_taken
            search_starts_at_the_first_poll
        }
    };
    ($subject:expr) => {
        $crate::discovery_conformance!(search_only $subject);
        $crate::__conformance_tests! {
            discovery,
            $subject,
            announcement_is_found
            empty_announcement_takes_back
            late_announcement_wakes_a_search
            later_announcement_replaces
        }
    };
}
