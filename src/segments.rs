//! Arrays that grow without moving: geometric segments behind one small pointer table.
//!
//! Segment *k* holds 2^*k* times as many items as the first, so an index finds its item with one
//! leading-zero count and one load from a table that stays in the first-level cache; of an index in the
//! first segment, which is as large as the capacity that was asked for, a processor guesses both. Nothing is ever
//! copied, so references into a segment stay good until the whole array goes, and memory comes zeroed
//! from the allocator: the pages of a large segment are touched when their slots are first used, not
//! when it is made.

#[cfg(loom)]
pub mod modelled;
mod origin;

use core::array;
use core::marker::PhantomData;
use core::ops::Range;
use core::ptr;
// The registry's segment tables are not modelled by loom and have no steps: they are written once per segment, by one
// exchange, and a step per lookup would multiply what the checkers have to explore. Models of this file alone have
// loom's (`modelled`).
use core::sync::atomic::{AtomicPtr, Ordering};

use self::origin::Origin;
use crate::blanks::{Blank, Blanks};

/// Items in the first segment at least, as a power of two.
#[cfg(not(loom))]
const FIRST_BITS: u32 = 6;
#[cfg(loom)]
const FIRST_BITS: u32 = 2;

/// One more than the largest index there can be.
pub(crate) const MAX_ITEMS: u32 = 1 << 27;
const SEGMENTS: usize = (MAX_ITEMS.trailing_zeros() + 1 - FIRST_BITS) as usize;

/// An array of up to [`MAX_ITEMS`] blank items in geometric segments.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Segments<T, P = AtomicPtr<T>> {
    first: FirstLen,
    /// Where each segment would begin if it went back to index 0, so that an index need not be made
    /// an offset; null until the segment is made.
    origins: [P; SEGMENTS],
    /// Where each segment begins, for the drop; and for leak detectors, which look for a pointer into every
    /// allocation of a registry that lives to the end of the program, where an origin is outside of its segment.
    starts: [AtomicPtr<T>; SEGMENTS],
    owns: PhantomData<T>,
}

/// The number of items in the first segment, a power of two, and so the layout of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstLen(u32);

impl FirstLen {
    pub(crate) const LEAST: Self = Self(1 << FIRST_BITS);

    /// Room for `items` in the first segment, or for as many as one may have.
    pub(crate) fn for_items(items: u32) -> Self {
        // Small enough that no index plus it overflows.
        Self(items.clamp(Self::LEAST.0, MAX_ITEMS / 2).next_power_of_two())
    }

    /// The segment of an index below [`MAX_ITEMS`].
    #[inline(always)]
    pub(crate) const fn segment_of(self, index: u32) -> usize {
        if index < self.0 {
            // What the rest comes to as well, at once, and for the processor to guess.
            return 0;
        }
        let shifted = index + self.0;
        // SAFETY: at least twice the first length, as the sum does not overflow; so its logarithm is
        // larger, too.
        unsafe { core::hint::assert_unchecked(shifted != 0 && self.0 != 0) };
        (shifted.ilog2() - self.0.trailing_zeros()) as usize
    }

    /// Whether an index is in the first segment.
    #[inline(always)]
    pub(crate) const fn has(self, index: u32) -> bool {
        index < self.0
    }

    const fn len_of(self, segment: usize) -> usize {
        (self.0 as usize) << segment
    }

    /// The first index of a segment. All indices are below that of the last segment but one.
    pub(crate) fn start_of(self, segment: usize) -> u32 {
        ((u64::from(self.0) << segment) - u64::from(self.0)).min(u64::from(u32::MAX)) as u32
    }
}

impl<T> Segments<T> {
    pub(crate) fn new() -> Self {
        Self::with_first(FirstLen::LEAST)
    }
}

impl<T, P: Origin<T>> Segments<T, P> {
    pub(crate) fn with_first(first: FirstLen) -> Self {
        let origins = array::from_fn(|_| P::null());
        let starts = [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS];
        Self { first, origins, starts, owns: PhantomData }
    }

