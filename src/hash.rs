//! Hashes of names: made once, when a call comes in, and good enough for tables after that.

use core::any::type_name;

use crate::entry::Tag;

/// A hash of which all bits are good, whatever the hasher: shard, line, home and tag are parts of its low half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Hash {
    /// What a hasher made by `S` returned. Those of this crate's default need no mixing. Of another type of
    /// the same name, this one's hashes may be worse, and chains longer.
    #[inline(always)]
    pub(crate) fn by<S>(hash: u64) -> Self {
        if type_name::<S>() == type_name::<ahash::RandomState>() {
            Self(hash)
        } else {
            Self::mixed(hash)
        }
    }

    /// The best of 20,000 random ones for names in a row, see the test.
    const FACTOR: u64 = 0x5a34_c27b_c94e_dc97;

    /// Multiplied and folded: a hasher that passes integers through has its entropy in the low bits, one that
    /// multiplies in the high ones. The best bits of the product are its upper ones, and those that count here
    /// come first in the low half.
    #[inline(always)]
    const fn mixed(hash: u64) -> Self {
        let product = hash as u128 * Self::FACTOR as u128;
        Self((product as u64 ^ (product >> 64) as u64).rotate_left(u32::BITS))
    }

    /// One with that tag.
    pub(crate) fn of_tag(tag: Tag) -> Self {
        Self(u64::from(tag.marked()))
    }

    #[inline(always)]
    pub(crate) const fn tag(self) -> Tag {
        Tag::of(self.0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_of_other_hashers_are_mixed() {
        use std::hash::BuildHasherDefault;
        use std::hash::DefaultHasher;
        assert_eq!(Hash::by::<ahash::RandomState>(1), Hash(1));
        assert_eq!(Hash::by::<BuildHasherDefault<DefaultHasher>>(1), Hash::mixed(1));
        assert_ne!(Hash::mixed(1), Hash(1));
    }

    /// A hasher that passes integers through, and names in a row, or as far apart as a power of two.
    #[test]
    fn names_in_a_row_spread_over_lines_and_homes() {
        for stride in (0..=52).map(|bits| 1_u64 << bits) {
            for bits in 3..=12 {
                let mut at_home = vec![0; 1 << bits];
                for name in 0..1_u64 << bits {
                    let hash = Hash::mixed(name.wrapping_mul(stride));
                    at_home[hash.tag().without_last(u32::BITS - bits)] += 1;
                }
                let most = at_home.iter().max().unwrap();
                assert!(*most <= 6, "{most} of 2^{bits} names {stride} apart have one home");
            }
        }
    }

    /// A hasher that multiplies by what undoes the factor: folding makes up for it.
    #[test]
    fn no_factor_of_a_hasher_makes_all_names_one() {
        // Newton's method: each step doubles the bits that are right.
        let better =
            |near: u64| near.wrapping_mul(2_u64.wrapping_sub(near.wrapping_mul(Hash::FACTOR)));
        let inverse = (0..6).fold(Hash::FACTOR, |near, _| better(near));
        assert_eq!(inverse.wrapping_mul(Hash::FACTOR), 1);
        let tags =
            (0..1 << 12).map(|name: u64| Hash::mixed(name.wrapping_mul(inverse)).tag().marked());
        assert_eq!(tags.collect::<std::collections::HashSet<_>>().len(), 1 << 12);
    }
}
