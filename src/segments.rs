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
    unsafe fn from_raw(start: NonNull<T>, len: usize) -> Self {
        Self { start, len }
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
    table: [AtomicPtr<T>; SEGMENTS],
    owns: PhantomData<T>,
}

/// Segment and offset of an index.
#[inline(always)]
const fn locate(index: u32) -> (usize, usize) {
    let shifted = index + FIRST;
    let segment = shifted.ilog2() - FIRST_BITS;
    (segment as usize, (shifted - (FIRST << segment)) as usize)
}

const fn segment_len(segment: usize) -> usize {
    (FIRST as usize) << segment
}

/// The first index of a segment.
pub(crate) const fn segment_start(segment: usize) -> u32 {
    (FIRST << segment) - FIRST
}

impl<T> Segments<T> {
    pub(crate) const fn new() -> Self {
        Self { table: [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS], owns: PhantomData }
    }

    /// The item at `index`, if its segment was made.
    #[inline(always)]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        if index >= MAX_ITEMS {
            return None;
        }
        let (segment, offset) = locate(index);
        // Acquire: pairs with the Release that installed the segment.
        let start = self.table[segment].load(Ordering::Acquire);
        if start.is_null() {
            return None;
        }
        // SAFETY: an installed segment has `segment_len` valid items (`Blanks`), `locate` keeps the
        // offset below that, and segments are freed through `&mut self` only.
        Some(unsafe { &*start.add(offset) })
    }

    /// Bytes of the segments that were made.
    pub(crate) fn bytes(&self) -> usize {
        let made = self.table.iter().enumerate();
        // Relaxed: a figure.
        made.filter(|(_, start)| !start.load(Ordering::Relaxed).is_null())
            .map(|(segment, _)| Blanks::<T>::bytes(segment_len(segment)))
            .sum()
    }

    /// Frees the segments that start at or above `index`.
    pub(crate) fn truncate(&mut self, index: u32) {
        for (segment, start) in self.table.iter_mut().enumerate() {
            if segment_start(segment) < index {
                continue;
            }
            if let Some(start) = NonNull::new(mem::replace(start.get_mut(), ptr::null_mut())) {
                // SAFETY: installed by `get_or_make` with this length, taken out of the table.
                drop(unsafe { Blanks::from_raw(start, segment_len(segment)) });
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
        let (segment, _) = locate(index);
        let fresh = Blanks::<T>::new(segment_len(segment)).into_raw();
        // Release: publishes the blank items; Acquire on failure: the winner's.
        let installed = self.table[segment].compare_exchange(
            ptr::null_mut(),
            fresh,
            Ordering::Release,
            Ordering::Acquire,
        );
        if installed.is_err() {
            // SAFETY: ours still, made above with this length.
            drop(unsafe { Blanks::from_raw(NonNull::new_unchecked(fresh), segment_len(segment)) });
        }
        self.get(index).expect("a segment was just installed")
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
        let mut next = (0, 0);
        for index in 0..100_000 {
            assert_eq!(locate(index), next);
            next.1 += 1;
            if next.1 == segment_len(next.0) {
                next = (next.0 + 1, 0);
            }
        }
        let (segment, offset) = locate(MAX_ITEMS - 1);
        assert!(segment < SEGMENTS && offset < segment_len(segment));
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
