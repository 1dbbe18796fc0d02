//! Lookups under a pin, and what they find.

mod batch;

use core::fmt;
use core::hash::{BuildHasher, Hash};

use ahash::RandomState;
use equivalent::Equivalent;

use crate::found::{ClientRef, Route};
use crate::hash;
use crate::iter::Iter;
use crate::key::{ClientKey, StreamKey};
use crate::reclaim::Pin;
use crate::registry::Registry;
use crate::slots::Seen;
use crate::swing::Current;
use crate::tandem::{Glance, Tandem};

/// A pin of the registry: many lookups for the price of one pin, and references that live as long.
///
/// What is retired while a guard is held is not dropped before the guard is, so hold it for a burst of
/// lookups, not for as long as a connection. It cannot be sent to another thread, and so not be held
/// across an `await` of a task that may move; it holds up nobody but the reclaimer of this registry
/// (F, G).
///
/// # Consistency
///
/// Each lookup is linearizable by itself; a guard is not a snapshot. Lookups are lock-free: a scan is
/// repeated only if a takeover or a split of the same chain got on meanwhile.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, String, (), &str> = Registry::new();
/// registry.connect(NewClient::new(1, "node-a".to_owned(), ()).stream("stream")).unwrap();
/// let guard = registry.pin();
/// assert_eq!(guard.stream("node-a"), Some(&"stream"));
/// assert!(guard.stream("node-b").is_none());
/// ```
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// # let registry = tandem_registry::Registry::<u64, u64, (), ()>::new();
/// let guard = registry.pin();
/// std::thread::scope(|scope| { scope.spawn(move || drop(guard)); });
/// ```
///
/// and what it found does not outlive it:
///
/// ```compile_fail,E0505
/// # let registry = tandem_registry::Registry::<u64, u64, (), String>::new();
/// let guard = registry.pin();
/// let stream = guard.stream(&7);
/// drop(guard);
/// println!("{stream:?}");
/// ```
///
/// ```compile_fail,E0505
/// # let registry = tandem_registry::Registry::<u64, u64, (), String>::new();
/// let guard = registry.pin();
/// drop(registry);
/// guard.stream(&7);
/// ```
pub struct Guard<'r, Id, Node, Info, Stream, S = RandomState> {
    registry: &'r Registry<Id, Node, Info, Stream, S>,
    /// The registry's, so that a loop of lookups need not ask for it again.
    tandem: &'r Tandem<Id, Node, Info, Stream>,
    pin: Pin<'r>,
}

impl<'r, Id, Node, Info, Stream, S> Guard<'r, Id, Node, Info, Stream, S> {
    pub(crate) fn new(registry: &'r Registry<Id, Node, Info, Stream, S>) -> Self {
        let tandem = registry.tandem();
        Self { registry, tandem, pin: tandem.pin() }
    }

    /// The live client of that key. `None`: that incarnation has ended, or is of another registry.
    ///
    /// # Consistency
    ///
    /// Linearization point: the read of the client's state word.
    ///
    /// # Complexity
    ///
    /// O(1), without hashing; about one cache miss.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, &str, ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", "info")).unwrap().key;
    /// assert_eq!(registry.pin().get(key).unwrap().info(), &"info");
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn get(&self, key: ClientKey) -> Option<ClientRef<'_, Id, Node, Info, Stream>> {
        let address = self.registry.address(key)?;
        let seen = self.tandem.slots.find_at(address, &self.pin)?;
        match seen.plain() {
            Some(plain) => Some(ClientRef::plain(plain, self.registry.tag())),
            None => ClientRef::apart(self.read(seen)),
        }
    }

    #[inline(never)]
    fn read<'g>(
        &'g self,
        seen: Seen<'g, Id, Node, Info, Stream>,
    ) -> Option<ClientRef<'g, Id, Node, Info, Stream>> {
        ClientRef::new(seen.client()?, self.registry.tag())
    }

    /// Every live client, in no particular order.
    ///
    /// # Consistency
    ///
    /// A client that is connected during the whole iteration is yielded exactly once; one that had
    /// ended before it began, never. Clients that come and go meanwhile may be yielded, each incarnation
    /// at most once (H).
    ///
    /// # Complexity
    ///
    /// O(slots in use since the last `shrink_to_fit`), in the order of memory.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// registry.connect(NewClient::new(2, "node-b", ())).unwrap();
    /// assert_eq!(registry.pin().iter().map(|client| client.id()).sum::<u64>(), 3);
    /// ```
    #[must_use]
    pub fn iter(&self) -> Iter<'_, Id, Node, Info, Stream> {
        Iter::new(self.tandem, self.registry.tag(), &self.pin)
    }

    /// Drops the pin and takes a new one, so that what was retired meanwhile can be dropped. For long
    /// loops that hold no reference from one round to the next.
    ///
    /// ```
    /// # let registry: tandem_registry::Registry<u64, &str, (), ()> = Default::default();
    /// let mut guard = registry.pin();
    /// for _ in 0..3 {
    ///     guard.repin();
    ///     assert_eq!(guard.iter().count(), 0);
    /// }
    /// ```
    pub fn repin(&mut self) {
        self.pin.repin();
    }
}

