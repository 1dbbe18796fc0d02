//! The registry: the contract's public face, without unsafe code.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::sync::atomic::{AtomicU32, Ordering};

use ahash::RandomState;

use crate::builder::{Builder, MAX_CLIENTS, MAX_SHARDS};
use crate::guard::Guard;
use crate::hash;
use crate::key::{ClientKey, StreamKey};
use crate::slots::Address;
use crate::stats::{Flushed, Stats};
use crate::tandem::{Owner, Settings, Tandem};

mod changes;
mod clients;
mod lookups;

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
    /// O(1): a store to a line of this thread's own, and a full fence where the system has no `membarrier`.
    /// A pin does no work for the reclaimer and runs no user's code.
    #[must_use]
    #[inline]
    pub fn pin(&self) -> Guard<'_, Id, Node, Info, Stream, S> {
        Guard::new(self)
    }

    /// Drops whatever was retired by calls that had returned, by any thread, parked ones included, and
    /// says what had to be left (G).
    ///
    /// Writers drop what has become ripe as they go, so this is for quiet times and for tests. A guard of
    /// this registry, held by whatever thread, keeps what was retired since it was taken; nothing else does,
    /// but for another thread that is in the middle of the same: it may have up to 64 values in its hands.
    /// From inside a value's `Drop` nothing is dropped.
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
    /// records of free slots (J). Slots do not move. Around the clients that are still there, long runs of
    /// free ones go back by pages on 64-bit Linux, and elsewhere by segments that nobody is in.
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
        self.tandem.shrink();
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
    pub(crate) fn hash_of<Q: ?Sized + Hash>(&self, name: &Q) -> hash::Hash {
        hash::Hash::by::<S>(self.hasher.hash_one(name))
    }
}

impl<Id, Node, Info, Stream, S> fmt::Debug for Registry<Id, Node, Info, Stream, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
