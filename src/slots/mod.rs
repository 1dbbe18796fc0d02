//! The slots: one per incarnation, in parallel arrays that nothing ever moves in.
//!
//! *State words* stand eight to a cache line and nothing else between them; *hot* records hold what
//! routing reads, node name and first stream; *warm* ones client id and first info; *cold* ones what
//! only writers and replaced values need. A slot is handed out by
//! [`Slots::allocate`], filled while its word says `Entering`, and given back by the reclaimer.
//!
//! Reading a record is safe because of two facts, and [`Seen`] and [`Live`] are their proof:
//!
//! - a record is filled before its entries are put and before its word leaves `Entering` (Release),
//!   so whoever reads a later word of the incarnation (Acquire) sees it whole;
//! - a slot is reclaimed only after every pin that was held when it was retired, and it is retired
//!   after its word went dead. So a word that was read alive under a pin keeps the record until the
//!   pin goes.
//!
//! The names and values of a record that was refused go back to the caller at once, under readers'
//! eyes: so nobody but its owner touches them before the word is live. Rivals on their way are compared
//! by their [`Facts`], which stay.

mod ended;
mod entered;
mod heirs;
mod live;
mod seen;
mod shrink;
#[cfg(test)]
mod tests;

pub(crate) use ended::{Ended, Loose};
pub(crate) use entered::{Contents, Entered};
pub(crate) use heirs::{Evictor, Promise};
pub(crate) use live::{Live, Plain};
pub(crate) use seen::Seen;

use core::mem::MaybeUninit;

use crossbeam_utils::CachePadded;

use crate::blanks::Blank;
use crate::hash::Hash;
use crate::list::List;
use crate::reclaim::Pin;
use crate::segments::{FirstLen, MAX_ITEMS, Segments};
use crate::stack::IndexStack;
use crate::state::{Kind, Phase, Word};
use crate::swing::Swing;
use crate::sync::{AtomicU32, AtomicU64, Ordering, UnsafeCell};

/// Slots that there can be at most. Each is 2^54 incarnations.
pub(crate) const MAX_SLOTS: u32 = MAX_ITEMS;

/// What is known of an incarnation without its names: plain data that stays until it is reclaimed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Facts {
    Client { id: Hash, node: Hash },
    Alias { node: Hash, owner: Address },
}

impl Facts {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Client { .. } => Kind::Client,
            Self::Alias { .. } => Kind::Alias,
        }
    }

    pub(crate) fn id(&self) -> Option<Hash> {
        match *self {
            Self::Client { id, .. } => Some(id),
            Self::Alias { .. } => None,
        }
    }

    pub(crate) fn node(&self) -> Hash {
        match *self {
            Self::Client { node, .. } | Self::Alias { node, .. } => node,
        }
    }
}

/// Slot and generation of a live incarnation: a `ClientKey` without its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) slot: u32,
    pub(crate) generation: u64,
}

/// Whether a live rival bears a newcomer's names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) rival: Address,
    pub(crate) same_id: bool,
    pub(crate) same_node: bool,
}

#[repr(C)]
struct Hot<Node, Stream> {
    stream: UnsafeCell<MaybeUninit<Stream>>,
    node: UnsafeCell<MaybeUninit<Node>>,
}

