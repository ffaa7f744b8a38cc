//! Random messages at a given speed, for `--speed`.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
    time::Duration,
};

use crust::{Bytes, SendError, Session, rt};

/// Sends random messages, `rate` bytes a second, until the session ends.
///
/// What a slow session could not take in time is not made up for.
pub(super) async fn send(session: Session, rate: NonZeroU64) -> Result<(), SendError> {
    let mut random = Random::new();
    let mut owed = 0.0;
    let mut paid_at = rt::now();
    loop {
        rt::sleep(STEP).await;
        let now = rt::now();
        let passed = (now - paid_at).min(MOST_OWED);
        paid_at = now;
        owed += rate.get() as f64 * passed.as_secs_f64();
        while owed >= 1.0 {
            let message = random.message(owed);
            owed -= message.len() as f64;
            session.send(message).await?;
        }
    }
}

/// Messages cut from one random block: the speed shall be the session's and not that of making random bytes.
#[derive(Debug)]
struct Random {
    block: Bytes,
    state: u64,
}

impl Random {
    fn new() -> Self {
        let mut random = Self {
            block: Bytes::new(),
            state: RandomState::new().hash_one(0),
        };
        let words = std::iter::repeat_with(|| random.next()).take(2 * MAX_LEN / 8);
        let block: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        random.block = block.into();
        random
    }

    /// A message of at most `most` bytes.
    fn message(&mut self, most: f64) -> Bytes {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and MAX_LEN"
        )]
        let most = most.clamp(1.0, MAX_LEN as f64) as usize;
        let [len, start] = [most, MAX_LEN].map(|below| self.below(below));
        self.block.slice(start..start + len + 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        usize::try_from(self.next() % limit).expect("it is below a usize")
    }

    /// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): plenty for bytes that only must not compress.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Twenty bursts a second look even to a person.
const STEP: Duration = Duration::from_millis(50);
/// After a longer wait than this the time is lost.
const MOST_OWED: Duration = Duration::from_millis(200);
/// Longest of the random messages.
const MAX_LEN: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_to_what_is_owed() {
        let mut random = Random::new();
        for owed in [1.0, 1.5, 100.0, 1e12] {
            for _ in 0..100 {
                let len = random.message(owed).len();
                assert!((1..=MAX_LEN).contains(&len) && len as f64 <= owed, "{len}");
            }
        }
    }
}
