//! A connection's hold on its client: what the end of the connection, however it comes, ends.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use std::sync::Arc;

use ahash::RandomState;

use crate::client::{Connected, Displaced, NewClient};
use crate::error::ConnectError;
use crate::key::{ClientKey, StreamKey};
use crate::reclaim::Panics;
use crate::registry::Registry;
use crate::removed::Removed;

/// A session and what it displaced, or the error of the connect.
type Opened<Id, Node, Info, Stream, S> = Result<
    (Session<Id, Node, Info, Stream, S>, Displaced<Id, Node, Info, Stream>),
    ConnectError<Id, Node, Info, Stream>,
>;

/// Keeps a client connected for as long as it lives: kept by the connection's task, it disconnects
/// when the task ends, panics or is cancelled.
///
/// It ends its own incarnation and nothing else: if the client has reconnected meanwhile, the late drop
/// of the old session does nothing (B).
///
/// ```
/// # use std::sync::Arc;
/// # use tandem_registry::{NewClient, Registry};
/// let registry: Arc<Registry<u64, &str, (), ()>> = Arc::default();
/// let (old, _) = registry.session(NewClient::new(1, "node-a", ())).unwrap();
/// let (new, displaced) = registry.session(NewClient::new(1, "node-a", ())).unwrap();
/// assert_eq!(displaced.len(), 1);
/// drop(old);
/// assert!(new.is_live() && registry.contains(&1));
/// drop(new);
/// assert!(!registry.contains(&1));
/// ```
#[must_use = "dropping a session disconnects its client"]
pub struct Session<Id, Node, Info, Stream, S = RandomState>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    registry: Arc<Registry<Id, Node, Info, Stream, S>>,
    key: ClientKey,
    stream_key: Option<StreamKey>,
    /// `false` once the client was disconnected or let go.
    holds: bool,
}

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// Connects a client for as long as the session lives; see [`connect`](Self::connect). Aliases that
    /// it did not get are dropped.
    ///
    /// # Errors
    ///
    /// Those of `connect`.
    ///
    /// # Panics
    ///
    /// As `connect` does, and if the `Drop` of such an alias panics; nobody is connected then either.
    pub fn session(
        self: &Arc<Self>,
        new: NewClient<Id, Node, Info, Stream>,
    ) -> Opened<Id, Node, Info, Stream, S> {
        let Connected { key, stream_key, displaced, refused_aliases } = self.connect(new)?;
        let session = Session { registry: Arc::clone(self), key, stream_key, holds: true };
        // While the session is here to be unwound: the panic of a drop as this returns would leak it.
        let mut panics = Panics::default();
        refused_aliases.into_iter().for_each(|alias| panics.run(|| drop(alias)));
        panics.resume();
        Ok((session, displaced))
    }
}

impl<Id, Node, Info, Stream, S> Session<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// Names the client's incarnation.
    #[must_use]
    pub fn key(&self) -> ClientKey {
        self.key
    }

    /// Names the stream that it was connected with.
    #[must_use]
    pub fn stream_key(&self) -> Option<StreamKey> {
        self.stream_key
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry<Id, Node, Info, Stream, S>> {
        &self.registry
    }

    /// Whether the client is still connected, and neither evicted nor disconnected by someone else.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.registry.pin().get(self.key).is_some()
    }

    /// Disconnects the client now, and hands it over. `None`: it had ended before.
    pub fn disconnect(mut self) -> Option<Removed<Id, Node, Info, Stream>> {
        self.holds = false;
        self.registry.disconnect_key(self.key)
    }

    /// Leaves the client connected.
    #[must_use = "without its key the client is found by its names only"]
    pub fn into_key(mut self) -> ClientKey {
        self.holds = false;
        self.key
    }
}

impl<Id, Node, Info, Stream, S> Drop for Session<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    fn drop(&mut self) {
        if self.holds {
            drop(self.registry.disconnect_key(self.key));
        }
    }
}

impl<Id, Node, Info, Stream, S> fmt::Debug for Session<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("key", &self.key).finish_non_exhaustive()
    }
}
