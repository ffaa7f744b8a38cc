//! The cache keeps the laws of a discovery, as far as one that announces nothing has any.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod common;

use crust_core::{conformance::discovery::Subject, rt};

fn subject() -> Subject {
    let cache = rt::block_on(common::builder().open());
    for number in 0..20 {
        common::reach(&cache, number, 1);
    }
    Subject::new(move || cache.clone())
}

crust_core::discovery_conformance!(search_only subject());
