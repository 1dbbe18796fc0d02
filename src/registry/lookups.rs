//! Lookups with a pin of their own; those that share one are the guard's.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Registry;
use crate::key::ClientKey;

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// The key of the client with that client id. `None`: there is none.
    ///
    /// Consistency and complexity are those of [`Guard::client`](crate::Guard::client).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// assert_eq!(registry.key(&1), Some(key));
    /// ```
    #[must_use]
    pub fn key<Q>(&self, id: &Q) -> Option<ClientKey>
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        let hash = self.hash_of(id);
        let pin = self.tandem.pin();
        let named = self.tandem.find_by_id(hash, |other| id.equivalent(other), &pin)?;
        Some(self.key_at(named.client.address()))
    }

    /// The key of the client with that node id or alias. `None`: there is none.
    ///
    /// Consistency and complexity are those of [`Guard::route`](crate::Guard::route).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// assert_eq!(registry.key_by_node(&"node-a"), Some(key));
    /// ```
    #[must_use]
    pub fn key_by_node<Q>(&self, node: &Q) -> Option<ClientKey>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        let hash = self.hash_of(node);
        let pin = self.tandem.pin();
        let named = self.tandem.find_by_node(hash, |other| node.equivalent(other), &pin)?;
        Some(self.key_at(named.client.address()))
    }

    /// Whether a client with that client id is connected.
    #[must_use]
    pub fn contains<Q>(&self, id: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        self.key(id).is_some()
    }

    /// Calls `f` with the stream of that node id or alias, under a pin. `None`: there is no such stream,
    /// and `f` was not called.
    ///
    /// Consistency and complexity are those of [`Guard::route`](crate::Guard::route).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), String> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("stream".to_owned())).unwrap();
    /// assert_eq!(registry.with_stream(&"node-a", |stream| stream.len()), Some(6));
    /// ```
    pub fn with_stream<Q, R>(&self, node: &Q, f: impl FnOnce(&Stream) -> R) -> Option<R>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        self.pin().stream(node).map(f)
    }

    /// A clone of the stream of that node id or alias, to be used without a pin. `None`: there is no such
    /// stream.
    ///
    /// Consistency and complexity are those of [`Guard::route`](crate::Guard::route).
    #[must_use]
    pub fn stream_cloned<Q>(&self, node: &Q) -> Option<Stream>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
        Stream: Clone,
    {
        self.with_stream(node, Stream::clone)
    }
}
