//! Arrays that grow without moving: geometric segments behind one small pointer table.
//!
//! Segment *k* holds `FIRST << k` items, so an index finds its item with one leading-zero count and
//! one load from a table that stays in the first-level cache. Nothing is ever copied, so references
//! into a segment stay good until the whole array goes, and memory comes zeroed from the allocator:
//! the pages of a large segment are touched when their slots are first used, not when it is made.

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

/// Items in the first segment, as a power of two.
#[cfg(not(loom))]
const FIRST_BITS: u32 = 6;
#[cfg(loom)]
const FIRST_BITS: u32 = 3;
const FIRST: u32 = 1 << FIRST_BITS;

/// One more than the largest index there can be.
pub(crate) const MAX_ITEMS: u32 = 1 << 31;
const SEGMENTS: usize = (32 - FIRST_BITS) as usize;

/// An array of up to [`MAX_ITEMS`] blank items in geometric segments.
#[derive(Debug)]
pub(crate) struct Segments<T> {
    /// Where each segment would begin if it went back to index 0, so that an index need not be made
    /// an offset; null until the segment is made.
    origins: [AtomicPtr<T>; SEGMENTS],
    owns: PhantomData<T>,
}

/// The segment of an index below [`MAX_ITEMS`].
#[inline(always)]
const fn segment_of(index: u32) -> usize {
    let shifted = index + FIRST;
    // SAFETY: `FIRST` at least, as the sum does not overflow.
    unsafe { core::hint::assert_unchecked(shifted != 0) };
    (shifted.ilog2() - FIRST_BITS) as usize
}

const fn segment_len(segment: usize) -> usize {
    (FIRST as usize) << segment
}

/// The first index of a segment.
pub(crate) const fn segment_start(segment: usize) -> u32 {
    (FIRST << segment) - FIRST
}

fn origin_of<T>(start: *mut T, segment: usize) -> *mut T {
    start.wrapping_sub(segment_start(segment) as usize)
}

fn start_of<T>(origin: *mut T, segment: usize) -> *mut T {
    origin.wrapping_add(segment_start(segment) as usize)
}

impl<T> Segments<T> {
    pub(crate) const fn new() -> Self {
        Self { origins: [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS], owns: PhantomData }
    }

    /// The item at `index`, if its segment was made.
    #[inline(always)]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        if index >= MAX_ITEMS {
            return None;
        }
        // Acquire: pairs with the Release that installed the segment.
        let origin = self.origins[segment_of(index)].load(Ordering::Acquire);
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
        let origin = unsafe { self.origins.get_unchecked(segment_of(index)) };
        // Acquire: as in `get`.
        // SAFETY: as in `get`; the segment was installed, by the caller's promise.
        unsafe { &*origin.load(Ordering::Acquire).wrapping_add(index as usize) }
    }

    /// Bytes of the segments that were made.
    pub(crate) fn bytes(&self) -> usize {
        let made = self.origins.iter().enumerate();
        // Relaxed: a figure.
        made.filter(|(_, origin)| !origin.load(Ordering::Relaxed).is_null())
            .map(|(segment, _)| Blanks::<T>::bytes(segment_len(segment)))
            .sum()
    }

    /// Frees the segments that start at or above `index`.
    pub(crate) fn truncate(&mut self, index: u32) {
        for (segment, origin) in self.origins.iter_mut().enumerate() {
            if segment_start(segment) < index {
                continue;
            }
            let origin = mem::replace(origin.get_mut(), ptr::null_mut());
            if !origin.is_null() {
                // SAFETY: installed by `make` with this length, taken out of the table.
                drop(unsafe { Blanks::from_raw(start_of(origin, segment), segment_len(segment)) });
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
        let segment = segment_of(index);
        let mut fresh = Blanks::<T>::new(segment_len(segment));
        if origin_of(fresh.start.as_ptr(), segment).is_null() {
            // The one address that says that there is none: another, while this one is taken.
            fresh = Blanks::new(segment_len(segment));
        }
        let origin = origin_of(fresh.into_raw(), segment);
        // Release: publishes the blank items; Acquire on failure: the winner's.
        let installed = self.origins[segment].compare_exchange(
            ptr::null_mut(),
            origin,
            Ordering::Release,
            Ordering::Acquire,
        );
        if installed.is_err() {
            // SAFETY: ours still, made above with this length.
            drop(unsafe { Blanks::from_raw(start_of(origin, segment), segment_len(segment)) });
        }
        self.get(index).expect("a segment was just installed")
    }

    /// Makes the segments of all indices below `len`.
    pub(crate) fn reserve(&self, len: u32) {
        let starts = (0..SEGMENTS).map(segment_start);
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
        let items = Segments::<AtomicU64>::new();
        for index in 0..100_000 {
            let segment = segment_of(index);
            let offset = index - segment_start(segment);
            assert!((offset as usize) < segment_len(segment));
            items.get_or_make(index).store(u64::from(index), Ordering::Relaxed);
        }
        for index in 0..100_000 {
            assert_eq!(items.get(index).unwrap().load(Ordering::Relaxed), u64::from(index));
        }
        assert_eq!(segment_of(MAX_ITEMS - 1), SEGMENTS - 1);
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
