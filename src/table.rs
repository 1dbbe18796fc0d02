//! One index: from the hash of a name to the slots that may bear it.
//!
//! The table knows slots and hashes, no keys, no liveness and no second table: whether a slot that it
//! finds is a live client of that name is for its user to say. What it promises is in `bucket`.
//!
//! It is sharded by hash: each shard moves to a larger level by itself, see `grow`. Lookups need no shard
//! while the table does not grow, see `aim`.

use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use crate::aim::Aim;
use crate::bucket::{Count, Outcome, Stamp};
use crate::entry::Entry;
use crate::grow::Array;
use crate::hash::Hash;
use crate::level::Level;
use crate::reclaim::Pin;
use crate::shard::Shard;
use crate::sync::{AtomicPtr, Ordering, fence};

/// Whether a writer splits more lines than the one it needs. In loom's models it would be one split after another.
const HELPS: bool = !cfg!(loom);

#[derive(Debug)]
pub(crate) struct Table {
    /// The oldest level that not all shards have left, where lookups look first.
    level: AtomicPtr<Level>,
    shards: Box<[CachePadded<Shard>]>,
}

impl Table {
    /// `shards` is a power of two; room for `capacity` entries before anything grows.
    pub(crate) fn new(shards: usize, capacity: usize) -> Self {
        let level = Box::into_raw(Level::for_entries(capacity, shards));
        // SAFETY: never null, from a `Box`.
        let kept = unsafe { NonNull::new_unchecked(level) };
        // SAFETY: as said, and the table is an owner, see `drop`.
        let arrays = (0..shards).map(|shard| unsafe { Array::of(kept, shard, shards) });
        Self {
            shards: arrays.map(|array| CachePadded::new(Shard::new(array))).collect(),
            level: AtomicPtr::new(level),
        }
    }

    /// The one that a hash belongs to, whatever the level: its lines' first bits say so.
    #[inline(always)]
    fn shard(&self, hash: Hash) -> &Shard {
        let bits = self.shards.len().trailing_zeros();
        &self.shards[hash.tag().without_last(u32::BITS - bits)]
    }

