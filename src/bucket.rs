//! One chain of the index: a cache line of packed entries, and beside the lines what is needed less often.
//!
//! ```text
//! line:  entry | entry | entry | entry | entry | entry | entry | entry      (64 bytes)
//! side:  control | overflow                                                 (16 bytes)
//! ```
//!
//! All entries of a hash are in its own chain: each in its *home*, a place that the hash names; or *away*
//! from it, if that was taken: beside it, or else in any empty place. Removal empties the place, so nothing builds
//! up (J). What finds no place goes into the block that `overflow` leads to, which is immutable and replaced whole:
//! a scan reads it at one moment, and it is gone with its last entry. What makes a scan trustworthy:
//!
//! - an entry stays in its place from its put to its removal, so a scan finds every entry that was put
//!   before the scan began and not removed before it ended;
//! - a home says how many entries are away from it, and never too few: it is told before one is put
//!   elsewhere, and after that was removed. So one read of a home without any sees all entries of its hashes;
//! - `control` holds the chain's version, which a takeover raises before it commits (D), and a mark
//!   that the chain has moved to the next level. A scan that reads the same control before and after
//!   missed no takeover.
//!
//! Before a chain moves, its places and its block are frozen: nothing changes any more, and each helper
//! computes the same two chains from it (`split`).

mod split;

use core::ptr;

use crate::blanks::Blank;
use crate::block::Block;
use crate::control::{Control, ControlWord};
use crate::entry::{Entry, Place, Tag};
use crate::reclaim::Pin;
use crate::spot::{PLACES, Spot};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

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
    pub(crate) places: [AtomicU64; PLACES],
}

#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct Side {
    control: ControlWord,
    overflow: AtomicPtr<Block>,
}

// SAFETY: a zeroed line is one that is not made: places `UNMADE`.
unsafe impl Blank for Line {
    fn blank() -> Self {
        Self { places: core::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

// SAFETY: as above: version 0, overflow null.
unsafe impl Blank for Side {
    fn blank() -> Self {
        Self { control: ControlWord::blank(), overflow: AtomicPtr::new(ptr::null_mut()) }
    }
}

/// A line and its side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain<'p> {
    pub(crate) line: &'p Line,
    pub(crate) side: &'p Side,
}

/// How many entries of a chain match. `More` is also for one that changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    None,
    One(u32),
    More,
}

/// Where a scan was, and the control word from before it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'p> {
    pub(crate) chain: Chain<'p>,
    pub(crate) control: Control,
}

impl Stamp<'_> {
    /// Whether no takeover and no split of the chain came since the scan began.
    #[inline(always)]
    pub(crate) fn holds(self) -> bool {
        self.chain.side.control.is_still(self.control)
    }

    /// Whether that scan saw the whole chain, if all it did was `in_places`.
    #[inline(always)]
    pub(crate) fn was_all(self) -> bool {
        self.chain.has_no_block() && self.holds()
    }
}

impl<'p> Chain<'p> {
    /// Makes a chain of a table's first level usable; the others are made by splitting.
    pub(crate) fn make_empty(self) {
        self.side.control.make();
        // Relaxed, twice: nobody else has the level yet.
        self.side.overflow.store(Block::none(), Ordering::Relaxed);
        for place in &self.line.places {
            place.store(Place::EMPTY.0, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn control(self) -> &'p ControlWord {
        &self.side.control
    }

    /// For a scan that begins here, if the chain is in use.
    #[inline(always)]
    pub(crate) fn stamp(self) -> Option<Stamp<'p>> {
        let control = self.side.control.read();
        control.is_in_use().then_some(Stamp { chain: self, control })
    }

    /// The slot of an entry that matches, in any place of the line.
    #[inline(always)]
    pub(crate) fn in_places(self, tag: Tag) -> Option<u32> {
        self.line.places.iter().find_map(|place| {
            // Acquire: pairs with the Release in `put`; the record was filled before.
            let place = Place(place.load(Ordering::Acquire));
            place.has(tag).then(|| place.slot())
        })
    }

    /// Whether all entries are in places.
    #[inline(always)]
    pub(crate) fn has_no_block(self) -> bool {
        // Acquire: the places were read before, or are; see `slots`.
        ptr::eq(self.side.overflow.load(Ordering::Acquire), Block::none())
    }

    /// How many entries match.
    pub(crate) fn count(self, tag: Tag, pin: &Pin<'_>) -> Count {
        let mut slots = self.slots(tag, pin);
        match (slots.next(), slots.next()) {
            (None, _) => Count::None,
            (Some(slot), None) => Count::One(slot),
            _ => Count::More,
        }
    }

    /// The slots of the matching entries, the block's included, all read by the time this returns.
    pub(crate) fn slots(self, tag: Tag, _pin: &'p Pin<'_>) -> impl Iterator<Item = u32> + 'p {
        let places: [Option<u32>; PLACES] = core::array::from_fn(|at| {
            // Acquire: pairs with the Release in `put`. Of the block below: with that in `install`.
            let place = Place(self.line.places[at].load(Ordering::Acquire));
            place.has(tag).then(|| place.slot())
        });
        let block = self.block(self.side.overflow.load(Ordering::Acquire)).iter();
        let block = block.filter(move |entry| entry.has(tag)).map(|entry| entry.slot());
        places.into_iter().flatten().chain(block)
    }

