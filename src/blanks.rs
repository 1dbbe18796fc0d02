//! Arrays of values that come to be as zeroed memory, and are not touched before they are used.

use core::alloc::Layout;
use core::mem;
use core::ops::Range;
#[cfg(loom)]
use core::ptr;
use core::ptr::NonNull;

use crate::pages;

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

const HEADER: usize = mem::size_of::<*mut u8>();

impl<T: Blank> Blanks<T> {
    pub(crate) fn new(len: usize) -> Self {
        let start = if Self::is_mapped(len) { Self::map(len) } else { Self::allocate(len) };
        if cfg!(loom) {
            for at in 0..len {
                // SAFETY: `at < len`, inside the fresh allocation.
                unsafe { start.add(at).write(T::blank()) };
            }
        }
        Self { start, len }
    }

    fn map(len: usize) -> NonNull<T> {
        let layout = Self::layout(len);
        let start = pages::map(Self::bytes(len));
        start.unwrap_or_else(|| std::alloc::handle_alloc_error(layout)).cast()
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

    /// Whether so many have a mapping of their own.
    const fn is_mapped(len: usize) -> bool {
        pages::IS_HERE && Self::ALIGN <= pages::ALIGN && Self::bytes(len) >= pages::LEAST
    }

    pub(crate) fn start(&self) -> *mut T {
        self.start.as_ptr()
    }

    /// Gives the memory up for `from_raw`.
    pub(crate) fn into_raw(self) -> *mut T {
        let start = self.start.as_ptr();
        mem::forget(self);
        start
    }

    /// # Safety
    ///
    /// `start` is what `into_raw` returned for the same `len`, not taken back before.
    pub(crate) unsafe fn from_raw(start: *mut T, len: usize) -> Self {
        // SAFETY: not null, as an allocation.
        Self { start: unsafe { NonNull::new_unchecked(start) }, len }
    }

    /// The pages that hold nothing but these items of `len` from `start` on: where, and how many bytes.
    /// None, if the memory is the allocator's.
    pub(crate) fn pages_of(start: *mut T, len: usize, items: Range<usize>) -> (NonNull<u8>, usize) {
        debug_assert!(items.start <= items.end && items.end <= len);
        let (size, item) = (pages::size(), mem::size_of::<T>());
        let from = (items.start * item).next_multiple_of(size);
        // The mapping ends at a page, and so do the items at its end.
        let to = if items.end == len {
            Self::bytes(len).next_multiple_of(size)
        } else {
            items.end * item
        };
        let to = to - to % size;
        let bytes = if Self::is_mapped(len) { to.saturating_sub(from) } else { 0 };
        let place = start.cast::<u8>().wrapping_add(from);
        (NonNull::new(place).unwrap_or(NonNull::dangling()), bytes)
    }

    /// Gives back the pages that hold nothing but these items of `len` from `start` on: they are blank then, or
    /// as they were.
    ///
    /// # Safety
    ///
    /// They are of one `Blanks`. Nobody uses the items, or they are atomics that nobody writes to.
    pub(crate) unsafe fn discard(start: *mut T, len: usize, items: Range<usize>) {
        let (place, bytes) = Self::pages_of(start, len, items);
        if bytes > 0 {
            // SAFETY: pages of the mapping that hold nothing but the items, and the caller's promise.
            unsafe { pages::discard(place, bytes) };
        }
    }
}

impl<T> core::ops::Deref for Blanks<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `new` made `len` valid values (`Blank`) at `start`, aligned for `T`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Blanks<T> {
    fn drop(&mut self) {
        #[cfg(loom)]
        for at in 0..self.len {
            let item = self.start.as_ptr().wrapping_add(at);
            // SAFETY: loom's atomics are boxes and cells of its own; each was written by `new`. What is written over
            // them is for whoever still looks at them to trip over.
            unsafe {
                ptr::drop_in_place(item);
                ptr::write_bytes(item, 0xa5, 1);
            }
        }
        if Self::is_mapped(self.len) {
            // SAFETY: `map` made it, for the same length.
            return unsafe { pages::unmap(self.start.cast(), Self::bytes(self.len)) };
        }
        // SAFETY: `allocate` left the allocation's own address in the word before the items and used
        // the same layout.
        unsafe {
            let raw = self.start.cast::<*mut u8>().sub(1).read();
            std::alloc::dealloc(raw, Self::layout(self.len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicU64, Ordering};

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
        for len in [1, 9, 1_000, 10_000] {
            let wide = Blanks::<Wide>::new(len);
            assert_eq!(wide.as_ptr() as usize % 256, 0);
            assert!(wide.iter().all(|item| item.0 == 0));
        }
    }

    #[test]
    fn pages_lie_within_their_items() {
        let len = 100_000;
        let blanks = Blanks::<AtomicU64>::new(len);
        let each = pages::size() / 8;
        if !Blanks::<AtomicU64>::is_mapped(len) {
            return assert_eq!(Blanks::pages_of(blanks.start(), len, 0..len).1, 0);
        }
        for (items, pages) in [
            (0..0, 0),
            (0..each - 1, 0),
            (0..each, 1),
            (1..each + 1, 0),
            (1..2 * each, 1),
            (7 * each..10 * each + 3, 3),
            (0..len, len.div_ceil(each)),
            (len - 1..len, 0),
        ] {
            let (start, bytes) = Blanks::pages_of(blanks.start(), len, items.clone());
            assert_eq!(bytes, pages * pages::size(), "{items:?}");
            let first = blanks.start().wrapping_add(items.start).cast::<u8>();
            assert!(bytes == 0 || start.as_ptr() >= first, "{items:?}");
        }
    }

    #[test]
    fn discarded_pages_are_blank() {
        let len = 10 * pages::LEAST;
        let blanks = Blanks::<AtomicU64>::new(len);
        for item in &*blanks {
            // Relaxed, here and below: one thread.
            item.store(7, Ordering::Relaxed);
        }
        let (start, bytes) = Blanks::pages_of(blanks.start(), len, 5..len - 5);
        // SAFETY: pages of the mapping above, which nobody uses.
        unsafe { pages::discard(start, bytes) };
        let sum: u64 = blanks.iter().map(|item| item.load(Ordering::Relaxed)).sum();
        assert_eq!(sum, 7 * (len - bytes / 8) as u64);
    }
}
