//! Says where a node has looked for others in vain.

use std::sync::Arc;

use crust::{Attempt, BootstrapError, Node, SearchReport};

use super::log::Log;
use crate::finding::FindingArgs;

/// Says once where the node has looked for others in vain; it goes on looking without a word.
pub(super) async fn seek(node: Node, log: Arc<Log>, finding: FindingArgs) {
    if !finding.seeks() {
        return;
    }
    if let Err(BootstrapError::Failed { attempts, searches }) = node.bootstrap().await
        && (finding.is_demanding() || had_somebody_to_try(&attempts, &searches))
    {
        log.error(&sentence(&attempts, &searches));
    }
}

/// Whether anybody was found, or looking for somebody failed: the first node of a network has not failed.
fn had_somebody_to_try(attempts: &[Attempt], searches: &[SearchReport]) -> bool {
    let is_telling = |search: &SearchReport| search.found > 0 || search.error.is_some();
    !attempts.is_empty() || searches.iter().any(is_telling)
}

/// What was tried, each address once and the last time alone: some were tried again and again meanwhile.
fn sentence(attempts: &[Attempt], searches: &[SearchReport]) -> String {
    let is_last = |(at, attempt): &(usize, &Attempt)| {
        let later = &attempts[at + 1..];
        later.iter().all(|later| later.addr != attempt.addr)
    };
    // What the others found is what was tried.
    let is_telling =
        |search: &&SearchReport| search.found == 0 || search.error.is_some() || attempts.is_empty();
    let tried = attempts.iter().enumerate().filter(is_last);
    let tried = tried.map(|(_, attempt)| attempt.to_string());
    let searched = searches.iter().filter(is_telling);
    let mut lines: Vec<_> = tried
        .chain(searched.map(ToString::to_string))
        .map(|line| format!("\n  {line}"))
        .collect();
    if lines.len() > LINES {
        let more = lines.split_off(LINES).len();
        lines.push(format!("\n  … and {more} more"));
    }
    let lines = lines.concat();
    format!("found no way into the network, and goes on looking:{lines}")
}

/// As many as people read: a cache may have hundreds of peers that are gone.
const LINES: usize = 16;
