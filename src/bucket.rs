//! One chain of the index: a cache line of packed entries, and a block for what does not fit.
//!
//! ```text
//! line:  control | overflow | entry | entry | entry | entry | entry | entry      (64 bytes)
//! entry: slot (32) | tag (29) | occupied | ready | frozen
//! ```
//!
//! All entries of a hash are in its own chain, in any empty place; removal empties the place, so
//! nothing builds up (J). The block is immutable and replaced whole: a scan reads it at one moment, and
//! it is gone with its last entry. What makes a scan trustworthy:
//!
//! - an entry stays in its place from its put to its removal, so a scan finds every entry that was put
//!   before the scan began and not removed before it ended;
//! - `control` holds the chain's version, which a takeover raises before it commits (D), and a mark
//!   that the chain has moved to the next array. A scan that reads the same control before and after
//!   missed no takeover.
//!
//! Before a chain moves, its places and its block are frozen: nothing changes any more, and each helper
//! computes the same two chains from it.

use core::ptr::{self, NonNull};

use crate::reclaim::{Header, Pin};
use crate::segments::Blank;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, fence};

/// Places in a line.
#[cfg(not(loom))]
pub(crate) const PLACES: usize = 6;
#[cfg(loom)]
pub(crate) const PLACES: usize = 3;

/// Bits of hash in an entry. They choose the line, too, from the top down.
pub(crate) const TAG_BITS: u32 = 29;

/// A packed entry, or what is in a place without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(u64);

impl Entry {
    const FROZEN: u64 = 1;
    const READY: u64 = 1 << 1;
    const OCCUPIED: u64 = 1 << 2;
    const TAG_SHIFT: u32 = 3;

    /// A place of a line that its parent has not been split into yet.
    const UNMADE: Self = Self(0);
    pub(crate) const EMPTY: Self = Self(Self::READY);

    pub(crate) const fn new(tag: u32, slot: u32) -> Self {
        let tag = (tag as u64) << Self::TAG_SHIFT;
        Self(((slot as u64) << 32) | tag | Self::OCCUPIED | Self::READY)
    }

    /// Whether it is occupied, with the tag of `probe`: the low half, but for the frozen mark, is the
    /// same.
    #[inline(always)]
    const fn has_tag(self, probe: Self) -> bool {
        (self.0 as u32) | 1 == (probe.0 as u32) | 1
    }

    const fn is_occupied(self) -> bool {
        self.0 & Self::OCCUPIED != 0
    }

    const fn is_frozen(self) -> bool {
        self.0 & Self::FROZEN != 0
    }

    const fn thawed(self) -> Self {
        Self(self.0 & !Self::FROZEN)
    }

    pub(crate) const fn tag(self) -> u32 {
        (self.0 as u32) >> Self::TAG_SHIFT
    }

    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The entries of a chain that its line has no place for. Immutable.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Block {
    header: Header,
    frozen: bool,
    entries: Vec<Entry>,
}

/// The two blocks that are no allocations.
struct Sentinels([Block; 2]);

// SAFETY: nobody writes to a sentinel: it is never retired, so the link in its header stays null.
unsafe impl Sync for Sentinels {}

static SENTINELS: Sentinels = Sentinels([Block::sentinel(false), Block::sentinel(true)]);

impl Block {
    const fn sentinel(frozen: bool) -> Self {
        Self { header: Header::new(Self::dispose), frozen, entries: Vec::new() }
    }

    /// In a chain without overflow. Null is a chain that is not made yet.
    fn none() -> *mut Self {
        ptr::from_ref(&SENTINELS.0[0]).cast_mut()
    }

    /// In a chain that was frozen without overflow.
    fn frozen_none() -> *mut Self {
        ptr::from_ref(&SENTINELS.0[1]).cast_mut()
    }

    fn boxed(frozen: bool, entries: Vec<Entry>) -> *mut Self {
        if entries.is_empty() {
            return if frozen { Self::frozen_none() } else { Self::none() };
        }
        Box::into_raw(Box::new(Self { header: Header::new(Self::dispose), frozen, entries }))
    }

