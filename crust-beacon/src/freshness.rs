//! Whether a message was made just now: by its clock, or by a token that nobody could know before.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::wire::Message;

/// The tokens of a link's last seconds, our own and those of fresh messages.
///
/// A message that repeats one of them was made after it, whatever its own clock says.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    recent: VecDeque<Token>,
}

impl Tokens {
    pub(crate) fn remember(&mut self, at: Instant, value: u64, source: Source) {
        while self.recent.front().is_some_and(|token| !token.lives(at))
            || self.recent.len() >= MAX_TOKENS
        {
            self.recent.pop_front();
        }
        self.recent.push_back(Token { at, value, source });
    }

    /// How it is known that `message` was made just now; `None` where it is not.
    pub(crate) fn judge(&self, now: Instant, now_ms: u64, message: &Message) -> Option<Fresh> {
        if let Some(source) = message.echo.and_then(|echo| self.source_of(now, echo)) {
            return Some(Fresh::ByToken(source));
        }
        (message.time_ms.abs_diff(now_ms) <= MAX_SKEW_MS).then_some(Fresh::ByClock)
    }

    fn source_of(&self, now: Instant, value: u64) -> Option<Source> {
        let mut recent = self.recent.iter().rev();
        let token = recent.find(|token| token.value == value && token.lives(now))?;
        Some(token.source)
    }
}

#[derive(Debug)]
struct Token {
    at: Instant,
    value: u64,
    source: Source,
}

impl Token {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < TOKEN_LIFETIME
    }
}

/// Who made a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// This node.
    Own,
    /// Another, in a message that was fresh.
    Heard,
}

/// How it is known that a message was made just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// Its clock and ours agree.
    ByClock,
    /// It repeats a token of the last seconds.
    ByToken(Source),
}

/// Older datagrams are not taken without proof.
const MAX_SKEW_MS: u64 = 60_000;

/// An answer takes 200 ms by choice and as much by accident.
const TOKEN_LIFETIME: Duration = Duration::from_secs(5);
/// What 20 datagrams a second each way make of it.
const MAX_TOKENS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Flags, Kind};

    fn message(time_ms: u64, echo: Option<u64>) -> Message {
        Message {
            kind: Kind::Announce,
            flags: Flags::default(),
            time_ms,
            token: 1,
            echo,
            record: None,
            asked: None,
        }
    }

    #[test]
    fn minute_is_the_limit_of_clocks() {
        let (now, tokens) = (crust_core::rt::now(), Tokens::default());
        let judge = |time_ms| tokens.judge(now, 100_000, &message(time_ms, None));
        assert_eq!(judge(40_000), Some(Fresh::ByClock));
        assert_eq!(judge(160_000), Some(Fresh::ByClock));
        assert_eq!(judge(39_999), None);
        assert_eq!(judge(u64::MAX), None);
    }

    #[test]
    fn recent_token_makes_up_for_a_clock() {
        let now = crust_core::rt::now();
        let mut tokens = Tokens::default();
        tokens.remember(now, 7, Source::Own);
        let at = |after_s, echo| {
            let at = now + Duration::from_secs(after_s);
            tokens.judge(at, u64::MAX, &message(0, Some(echo)))
        };
        assert_eq!(at(4, 7), Some(Fresh::ByToken(Source::Own)));
        assert_eq!(at(4, 8), None);
        assert_eq!(at(5, 7), None);
    }

    #[test]
    fn tokens_are_bounded() {
        let mut tokens = Tokens::default();
        let now = crust_core::rt::now();
        (0..10_000).for_each(|token| tokens.remember(now, token, Source::Heard));
        assert_eq!(tokens.recent.len(), MAX_TOKENS);
    }
}
