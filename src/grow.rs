//! A shard's lines of one level, and how they move into the next without stopping anyone (F).
//!
//! Line *b* splits into lines *2b* and *2b+1* of the next level, by the next bit of the tags that the
//! entries carry: growth calls no user's `Hash` and touches no record. A writer that meets a level with a
//! successor first splits the line it needs, and then a few more of a shard that is behind, so the move ends
//! long before the successor is full; a reader of a line not yet split reads the old one. A thread that stops
//! in the middle of a split has written nothing that the next helper would not write, so it is not waited for.
//!
//! Only lines that are made are split: an empty one would be frozen as it is, and what is moved there lost. A
//! line is made when its parent is split, so all lines of a shard's `current` array are, and behind that
//! the line of a hash whose parents were split on the way.
//!
//! A level has a successor when one line in eight has overflowed, which happens at four to six entries a
//! line. The measure needs no counter on the way of a put, and many keys of one hash do not fool it into
//! growing for ever.

use core::ops::Range;
use core::ptr::{self, NonNull};

use crate::bucket::Chain;
use crate::entry::{Entry, Tag};
use crate::level::Level;
use crate::reclaim::{Header, Pin};
use crate::spot::Spot;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, Witness};

/// Lines that a writer splits besides the one it needs.
const SHARE: usize = 4;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Array {
    header: Header,
    witness: Witness,
    /// Where the lines are, `len` of them from `from` on. Kept by this array's share.
    level: NonNull<Level>,
    from: usize,
    len: usize,
    /// The array of twice the size that this one moves into; set once.
    next: AtomicPtr<Array>,
    /// Where the next helper looks for lines to split; runs round and round until all have moved.
    cursor: AtomicUsize,
    moved: AtomicUsize,
}

// SAFETY: the level is shared by reference, and freed by its last owner, on any thread.
unsafe impl Send for Array {}
// SAFETY: as above.
unsafe impl Sync for Array {}

impl Array {
    /// The lines of one of `shards` in a level.
    ///
    /// # Safety
    ///
    /// The level is from `Box::into_raw`, and an owner keeps it meanwhile.
    pub(crate) unsafe fn of(level: NonNull<Level>, shard: usize, shards: usize) -> Box<Self> {
        // SAFETY: the caller's promise.
        let kept = unsafe { level.as_ref() };
        kept.share();
        let len = kept.len() / shards;
        Box::new(Self {
            header: Header::new(Self::dispose),
            witness: Witness::new(),
            level,
            from: shard * len,
            len,
            next: AtomicPtr::new(ptr::null_mut()),
            cursor: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
        })
    }

    #[inline(always)]
    pub(crate) fn level(&self) -> &Level {
        self.witness.read();
        // SAFETY: kept by this array's share, see `of` and `drop`.
        unsafe { self.level.as_ref() }
    }

    /// Where an entry of this tag has its home, and the chain.
    #[inline(always)]
    pub(crate) fn chain(&self, tag: Tag) -> (Chain<'_>, Spot) {
        let spot = self.level().spot(tag);
        (self.level().chain(spot.line()), spot)
    }