    fn is_sentinel(block: *mut Self) -> bool {
        block.is_null() || ptr::eq(block, Self::none()) || ptr::eq(block, Self::frozen_none())
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of a block from `boxed`, disposed of once.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }

    /// Frees a block that was never visible, or is not any more.
    ///
    /// # Safety
    ///
    /// Nobody else can reach it.
    unsafe fn free(block: *mut Self) {
        if !Self::is_sentinel(block) {
            // SAFETY: made by `boxed`, ours by the caller's promise.
            drop(unsafe { Box::from_raw(block) });
        }
    }

    /// Retires a block that an exchange has just taken out of its line.
    fn retire(block: *mut Self, pin: &Pin<'_>) {
        if !Self::is_sentinel(block) {
            // SAFETY: unlinked by the caller's exchange, which only one thread can win; the header is
            // its first field.
            unsafe { pin.retire(NonNull::new_unchecked(block).cast()) };
        }
    }
}

/// What a put or a removal met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done in the line.
    Done,
    /// Done, and the chain has a block now that had none.
    Spilled,
    /// Done, and the chain has no block any more.
    Drained,
    /// The chain is being moved: help, and go to where it went.
    Frozen,
    /// There is no such entry.
    Absent,
}

#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Line {
    control: AtomicU64,
    overflow: AtomicPtr<Block>,
    places: [AtomicU64; PLACES],
}

// SAFETY: a zeroed line is one that is not made: places `UNMADE`, overflow null, version 0.
unsafe impl Blank for Line {
    fn blank() -> Self {
        Self {
            control: AtomicU64::new(0),
            overflow: AtomicPtr::new(ptr::null_mut()),
            places: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

const MOVED: u64 = 1;
const VERSION: u64 = 2;

/// A control word as it was before a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control(u64);

impl Control {
    pub(crate) const fn is_moved(self) -> bool {
        self.0 & MOVED != 0
    }
}

/// The places of a line that matched a probe, each read once.
#[derive(Clone, Copy)]
pub(crate) struct Matches<'p> {
    line: &'p Line,
    probe: Entry,
    mask: u32,
    overflow: *mut Block,
}

impl<'p> Matches<'p> {
    /// Whether there is nothing to look at beyond the line.
    #[inline(always)]
    pub(crate) fn within_line(&self) -> bool {
        ptr::eq(self.overflow, Block::none())
    }

    /// Whether no place of the line matched.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.mask == 0
    }

    /// The slot, if one place of the line matched and still does.
    #[inline(always)]
    pub(crate) fn only(&self) -> Option<u32> {
        if !self.mask.is_power_of_two() {
            return None;
        }
        self.slot_at(self.mask.trailing_zeros() as usize)
    }

    /// Reads a place that matched once more. What is there now counts as well as what was there then:
    /// it is read after the other places and before any word.
    #[inline(always)]
    fn slot_at(&self, at: usize) -> Option<u32> {
        debug_assert!(at < PLACES);
        // SAFETY: `matches` sets bits below `PLACES` only.
        let place = unsafe { self.line.places.get_unchecked(at) };
        // Acquire: as in `matches`.
        let entry = Entry(place.load(Ordering::Acquire));
        entry.has_tag(self.probe).then_some(entry.slot())
    }

    /// The slots of the matching places, the block's included, all read by the time this returns. One
    /// whose entry was removed meanwhile is left out.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        let probe = self.probe;
        let places: [Option<u32>; PLACES] = core::array::from_fn(|at| {
            (self.mask >> at & 1 == 1).then(|| self.slot_at(at)).flatten()
        });
        let block: &'p [Entry] = self.line.block(self.overflow);
        let block = block.iter().filter(move |entry| entry.has_tag(probe));
        places.into_iter().flatten().chain(block.map(|entry| entry.slot()))
    }
}

