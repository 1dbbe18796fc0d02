//! An array of lines, and how it moves into one of twice the size without stopping anyone (F).
//!
//! Line *b* splits into lines *2b* and *2b+1* of the next array, by the next bit of the tags that the
//! entries carry: growth calls no user's `Hash` and touches no record. A writer that meets an array
//! with a successor first splits the line it needs and a few more, so the move ends long before the
//! successor is full; a reader of a line not yet split reads the old one. A thread that stops in the
//! middle of a split has written nothing that the next helper would not write, so it is not waited for.
//!
//! Arrays grow when one line in eight has overflowed, which happens at about four entries a line. The
//! measure needs no counter on the way of a put, and many keys of one hash do not fool it into growing
//! for ever.

use core::ptr::NonNull;

use crate::blanks::Blanks;
use crate::bucket::Line;
use crate::entry::{Entry, TAG_BITS, Tag};
use crate::reclaim::{Header, Pin};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// Lines that a writer splits besides the one it needs.
const SHARE: usize = 4;

/// One line in this many has overflowed: time to grow.
const OVERFLOWING: usize = 8;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Array {
    header: Header,
    bits: u32,
    lines: Blanks<Line>,
    /// The array of twice the size that this one moves into; set once.
    next: AtomicPtr<Array>,
    /// Where the next helper looks for lines to split; runs round and round until all have moved.
    cursor: AtomicUsize,
    moved: AtomicUsize,
    overflowing: AtomicUsize,
}

impl Array {
    pub(crate) fn empty(bits: u32) -> Box<Self> {
        let array = Self::unmade(bits);
        for line in array.lines.iter() {
            line.make_empty(bits);
        }
        array
    }

    fn unmade(bits: u32) -> Box<Self> {
        Box::new(Self {
            header: Header::new(Self::dispose),
            bits,
            lines: Blanks::new(1 << bits),
            next: AtomicPtr::new(core::ptr::null_mut()),
            cursor: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
            overflowing: AtomicUsize::new(0),
        })
    }

    #[inline(always)]
    pub(crate) fn line(&self, tag: Tag) -> &Line {
        let index = tag.first(self.bits);
        debug_assert!(index < self.lines.len());
        // SAFETY: the index is `bits` bits, and there are `1 << bits` lines.
        unsafe { self.lines.get_unchecked(index) }
    }

    /// How many of the last bits of a tag do not matter for which line it is in.
    pub(crate) fn shift(&self) -> u32 {
        u32::BITS - self.bits
    }

    /// The first line.
    pub(crate) fn start(&self) -> *mut Line {
        self.lines.start()
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + Blanks::<Line>::bytes(self.lines.len())
    }

    pub(crate) fn lines_mut(&mut self) -> &mut [Line] {
        self.lines.as_mut_slice()
    }

    /// The array that this one moves into, if it has begun to.
    #[inline(always)]
    pub(crate) fn next<'p>(&'p self, _pin: &'p Pin<'_>) -> Option<&'p Self> {
        // Acquire: pairs with the Release in `begin`.
        // SAFETY: an array is retired after its predecessor was, and after `current` went past it; a
        // pin under which the predecessor was reached keeps both.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn next_pointer(&self) -> *mut Self {
        self.next.load(Ordering::Acquire)
    }

    /// A chain of this array got its block.
    pub(crate) fn count_spilled(&self) {
        // Relaxed, here and below: a measure, not a fact. Signed: a block that another has emptied by now may
        // be counted out before it is counted in.
        let overflowing = self.overflowing.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if overflowing as isize > (self.lines.len() / OVERFLOWING) as isize {
            self.begin();
        }
    }

    /// A chain of this array lost its block.
    pub(crate) fn count_drained(&self) {
        self.overflowing.fetch_sub(1, Ordering::Relaxed);
    }

    fn begin(&self) {
        // Relaxed: the exchange below decides.
        if self.bits == TAG_BITS || !self.next.load(Ordering::Relaxed).is_null() {
            return;
        }
        let fresh = Box::into_raw(Self::unmade(self.bits + 1));
        let none = core::ptr::null_mut();
        // Release: publishes the blank lines to the Acquire in `next`. Relaxed on failure: not used.
        let begun = self.next.compare_exchange(none, fresh, Ordering::Release, Ordering::Relaxed);
        if begun.is_err() {
            // SAFETY: ours still, from `Box::into_raw` above.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }

    /// Splits the line that `tag` is in, and this writer's share of the others, into `next`.
    pub(crate) fn help(&self, next: &Self, tag: Tag, pin: &Pin<'_>) {
        self.split(tag.first(self.bits), next, pin);
        if !self.is_moved() {
            // Relaxed: work is handed out; who does what twice or not at all does not matter, as the
            // cursor comes round again.
            let from = self.cursor.fetch_add(SHARE, Ordering::Relaxed);
            for at in from..from + SHARE {
                self.split(at % self.lines.len(), next, pin);
            }
        }
    }

    fn split(&self, index: usize, next: &Self, pin: &Pin<'_>) {
        let line = &self.lines[index];
        if line.control().read().is_moved() {
            return;
        }
        let is_odd = |entry: &Entry| entry.tag().first(next.bits) % 2 == 1;
        let (odd, even): (Vec<Entry>, Vec<Entry>) = line.freeze(pin).into_iter().partition(is_odd);
        for (child, share) in [(2 * index, even), (2 * index + 1, odd)] {
            if next.lines[child].make(next.bits, &share) {
                // No growth from here: the next spill on the way of a put sees the count. Relaxed: see there.
                next.overflowing.fetch_add(1, Ordering::Relaxed);
            }
        }
        if line.control().set_moved() {
            // AcqRel: whoever counts the last line is ordered after all the splits.
            self.moved.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether every line has moved, so that nobody needs this array to find the next.
    pub(crate) fn is_moved(&self) -> bool {
        // Acquire: pairs with the AcqRel in `split`.
        self.moved.load(Ordering::Acquire) == self.lines.len()
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of an array from `Box`, disposed of once.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }

    pub(crate) fn header(array: NonNull<Self>) -> NonNull<Header> {
        array.cast()
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        for line in self.lines.as_mut_slice() {
            line.dismantle();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_block_may_be_gone_before_it_is_counted() {
        let array = Array::empty(0);
        array.count_drained();
        array.count_spilled();
        assert!(array.next_pointer().is_null(), "none has overflowed");
        array.count_spilled();
        let next = array.next_pointer();
        assert!(!next.is_null());
        // SAFETY: from `Box::into_raw` in `begin`, and nobody else knows of it.
        drop(unsafe { Box::from_raw(next) });
    }
}
