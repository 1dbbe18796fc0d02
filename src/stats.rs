//! Figures of a registry.

/// What a registry holds at about one moment; exact when no call is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Places taken: clients, and connects and removals under way.
    pub clients: usize,
    /// Places there are, if there is a limit.
    pub max_clients: Option<usize>,
    /// Slots ever taken into use since the last `shrink_to_fit`, most of them again and again.
    pub slots: usize,
    /// Retired and not dropped yet: clients, aliases, streams, infos, and pieces of the index.
    pub retired: usize,
    /// Bytes of slots, index and bookkeeping, without what the values own themselves.
    pub bytes: usize,
    /// Shards of each table.
    pub shards: usize,
}

/// What a [`flush`](crate::Registry::flush) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed {
    /// Retired things that this call dropped.
    pub dropped: usize,
    /// Retired things that are left: because a guard was in the way, because another thread is
    /// dropping them at this moment, or because they were retired meanwhile.
    pub left: usize,
}
