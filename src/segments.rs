//! Arrays that grow without moving: geometric segments behind one small pointer table.
//!
//! Segment *k* holds 2^*k* times as many items as the first, so an index finds its item with one
//! leading-zero count and one load from a table that stays in the first-level cache; an index in the
//! first segment, which is as large as the capacity that was asked for, needs neither. Nothing is ever
//! copied, so references into a segment stay good until the whole array goes, and memory comes zeroed
//! from the allocator: the pages of a large segment are touched when their slots are first used, not
//! when it is made.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem;
use core::ptr::{self, NonNull};
// The segment table is not modelled by loom and has no steps: it is written once per segment, by one
// exchange, and a step per lookup would multiply what the checkers have to explore.
use core::sync::atomic::{AtomicPtr, Ordering};

/// Values that may come to be as zeroed memory.
///
/// # Safety
///
/// All-zero bytes are a valid value of the type, equal to `blank()`, except under loom, whose
/// atomics have to be made by `blank()`.
pub(crate) unsafe trait Blank {
    fn blank() -> Self;
}

// SAFETY: an atomic of 0 is its zero bytes.
unsafe impl Blank for crate::sync::AtomicU64 {
    fn blank() -> Self {
        Self::new(0)
    }
}

/// A fixed number of blank values, aligned as asked, each of them dropped never: what is in them is
/// for the owner to drop.
#[derive(Debug)]
pub(crate) struct Blanks<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: an owner of values of `T`, like `Box<[T]>`.
unsafe impl<T: Send> Send for Blanks<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Blanks<T> {}

impl<T: Blank> Blanks<T> {
    pub(crate) fn new(len: usize) -> Self {
        let start = Self::allocate(len);
        if cfg!(loom) {
            for at in 0..len {
                // SAFETY: `at < len`, inside the fresh allocation.
                unsafe { start.add(at).write(T::blank()) };
            }
        }
        Self { start, len }
    }

    /// The allocation asks for the alignment that the system's zeroed pages have anyway and rounds up
    /// by itself: allocators answer a larger one by clearing every byte by hand, at once.
    fn allocate(len: usize) -> NonNull<T> {
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero, it has room for the header.
        let raw = unsafe { std::alloc::alloc_zeroed(layout) };
        if raw.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        let offset = HEADER + (raw as usize + HEADER).wrapping_neg() % Self::ALIGN;
        // SAFETY: `offset <= HEADER + ALIGN`, which `layout` adds to the items' size; the word before
        // the items is inside the allocation and aligned, as `ALIGN` is at least a word's.
        unsafe {
            let start = raw.add(offset);
            start.cast::<*mut u8>().sub(1).write(raw);
            NonNull::new_unchecked(start.cast())
        }
    }
}

const HEADER: usize = mem::size_of::<*mut u8>();

impl<T> Blanks<T> {
    const ALIGN: usize = {
        let line = 64;
        let item = mem::align_of::<T>();
        if item > line { item } else { line }
    };

    fn layout(len: usize) -> Layout {
        let bytes = len
            .checked_mul(mem::size_of::<T>())
            .and_then(|items| items.checked_add(HEADER + Self::ALIGN));
        bytes
            .and_then(|bytes| Layout::from_size_align(bytes, HEADER).ok())
            .expect("the size of a segment fits the address space")
    }

    pub(crate) const fn bytes(len: usize) -> usize {
        len * mem::size_of::<T>()
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Gives the memory up for `from_raw`.
    fn into_raw(self) -> *mut T {
        let start = self.start.as_ptr();
        mem::forget(self);
        start
    }

    /// # Safety
    ///
    /// `start` is what `into_raw` returned for the same `len`, not taken back before.
    unsafe fn from_raw(start: *mut T, len: usize) -> Self {
        // SAFETY: not null, as an allocation.
        Self { start: unsafe { NonNull::new_unchecked(start) }, len }
    }
}

impl<T> core::ops::Deref for Blanks<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `allocate` made `len` valid values (`Blank`) at `start`, aligned for `T`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Blanks<T> {
    fn drop(&mut self) {
        #[cfg(loom)]
        for at in 0..self.len {
            // SAFETY: loom's atomics are boxes and cells of its own; each was written by `new`.
            unsafe { ptr::drop_in_place(self.start.add(at).as_ptr()) };
        }
        // SAFETY: `allocate` left the allocation's own address in the word before the items and used
        // the same layout.
        unsafe {
            let raw = self.start.cast::<*mut u8>().sub(1).read();
            std::alloc::dealloc(raw, Self::layout(self.len));
        }
    }
}

/// Items in the first segment at least, as a power of two.
#[cfg(not(loom))]
const FIRST_BITS: u32 = 6;
#[cfg(loom)]
const FIRST_BITS: u32 = 3;

/// One more than the largest index there can be.
pub(crate) const MAX_ITEMS: u32 = 1 << 31;
const SEGMENTS: usize = (32 - FIRST_BITS) as usize;

/// An array of up to [`MAX_ITEMS`] blank items in geometric segments.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Segments<T> {
    first: FirstLen,
    /// Where each segment would begin if it went back to index 0, so that an index need not be made
    /// an offset; null until the segment is made.
    origins: [AtomicPtr<T>; SEGMENTS],
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
    const fn segment_of(self, index: u32) -> usize {
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

    const fn len_of(self, segment: usize) -> usize {
        (self.0 as usize) << segment
    }

    /// The first index of a segment. All indices are below that of the last segment but one.
    pub(crate) fn start_of(self, segment: usize) -> u32 {
        ((u64::from(self.0) << segment) - u64::from(self.0)).min(u64::from(u32::MAX)) as u32
    }
}

impl<T> Segments<T> {
    pub(crate) const fn new() -> Self {
        Self::with_first(FirstLen::LEAST)
    }

