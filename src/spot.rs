//! Where entries of one hash are looked for first.

use core::iter;

use crate::entry::{HOME_BITS, Tag};

/// Places in a line.
#[cfg(not(loom))]
pub(crate) const PLACES: usize = 1 << HOME_BITS;
/// As few as show all there is to see: an even number of homes, and a place that is none.
#[cfg(loom)]
pub(crate) const PLACES: usize = 3;

/// The places of a line that are homes, the first ones: an even number, as they go in pairs.
const HOMES: usize = PLACES & !1;

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

    /// The other places of the line, the best one first.
    #[inline(always)]
    pub(crate) fn away(self) -> impl Iterator<Item = usize> {
        let pair = self.home() / 2;
        let others = (0..PLACES).filter(move |at| at / 2 != pair);
        iter::once(self.beside().home()).chain(others)
    }

    /// The number of the home, if those of all lines of a level were counted through.
    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        const { assert!(cfg!(loom) || HOMES == 1 << HOME_BITS) };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_named_once_the_home_first() {
        for spot in (0..3 << HOME_BITS).map(Spot) {
            let mut places: Vec<_> = iter::once(spot.home()).chain(spot.away()).collect();
            assert_eq!(places[1], spot.beside().home());
            assert!(spot.home() < HOMES && spot.beside().home() < HOMES);
            places.sort_unstable();
            assert!(places.into_iter().eq(0..PLACES));
        }
    }

    #[test]
    #[cfg(not(loom))]
    fn a_home_is_in_its_line() {
        for spot in (0..3 << HOME_BITS).map(Spot) {
            assert_eq!(spot.index(), spot.line() * PLACES + spot.home());
            assert_eq!(spot.beside().line(), spot.line());
        }
    }
}