    /// Where the chain of `hash` is now.
    #[inline(always)]
    fn chain<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> Stamp<'p> {
        let mut array = self.shard(hash).current(pin);
        loop {
            let (chain, _) = array.chain(hash.tag());
            let control = chain.control().read();
            if !control.is_moved() {
                return Stamp { chain, control };
            }
            array = array.next(pin).expect("a line moves into the next array");
        }
    }

    /// Where to look first.
    #[inline(always)]
    pub(crate) fn aim<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> Aim<'p> {
        Aim::at(self.level(pin), hash.tag())
    }

    /// How many entries match, and the slot if it is one.
    #[inline]
    pub(crate) fn count(&self, hash: Hash, pin: &Pin<'_>) -> Count {
        let aim = self.aim(hash, pin);
        match aim.whole() {
            Some(None) => Count::None,
            Some(Some(slot)) => Count::One(slot),
            None => {
                let stamp = aim.stamp().unwrap_or_else(|| self.chain(hash, pin));
                let count = stamp.chain.count(hash.tag(), pin);
                // Else there was a takeover or a split meanwhile.
                if count == Count::None && !stamp.holds() { Count::More } else { count }
            }
        }
    }

    /// Whether one look shows that an entry of this slot is the only one that matches.
    #[inline]
    pub(crate) fn holds_only(&self, hash: Hash, slot: u32, pin: &Pin<'_>) -> bool {
        self.aim(hash, pin).whole() == Some(Some(slot))
    }

    /// The slots of all entries that match, read by the time this returns.
    pub(crate) fn slots<'p>(
        &'p self,
        hash: Hash,
        pin: &'p Pin<'_>,
    ) -> impl Iterator<Item = u32> + 'p {
        let (at_home, scan) = match self.aim(hash, pin).whole() {
            Some(at_home) => (at_home, None),
            None => (None, Some(self.scan(hash, pin).1)),
        };
        at_home.into_iter().chain(scan.into_iter().flatten())
    }

    /// The same, and what says whether it missed one that was put meanwhile.
    pub(crate) fn scan<'p>(
        &'p self,
        hash: Hash,
        pin: &'p Pin<'_>,
    ) -> (Stamp<'p>, impl Iterator<Item = u32> + 'p) {
        let stamp = self.chain(hash, pin);
        (stamp, stamp.chain.slots(hash.tag(), pin))
    }

    /// Touches the line of `hash` ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: Hash, pin: &Pin<'_>) {
        self.aim(hash, pin).prefetch();
    }

    /// Touches the chain of `hash` ahead of a writer's use.
    #[inline(always)]
    pub(crate) fn prefetch_all(&self, hash: Hash, pin: &Pin<'_>) {
        self.aim(hash, pin).prefetch_all();
    }

    /// The array with the line that a writer works on, split off from older ones first.
    fn writable<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> &'p Array {
        let shard = self.shard(hash);
        let mut array = shard.current(pin);
        while let Some(next) = array.successor(pin) {
            array.split_line_of(hash.tag(), next, pin);
            self.leave(shard, array, pin);
            array = next;
        }
        // Of a level that not all shards are in yet.
        if HELPS && !ptr::eq(self.level(pin), array.level()) {
            self.help(pin);
        }
        array
    }

    /// A writer's share of moving the table. Each thread has a shard that it begins with, so that they are done
    /// one after the other: what they leave is much to dispose of for one call.
    #[cold]
    fn help(&self, pin: &Pin<'_>) {
        let behind = self.shards_behind(self.level(pin), pin).find_map(|shard| {
            let array = shard.current(pin);
            array.successor(pin).map(|next| (shard, array, next))
        });
        match behind {
            Some((shard, array, next)) => {
                array.split_some(next, pin);
                self.leave(shard, array, pin);
            }
            None => self.follow(pin),
        }
    }

    /// All shards, those first that probably have not left the level.
    fn shards_behind(&self, level: &Level, pin: &Pin<'_>) -> impl Iterator<Item = &Shard> {
        let first = pin.thread() as usize + level.left();
        let (before, from) = self.shards.split_at(first & (self.shards.len() - 1));
        from.iter().chain(before).map(|shard| &**shard)
    }

    /// Has a shard leave an array, if that has moved.
    fn leave(&self, shard: &Shard, array: &Array, pin: &Pin<'_>) {
        if array.is_moved() {
            shard.advance(pin);
            if HELPS {
                array.level().count_left();
            }
            self.follow(pin);
        }
    }

    #[inline(always)]
    fn level<'p>(&'p self, _pin: &'p Pin<'_>) -> &'p Level {
        // SAFETY: never null, and a level is retired after `follow` took it out of `level`: the pin keeps
        // what it finds.
        unsafe { &*self.level_pointer() }
    }

    #[inline(always)]
    fn level_pointer(&self) -> *mut Level {
        // Acquire: pairs with the Release in `follow`.
        self.level.load(Ordering::Acquire)
    }

    /// Goes past every leading level that all shards have left, and retires it.
    fn follow(&self, pin: &Pin<'_>) {
        loop {
            let old = self.level_pointer();
            // SAFETY: as in `level`.
            let level = unsafe { &*old };
            let new = level.next_pointer();
            if new.is_null() {
                return;
            }
            // A shard that is past a level never returns.
            let is_in_it = |shard: &Shard| ptr::eq(shard.current(pin).level(), level);
            if self.shards_behind(level, pin).any(is_in_it) {
                return;
            }
            // Release: hands on what made `next` visible here. Relaxed on failure: read again.
            let followed =
                self.level.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
            if followed.is_ok() {
                // SAFETY: `level` never returns to it, no shard is in it, and only one exchange can win.
                unsafe { pin.retire(Level::header(NonNull::new_unchecked(old))) };
            }
        }
    }

    /// After a line was found frozen.
    fn see_next() {
        // Acquire fence: whoever froze it (`freeze`, Release) had found the next array, which the next
        // look at `next` finds then, too: so nobody goes round and round here (F).
        fence(Ordering::Acquire);
    }

    pub(crate) fn put(&self, hash: Hash, slot: u32, pin: &Pin<'_>) {
        let entry = Entry::new(hash.tag(), slot);
        loop {
            let array = self.writable(hash, pin);
            let (chain, spot) = array.chain(hash.tag());
            match chain.put(entry, spot, pin) {
                Outcome::Frozen => Self::see_next(),
                Outcome::Spilled => return array.level().count_spilled(),
                _ => return,
            }
        }
    }

    pub(crate) fn remove(&self, hash: Hash, slot: u32, pin: &Pin<'_>) {
        let entry = Entry::new(hash.tag(), slot);
        loop {
            let array = self.writable(hash, pin);
            let (chain, spot) = array.chain(hash.tag());
            match chain.remove(entry, spot, pin) {
                Outcome::Frozen => Self::see_next(),
                Outcome::Drained => return array.level().count_drained(),
                outcome => {
                    debug_assert_ne!(outcome, Outcome::Absent, "an entry is removed once");
                    return;
                }
            }
        }
    }

    /// Raises the version of the chain of `hash`: every scan that began before fails its check.
    pub(crate) fn raise(&self, hash: Hash, pin: &Pin<'_>) {
        while !self.chain(hash, pin).chain.control().raise() {}
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of the levels, and of what leads to them.
    pub(crate) fn bytes(&self, pin: &Pin<'_>) -> usize {
        let mut bytes = size_of_val(&*self.shards);
        let mut level = Some(self.level(pin));
        while let Some(this) = level {
            bytes += this.bytes() + self.shards.len() * size_of::<Array>();
            level = this.next(pin);
        }
        bytes
    }

    /// Rebuilds the table no larger than its entries need.
    ///
    /// # Safety
    ///
    /// Nobody uses the table meanwhile.
    pub(crate) unsafe fn shrink(&self, pin: &Pin<'_>) {
        let mut entries = Vec::new();
        for array in self.arrays() {
            // SAFETY: a retired one is no longer in the chain, and the caller's promise.
            let array = unsafe { &*array };
            for chain in array.chains().filter(|chain| chain.is_in_use()) {
                entries.extend(chain.entries());
            }
        }
        let fresh = Self::new(self.shards.len(), entries.len());
        for entry in entries {
            let hash = Hash::of_tag(entry.tag());
            fresh.put(hash, entry.slot(), pin);
        }
        // Relaxed, to the end: nobody else is here. What was in this table goes with `fresh`.
        for (shard, fresh) in self.shards.iter().zip(&fresh.shards) {
            shard.swap(fresh);
        }
        let level = self.level.swap(fresh.level.load(Ordering::Relaxed), Ordering::Relaxed);
        fresh.level.store(level, Ordering::Relaxed);
    }

    /// Every array that is not retired, of a table that nobody uses.
    fn arrays(&self) -> impl Iterator<Item = *mut Array> {
        self.shards.iter().flat_map(|shard| shard.arrays())
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for array in self.arrays().collect::<Vec<_>>() {
            // SAFETY: from `Box::into_raw`, not retired, and `&mut self`.
            unsafe {
                (*array).dismantle();
                drop(Box::from_raw(array));
            }
        }
        // Relaxed: `&mut self`.
        let mut next = self.level.load(Ordering::Relaxed);
        while let Some(level) = NonNull::new(next) {
            // SAFETY: not retired, so that the table has its share still, which it gives up here.
            unsafe {
                next = level.as_ref().next_pointer();
                Level::release(level);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