// SAFETY: uninitialized memory may be zeros.
unsafe impl<Node, Stream> Blank for Hot<Node, Stream> {
    fn blank() -> Self {
        Self {
            node: UnsafeCell::new(MaybeUninit::uninit()),
            stream: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

#[repr(C)]
struct Warm<Id, Info> {
    info: UnsafeCell<MaybeUninit<Info>>,
    id: UnsafeCell<MaybeUninit<Id>>,
}

// SAFETY: uninitialized memory may be zeros.
unsafe impl<Id, Info> Blank for Warm<Id, Info> {
    fn blank() -> Self {
        Self {
            id: UnsafeCell::new(MaybeUninit::uninit()),
            info: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

struct Cold {
    facts: UnsafeCell<MaybeUninit<Facts>>,
    stream_swing: Swing,
    info_swing: Swing,
    /// A client's aliases, by slot.
    names: List<u32>,
    /// What this incarnation's owner found out about its live rivals, for whoever drives it.
    verdicts: List<Verdict>,
    /// Streams attached so far.
    streams: AtomicU64,
    /// The newcomer that is promised this client's place, as a slot plus one.
    heir: AtomicU32,
    /// The newcomer that is handed this client, should it be evicted. See [`Evictor`].
    evictor: AtomicU64,
    /// 1 once its owner has collected whom it evicted.
    collected: AtomicU32,
    /// Link of the free list, or of a pile of retired slots.
    link: AtomicU32,
    /// What must be reclaimed before the slot is free: itself, and first values retired on their own.
    holds: AtomicU32,
}

// SAFETY: uninitialized memory and atomics of 0 and null.
unsafe impl Blank for Cold {
    fn blank() -> Self {
        Self {
            facts: UnsafeCell::new(MaybeUninit::uninit()),
            stream_swing: Swing::new(),
            info_swing: Swing::new(),
            names: List::new(),
            verdicts: List::new(),
            streams: AtomicU64::new(0),
            heir: AtomicU32::new(0),
            evictor: AtomicU64::new(0),
            collected: AtomicU32::new(0),
            link: AtomicU32::new(0),
            holds: AtomicU32::new(0),
        }
    }
}

/// See the module.
pub(crate) struct Slots<Id, Node, Info, Stream> {
    /// The layout of the four arrays that follow.
    first: FirstLen,
    words: Segments<AtomicU64>,
    hot: Segments<Hot<Node, Stream>>,
    warm: Segments<Warm<Id, Info>>,
    cold: Segments<Cold>,
    /// One more than the largest slot ever handed out.
    next: CachePadded<AtomicU32>,
    /// By thread; a power of two of them.
    free: Box<[CachePadded<IndexStack>]>,
    /// Every generation of a slot that `shrink` gave up is at or below this (B).
    floor: AtomicU64,
    vacant: shrink::Vacant,
    /// The slots from `next` to here were vacated: all of them once there was a shrinking, else none.
    vacated_to: AtomicU32,
}

// SAFETY: the slots own values of these types, which other threads may drop; words, links and
// pointers are atomics.
unsafe impl<Id: Send, Node: Send, Info: Send, Stream: Send> Send for Slots<Id, Node, Info, Stream> {}
// SAFETY: threads get shared references to the values (Sync) and drop each other's (Send); the cells
// are written by a record's owner before it is published, and by the reclaimer after it was.
unsafe impl<Id, Node, Info, Stream> Sync for Slots<Id, Node, Info, Stream>
where
    Id: Send + Sync,
    Node: Send + Sync,
    Info: Send + Sync,
    Stream: Send + Sync,
{
}

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// Room for `capacity` slots before anything grows.
    pub(crate) fn new(capacity: u32, stripes: usize) -> Self {
        let stripes = 0..stripes.next_power_of_two();
        let first = FirstLen::for_items(capacity);
        let slots = Self {
            first,
            words: Segments::with_first(first),
            hot: Segments::with_first(first),
            warm: Segments::with_first(first),
            cold: Segments::with_first(first),
            next: CachePadded::new(AtomicU32::new(0)),
            free: stripes.map(|_| CachePadded::new(IndexStack::new())).collect(),
            floor: AtomicU64::new(0),
            vacant: shrink::Vacant::new(),
            vacated_to: AtomicU32::new(0),
        };
        if capacity > 0 {
            slots.make(0);
        }
        slots
    }

    /// The state word of a slot that was handed out once.
    #[inline(always)]
    fn word_of(&self, slot: u32) -> &AtomicU64 {
        self.words.get(slot).expect("slots in use have a word")
    }

    #[inline(always)]
    fn hot(&self, slot: u32) -> &Hot<Node, Stream> {
        self.hot.get(slot).expect("slots in use have a hot record")
    }

    #[inline(always)]
    fn warm(&self, slot: u32) -> &Warm<Id, Info> {
        self.warm.get(slot).expect("slots in use have a warm record")
    }

    #[inline(always)]
    fn cold(&self, slot: u32) -> &Cold {
        self.cold.get(slot).expect("slots in use have a cold record")
    }

    /// Every slot ever handed out is below this. Acquire: with `bump`, so their words are there.
    pub(crate) fn len(&self) -> u32 {
        self.next.load(Ordering::Acquire)
    }

    pub(crate) fn bytes(&self) -> usize {
        // First: what others make meanwhile then counts as made, and never as less than nothing.
        let vacated = self.bytes_vacated();
        let records = self.hot.bytes() + self.warm.bytes() + self.cold.bytes();
        size_of_val(&*self.free) + self.words.bytes() + records - vacated
    }

    /// The segment of `slot`, whether it has records, and where the next one begins. Slots in it may have been
    /// vacated.
    pub(crate) fn are_there(&self, slot: u32) -> (usize, bool, u32) {
        // The words come last and go first.
        self.words.segment_at(slot)
    }

    fn make(&self, slot: u32) {
        self.hot.get_or_make(slot);
        self.warm.get_or_make(slot);
        self.cold.get_or_make(slot);
        self.words.get_or_make(slot);
    }

    fn stripe(&self, thread: u32) -> usize {
        thread as usize & (self.free.len() - 1)
    }

    /// Hands out a slot: one that was reclaimed, or one never used. `None`: there are no more.
    pub(crate) fn allocate(&self, pin: &Pin<'_>) -> Option<entered::Fresh> {
        let first = self.stripe(pin.thread());
        loop {
            let stripes = (0..self.free.len()).map(|at| &self.free[first ^ at]);
            let mut reclaimed = stripes.filter_map(|stack| stack.pop(|slot| &self.cold(slot).link));
            let slot = match reclaimed.next() {
                Some(slot) => slot,
                None => {
                    self.vacant.take().inspect(|&slot| self.make(slot)).or_else(|| self.bump())?
                }
            };
            // Relaxed: the slot is ours, handed over by the free list.
            let last = Word::from_raw(self.word_of(slot).load(Ordering::Relaxed)).generation();
            // A slot that ran out of generations is set aside for ever (B). The margin is for the
            // generations that rivals may add before it is live.
            if last < Word::LAST_GENERATION / 2 {
                // Relaxed: set while nobody allocates.
                let generation = last.max(self.floor.load(Ordering::Relaxed)) + 1;
                return Some(entered::Fresh { slot, generation });
            }
        }
    }

    fn bump(&self) -> Option<u32> {
        // Relaxed, here and on failure: only compared.
        let mut slot = self.next.load(Ordering::Relaxed);
        while slot < MAX_SLOTS {
            self.make(slot);
            // Release: pairs with the Acquire in `len`.
            match self.next.compare_exchange(slot, slot + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Some(slot),
                Err(now) => slot = now,
            }
        }
        None
    }

    /// The one step of every transition of a state word.
    ///
    /// SeqCst, so that it is a Release for whoever reads the word (the record, the entries, a raised
    /// version), an Acquire for the caller, and in one order with the fences of `drive` and `finish`.
    /// `false`: the word was another.
    #[inline]
    pub(crate) fn step(&self, slot: u32, from: Word, to: Word) -> bool {
        let word = self.word_of(slot);
        word.compare_exchange(from.raw(), to.raw(), Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Sets the first word that others act on, unless the end of the registry came first.
    pub(crate) fn publish(&self, entered: &Entered, next: impl Fn(Word) -> Word) {
        let slot = entered.slot();
        // Relaxed: our own store, or a refusal, which the exchange meets again.
        let word = Word::from_raw(self.word_of(slot).load(Ordering::Relaxed));
        if word.phase() == Phase::Entering {
            self.step(slot, word, next(word));
        }
    }

    /// A client's list of aliases.
    pub(crate) fn names(&self, slot: u32) -> &List<u32> {
        &self.cold(slot).names
    }

    /// What the owner of `slot` found out about its rivals.
    pub(crate) fn verdicts(&self, slot: u32) -> &List<Verdict> {
        &self.cold(slot).verdicts
    }

    /// A number that no other stream of this incarnation has.
    pub(crate) fn next_stream(&self, slot: u32) -> u64 {
        // Relaxed: only uniqueness matters.
        self.cold(slot).streams.fetch_add(1, Ordering::Relaxed)
    }
}