    fn origin_of(&self, start: *mut T, segment: usize) -> *mut T {
        start.wrapping_sub(self.first.start_of(segment) as usize)
    }

    fn start_of(&self, origin: *mut T, segment: usize) -> *mut T {
        origin.wrapping_add(self.first.start_of(segment) as usize)
    }

    /// The item at `index`, if its segment was made.
    #[inline(always)]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        if index >= MAX_ITEMS {
            return None;
        }
        // Acquire: pairs with the Release that installed the segment.
        let origin = self.origins[self.first.segment_of(index)].load(Ordering::Acquire);
        if origin.is_null() {
            return None;
        }
        // SAFETY: an installed segment has `segment_len` valid items (`Blanks`), of which this is one,
        // and a segment is freed when nobody uses its items (`vacate`).
        Some(unsafe { &*origin.wrapping_add(index as usize) })
    }

    /// The item at `index`, whose segment was made.
    ///
    /// # Safety
    ///
    /// As for [`get_in`](Self::get_in).
    #[cfg(any(loom, not(feature = "crossbeam-epoch")))]
    #[inline(always)]
    pub(crate) unsafe fn get_made(&self, index: u32) -> &T {
        // SAFETY: the caller's promise.
        unsafe { self.get_in(self.first.segment_of(index), index) }
    }

    /// The item at `index`, which is in `segment`, for whoever asks several arrays of one layout.
    ///
    /// # Safety
    ///
    /// `get_or_make` was called for this index or one of the same segment, in what happened before,
    /// and it was not vacated since.
    #[inline(always)]
    pub(crate) unsafe fn get_in(&self, segment: usize, index: u32) -> &T {
        debug_assert!(self.get(index).is_some() && segment == self.first.segment_of(index));
        // SAFETY: the index was below `MAX_ITEMS` when its segment was made.
        let origin = unsafe { self.origins.get_unchecked(segment) };
        // Relaxed: the segment was installed in what happened before, by the caller's promise.
        let item = origin.load(Ordering::Relaxed).wrapping_add(index as usize);
        // SAFETY: as in `get`, an item of an allocation.
        unsafe {
            core::hint::assert_unchecked(!item.is_null());
            &*item
        }
    }

    /// All items of the segments that were made.
    pub(crate) fn made(&self) -> impl Iterator<Item = &T> {
        // Relaxed: `get` looks again.
        let is_made = |&at: &usize| !self.origins[at].load(Ordering::Relaxed).is_null();
        let made = (0..SEGMENTS).filter(is_made);
        let indices = made.flat_map(|at| self.first.start_of(at)..self.first.start_of(at + 1));
        indices.filter_map(|index| self.get(index))
    }

    /// The segment of `index`, whether it is made, and the first index of the next one.
    pub(crate) fn segment_at(&self, index: u32) -> (usize, bool, u32) {
        let segment = self.first.segment_of(index);
        // Acquire: as in `get`, for whoever goes on with `get_in`.
        let is_made = !self.origins[segment].load(Ordering::Acquire).is_null();
        (segment, is_made, self.first.start_of(segment + 1))
    }

    /// Bytes of the segments that were made.
    pub(crate) fn bytes(&self) -> usize {
        let made = self.origins.iter().enumerate();
        // Relaxed: a figure.
        made.filter(|(_, origin)| !origin.load(Ordering::Relaxed).is_null())
            .map(|(segment, _)| Blanks::<T>::bytes(self.first.len_of(segment)))
            .sum()
    }

    /// Gives back the memory of these items, as far as it is theirs alone: whole segments, and whole
    /// pages of others.
    ///
    /// # Safety
    ///
    /// Nobody uses the items, or will before `get_or_make` was called for each again. They are then
    /// blank or as they were.
    pub(crate) unsafe fn vacate(&self, items: Range<u32>) {
        for (segment, part) in self.parts_of(items) {
            // Relaxed: whoever made it did that before, as nobody else is here.
            let origin = self.origins[segment].load(Ordering::Relaxed);
            if origin.is_null() {
                continue;
            }
            let (start, len) = (self.start_of(origin, segment), self.first.len_of(segment));
            if part == (0..len) {
                // Relaxed: who finds it gone reads nothing of it.
                self.origins[segment].store(ptr::null_mut(), Ordering::Relaxed);
                self.starts[segment].store(ptr::null_mut(), Ordering::Relaxed);
                // SAFETY: installed by `make` with this length, taken out of the table, and nobody
                // uses its items.
                drop(unsafe { Blanks::from_raw(start, len) });
            } else {
                // SAFETY: an installed segment, and items that nobody uses.
                unsafe { Blanks::discard(start, len, part) };
            }
        }
    }

    /// Bytes in `bytes` that [`vacate`](Self::vacate) gave back, if these items were not used since.
    pub(crate) fn bytes_vacated(&self, items: Range<u32>) -> usize {
        let pages = self.parts_of(items).map(|(segment, part)| {
            // Relaxed: a figure.
            let origin = self.origins[segment].load(Ordering::Relaxed);
            if origin.is_null() {
                return 0;
            }
            let (start, len) = (self.start_of(origin, segment), self.first.len_of(segment));
            // The page at the end is more than the items in it.
            Blanks::pages_of(start, len, part).1.min(Blanks::<T>::bytes(len))
        });
        pages.sum()
    }

    /// What is in each segment of a range of items.
    fn parts_of(&self, items: Range<u32>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let first = self.first;
        (0..SEGMENTS).filter_map(move |segment| {
            let (start, len) = (first.start_of(segment) as usize, first.len_of(segment));
            let from = (items.start as usize).max(start);
            let to = (items.end as usize).min(start + len);
            (from < to).then(|| (segment, from - start..to - start))
        })
    }
}

