//! One chain of the index: a cache line of packed entries, and a block for what does not fit.
//!
//! ```text
//! line:  control | overflow | entry | entry | entry | entry | entry | entry      (64 bytes)
//! entry: see `entry`
//! ```
//!
//! All entries of a hash are in its own chain: each in its *home*, a place that the hash names, or beside
//! it, if those were empty, so that lookups can look there first; else in any empty place. Removal empties
//! the place, so nothing builds up (J). The block is immutable and replaced whole: a scan reads it at one moment,
//! and it is gone with its last entry. What makes a scan trustworthy:
//!
//! - an entry stays in its place from its put to its removal, so a scan finds every entry that was put
//!   before the scan began and not removed before it ended;
//! - `control` holds the chain's version, which a takeover raises before it commits (D), and a mark
//!   that the chain has moved to the next level. A scan that reads the same control before and after
//!   missed no takeover.
//!
//! Before a chain moves, its places and its block are frozen: nothing changes any more, and each helper
//! computes the same two chains from it.

use core::ptr;

use crate::blanks::Blank;
use crate::block::Block;
use crate::control::ControlWord;
use crate::entry::{Entry, Tag};
use crate::reclaim::Pin;
use crate::spot::Spot;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// Places in a line.
#[cfg(not(loom))]
pub(crate) const PLACES: usize = 6;
#[cfg(loom)]
pub(crate) const PLACES: usize = 3;

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
    control: ControlWord,
    overflow: AtomicPtr<Block>,
    pub(crate) places: [AtomicU64; PLACES],
}