    pub(crate) fn chains(&self) -> impl Iterator<Item = Chain<'_>> {
        (self.from..self.from + self.len).map(|at| self.level().chain(at))
    }

    /// The array that this one moves into, if it has begun to.
    #[inline(always)]
    pub(crate) fn next<'p>(&'p self, _pin: &'p Pin<'_>) -> Option<&'p Self> {
        // SAFETY: an array is retired after `current` went past it, and it goes past its predecessor first; so
        // a pin under which the predecessor was reached keeps both.
        unsafe { self.next_pointer().as_ref() }
    }

    #[inline(always)]
    pub(crate) fn next_pointer(&self) -> *mut Self {
        // Acquire: pairs with the Release in `successor`.
        self.next.load(Ordering::Acquire)
    }

    /// As [`next`](Self::next), begun here if the level has a successor.
    pub(crate) fn successor<'p>(&'p self, pin: &'p Pin<'_>) -> Option<&'p Self> {
        if let Some(next) = self.next(pin) {
            return Some(next);
        }
        let level = NonNull::new(self.level().next_pointer())?;
        let shards = self.level().len() / self.len;
        // SAFETY: from `begin`, and kept by the table, which leaves its levels in order: this one's successor
        // after this one, so after `current` went past this array, and the pin is older than that.
        let fresh = Box::into_raw(unsafe { Self::of(level, self.from / self.len, shards) });
        let none = ptr::null_mut();
        // Release: publishes the array to the Acquire in `next`. Relaxed on failure: not used.
        let begun = self.next.compare_exchange(none, fresh, Ordering::Release, Ordering::Relaxed);
        if begun.is_err() {
            // SAFETY: ours still, from `Box::into_raw` above.
            drop(unsafe { Box::from_raw(fresh) });
        }
        self.next(pin)
    }

    /// Splits the line that `tag` is in, which was made.
    pub(crate) fn split_line_of(&self, tag: Tag, next: &Self, pin: &Pin<'_>) {
        self.split(self.level().spot(tag).line(), next, pin);
    }

    /// Splits a writer's share of the lines, which were all made.
    pub(crate) fn split_some(&self, next: &Self, pin: &Pin<'_>) {
        if !self.is_moved() {
            self.split_share(self.take_share(), next, pin);
        }
    }

    pub(crate) fn take_share(&self) -> Range<usize> {
        let share = SHARE.min(self.len);
        // Relaxed: work is handed out; who does what twice or not at all does not matter, as the cursor
        // comes round again.
        let from = self.cursor.fetch_add(share, Ordering::Relaxed);
        from..from + share
    }

    pub(crate) fn split_share(&self, share: Range<usize>, next: &Self, pin: &Pin<'_>) {
        let has_come_round = share.start >= self.len;
        for at in share {
            self.split(self.from + at % self.len, next, pin);
        }
        // Every line has had a turn, and still not all are counted: whoever moved one may have stopped before
        // it counted that (F).
        if has_come_round && self.chains().all(|chain| chain.control().read().is_moved()) {
            // Release: as in `split`; the control words were read with Acquire.
            self.moved.fetch_max(self.len, Ordering::Release);
        }
    }

    fn split(&self, index: usize, next: &Self, pin: &Pin<'_>) {
        let chain = self.level().chain(index);
        if chain.control().read().is_moved() {
            return;
        }
        let level = next.level();
        let is_odd = |entry: &Entry| level.spot(entry.tag()).line() % 2 == 1;
        let (odd, even): (Vec<Entry>, Vec<Entry>) = chain.freeze(pin).into_iter().partition(is_odd);
        for (child, share) in [(2 * index, even), (2 * index + 1, odd)] {
            if level.chain(child).make(level.shift(), &share) {
                level.count_split();
            }
        }
        if chain.control().set_moved() {
            // Release: whoever finds all lines counted (Acquire in `is_moved`) is ordered after all the splits.
            self.moved.fetch_add(1, Ordering::Release);
        }
    }

    #[cfg(test)]
    pub(crate) fn uncount(&self) {
        self.moved.fetch_sub(1, Ordering::Release);
    }

    /// Whether every line has moved, so that nobody needs this array to find the next.
    pub(crate) fn is_moved(&self) -> bool {
        // Acquire: pairs with the Release in `split` and `split_share`. More, if one was counted after all were
        // found moved.
        self.moved.load(Ordering::Acquire) >= self.len
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of an array from `Box`, disposed of once.
        let array = unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) };
        // SAFETY: retired when every line had moved, and the grace period is over.
        unsafe { array.dismantle() };
    }

    /// # Safety
    ///
    /// As for [`Level::dismantle`].
    pub(crate) unsafe fn dismantle(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.level().dismantle(self.from, self.len) };
    }

    pub(crate) fn header(array: NonNull<Self>) -> NonNull<Header> {
        array.cast()
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        // SAFETY: the share that `of` took.
        unsafe { Level::release(self.level) };
    }
}
