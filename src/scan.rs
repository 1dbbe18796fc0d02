//! All places of a line compared at once.
//!
//! A lookup spends most of its instructions here if they are compared one by one, and the fewer it
//! takes, the more lookups the processor has under way at the same time.

use crate::bucket::PLACES;
use crate::entry::Tag;
use crate::sync::AtomicU64;

/// Which places of a line matched, two bits for each.
#[derive(Clone, Copy)]
pub(crate) struct Matching(u32);

impl Matching {
    #[inline(always)]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    pub(crate) const fn is_one(self) -> bool {
        self.0 & self.0.wrapping_sub(1) == 0
    }

    /// The first of them, if there is one.
    #[inline(always)]
    pub(crate) const fn first(self) -> usize {
        self.0.trailing_zeros() as usize / 2
    }
}

/// The places with an entry of that tag. Each is read once, with Acquire.
#[cfg(not(all(target_arch = "x86_64", not(any(loom, miri, test, feature = "steps")))))]
#[inline(always)]
pub(crate) fn matching(places: &[AtomicU64; PLACES], tag: Tag) -> Matching {
    one_by_one(places, tag)
}

#[cfg(any(test, not(all(target_arch = "x86_64", not(any(loom, miri, feature = "steps"))))))]
fn one_by_one(places: &[AtomicU64; PLACES], tag: Tag) -> Matching {
    use crate::entry::Entry;
    use crate::sync::Ordering;

    let mut matching = 0;
    for (at, place) in places.iter().enumerate() {
        // Acquire: pairs with the Release in `Line::put`; the record was filled before.
        let entry = Entry(place.load(Ordering::Acquire));
        matching |= u32::from(entry.has(tag)) << (2 * at);
    }
    Matching(matching)
}

/// See above.
#[cfg(all(target_arch = "x86_64", not(any(loom, miri, test, feature = "steps"))))]
#[inline(always)]
pub(crate) fn matching(places: &[AtomicU64; PLACES], tag: Tag) -> Matching {
    at_once(places, tag)
}

#[cfg(all(target_arch = "x86_64", not(any(loom, miri, feature = "steps"))))]
#[inline(always)]
fn at_once(places: &[AtomicU64; PLACES], tag: Tag) -> Matching {
    use core::arch::asm;
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi32, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32,
        _mm_set1_epi32,
    };

    const { assert!(PLACES == 6) }
    let (first, second, third): (__m128i, __m128i, __m128i);
    // SAFETY: 48 bytes of a reference, 16-aligned as they lie in a line from byte 16 on (`Line`); SSE2
    // is part of x86-64. Not an access of Rust's, hence no race with the atomic writes: each half of a
    // vector is an aligned quadword, which this architecture reads whole, and its loads stay in their
    // order, so they are six Acquire loads. As the block may touch any memory for all the compiler
    // knows, nothing is moved across it. The partner is the Release in `Line::put`.
    unsafe {
        asm!(
            "movdqa {first}, xmmword ptr [{places}]",
            "movdqa {second}, xmmword ptr [{places} + 16]",
            "movdqa {third}, xmmword ptr [{places} + 32]",
            places = in(reg) places.as_ptr(),
            first = out(xmm_reg) first,
            second = out(xmm_reg) second,
            third = out(xmm_reg) third,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: SSE2, as above.
    let bytes = unsafe {
        let tag = _mm_set1_epi32(tag.marked() as i32);
        let first = _mm_cmpeq_epi32(first, tag);
        let second = _mm_cmpeq_epi32(second, tag);
        let third = _mm_cmpeq_epi32(third, tag);
        let shorts = (_mm_packs_epi32(first, second), _mm_packs_epi32(third, third));
        _mm_movemask_epi8(_mm_packs_epi16(shorts.0, shorts.1))
    };
    // One bit for each half of an entry, the lower halves first; the fourth vector is the third.
    Matching(bytes as u32 & 0b01_01_01_01_01_01)
}

#[cfg(all(test, target_arch = "x86_64", not(loom), not(feature = "steps")))]
mod tests {
    use super::*;
    use crate::entry::Entry;

    #[repr(align(16))]
    struct Places([AtomicU64; PLACES]);

    #[test]
    fn at_once_is_as_one_by_one() {
        let tag = Tag::of(0x1234_5678);
        let words = [
            Entry::EMPTY.0,
            Entry::UNMADE.0,
            Entry::new(tag, 7).0,
            Entry::new(tag, 8).0 | Entry::FROZEN,
            Entry::new(Tag::of(0x9999_0000), 9).0,
            // The tag where the slot should be.
            u64::from(tag.marked()) << 32,
        ];
        for all in 0..6_usize.pow(6) {
            let digit = |at: usize| all / 6_usize.pow(at as u32) % 6;
            let places = Places(core::array::from_fn(|at| AtomicU64::new(words[digit(at)])));
            let expected = one_by_one(&places.0, tag);
            assert_eq!(at_once(&places.0, tag).0, expected.0);
            let matching = (0..PLACES).filter(|&at| matches!(digit(at), 2 | 3));
            let matching: Vec<_> = matching.collect();
            assert_eq!(expected.is_empty(), matching.is_empty());
            assert_eq!(expected.is_one(), matching.len() < 2);
            assert!(matching.first().is_none_or(|&first| first == expected.first()));
        }
    }
}