    /// The entries of a block that was read from this line under a pin that the result outlives not.
    fn block(self, block: *mut Block) -> &'p [Entry] {
        // SAFETY: a block is retired after it was taken out of its line, and the callers hold a pin
        // (that of `slots`, or the writer's own) that is older than their reading it.
        unsafe { block.as_ref() }.map_or(&[], Block::entries)
    }

    fn is_frozen_block(self, block: *mut Block) -> bool {
        // SAFETY: as in `block`.
        unsafe { block.as_ref() }.is_some_and(Block::is_frozen)
    }

    /// Puts an entry in the best place that is empty, or in the block.
    pub(crate) fn put(self, entry: Entry, spot: Spot, pin: &Pin<'_>) -> Outcome {
        let home = &self.line.places[spot.home()];
        // Relaxed, here and on failure: only compared.
        let mut seen = Place(home.load(Ordering::Relaxed));
        loop {
            debug_assert!(seen != Place::UNMADE, "the line is made");
            if seen.is_frozen() {
                return Outcome::Frozen;
            }
            let is_empty = seen.is_empty();
            // Told before the entry is anywhere else.
            let next = if is_empty { seen.with(entry) } else { seen.one_out() };
            // Release: publishes the record to the Acquire of whoever finds the entry: in `Aim`, `in_places`
            // and `slots`.
            match home.compare_exchange(seen.0, next.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) if is_empty => return Outcome::Done,
                Ok(_) => return self.put_away(entry, spot, pin),
                Err(now) => seen = Place(now),
            }
        }
    }

    fn put_away(self, entry: Entry, spot: Spot, pin: &Pin<'_>) -> Outcome {
        for place in spot.away().map(|at| &self.line.places[at]) {
            // Relaxed, here and on failure: only compared.
            let mut seen = Place(place.load(Ordering::Relaxed));
            while seen.is_empty() {
                let next = seen.with(entry);
                // Release: as in `put`.
                match place.compare_exchange(seen.0, next.0, Ordering::Release, Ordering::Relaxed) {
                    Ok(_) => return Outcome::Done,
                    Err(now) => seen = Place(now),
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

    /// Removes an entry.
    pub(crate) fn remove(self, entry: Entry, spot: Spot, pin: &Pin<'_>) -> Outcome {
        if let Some(outcome) = Self::clear(&self.line.places[spot.home()], entry) {
            return outcome;
        }
        let mut away = spot.away().map(|at| &self.line.places[at]);
        let outcome = away.find_map(|place| Self::clear(place, entry)).unwrap_or_else(|| {
            self.replace_block(pin, |entries| {
                let at = entries.iter().position(|&other| other == entry)?;
                let mut shorter = entries.to_vec();
                shorter.swap_remove(at);
                Some(shorter)
            })
        });
        if !matches!(outcome, Outcome::Frozen | Outcome::Absent) {
            self.count_back(spot);
        }
        outcome
    }

    /// Takes an entry out of a place, if it is there.
    #[inline]
    fn clear(place: &AtomicU64, entry: Entry) -> Option<Outcome> {
        // Relaxed, here and on failure: only compared, and the entry is the caller's own.
        let mut seen = Place(place.load(Ordering::Relaxed));
        while seen.holds(entry) {
            if seen.is_frozen() {
                return Some(Outcome::Frozen);
            }
            let next = seen.emptied();
            // Release: whoever finds the place empty is ordered after the entry's end.
            match place.compare_exchange(seen.0, next.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Some(Outcome::Done),
                Err(now) => seen = Place(now),
            }
        }
        None
    }

    /// Tells a home that one that was away is gone.
    fn count_back(self, spot: Spot) {
        let home = &self.line.places[spot.home()];
        // Relaxed, here and on failure: only compared.
        let mut seen = Place(home.load(Ordering::Relaxed));
        // A frozen one stays as it is: the children count their own.
        while !seen.is_frozen() && seen.one_back() != seen {
            let next = seen.one_back();
            // Release: whoever finds that none is away is ordered after the entry's end.
            match home.compare_exchange(seen.0, next.0, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = Place(now),
            }
        }
    }

    fn replace_block(
        self,
        pin: &Pin<'_>,
        change: impl Fn(&[Entry]) -> Option<Vec<Entry>>,
    ) -> Outcome {
        loop {
            // Acquire, on failure too: pairs with the Release that installed the block.
            let old = self.side.overflow.load(Ordering::Acquire);
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

    fn install(self, old: *mut Block, new: *mut Block, pin: &Pin<'_>) -> bool {
        // Release: publishes the block, and the records behind a new entry, to the Acquire in
        // `slots`. Relaxed on failure: read again.
        let done = self
            .side
            .overflow
            .compare_exchange(old, new, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        if done {
            Block::retire(old, pin);
        } else {
            // SAFETY: never installed.
            unsafe { Block::free(new) };
        }
        done
    }

    /// Whether its entries are those of its chain: it was made, and has not moved.
    pub(crate) fn is_in_use(self) -> bool {
        // Relaxed: nobody else is here.
        let is_made = !self.side.overflow.load(Ordering::Relaxed).is_null();
        is_made && !self.side.control.read().is_moved()
    }

    /// All entries, for a table that is the caller's alone.
    pub(crate) fn entries(self) -> Vec<Entry> {
        // Relaxed, twice: nobody else is here.
        let places = self.line.places.iter().map(|place| Place(place.load(Ordering::Relaxed)));
        let mut entries: Vec<_> = places.filter_map(Place::entry).collect();
        let block = self.side.overflow.load(Ordering::Relaxed);
        entries.extend_from_slice(self.block(block));
        entries
    }

    /// Frees the block.
    ///
    /// # Safety
    ///
    /// As for `Level::dismantle`.
    pub(crate) unsafe fn dismantle(self) {
        // Relaxed, twice: by now nobody looks at the block, as the control word says where to.
        let block = self.side.overflow.load(Ordering::Relaxed);
        self.side.overflow.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { Block::free(block) };
    }
}
