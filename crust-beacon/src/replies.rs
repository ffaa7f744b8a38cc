//! Replies that wait a moment, and are not sent where others said enough.

use std::time::{Duration, Instant};

use crate::{link::Destination, wire::Kind};

/// The replies that wait on a link, [`MAX_WAITING`] at most.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    waiting: Vec<Reply>,
}

/// A reply that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) kind: ReplyKind,
    /// The token of the message it is to.
    pub(crate) token: u64,
    pub(crate) due: Instant,
    pub(crate) to: Destination,
    pub(crate) wants_contacts: bool,
}

/// What kind of reply it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyKind {
    /// Here I am; [`ENOUGH`] answers of others will do, of which so many were heard.
    Answer { heard: usize },
    /// Here I am, asked for in person.
    AnswerAlways,
    /// Was that said just now? It is enough that one asks.
    Challenge,
}

impl Reply {
    /// Whether this one says to those who wait for `other` what that would.
    fn will_do_for(&self, other: &Self) -> bool {
        let is_for_all = !matches!(self.to, Destination::One(_));
        let answer = |reply: &Self| matches!(reply.kind, ReplyKind::Answer { .. });
        self.token == other.token
            || is_for_all && self.to == other.to && answer(self) && answer(other)
    }
}

impl Replies {
    /// Plans a reply, unless one that waits will do. `false` where too many wait.
    pub(crate) fn plan(&mut self, reply: Reply) -> bool {
        if self
            .waiting
            .iter()
            .any(|planned| planned.will_do_for(&reply))
        {
            return true;
        }
        let fits = self.waiting.len() < MAX_WAITING;
        if fits {
            self.waiting.push(reply);
        }
        fits
    }

    /// Takes notice of what another said in reply to the message with `token`.
    pub(crate) fn hear(&mut self, kind: Kind, token: u64) {
        self.waiting.retain_mut(|reply| {
            if reply.token != token {
                return true;
            }
            match (kind, &mut reply.kind) {
                (Kind::Answer, ReplyKind::Answer { heard }) => {
                    *heard += 1;
                    *heard < ENOUGH
                }
                (Kind::Query, ReplyKind::Challenge) => false,
                _ => true,
            }
        });
    }

    /// A reply whose time has come.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Reply> {
        let at = self.waiting.iter().position(|reply| now >= reply.due)?;
        Some(self.waiting.swap_remove(at))
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.waiting.iter().map(|reply| reply.due).min()
    }
}

/// Who asks has somebody to talk to then, and hears the others' announcements within a minute.
pub(crate) const ENOUGH: usize = 8;
/// Replies are spread over this, so that [`ENOUGH`] of a thousand hold back the rest.
pub(crate) const MAX_DELAY: Duration = Duration::from_millis(200);
/// More than the queries that are taken in [`MAX_DELAY`].
const MAX_WAITING: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(kind: ReplyKind, token: u64) -> Reply {
        Reply {
            kind,
            token,
            due: crust_core::rt::now(),
            to: Destination::Everybody,
            wants_contacts: false,
        }
    }

    #[test]
    fn enough_answers_of_others_hold_back_ours() {
        let mut replies = Replies::default();
        replies.plan(reply(ReplyKind::Answer { heard: 0 }, 1));
        (1..ENOUGH).for_each(|_| replies.hear(Kind::Answer, 1));
        replies.hear(Kind::Answer, 2);
        assert_eq!(replies.waiting.len(), 1);
        replies.hear(Kind::Answer, 1);
        assert!(replies.waiting.is_empty());
    }

    #[test]
    fn who_is_asked_in_person_answers_in_any_case() {
        let mut replies = Replies::default();
        replies.plan(reply(ReplyKind::AnswerAlways, 1));
        (0..100).for_each(|_| replies.hear(Kind::Answer, 1));
        assert_eq!(replies.waiting.len(), 1);
    }

    #[test]
    fn one_challenge_is_enough() {
        let mut replies = Replies::default();
        replies.plan(reply(ReplyKind::Challenge, 1));
        replies.hear(Kind::Answer, 1);
        assert_eq!(replies.waiting.len(), 1);
        replies.hear(Kind::Query, 1);
        assert!(replies.waiting.is_empty());
    }

    #[test]
    fn one_answer_to_everybody_will_do_for_many_questions() {
        let mut replies = Replies::default();
        (0..10).for_each(|token| {
            replies.plan(reply(ReplyKind::Answer { heard: 0 }, token));
        });
        assert_eq!(replies.waiting.len(), 1);
        replies.plan(reply(ReplyKind::AnswerAlways, 77));
        assert_eq!(replies.waiting.len(), 2);
    }

    #[test]
    fn replies_are_bounded() {
        let mut replies = Replies::default();
        let planned = (0..1_000).filter(|token| replies.plan(reply(ReplyKind::Challenge, *token)));
        assert_eq!(planned.count(), MAX_WAITING);
    }
}