impl<Id, Node, Info, Stream, S> Guard<'_, Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// Where messages for `node` go: the stream of the live client with that node id or alias, and the
    /// keys that name both. `None`: there is no such client, or it has no stream.
    ///
    /// # Consistency
    ///
    /// Linearization point of a hit: the read of the client's state word, or of the pointer to a
    /// stream that was attached later. Of a miss: a moment inside the last scan. While a node id is
    /// taken over there is no miss, and no way back from the new stream to the old one (D).
    ///
    /// # Complexity
    ///
    /// O(1) expected: the index line, the record, the state word.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let connected = registry.connect(NewClient::new(1, "node-a", ()).stream("stream")).unwrap();
    /// let guard = registry.pin();
    /// let route = guard.route(&"node-a").unwrap();
    /// assert_eq!((*route.stream(), route.key()), ("stream", connected.key));
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn route<Q>(&self, node: &Q) -> Option<Route<'_, Stream>>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        let hash = self.registry.hash_of(node);
        self.route_hashed(hash, node)
    }

    #[inline(always)]
    fn route_hashed<Q>(&self, hash: hash::Hash, node: &Q) -> Option<Route<'_, Stream>>
    where
        Q: ?Sized + Equivalent<Node>,
    {
        self.route_then(hash, node, |route| route)
    }

    /// What `then` makes of the route. It is compiled once for each way to find one, so that it gets what was found
    /// in registers.
    #[inline(always)]
    fn route_then<'g, Q, R>(
        &'g self,
        hash: hash::Hash,
        node: &Q,
        then: impl FnOnce(Option<Route<'g, Stream>>) -> R,
    ) -> R
    where
        Q: ?Sized + Equivalent<Node>,
    {
        let is_node = |other: &Node| node.equivalent(other);
        match self.tandem.glance_by_node(hash, is_node, &self.pin) {
            Glance::Plain((plain, (_, stream))) => {
                let client = self.registry.key_at(plain.address());
                then(Some(Route { stream, key: StreamKey { client, sequence: 0 } }))
            }
            Glance::Absent => then(None),
            Glance::Unclear => then(Route::apart(self.find_route(hash, node))),
        }
    }

    #[inline(never)]
    fn find_route<Q>(&self, hash: hash::Hash, node: &Q) -> Option<Route<'_, Stream>>
    where
        Q: ?Sized + Equivalent<Node>,
    {
        let is_node = |other: &Node| node.equivalent(other);
        let route = self.tandem.read_by_node(
            hash,
            is_node,
            |live| match live.stream() {
                Current::Swung((stream, sequence)) => {
                    let client = self.registry.key_at(live.address());
                    Some(Some(Route { stream, key: StreamKey { client, sequence } }))
                }
                Current::First | Current::Nothing => Some(None),
                Current::Closed => None,
            },
            &self.pin,
        );
        route.flatten()
    }

    /// [`route`](Self::route), the stream alone.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("stream")).unwrap();
    /// assert_eq!(registry.pin().stream(&"node-a"), Some(&"stream"));
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn stream<Q>(&self, node: &Q) -> Option<&Stream>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        self.route(node).map(|route| route.stream)
    }

    /// The live client with that client id. `None`: there is none.
    ///
    /// # Consistency
    ///
    /// As for [`route`](Self::route), by client id.
    ///
    /// # Complexity
    ///
    /// O(1) expected.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// assert_eq!(registry.pin().client(&1).unwrap().node(), &"node-a");
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn client<Q>(&self, id: &Q) -> Option<ClientRef<'_, Id, Node, Info, Stream>>
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        let hash = self.registry.hash_of(id);
        match self.tandem.glance_by_id(hash, |other| id.equivalent(other), &self.pin) {
            Glance::Plain((plain, profile)) => {
                Some(ClientRef::of(plain, profile, plain.routing(), self.registry.tag()))
            }
            Glance::Absent => None,
            Glance::Unclear => ClientRef::apart(self.find_client(hash, id)),
        }
    }

    #[inline(never)]
    fn find_client<Q>(
        &self,
        hash: hash::Hash,
        id: &Q,
    ) -> Option<ClientRef<'_, Id, Node, Info, Stream>>
    where
        Q: ?Sized + Equivalent<Id>,
    {
        let is_id = |other: &Id| id.equivalent(other);
        let read = |live| ClientRef::new(live, self.registry.tag());
        self.tandem.read_by_id(hash, is_id, read, &self.pin)
    }

    /// The live client with that node id or alias, with a stream or without. `None`: there is none.
    ///
    /// Consistency and complexity are those of [`route`](Self::route).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// assert_eq!(registry.pin().client_by_node(&"node-a").unwrap().id(), &1);
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn client_by_node<Q>(&self, node: &Q) -> Option<ClientRef<'_, Id, Node, Info, Stream>>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        let hash = self.registry.hash_of(node);
        let is_node = |other: &Node| node.equivalent(other);
        match self.tandem.glance_by_node(hash, is_node, &self.pin) {
            Glance::Plain((plain, routing)) => {
                Some(ClientRef::of(plain, plain.profile(), routing, self.registry.tag()))
            }
            Glance::Absent => None,
            Glance::Unclear => ClientRef::apart(self.find_client_by_node(hash, node)),
        }
    }

    #[inline(never)]
    fn find_client_by_node<Q>(
        &self,
        hash: hash::Hash,
        node: &Q,
    ) -> Option<ClientRef<'_, Id, Node, Info, Stream>>
    where
        Q: ?Sized + Equivalent<Node>,
    {
        let is_node = |other: &Node| node.equivalent(other);
        let read = |live| ClientRef::new(live, self.registry.tag());
        self.tandem.read_by_node(hash, is_node, read, &self.pin)
    }
}

impl<Id, Node, Info, Stream, S> fmt::Debug for Guard<'_, Id, Node, Info, Stream, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
