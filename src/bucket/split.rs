//! How a chain is moved into the two of the next level that take its entries.

use core::{iter, ptr};

use super::Chain;
use crate::block::Block;
use crate::entry::{Entry, Place};
use crate::reclaim::Pin;
use crate::spot::{PLACES, Spot};
use crate::sync::Ordering;

/// Entries in the places of a line, as near to their homes as they can be, and those that are too many.
fn housed(shift: u32, entries: &[Entry]) -> ([Place; PLACES], Vec<Entry>) {
    let mut places = [Place::EMPTY; PLACES];
    let mut rest = entries.to_vec();
    // First everyone's home: another's entry is not to take it.
    for choice in 0..PLACES {
        rest.retain(|&entry| {
            let spot = Spot::of(entry.tag(), shift);
            let mut places_of = iter::once(spot.home()).chain(spot.away());
            let at = places_of.nth(choice).expect("there are so many");
            let is_taken = !places[at].is_empty();
            if !is_taken {
                places[at] = places[at].with(entry);
            } else if choice == 0 {
                places[at] = places[at].one_out();
            }
            is_taken
        });
    }
    (places, rest)
}

impl Chain<'_> {
    /// Freezes the chain and returns its entries, the same ones for every caller.
    pub(crate) fn freeze(self, pin: &Pin<'_>) -> Vec<Entry> {
        // Relaxed: only whether there is one, and the caller has found the line made.
        debug_assert!(!self.side.overflow.load(Ordering::Relaxed).is_null(), "the line is made");
        let mut entries = Vec::with_capacity(PLACES);
        for place in &self.line.places {
            // AcqRel: Acquire for the records behind the entry, which move on to another array;
            // Release so that a writer that meets the mark is ordered after what led here.
            let place = Place(place.fetch_or(Place::FROZEN, Ordering::AcqRel));
            entries.extend(place.entry());
        }
        loop {
            let old = self.side.overflow.load(Ordering::Acquire);
            if self.is_frozen_block(old) {
                entries.extend_from_slice(self.block(old));
                return entries;
            }
            let new = Block::boxed(true, self.block(old).to_vec());
            self.install(old, new, pin);
        }
    }

    /// Makes a child line, of the level with this shift, out of its share of a frozen chain. Every helper
    /// passes the same entries; what another has made already stays. `true`: this call gave the chain
    /// a block.
    pub(crate) fn make(self, shift: u32, entries: &[Entry]) -> bool {
        self.side.control.make();
        let (places, rest) = housed(shift, entries);
        for (place, made) in self.line.places.iter().zip(places) {
            // A place never goes back to `UNMADE`, so a late helper changes nothing. Release: as in
            // `put`. Acquire on failure: the line is complete for whoever returns from here.
            let _ = place.compare_exchange(
                Place::UNMADE.0,
                made.0,
                Ordering::Release,
                Ordering::Acquire,
            );
        }
        // Relaxed: a hint that saves an allocation.
        if !self.side.overflow.load(Ordering::Relaxed).is_null() {
            return false;
        }
        let spills = !rest.is_empty();
        let block = Block::boxed(false, rest);
        // Release, Acquire on failure: the same. Never null again.
        let made = self.side.overflow.compare_exchange(
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Tag;

    #[test]
    fn an_entry_in_its_home_keeps_it() {
        let shift = Spot::shift(0);
        let entry = |home: u64, slot| Entry::new(Tag::of(home << 29), slot);
        let (places, rest) = housed(shift, &[entry(0, 7), entry(0, 8), entry(1, 9)]);
        let expected = [Place::EMPTY.with(entry(0, 7)).one_out(), Place::EMPTY.with(entry(1, 9))];
        assert_eq!(places[..2], expected);
        assert!(places[2..].contains(&Place::EMPTY.with(entry(0, 8))) && rest.is_empty());
    }
}
