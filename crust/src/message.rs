//! What the application sends and gets.

use std::fmt;

use bytes::Bytes;

/// A message as it came: whole, once, and in the order of its priority.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What was sent. Cloning and slicing copy nothing.
    pub data: Bytes,
    /// How urgent the sender said it was.
    pub priority: Priority,
}

impl Message {
    pub(crate) const fn new(data: Bytes, priority: Priority) -> Self {
        Self { data, priority }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// How urgent a message is: eight levels, [`Priority::NORMAL`] by default.
///
/// Messages of one level keep their order. A more urgent one overtakes the rest at the next record (16 KiB), in the
/// middle of a long message too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// Waits for everything else.
    pub const LOWEST: Self = Self(0);
    /// Level 3: room for four levels above and three below.
    pub const NORMAL: Self = Self(3);
    /// Overtakes everything else.
    pub const HIGHEST: Self = Self(7);
    /// How many levels there are.
    pub const LEVELS: usize = 8;

    /// The priority of a level from 0 (lowest) to 7 (highest); `None` above.
    pub const fn new(level: u8) -> Option<Self> {
        if level <= Self::HIGHEST.0 {
            Some(Self(level))
        } else {
            None
        }
    }

    /// The level, 0 to 7.
    pub const fn level(self) -> u8 {
        self.0
    }

    /// The priority in the low three bits of a frame's kind.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::HIGHEST.0)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Debug for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Priority({})", self.0)
    }
}

/// What a message of `len` bytes costs in queues and windows: its bytes, and what keeping it takes.
///
/// Without the second part a peer could fill memory with empty messages that cost nothing.
pub(crate) const fn cost(len: usize) -> u64 {
    len as u64 + MESSAGE_OVERHEAD
}

/// Bytes that one message takes in a queue beside its data (40), and its share of an allocation.
const MESSAGE_OVERHEAD: u64 = 64;