impl Line {
    /// Makes a line of a table's first array usable; the others are made by splitting.
    pub(crate) fn make_empty(&self) {
        // Relaxed: nobody else has the array yet.
        self.overflow.store(Block::none(), Ordering::Relaxed);
        for place in &self.places {
            place.store(Entry::EMPTY.0, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> Control {
        // Acquire: the scan that follows stays behind it, and one that sees `MOVED` sees the children
        // made (Release in `set_moved`).
        Control(self.control.load(Ordering::Acquire))
    }

    /// Whether no takeover and no split came since `before`: what a miss needs (D).
    #[inline(always)]
    pub(crate) fn is_unchanged(&self, before: Control) -> bool {
        // Acquire fence: what the scan read, down to the state words, stays before the load. If a word
        // that it read was written by or after a takeover's commit, the raise that came before that
        // commit (`raise`, Release) is seen here.
        fence(Ordering::Acquire);
        self.control.load(Ordering::Relaxed) == before.0
    }

    /// Raises the version. `false`: the chain has moved.
    pub(crate) fn raise(&self) -> bool {
        let mut seen = self.control.load(Ordering::Relaxed);
        while seen & MOVED == 0 {
            // Release: pairs with the fence in `is_unchanged`, by way of the commit that follows.
            // Relaxed on failure and above: the value is only compared and counted up.
            match self.control.compare_exchange(
                seen,
                seen + VERSION,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// All matches, each place read once, the block last.
    #[inline(always)]
    pub(crate) fn matches<'p>(&'p self, probe: Entry, _pin: &'p Pin<'_>) -> Matches<'p> {
        let mut mask = 0;
        for (at, place) in self.places.iter().enumerate() {
            // Acquire: pairs with the Release in `put`; the record was filled before.
            mask |= u32::from(Entry(place.load(Ordering::Acquire)).has_tag(probe)) << at;
        }
        // Acquire: pairs with the Release that installed the block.
        let overflow = self.overflow.load(Ordering::Acquire);
        Matches { line: self, probe, mask, overflow }
    }

    /// The entries of a block that was read from this line under a pin that the result outlives not.
    fn block(&self, block: *mut Block) -> &[Entry] {
        // SAFETY: a block is retired after it was taken out of its line, and the callers hold a pin
        // (`matches`, or the writer's own) that is older than their reading it.
        unsafe { block.as_ref() }.map_or(&[], |block| &block.entries)
    }

    fn is_frozen_block(&self, block: *mut Block) -> bool {
        // SAFETY: as in `block`.
        unsafe { block.as_ref() }.is_some_and(|block| block.frozen)
    }

    /// Puts an entry in an empty place, or in the block.
    pub(crate) fn put(&self, entry: Entry, pin: &Pin<'_>) -> Outcome {
        for place in &self.places {
            // Relaxed, here and on failure: only compared.
            let mut seen = Entry(place.load(Ordering::Relaxed));
            while seen == Entry::EMPTY {
                // Release: publishes the record to the Acquire in `matches`.
                match place.compare_exchange(seen.0, entry.0, Ordering::Release, Ordering::Relaxed)
                {
                    Ok(_) => return Outcome::Done,
                    Err(now) => seen = Entry(now),
                }
            }
            if seen.is_frozen() {
                return Outcome::Frozen;
            }
        }
        self.replace_block(pin, |entries| {
            let mut longer = Vec::with_capacity(entries.len() + 1);
            longer.extend_from_slice(entries);
            longer.push(entry);
            Some(longer)
        })
    }

    /// Empties the place of an entry.
    pub(crate) fn remove(&self, entry: Entry, pin: &Pin<'_>) -> Outcome {
        for place in &self.places {
            // Relaxed, here and on failure: only compared, and the entry is the caller's own.
            if place.load(Ordering::Relaxed) & !Entry::FROZEN != entry.0 {
                continue;
            }
            // Release: whoever finds the place empty is ordered after the entry's end.
            return match place.compare_exchange(
                entry.0,
                Entry::EMPTY.0,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => Outcome::Done,
                Err(_) => Outcome::Frozen,
            };
        }
        self.replace_block(pin, |entries| {
            let at = entries.iter().position(|&other| other == entry)?;
            let mut shorter = entries.to_vec();
            shorter.swap_remove(at);
            Some(shorter)
        })
    }

    fn replace_block(
        &self,
        pin: &Pin<'_>,
        change: impl Fn(&[Entry]) -> Option<Vec<Entry>>,
    ) -> Outcome {
        loop {
            // Acquire, on failure too: pairs with the Release that installed the block.
            let old = self.overflow.load(Ordering::Acquire);
            if old.is_null() || self.is_frozen_block(old) {
                return Outcome::Frozen;
            }
            let Some(entries) = change(self.block(old)) else {
                return Outcome::Absent;
            };
            let new = Block::boxed(false, entries);
            if self.install(old, new, pin) {
                let none = Block::none();
                return match (ptr::eq(old, none), ptr::eq(new, none)) {
                    (true, false) => Outcome::Spilled,
                    (false, true) => Outcome::Drained,
                    _ => Outcome::Done,
                };
            }
        }
    }

    fn install(&self, old: *mut Block, new: *mut Block, pin: &Pin<'_>) -> bool {
        // Release: publishes the block, and the records behind a new entry, to the Acquire in
        // `matches`. Relaxed on failure: read again.
        let done =
            self.overflow.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed).is_ok();
        if done {
            Block::retire(old, pin);
        } else {
            // SAFETY: never installed.
            unsafe { Block::free(new) };
        }
        done
    }

    /// Freezes the chain and returns its entries, the same ones for every caller.
    pub(crate) fn freeze(&self, pin: &Pin<'_>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(PLACES);
        for place in &self.places {
            // AcqRel: Acquire for the records behind the entry, which move on to another array;
            // Release so that a writer that meets the mark is ordered after what led here.
            let entry = Entry(place.fetch_or(Entry::FROZEN, Ordering::AcqRel));
            if entry.is_occupied() {
                entries.push(entry.thawed());
            }
        }
        loop {
            let old = self.overflow.load(Ordering::Acquire);
            if self.is_frozen_block(old) {
                entries.extend_from_slice(self.block(old));
                return entries;
            }
            let new = Block::boxed(true, self.block(old).to_vec());
            self.install(old, new, pin);
        }
    }

    /// Makes a child line out of its share of a frozen chain. Every helper passes the same entries;
    /// what another has made already stays. `true`: this call gave the chain a block.
    pub(crate) fn make(&self, entries: &[Entry]) -> bool {
        for (at, place) in self.places.iter().enumerate() {
            let entry = entries.get(at).copied().unwrap_or(Entry::EMPTY);
            // A place never goes back to `UNMADE`, so a late helper changes nothing. Release: as in
            // `put`. Acquire on failure: the line is complete for whoever returns from here.
            let _ = place.compare_exchange(
                Entry::UNMADE.0,
                entry.0,
                Ordering::Release,
                Ordering::Acquire,
            );
        }
        // Relaxed: a hint that saves an allocation.
        if !self.overflow.load(Ordering::Relaxed).is_null() {
            return false;
        }
        let rest = entries.get(PLACES..).unwrap_or(&[]);
        let block = Block::boxed(false, rest.to_vec());
        // The same: never null again.
        let made = self.overflow.compare_exchange(
            ptr::null_mut(),
            block,
            Ordering::Release,
            Ordering::Acquire,
        );
        if made.is_err() {
            // SAFETY: never installed.
            unsafe { Block::free(block) };
        }
        made.is_ok() && !rest.is_empty()
    }

    /// Sends every later scan to the children. `true`: this call did it.
    pub(crate) fn set_moved(&self) -> bool {
        // Release: the children are made before (Acquire in `control`). Acquire: for the caller, who
        // may go on to retire the array.
        self.control.fetch_or(MOVED, Ordering::AcqRel) & MOVED == 0
    }

    /// All entries, for a table that is the caller's alone.
    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        let places = self.places.iter_mut().map(|place| Entry(place.load(Ordering::Relaxed)));
        let mut entries: Vec<_> = places.filter(|entry| entry.is_occupied()).collect();
        let block = self.overflow.load(Ordering::Relaxed);
        entries.extend_from_slice(self.block(block));
        entries
    }

    /// Frees the block of a line whose array goes.
    pub(crate) fn dismantle(&mut self) {
        let block = self.overflow.load(Ordering::Relaxed);
        // Relaxed: the array is the caller's alone.
        self.overflow.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: `&mut self`, and the array's grace period is over.
        unsafe { Block::free(block) };
    }
}