impl<T: Blank, P: Origin<T>> Segments<T, P> {
    /// The item at `index`, its segment made first if need be.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`MAX_ITEMS`].
    #[inline]
    pub(crate) fn get_or_make(&self, index: u32) -> &T {
        match self.get(index) {
            Some(item) => item,
            None => self.make(index),
        }
    }

    #[cold]
    fn make(&self, index: u32) -> &T {
        assert!(index < MAX_ITEMS, "index {index} is past the last segment");
        let segment = self.first.segment_of(index);
        let len = self.first.len_of(segment);
        let mut fresh = Blanks::<T>::new(len);
        if self.origin_of(fresh.start(), segment).is_null() {
            // The one address that says that there is none: another, while this one is taken.
            fresh = Blanks::new(len);
        }
        let origin = self.origin_of(fresh.into_raw(), segment);
        // Release: publishes the blank items. Relaxed on failure: `get` reads the winner's.
        let installed = self.origins[segment].compare_exchange(
            ptr::null_mut(),
            origin,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if installed.is_ok() {
            // Relaxed: read by the drop.
            self.starts[segment].store(self.start_of(origin, segment), Ordering::Relaxed);
        } else {
            // SAFETY: ours still, made above with this length.
            drop(unsafe { Blanks::from_raw(self.start_of(origin, segment), len) });
        }
        self.get(index).expect("a segment was just installed")
    }

    /// Makes the segments of all indices below `len`.
    #[cfg(any(loom, not(feature = "crossbeam-epoch")))]
    pub(crate) fn reserve(&self, len: u32) {
        let starts = (0..SEGMENTS).map(|segment| self.first.start_of(segment));
        for start in starts.take_while(|&start| start < len) {
            self.get_or_make(start);
        }
    }
}

impl<T, P> Drop for Segments<T, P> {
    fn drop(&mut self) {
        for segment in 0..SEGMENTS {
            let start = *self.starts[segment].get_mut();
            if !start.is_null() {
                let len = self.first.len_of(segment);
                // SAFETY: installed by `make` with this length, and `&mut self`.
                drop(unsafe { Blanks::from_raw(start, len) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AtomicU64;

    #[test]
    fn every_index_has_its_own_item() {
        for capacity in [0, 1_000] {
            let first = FirstLen::for_items(capacity);
            let items = Segments::<AtomicU64>::with_first(first);
            for index in 0..100_000 {
                let segment = first.segment_of(index);
                let offset = index - first.start_of(segment);
                assert!((offset as usize) < first.len_of(segment));
                items.get_or_make(index).store(u64::from(index), Ordering::Relaxed);
            }
            for index in 0..100_000 {
                assert_eq!(items.get(index).unwrap().load(Ordering::Relaxed), u64::from(index));
            }
        }
    }

    #[test]
    fn every_capacity_has_a_layout() {
        for items in [0, 1, 65, 1 << 20, MAX_ITEMS / 2, MAX_ITEMS, u32::MAX] {
            let first = FirstLen::for_items(items);
            assert!(first.0.is_power_of_two() && first.0 >= items.min(MAX_ITEMS / 2));
            assert!(first.0 <= MAX_ITEMS / 2);
            let last = first.segment_of(MAX_ITEMS - 1);
            assert!(last < SEGMENTS && first.start_of(last) < MAX_ITEMS);
            assert!(first.start_of(last + 1) >= MAX_ITEMS - 1);
        }
        assert_eq!(
            FirstLen::LEAST.segment_of(MAX_ITEMS - 1),
            SEGMENTS - 1,
            "there are no more than that"
        );
    }

    #[test]
    fn a_segment_says_where_the_next_one_begins() {
        let items = Segments::<AtomicU64>::new();
        items.get_or_make(64);
        assert_eq!(items.segment_at(63), (0, false, 64));
        assert_eq!(items.segment_at(64), (1, true, 192));
        assert_eq!(items.segment_at(191), (1, true, 192));
        assert_eq!(items.segment_at(192), (2, false, 448));
    }

    #[test]
    fn what_was_vacated_is_blank_or_as_it_was() {
        let items = Segments::<AtomicU64>::new();
        for index in [0, 64, 1_000] {
            items.get_or_make(index).store(u64::from(index) + 1, Ordering::Relaxed);
        }
        // SAFETY: nobody uses them.
        unsafe { items.vacate(64..MAX_ITEMS) };
        assert_eq!(items.get(0).unwrap().load(Ordering::Relaxed), 1);
        assert!(items.get(64).is_none() && items.get(1_000).is_none());
        assert_eq!(items.get_or_make(64).load(Ordering::Relaxed), 0);
    }

    #[test]
    fn segments_in_the_middle_go_and_pages_around_the_rest() {
        const ITEMS: u32 = 1 << 16;
        let items = Segments::<AtomicU64>::new();
        for index in 0..ITEMS {
            items.get_or_make(index).store(1, Ordering::Relaxed);
        }
        let before = items.bytes();
        let vacated = [100..ITEMS - 1, ITEMS..MAX_ITEMS];
        let mut after = 0;
        for items_of in vacated.clone() {
            // SAFETY: nobody uses them.
            unsafe { items.vacate(items_of.clone()) };
            after += items.bytes_vacated(items_of);
        }
        let after = items.bytes() - after;
        assert!(after < before && (!crate::pages::IS_HERE || after < 1 << 15), "{before}, {after}");
        for index in (0..100).chain([ITEMS - 1]) {
            assert_eq!(items.get(index).unwrap().load(Ordering::Relaxed), 1);
        }
        for index in vacated[0].clone() {
            let item = items.get_or_make(index);
            assert!(item.load(Ordering::Relaxed) <= 1);
            item.store(2, Ordering::Relaxed);
        }
        assert_eq!(items.get(ITEMS - 1).unwrap().load(Ordering::Relaxed), 1);
    }
}
