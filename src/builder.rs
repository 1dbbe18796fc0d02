//! Settings of a registry.

use core::fmt;
use core::marker::PhantomData;

use ahash::RandomState;

use crate::error::{BuildError, BuildErrorKind};
use crate::policy::Policy;
use crate::registry::Registry;
use crate::slots::MAX_SLOTS;
use crate::sync::cores;
use crate::tandem::Settings;

pub(crate) const MAX_CLIENTS: usize = MAX_SLOTS as usize;
pub(crate) const MAX_SHARDS: usize = 1 << 12;

/// Settings of a registry to be built; see [`Registry::builder`].
///
/// ```
/// # use tandem_registry::{BuildErrorKind, Policy, Registry};
/// let registry: Registry<u64, String, (), ()> = Registry::builder()
///     .max_clients(10_000)
///     .capacity(2_000)
///     .on_conflict(Policy::Reject)
///     .build()?;
/// assert_eq!(registry.stats().max_clients, Some(10_000));
///
/// let error = Registry::<u64, String, (), ()>::builder().shards(0).build().unwrap_err();
/// assert_eq!(error.kind(), BuildErrorKind::Shards);
/// # Ok::<(), tandem_registry::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<Id, Node, Info, Stream, S = RandomState> {
    max_clients: Option<usize>,
    capacity: usize,
    shards: Option<usize>,
    policy: Policy,
    hasher: S,
    builds: PhantomData<fn() -> (Id, Node, Info, Stream)>,
}

impl<Id, Node, Info, Stream> Builder<Id, Node, Info, Stream> {
    pub(crate) fn new() -> Self {
        Self {
            max_clients: None,
            capacity: 0,
            shards: None,
            policy: Policy::default(),
            hasher: RandomState::new(),
            builds: PhantomData,
        }
    }
}

impl<Id, Node, Info, Stream, S> Builder<Id, Node, Info, Stream, S> {
    /// At most `n` clients at a time (E). Default: no limit but that of slots,
    /// [`Registry::MAX_CLIENTS`]. With 0, every connect is refused.
    pub fn max_clients(mut self, n: usize) -> Self {
        self.max_clients = Some(n);
        self
    }

    /// Room for `n` clients before anything grows. Default: 0. Growth stops nobody, so this saves
    /// work, not pauses; and lookups of clients within it take a few instructions less.
    pub fn capacity(mut self, n: usize) -> Self {
        self.capacity = n;
        self
    }

    /// Shards of each table, rounded up to a power of two: 1 to [`Registry::MAX_SHARDS`]. A table that grows
    /// does so shard by shard, so with more of them more writers move it without meeting, and what it
    /// leaves is given back in smaller pieces. Default: 16, or more on machines with more than four cores.
    pub fn shards(mut self, n: usize) -> Self {
        self.shards = Some(n);
        self
    }

    /// What a newcomer may do to a client that has its name. Default: [`Policy::Takeover`].
    pub fn on_conflict(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Hashes client ids and node ids. Default: `ahash` with random seeds, so that nobody can choose
    /// ids that collide (I).
    pub fn hasher<T>(self, hasher: T) -> Builder<Id, Node, Info, Stream, T> {
        let Self { max_clients, capacity, shards, policy, hasher: _, builds } = self;
        Builder { max_clients, capacity, shards, policy, hasher, builds }
    }

    /// Builds the registry.
    ///
    /// # Errors
    ///
    /// If a setting is out of range; the error says which.
    pub fn build(self) -> Result<Registry<Id, Node, Info, Stream, S>, BuildError> {
        let cores = cores();
        let shards = self.shards.unwrap_or(default_shards(cores));
        let max_clients = self.max_clients.unwrap_or(0);
        let checks = [
            (BuildErrorKind::Shards, shards, 1..=MAX_SHARDS),
            (BuildErrorKind::Capacity, self.capacity, 0..=MAX_CLIENTS),
            (BuildErrorKind::MaxClients, max_clients, 0..=MAX_CLIENTS),
        ];
        for (kind, value, range) in checks {
            if !range.contains(&value) {
                return Err(BuildError { kind, value });
            }
        }
        let settings = Settings {
            max_clients: self.max_clients,
            capacity: self.capacity,
            shards: shards.next_power_of_two(),
            policy: self.policy,
            stripes: cores.min(64),
        };
        Ok(Registry::from_settings(settings, self.hasher))
    }
}

/// So many that threads seldom meet in one, and so few that an empty table stays small.
fn default_shards(cores: usize) -> usize {
    (4 * cores).clamp(16, 256)
}

impl<Id, Node, Info, Stream, S> fmt::Debug for Builder<Id, Node, Info, Stream, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("max_clients", &self.max_clients)
            .field("capacity", &self.capacity)
            .field("shards", &self.shards)
            .field("on_conflict", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_go_by_the_cores() {
        assert_eq!([1, 4, 5, 64, 65].map(default_shards), [16, 16, 20, 256, 256]);
    }
}
