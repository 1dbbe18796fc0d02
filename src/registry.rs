//! The registry: the contract's public face, without unsafe code.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::sync::atomic::{AtomicU32, Ordering};

use ahash::RandomState;
use equivalent::Equivalent;

use crate::builder::{Builder, MAX_CLIENTS, MAX_SHARDS};
use crate::client::{Connected, Displaced, NewClient};
use crate::error::{
    AliasError, AliasErrorKind, AttachError, ConnectError, ConnectErrorKind, UpdateError,
};
use crate::guard::Guard;
use crate::key::{ClientKey, StreamKey};
use crate::removed::{Detached, Removed};
use crate::slots::{Address, Contents, Ended};
use crate::stats::{Flushed, Stats};
use crate::table;
use crate::tandem::{AliasRefusal, Call, Owner, Refused, Settings, Tandem};

/// Tells the keys of one registry from those of another.
static REGISTRIES: AtomicU32 = AtomicU32::new(1);

/// Clients by client id and by node id, linked, so that one atomic step ends a client in both.
///
/// All methods but [`shrink_to_fit`](Self::shrink_to_fit) take `&self` and may be called from any number
/// of threads. No method blocks, and none holds anything while it runs a user's code. The letters A to
/// J in these docs are those of the [contract](crate#guarantees).
pub struct Registry<Id, Node, Info, Stream, S = RandomState> {
    tandem: Owner<Id, Node, Info, Stream>,
    hasher: S,
    tag: u32,
}

impl<Id, Node, Info, Stream> Registry<Id, Node, Info, Stream> {
    /// Clients that there can be at most, of all generations that are not reclaimed yet.
    pub const MAX_CLIENTS: usize = MAX_CLIENTS;

    /// Shards that a table can have at most.
    pub const MAX_SHARDS: usize = MAX_SHARDS;

    /// An empty registry without a limit, with the default settings.
    ///
    /// ```
    /// # use tandem_registry::Registry;
    /// let registry: Registry<u64, String, (), ()> = Registry::new();
    /// assert!(registry.is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build().expect("the default settings are in range")
    }

    /// Settings of a registry to be built.
    pub fn builder() -> Builder<Id, Node, Info, Stream> {
        Builder::new()
    }
}

impl<Id, Node, Info, Stream> Default for Registry<Id, Node, Info, Stream> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S> {
    pub(crate) fn from_settings(settings: Settings, hasher: S) -> Self {
        Self {
            tandem: Owner::new(Tandem::new(settings)),
            hasher,
            // Relaxed: only uniqueness matters.
            tag: REGISTRIES.fetch_add(1, Ordering::Relaxed),
        }
    }

    #[inline(always)]
    pub(crate) fn tandem(&self) -> &Tandem<Id, Node, Info, Stream> {
        &self.tandem
    }

    #[inline(always)]
    pub(crate) fn tag(&self) -> u32 {
        self.tag
    }

    #[inline(always)]
    pub(crate) fn key_at(&self, address: Address) -> ClientKey {
        ClientKey { generation: address.generation, slot: address.slot, registry: self.tag }
    }

    /// `None`: the key is another registry's.
    #[inline(always)]
    pub(crate) fn address(&self, key: ClientKey) -> Option<Address> {
        (key.registry == self.tag).then_some(Address { slot: key.slot, generation: key.generation })
    }

    fn hand_over(
        &self,
        ended: Ended<Info, Stream>,
        call: &Call<'_>,
    ) -> Removed<Id, Node, Info, Stream> {
        let key = self.key_at(Address { slot: ended.slot, generation: ended.word.generation() });
        Removed::new(key, self.tandem.share(&call.pin), ended)
    }

