//! Why something that a peer sent was not taken, though the peer broke no rule.

/// Why something that a peer sent was not taken, though the peer broke no rule. Each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Ignored {
    /// Anything of a peer that has broken the rules, until its session ends.
    AfterBreach,
    /// A digest so soon after another.
    DigestTooSoon,
    /// A record whose time is over.
    Expired,
    /// A record of a peer that is held to be dead, no newer than that verdict.
    Forgotten,
    /// A record made later than now.
    FromTheFuture,
    /// A record that is there already.
    Known,
    /// A message of a later version.
    LaterVersion,
    /// A message over the peer's budget of bytes.
    OverBudget,
    /// A record older than one that is there.
    Older,
    /// A record of this node itself.
    Own,
    /// A record into whose prefix no more go.
    PrefixFull,
    /// A record of a peer that has told as many as one may tell.
    SourceFull,
    /// A record for which there is no room.
    TableFull,
    /// A record that claims to hold for too long.
    TooLongLived,
    /// A session over the number of those that take part, or a message from one.
    TooManySessions,
    /// A record that was not looked at, because many signatures were checked just before.
    Unverified,
}