    pub(crate) const fn with_first(first: FirstLen) -> Self {
        let origins = [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS];
        Self { first, origins, owns: PhantomData }
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
        // and segments are freed through `&mut self` only.
        Some(unsafe { &*origin.wrapping_add(index as usize) })
    }

    /// The item at `index`, whose segment was made.
    ///
    /// # Safety
    ///
    /// `get_or_make` was called for this index or one of the same segment, in what happened before,
    /// and nothing was truncated since.
    #[inline(always)]
    pub(crate) unsafe fn get_made(&self, index: u32) -> &T {
        debug_assert!(self.get(index).is_some());
        // SAFETY: the index was below `MAX_ITEMS` when its segment was made.
        let origin = unsafe { self.origins.get_unchecked(self.first.segment_of(index)) };
        // Acquire: as in `get`.
        // SAFETY: as in `get`; the segment was installed, by the caller's promise.
        unsafe { &*origin.load(Ordering::Acquire).wrapping_add(index as usize) }
    }

    /// Bytes of the segments that were made.
    pub(crate) fn bytes(&self) -> usize {
        let made = self.origins.iter().enumerate();
        // Relaxed: a figure.
        made.filter(|(_, origin)| !origin.load(Ordering::Relaxed).is_null())
            .map(|(segment, _)| Blanks::<T>::bytes(self.first.len_of(segment)))
            .sum()
    }

    /// Frees the segments that start at or above `index`.
    pub(crate) fn truncate(&mut self, index: u32) {
        for segment in 0..SEGMENTS {
            if self.first.start_of(segment) < index {
                continue;
            }
            let origin = mem::replace(self.origins[segment].get_mut(), ptr::null_mut());
            if !origin.is_null() {
                let (start, len) = (self.start_of(origin, segment), self.first.len_of(segment));
                // SAFETY: installed by `make` with this length, taken out of the table.
                drop(unsafe { Blanks::from_raw(start, len) });
            }
        }
    }
}

impl<T: Blank> Segments<T> {
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
        if self.origin_of(fresh.start.as_ptr(), segment).is_null() {
            // The one address that says that there is none: another, while this one is taken.
            fresh = Blanks::new(len);
        }
        let origin = self.origin_of(fresh.into_raw(), segment);
        // Release: publishes the blank items; Acquire on failure: the winner's.
        let installed = self.origins[segment].compare_exchange(
            ptr::null_mut(),
            origin,
            Ordering::Release,
            Ordering::Acquire,
        );
        if installed.is_err() {
            // SAFETY: ours still, made above with this length.
            drop(unsafe { Blanks::from_raw(self.start_of(origin, segment), len) });
        }
        self.get(index).expect("a segment was just installed")
    }

    /// Makes the segments of all indices below `len`.
    pub(crate) fn reserve(&self, len: u32) {
        let starts = (0..SEGMENTS).map(|segment| self.first.start_of(segment));
        for start in starts.take_while(|&start| start < len) {
            self.get_or_make(start);
        }
    }
}

impl<T> Drop for Segments<T> {
    fn drop(&mut self) {
        self.truncate(0);
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
            let last = first.segment_of(MAX_ITEMS - 1);
            assert!(last < SEGMENTS && first.start_of(last) < MAX_ITEMS);
            assert!(first.start_of(last + 1) >= MAX_ITEMS - 1);
        }
    }

    #[test]
    fn blanks_are_zero_and_aligned() {
        #[repr(align(256))]
        struct Wide(u64);
        // SAFETY: plain integers.
        unsafe impl Blank for Wide {
            fn blank() -> Self {
                Self(0)
            }
        }
        let wide = Blanks::<Wide>::new(9);
        assert_eq!(wide.as_ptr() as usize % 256, 0);
        assert!(wide.iter().all(|item| item.0 == 0));
    }

    #[test]
    fn truncation_forgets_what_was_above() {
        let mut items = Segments::<AtomicU64>::new();
        for index in [0, 64, 1_000] {
            items.get_or_make(index).store(u64::from(index) + 1, Ordering::Relaxed);
        }
        items.truncate(64);
        assert_eq!(items.get(0).unwrap().load(Ordering::Relaxed), 1);
        assert!(items.get(64).is_none() && items.get(1_000).is_none());
        assert_eq!(items.get_or_make(64).load(Ordering::Relaxed), 0);
    }
}
