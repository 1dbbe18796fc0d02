//! Where entries of one hash are looked for first.

use core::mem;

use crate::bucket::{Line, PLACES};
use crate::entry::{HOME_BITS, Tag};
use crate::sync::AtomicU64;

/// The places of a line that are homes, the first ones: an even number, as they go in pairs.
#[cfg(not(loom))]
const HOMES: usize = 4;
#[cfg(loom)]
const HOMES: usize = 2;

/// The number of a line in its level, and of a place in it, which is *home* to the entries of the hashes that
/// lead here. It is one of a pair: what finds its home taken is put *beside* it, if that can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot(usize);

impl Spot {
    /// How many of the last bits of a tag do not matter for the spot, in a level of `1 << bits` lines.
    pub(crate) const fn shift(bits: u32) -> u32 {
        u32::BITS - bits - HOME_BITS
    }

    #[inline(always)]
    pub(crate) const fn of(tag: Tag, shift: u32) -> Self {
        Self(tag.without_last(shift))
    }

    /// The number of the line.
    #[inline(always)]
    pub(crate) const fn line(self) -> usize {
        self.0 >> HOME_BITS
    }

    #[inline(always)]
    pub(crate) const fn home(self) -> usize {
        self.0 & (HOMES - 1)
    }

    /// The spot of whoever has the other place of the pair for a home.
    #[inline(always)]
    pub(crate) const fn beside(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// Every place of the line, the best ones first.
    pub(crate) fn places(self) -> impl Iterator<Item = usize> {
        let others = (0..PLACES).filter(move |at| at / 2 != self.home() / 2);
        [self.home(), self.beside().home()].into_iter().chain(others)
    }

    /// The line, of a level whose first one is `lines`.
    ///
    /// # Safety
    ///
    /// There is a line of that number.
    #[inline(always)]
    pub(crate) unsafe fn line_in(self, lines: *const Line) -> *const Line {
        if cfg!(loom) {
            // SAFETY: the caller's promise.
            return unsafe { lines.add(self.line()) };
        }
        const { assert!(cfg!(loom) || size_of::<Line>() == size_of::<u64>() << HOME_BITS) };
        // The same in fewer instructions: a line is as many words as there are values of the bits below its
        // number.
        // SAFETY: the caller's promise.
        unsafe { lines.cast::<u64>().add(self.0 >> HOME_BITS << HOME_BITS).cast() }
    }

    /// The home, of a level whose first line is `lines`.
    ///
    /// # Safety
    ///
    /// There is a line of that number.
    #[inline(always)]
    pub(crate) unsafe fn home_in(self, lines: *const Line) -> *const AtomicU64 {
        const FIRST: usize = mem::offset_of!(Line, places);
        if cfg!(loom) {
            // SAFETY: the caller's promise.
            return unsafe { &raw const (*lines.add(self.line())).places[self.home()] };
        }
        const { assert!(cfg!(loom) || HOMES * 2 == 1 << HOME_BITS) };
        // As in `line_in`: of the bits below its number, the first does not matter and the rest are the home.
        // SAFETY: the caller's promise, and a home is a place.
        unsafe { lines.cast::<AtomicU64>().add(self.0 & !HOMES).byte_add(FIRST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_named_once_the_home_first() {
        for spot in (0..1 << HOME_BITS).map(Spot) {
            let mut places: Vec<_> = spot.places().collect();
            assert_eq!(places[..2], [spot.home(), spot.beside().home()]);
            assert!(spot.home() < HOMES && spot.beside().home() < HOMES);
            places.sort_unstable();
            assert!(places.into_iter().eq(0..PLACES));
        }
    }

    #[test]
    fn a_spot_is_where_its_numbers_say() {
        let lines: [Line; 3] = core::array::from_fn(|_| crate::blanks::Blank::blank());
        let first = lines.as_ptr();
        for spot in (0..3 << HOME_BITS).map(Spot) {
            let line = &lines[spot.line()];
            // SAFETY: there are three.
            let (line_in, home_in) = unsafe { (spot.line_in(first), spot.home_in(first)) };
            assert_eq!(line_in, &raw const *line);
            assert_eq!(home_in, &raw const line.places[spot.home()]);
        }
    }
}
