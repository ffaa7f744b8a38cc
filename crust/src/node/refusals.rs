//! What those are told who find no room here, and how often.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crust_core::SignedRecord;

use crate::{sync::lock, wire::contacts};

/// The answer to whoever finds no room: contacts, made now and then and given so many times a second.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Option<Answer>>);

#[derive(Debug)]
struct Answer {
    contacts: Arc<[u8]>,
    made_at: Instant,
    /// Times it was given since `second`.
    given: u32,
    second: Instant,
}

impl Refusals {
    /// The contacts to give at `now`, made of `records` where those before are old; `None` where enough was given in this
    /// second.
    pub(crate) fn take(
        &self,
        now: Instant,
        records: impl FnOnce() -> Vec<SignedRecord>,
    ) -> Option<Arc<[u8]>> {
        let mut answer = lock(&self.0);
        let is_old = |answer: &Answer| now.saturating_duration_since(answer.made_at) >= FRESH;
        if answer.as_ref().is_none_or(is_old) {
            *answer = Some(Answer {
                contacts: contacts::encode(&records()).into(),
                made_at: now,
                given: 0,
                second: now,
            });
        }
        let answer = answer.as_mut()?;
        if now.saturating_duration_since(answer.second) >= Duration::from_secs(1) {
            (answer.second, answer.given) = (now, 0);
        }
        answer.given += 1;
        (answer.given <= PER_SECOND).then(|| answer.contacts.clone())
    }
}

/// Contacts are drawn anew after that: those who come together are told the same.
const FRESH: Duration = Duration::from_secs(5);
/// Answers in a second, of 16 KB at most each; whoever comes beyond them is cut off.
const PER_SECOND: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_second_are_bounded_and_contacts_are_made_now_and_then() {
        let refusals = Refusals::default();
        let now = crust_core::rt::now();
        let mut made = 0;
        let mut take = |at| {
            refusals
                .take(at, || {
                    made += 1;
                    Vec::new()
                })
                .is_some()
        };
        let given = (0..100).filter(|_| take(now)).count();
        assert_eq!(given, PER_SECOND as usize);
        assert!(take(now + Duration::from_secs(1)));
        assert!(take(now + FRESH));
        assert_eq!(made, 2);
    }
}