// SAFETY: a zeroed line is one that is not made: places `UNMADE`, overflow null, version 0.
unsafe impl Blank for Line {
    fn blank() -> Self {
        Self {
            control: ControlWord::blank(),
            overflow: AtomicPtr::new(ptr::null_mut()),
            places: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// How many entries of a chain match. `More` is also for one that changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    None,
    One(u32),
    More,
}

impl Line {
    /// Makes a line of a table's first level usable; the others are made by splitting.
    pub(crate) fn make_empty(&self, shift: u32) {
        self.control.make(shift);
        // Relaxed, twice: nobody else has the level yet.
        self.overflow.store(Block::none(), Ordering::Relaxed);
        for place in &self.places {
            place.store(Entry::EMPTY.0, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> &ControlWord {
        &self.control
    }

    /// The slot of an entry that matches, if it is at its spot; above all slots if it is frozen.
    ///
    /// # Safety
    ///
    /// `lines` is the first line of a level, which has one of that number, and a pin keeps it.
    #[inline(always)]
    pub(crate) unsafe fn at_spot(lines: *const Self, tag: Tag, spot: Spot) -> Option<u32> {
        // SAFETY: the caller's promise; the place beside a home is one.
        let [home, beside] = unsafe { [&*spot.home_in(lines), &*spot.beside().home_in(lines)] };
        if let Some(slot) = Self::in_place(home, tag) {
            return Some(slot);
        }
        Self::in_place(beside, tag)
    }

    /// The same for every place of the line.
    #[inline(always)]
    pub(crate) fn in_places(&self, tag: Tag) -> Option<u32> {
        self.places.iter().find_map(|place| Self::in_place(place, tag))
    }

    #[inline(always)]
    fn in_place(place: &AtomicU64, tag: Tag) -> Option<u32> {
        // Acquire: pairs with the Release in `put`; the record was filled before.
        let entry = Entry(place.load(Ordering::Acquire));
        entry.has(tag).then(|| entry.slot_if_thawed())
    }

    /// Whether all entries are in places.
    #[inline(always)]
    pub(crate) fn has_no_block(&self) -> bool {
        // Acquire: the places were read before, or are; see `slots`.
        ptr::eq(self.overflow.load(Ordering::Acquire), Block::none())
    }

    /// How many entries match.
    pub(crate) fn count(&self, tag: Tag, pin: &Pin<'_>) -> Count {
        let mut slots = self.slots(tag, pin);
        match (slots.next(), slots.next()) {
            (None, _) => Count::None,
            (Some(slot), None) => Count::One(slot),
            _ => Count::More,
        }
    }

    /// The slots of the matching entries, the block's included, all read by the time this returns.
    pub(crate) fn slots<'p>(
        &'p self,
        tag: Tag,
        _pin: &'p Pin<'_>,
    ) -> impl Iterator<Item = u32> + 'p {
        let places: [Option<u32>; PLACES] = core::array::from_fn(|at| {
            // Acquire: pairs with the Release in `put`. Of the block below: with that in `install`.
            let entry = Entry(self.places[at].load(Ordering::Acquire));
            entry.has(tag).then(|| entry.slot())
        });
        let block = self.block(self.overflow.load(Ordering::Acquire)).iter();
        let block = block.filter(move |entry| entry.has(tag)).map(|entry| entry.slot());
        places.into_iter().flatten().chain(block)
    }

    /// The entries of a block that was read from this line under a pin that the result outlives not.
    fn block(&self, block: *mut Block) -> &[Entry] {
        // SAFETY: a block is retired after it was taken out of its line, and the callers hold a pin
        // (that of `slots`, or the writer's own) that is older than their reading it.
        unsafe { block.as_ref() }.map_or(&[], |block| &block.entries)
    }

    fn is_frozen_block(&self, block: *mut Block) -> bool {
        // SAFETY: as in `block`.
        unsafe { block.as_ref() }.is_some_and(|block| block.frozen)
    }

    /// Puts an entry in the best place that is empty, or in the block.
    pub(crate) fn put(&self, entry: Entry, spot: Spot, pin: &Pin<'_>) -> Outcome {
        for place in spot.places().map(|at| &self.places[at]) {
            // Relaxed, here and on failure: only compared.
            let mut seen = Entry(place.load(Ordering::Relaxed));
            while seen == Entry::EMPTY {
                // Release: publishes the record to the Acquire in `in_place` and `slots`.
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
            let empty = Entry::EMPTY.0;
            // Release: whoever finds the place empty is ordered after the entry's end. Relaxed on failure:
            // that says no more than that it is frozen.
            return match place.compare_exchange(
                entry.0,
                empty,
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
        // `slots`. Relaxed on failure: read again.
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
        // Relaxed: only whether there is one, and the caller has found the line made.
        debug_assert!(!self.overflow.load(Ordering::Relaxed).is_null(), "the line is made");
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

    /// Entries in the places of a line, as near to their homes as they can be, and those that are too many.
    fn housed(shift: u32, entries: &[Entry]) -> ([Entry; PLACES], Vec<Entry>) {
        let mut places = [Entry::EMPTY; PLACES];
        let mut rest = entries.to_vec();
        // First everyone's home: another's entry is not to take it.
        for choice in 0..PLACES {
            rest.retain(|&entry| {
                let at =
                    Spot::of(entry.tag(), shift).places().nth(choice).expect("there are so many");
                let is_taken = places[at] != Entry::EMPTY;
                if !is_taken {
                    places[at] = entry;
                }
                is_taken
            });
        }
        (places, rest)
    }

    /// Makes a child line, of the level with this shift, out of its share of a frozen chain. Every helper
    /// passes the same entries; what another has made already stays. `true`: this call gave the chain
    /// a block.
    pub(crate) fn make(&self, shift: u32, entries: &[Entry]) -> bool {
        self.control.make(shift);
        let (places, rest) = Self::housed(shift, entries);
        for (place, entry) in self.places.iter().zip(places) {
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
        let spills = !rest.is_empty();
        let block = Block::boxed(false, rest);
        // Release, Acquire on failure: the same. Never null again.
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
        made.is_ok() && spills
    }

    /// Whether its entries are those of its chain: it was made, and has not moved.
    pub(crate) fn is_in_use(&self) -> bool {
        // Relaxed: nobody else is here.
        let is_made = !self.overflow.load(Ordering::Relaxed).is_null();
        is_made && !self.control.read().is_moved()
    }

    /// All entries, for a table that is the caller's alone.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        // Relaxed, twice: nobody else is here.
        let places = self.places.iter().map(|place| Entry(place.load(Ordering::Relaxed)));
        let mut entries: Vec<_> = places.filter(|entry| entry.is_occupied()).collect();
        let block = self.overflow.load(Ordering::Relaxed);
        entries.extend_from_slice(self.block(block));
        entries
    }

    /// Frees the block.
    ///
    /// # Safety
    ///
    /// As for `Level::dismantle`.
    pub(crate) unsafe fn dismantle(&self) {
        // Relaxed, twice: by now nobody looks at the block, as the control word says where to.
        let block = self.overflow.load(Ordering::Relaxed);
        self.overflow.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { Block::free(block) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_in_its_home_keeps_it() {
        let shift = Spot::shift(0);
        let entry = |home: u64, slot| Entry::new(Tag::of(home << 29), slot);
        let (places, rest) = Line::housed(shift, &[entry(0, 7), entry(0, 8), entry(1, 9)]);
        assert_eq!(places[..2], [entry(0, 7), entry(1, 9)]);
        assert!(places[2..].contains(&entry(0, 8)) && rest.is_empty());
    }
}