    /// How many clients there are: places taken, connects and removals under way included. Exact when no
    /// call is under way.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// assert_eq!(registry.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.tandem.places.taken()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Figures.
    ///
    /// # Complexity
    ///
    /// O(threads + shards).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// drop(registry.disconnect(&1));
    /// assert_eq!((registry.stats().clients, registry.stats().retired), (0, 1));
    /// registry.flush();
    /// assert_eq!(registry.stats().retired, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            clients: self.len(),
            max_clients: self.tandem.places.limit(),
            slots: self.tandem.slots.len() as usize,
            retired: self.tandem.retired(),
            bytes: self.tandem.bytes(),
            shards: self.tandem.nodes.shards(),
        }
    }

    /// Pins: see [`Guard`].
    ///
    /// # Complexity
    ///
    /// O(1), one full fence. One pin in many does a bounded share of the collector's bookkeeping; it
    /// never runs a user's code.
    #[must_use]
    #[inline]
    pub fn pin(&self) -> Guard<'_, Id, Node, Info, Stream, S> {
        Guard::new(self)
    }

    /// Drops whatever was retired by calls that had returned, by any thread, parked ones included, and
    /// says what had to be left (G).
    ///
    /// Writers drop what has become ripe as they go, so this is for quiet times and for tests. A guard of
    /// this registry, held by whatever thread, keeps what was retired since it was taken, and what was
    /// retired up to two epochs before, which an older guard can make long; nothing else does. From inside
    /// a value's `Drop` nothing is dropped.
    ///
    /// # Complexity
    ///
    /// O(retired + threads).
    ///
    /// # Panics
    ///
    /// Continues the first panic of a value's `Drop`, after all were dropped; also one that an earlier
    /// call met which had arguments or an outcome to lose.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// let guard = registry.pin();
    /// drop(registry.disconnect(&1));
    /// assert_eq!(registry.flush().left, 1); // the guard might be looking at it
    /// drop(guard);
    /// assert_eq!(registry.flush().dropped, 1);
    /// ```
    pub fn flush(&self) -> Flushed {
        let tally = self.tandem.flush();
        Flushed { dropped: tally.disposed, left: tally.left }
    }

    /// Gives back the memory that a peak left: index that the present clients do not need, and the
    /// slots above the highest one in use. Slots do not move, so a client that connected at the peak and
    /// is still there keeps its segment (J).
    ///
    /// # Complexity
    ///
    /// O(clients + slots).
    ///
    /// # Panics
    ///
    /// As [`flush`](Self::flush), which it begins with.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// let mut registry: Registry<u64, u64, [u8; 64], ()> = Registry::new();
    /// for id in 0..10_000 {
    ///     registry.connect(NewClient::new(id, id, [0; 64])).unwrap();
    /// }
    /// let peak = registry.stats().bytes;
    /// for id in 1..10_000 {
    ///     drop(registry.disconnect(&id));
    /// }
    /// registry.shrink_to_fit();
    /// assert!(registry.stats().bytes < peak / 10 && registry.contains(&0));
    /// ```
    pub fn shrink_to_fit(&mut self) {
        self.tandem.get_mut().shrink();
    }

    /// Calls `f` with every stream there is, and the key that names it.
    ///
    /// Nothing is held while `f` runs but a pin, which is renewed as it goes: a slow `f` blocks nobody, and
    /// lets what is retired be dropped. Should sending fail, note the key and
    /// [detach](Self::detach_stream) the stream, there or later.
    ///
    /// # Consistency
    ///
    /// As for [`Guard::iter`], each client with the stream that it has at that moment.
    ///
    /// # Complexity
    ///
    /// O(slots in use since the last `shrink_to_fit`).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), u32> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream(1)).unwrap();
    /// registry.connect(NewClient::new(2, "node-b", ())).unwrap();
    /// let mut sum = 0;
    /// registry.for_each_stream(|_, stream| sum += stream);
    /// assert_eq!(sum, 1);
    /// ```
    pub fn for_each_stream(&self, mut f: impl FnMut(StreamKey, &Stream)) {
        const SLOTS_A_PIN: u32 = 256;
        let end = self.tandem.slots.len();
        let mut from = 0;
        while from < end {
            let to = end.min(from + SLOTS_A_PIN);
            let guard = self.pin();
            for client in guard.iter().within(from..to) {
                if let (Some(key), Some(stream)) = (client.stream_key(), client.stream()) {
                    f(key, stream);
                }
            }
            from = to;
        }
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tandem.places.is_closed()
    }
}

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    #[inline(always)]
    pub(crate) fn hash_of<Q: ?Sized + Hash>(&self, name: &Q) -> table::Hash {
        table::Hash::mixed(self.hasher.hash_one(name))
    }

    /// Connects a client: from here on it is found by its client id, its node id and its aliases.
    ///
    /// If a live client has its client id or its node id, the [`Policy`](crate::Policy) decides: under
    /// `Takeover` the older one is evicted and handed over in `displaced`, under `Reject` the newcomer is
    /// refused. An alias of another client that equals the node id is taken from it; that client stays.
    ///
    /// # Consistency
    ///
    /// Without a conflict, one atomic step. A takeover is two: the newcomer is live and owns its names,
    /// then the older client is dead (D). Aliases are added afterwards, each in a step of its own.
    /// Lock-free: a thread that stops in the middle of a connect stops nobody, not even another of the
    /// same names (F).
    ///
    /// # Complexity
    ///
    /// O(1) expected, growth included; each alias O(aliases of the client).
    ///
    /// # Errors
    ///
    /// [`ConnectError`], with the client back: its names are taken, no place is free, the registry is
    /// closed or out of slots. A conflict is reported before a full registry.
    ///
    /// # Panics
    ///
    /// If the `Hash` or `Eq` of an id panics. Nobody is connected then, but who was displaced stays so.
    ///
    /// ```
    /// # use tandem_registry::{ConnectErrorKind, NewClient, Registry};
    /// let registry = Registry::builder().max_clients(1).build().unwrap();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("old")).unwrap();
    ///
    /// let refused = registry.connect(NewClient::new(2, "node-b", ()).stream("b")).unwrap_err();
    /// assert_eq!(refused.kind(), ConnectErrorKind::Full);
    /// assert_eq!(refused.into_rejected().stream, Some("b"));
    ///
    /// // A takeover needs no free place.
    /// let connected = registry.connect(NewClient::new(2, "node-a", ()).stream("new")).unwrap();
    /// assert_eq!(connected.displaced.by_node.unwrap().stream(), Some(&"old"));
    /// ```
    pub fn connect(
        &self,
        new: NewClient<Id, Node, Info, Stream>,
    ) -> Result<Connected<Id, Node, Info, Stream>, ConnectError<Id, Node, Info, Stream>> {
        let ids = (self.hash_of(&new.id), self.hash_of(&new.node));
        let NewClient { id, node, info, stream, aliases } = new;
        let has_stream = stream.is_some();
        let contents = Contents { id, node, info, stream };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let committed = match self.tandem.connect(ids, contents, &mut call) {
            Ok(committed) => committed,
            Err((refused, contents)) => return Err(rejected(refused, contents, aliases, call)),
        };
        let key = self.key_at(committed.address);
        let displaced = Displaced {
            by_id: committed.by_id.map(|ended| self.hand_over(ended, &call)),
            by_node: committed.by_node.map(|ended| self.hand_over(ended, &call)),
        };
        drop(call);
        let added = aliases.into_iter().map(|name| self.add_alias(key, name));
        Ok(Connected {
            key,
            stream_key: has_stream.then_some(StreamKey { client: key, sequence: 0 }),
            refused_aliases: added.filter_map(Result::err).collect(),
            displaced,
        })
    }

    /// Ends the client with that client id, with its stream and its aliases. `None`: there is none.
    ///
    /// # Consistency
    ///
    /// A lookup, followed by [`disconnect_key`](Self::disconnect_key) of the incarnation that it found: one
    /// that connects in between is not touched.
    ///
    /// # Complexity
    ///
    /// O(1) expected, and O(aliases of the client).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("stream")).unwrap();
    /// let removed = registry.disconnect(&1).unwrap();
    /// assert_eq!(removed.stream(), Some(&"stream"));
    /// assert!(registry.pin().stream(&"node-a").is_none());
    /// assert!(registry.disconnect(&1).is_none());
    /// ```
    pub fn disconnect<Q>(&self, id: &Q) -> Option<Removed<Id, Node, Info, Stream>>
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        self.disconnect_key(self.key(id)?)
    }

    /// Ends that incarnation of a client, with its stream and its aliases. `None`: it had ended, or
    /// another call is ending it and has been helped to.
    ///
    /// # Consistency
    ///
    /// One atomic step: before it every lookup finds the client, after it none does (A). Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), and O(aliases of the client).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// assert!(registry.disconnect_key(key).is_some());
    /// assert!(registry.disconnect_key(key).is_none());
    /// ```
    pub fn disconnect_key(&self, key: ClientKey) -> Option<Removed<Id, Node, Info, Stream>> {
        let address = self.address(key)?;
        let mut call = self.tandem.call();
        let ended = self.tandem.end(address, &mut call);
        let removed = ended.map(|ended| self.hand_over(ended, &call));
        call.finish();
        removed
    }

    /// The key of the client with that client id. `None`: there is none.
    ///
    /// Consistency and complexity are those of [`Guard::client`].
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
        let live = self.tandem.find_by_id(hash, |other| id.equivalent(other), &pin)?;
        Some(self.key_at(live.address()))
    }

    /// The key of the client with that node id or alias. `None`: there is none.
    ///
    /// Consistency and complexity are those of [`Guard::route`].
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
        let live = self.tandem.find_by_node(hash, |other| node.equivalent(other), &pin)?;
        Some(self.key_at(live.address()))
    }

    /// Whether a client with that client id is connected.
    #[must_use]
    pub fn contains<Q>(&self, id: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        self.key(id).is_some()
    }

    /// Gives a client a stream, in place of the one it may have, which is retired at once. The node id
    /// and the aliases lead to the new stream without a gap.
    ///
    /// # Consistency
    ///
    /// One atomic step. It comes before the end of the client, whose [`Removed`] then shows the new
    /// stream, or fails. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), one allocation.
    ///
    /// # Errors
    ///
    /// If the client has ended: the stream comes back.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// registry.attach_stream(key, "stream").unwrap();
    /// assert_eq!(registry.stream_cloned(&"node-a"), Some("stream"));
    /// drop(registry.disconnect_key(key));
    /// assert_eq!(registry.attach_stream(key, "late").unwrap_err().into_rejected(), "late");
    /// ```
    pub fn attach_stream(
        &self,
        key: ClientKey,
        stream: Stream,
    ) -> Result<StreamKey, AttachError<Stream>> {
        let Some(address) = self.address(key) else {
            return Err(AttachError(stream));
        };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        match self.tandem.attach(address, stream, &mut call) {
            Ok(sequence) => Ok(StreamKey { client: key, sequence }),
            Err(stream) => Err(AttachError(stream)),
        }
    }

    /// Takes a stream from its client, which stays: for a stream that failed. `None`: that very stream is
    /// no longer its client's, because another was attached, it was detached, or the client has ended.
    ///
    /// # Consistency
    ///
    /// One atomic step, exact to the stream (B). Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let stream_key =
    ///     registry.connect(NewClient::new(1, "node-a", ()).stream("s")).unwrap().stream_key.unwrap();
    /// assert_eq!(*registry.detach_stream(stream_key).unwrap(), "s");
    /// assert!(registry.detach_stream(stream_key).is_none());
    /// ```
    pub fn detach_stream(&self, key: StreamKey) -> Option<Detached<Id, Node, Info, Stream>> {
        let address = self.address(key.client)?;
        let mut call = self.tandem.call();
        let stream = self.tandem.detach(address, key.sequence, &mut call)?;
        Some(Detached::new(key, self.tandem.share(&call.pin), stream))
    }

    /// Replaces a client's info, and retires the old one at once.
    ///
    /// # Consistency
    ///
    /// One atomic step, before the end of the client or not at all. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), one allocation.
    ///
    /// # Errors
    ///
    /// If the client has ended: the info comes back.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, &str, ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", "guest")).unwrap().key;
    /// registry.update_info(key, "member").unwrap();
    /// assert_eq!(registry.pin().client(&1).unwrap().info(), &"member");
    /// ```
    pub fn update_info(&self, key: ClientKey, info: Info) -> Result<(), UpdateError<Info>> {
        let Some(address) = self.address(key) else {
            return Err(UpdateError(info));
        };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        self.tandem.update(address, info, &mut call).map_err(UpdateError)
    }

    /// Gives a client a further name, by which it is found like by its node id, until the client ends,
    /// [`remove_alias`](Self::remove_alias), or a newer owner takes the name.
    ///
    /// An alias never takes a node id, and taking an alias never ends a client: under
    /// [`Takeover`](crate::Policy::Takeover) the newer owner gets the name and the older one stays without
    /// it, under [`Reject`](crate::Policy::Reject) the newer one is refused. A name that the client has as
    /// alias already is no error.
    ///
    /// # Consistency
    ///
    /// Without a conflict one atomic step, otherwise two, like a takeover by `connect`. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(aliases of the client).
    ///
    /// # Errors
    ///
    /// [`AliasError`], with the name back.
    ///
    /// ```
    /// # use tandem_registry::{AliasErrorKind, NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let a = registry.connect(NewClient::new(1, "node-a", ()).stream("a")).unwrap().key;
    /// let b = registry.connect(NewClient::new(2, "node-b", ()).stream("b")).unwrap().key;
    /// registry.add_alias(a, "name").unwrap();
    /// registry.add_alias(b, "name").unwrap();
    /// assert_eq!(registry.stream_cloned(&"name"), Some("b"));
    /// assert_eq!(registry.add_alias(b, "node-a").unwrap_err().kind(), AliasErrorKind::NodeId);
    /// ```
    pub fn add_alias(&self, key: ClientKey, name: Node) -> Result<(), AliasError<Node>> {
        let Some(address) = self.address(key) else {
            return Err(AliasError::new(AliasErrorKind::ClientGone, name));
        };
        let hash = self.hash_of(&name);
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let Err((refusal, name)) = self.tandem.add_alias(address, hash, name, &mut call) else {
            return Ok(());
        };
        let kind = match refusal {
            AliasRefusal::Gone => AliasErrorKind::ClientGone,
            AliasRefusal::NodeId => AliasErrorKind::NodeId,
            AliasRefusal::Taken => AliasErrorKind::Taken,
            AliasRefusal::Exhausted => AliasErrorKind::Exhausted,
            AliasRefusal::Panicked => {
                call.finish();
                unreachable!("the call continues the panic")
            }
        };
        Err(AliasError::new(kind, name))
    }

    /// Takes a further name from a client. `false`: it does not have that alias.
    ///
    /// # Consistency
    ///
    /// One atomic step. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1) expected.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ()).alias("name")).unwrap().key;
    /// assert!(registry.remove_alias(key, &"name"));
    /// assert!(!registry.remove_alias(key, &"name"));
    /// assert!(!registry.remove_alias(key, &"node-a")); // a node id is no alias
    /// ```
    pub fn remove_alias<Q>(&self, key: ClientKey, name: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        let Some(address) = self.address(key) else {
            return false;
        };
        let hash = self.hash_of(name);
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let is_name = |other: &Node| name.equivalent(other);
        let removed = self.tandem.remove_alias(address, hash, is_name, &mut call);
        call.finish();
        removed
    }

    /// Calls `f` with the stream of that node id or alias, under a pin. `None`: there is no such stream,
    /// and `f` was not called.
    ///
    /// Consistency and complexity are those of [`Guard::route`].
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
    /// Consistency and complexity are those of [`Guard::route`].
    #[must_use]
    pub fn stream_cloned<Q>(&self, node: &Q) -> Option<Stream>
    where
        Q: ?Sized + Hash + Equivalent<Node>,
        Stream: Clone,
    {
        self.with_stream(node, Stream::clone)
    }

    /// Refuses every later connect, and ends every client. A connect that races it is refused, or its
    /// client is among those returned here or ended by someone else.
    ///
    /// # Consistency
    ///
    /// Each client ends in a step of its own. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(slots).
    ///
    /// ```
    /// # use tandem_registry::{ConnectErrorKind, NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// assert_eq!(registry.close().len(), 1);
    /// let refused = registry.connect(NewClient::new(1, "node-a", ())).unwrap_err();
    /// assert_eq!(refused.kind(), ConnectErrorKind::Closed);
    /// ```
    pub fn close(&self) -> Vec<Removed<Id, Node, Info, Stream>> {
        self.tandem.places.close();
        let mut removed = Vec::new();
        let mut call = self.tandem.call();
        for slot in 0..self.tandem.slots.len() {
            let ended = self.tandem.clear(slot, &mut call);
            removed.extend(ended.map(|ended| self.hand_over(ended, &call)));
        }
        call.finish();
        removed
    }
}

/// The error of a refused connect; or the panic that cut it short.
fn rejected<Id, Node, Info, Stream>(
    refused: Refused,
    contents: Option<Contents<Id, Node, Info, Stream>>,
    aliases: Vec<Node>,
    call: Call<'_>,
) -> ConnectError<Id, Node, Info, Stream> {
    let kind = match refused {
        Refused::Id => ConnectErrorKind::IdTaken,
        Refused::Node => ConnectErrorKind::NodeTaken,
        Refused::Full => ConnectErrorKind::Full,
        Refused::Closed => ConnectErrorKind::Closed,
        Refused::Exhausted => ConnectErrorKind::Exhausted,
        Refused::Panicked => {
            call.finish();
            unreachable!("the call continues the panic")
        }
    };
    let Contents { id, node, info, stream } =
        contents.expect("a refusal without a panic gives back");
    ConnectError::new(kind, NewClient { id, node, info, stream, aliases })
}

impl<Id, Node, Info, Stream, S> fmt::Debug for Registry<Id, Node, Info, Stream, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
