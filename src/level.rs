//! The lines of a table at one of its sizes, and their sides: an allocation each, a slice for each shard.
//!
//! A table grows from level to level, each twice the size of the one before. The lines of all shards lie
//! side by side, in the order of their hashes, so that a lookup finds its line without asking a shard:
//! by one shift of the hash, if its chain has not moved yet. Each shard moves through its slice by
//! itself (`grow`); a level goes when the last shard has left it.

use core::ptr::{self, NonNull};

use crossbeam_utils::CachePadded;

use crate::blanks::Blanks;
use crate::bucket::{Chain, Line, Side};
use crate::entry::{LINE_BITS, Tag};
use crate::reclaim::{Header, Pin};
use crate::spot::Spot;
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, Witness};

/// Entries in two lines, if there are as many as were asked for: at least half as many. So four of five are at
/// home, or more, and lookups seldom look elsewhere.
const IN_TWO_LINES: usize = if cfg!(loom) { 6 } else { 7 };

/// One line in this many has overflowed: time to grow.
const OVERFLOWING: usize = 8;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Level {
    header: Header,
    witness: Witness,
    shift: u32,
    lines: Blanks<Line>,
    sides: Blanks<Side>,
    /// The level of twice the size; set once, when this one has become too small.
    next: AtomicPtr<Level>,
    /// Lines with a block, in all shards. Apart from what every writer reads.
    overflowing: CachePadded<AtomicUsize>,
    /// Shards that have left, about.
    left: AtomicUsize,
    /// The table, and every array in this level that is not disposed of.
    owners: AtomicUsize,
}

impl Level {
    /// Lines yet to be made, `1 << bits` of them. The caller is the owner.
    fn unmade(bits: u32) -> Box<Self> {
        Box::new(Self {
            header: Header::new(Self::dispose),
            witness: Witness::new(),
            shift: Spot::shift(bits),
            lines: Blanks::new(1 << bits),
            sides: Blanks::new(1 << bits),
            next: AtomicPtr::new(ptr::null_mut()),
            overflowing: CachePadded::new(AtomicUsize::new(0)),
            left: AtomicUsize::new(0),
            owners: AtomicUsize::new(1),
        })
    }

    /// Empty lines, room for about `entries` and at least one for each of `shards`.
    pub(crate) fn for_entries(entries: usize, shards: usize) -> Box<Self> {
        let lines = (2 * entries / IN_TWO_LINES).next_power_of_two().max(shards);
        let level = Self::unmade(lines.ilog2().min(LINE_BITS));
        for at in 0..level.len() {
            level.chain(at).make_empty();
        }
        level
    }

    /// As in [`Spot::shift`].
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// The number of lines.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        let len = self.len();
        size_of::<Self>() + Blanks::<Line>::bytes(len) + Blanks::<Side>::bytes(len)
    }

    #[inline(always)]
    pub(crate) fn spot(&self, tag: Tag) -> Spot {
        self.witness.read();
        Spot::of(tag, self.shift)
    }

    #[inline(always)]
    pub(crate) fn chain(&self, at: usize) -> Chain<'_> {
        Chain { line: &self.lines[at], side: &self.sides[at] }
    }

    /// The home of a tag, and the place beside it.
    #[inline(always)]
    pub(crate) fn homes(&self, tag: Tag) -> [&AtomicU64; 2] {
        let spot = self.spot(tag);
        debug_assert!(spot.line() < self.len());
        [spot, spot.beside()].map(|spot| {
            if cfg!(loom) {
                // Whose atomics do not fill a line.
                return &self.chain(spot.line()).line.places[spot.home()];
            }
            // SAFETY: by the `shift` that goes with their number (`unmade`), a tag has as many bits left as the
            // places of all lines have numbers, and lines are nothing but places (`Spot::index`).
            unsafe { &*self.lines.start().cast::<AtomicU64>().add(spot.index()) }
        })
    }

    /// The next level, if this one has become too small.
    #[inline(always)]
    pub(crate) fn next<'p>(&'p self, _pin: &'p Pin<'_>) -> Option<&'p Self> {
        // SAFETY: a level is retired after `Table::level` went past it, and it goes past its predecessor first;
        // so a pin that keeps one keeps the next.
        unsafe { self.next_pointer().as_ref() }
    }

    #[inline(always)]
    pub(crate) fn next_pointer(&self) -> *mut Self {
        // Acquire: pairs with the Release in `begin`.
        self.next.load(Ordering::Acquire)
    }

    /// A chain got its block on the way of a put: grows the table if it was one too many.
    pub(crate) fn count_spilled(&self) {
        // Relaxed, here and below: a measure, not a fact. Signed: a block that another has emptied by now may
        // be counted out before it is counted in.
        let overflowing = self.overflowing.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if overflowing as isize > (self.len() / OVERFLOWING) as isize {
            self.begin();
        }
    }

    /// A chain got its block from a split. No growth from here: the next spill sees the count.
    pub(crate) fn count_split(&self) {
        self.overflowing.fetch_add(1, Ordering::Relaxed);
    }

    /// A chain lost its block.
    pub(crate) fn count_drained(&self) {
        self.overflowing.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard has left, as one of those that saw to it finds.
    pub(crate) fn count_left(&self) {
        // Relaxed: where to look first, no more.
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) -> usize {
        // Relaxed: as above.
        self.left.load(Ordering::Relaxed)
    }

    fn begin(&self) {
        let bits = self.len().ilog2();
        // Relaxed: the exchange below decides.
        if bits == LINE_BITS || !self.next.load(Ordering::Relaxed).is_null() {
            return;
        }
        let fresh = Box::into_raw(Self::unmade(bits + 1));
        let none = ptr::null_mut();
        // Release: publishes the blank lines to the Acquire in `next`. Relaxed on failure: not used.
        let begun = self.next.compare_exchange(none, fresh, Ordering::Release, Ordering::Relaxed);
        if begun.is_err() {
            // SAFETY: ours still, from `Box::into_raw` above.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }

    /// One more owner, of a level that has one.
    pub(crate) fn share(&self) {
        // Relaxed: the caller got here by way of another owner, who stays meanwhile.
        self.owners.fetch_add(1, Ordering::Relaxed);
    }

    /// One owner less; the last one frees the lines.
    ///
    /// # Safety
    ///
    /// `level` came from `Box::into_raw`, and the caller's share is given up by this.
    pub(crate) unsafe fn release(level: NonNull<Self>) {
        // SAFETY: the caller's share keeps it up to here.
        // AcqRel: what each owner did to the lines comes before they are freed.
        if unsafe { level.as_ref() }.owners.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: the last owner; from `Box::into_raw`.
            drop(unsafe { Box::from_raw(level.as_ptr()) });
        }
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`); the table's share was retired with it.
        unsafe { Self::release(header.cast()) };
    }

    pub(crate) fn header(level: NonNull<Self>) -> NonNull<Header> {
        level.cast()
    }

    /// Frees the blocks of lines that are out of use.
    ///
    /// # Safety
    ///
    /// All lines in `from..from + len` have moved and their grace period is over, or nobody uses the table.
    /// Done once.
    pub(crate) unsafe fn dismantle(&self, from: usize, len: usize) {
        let chains = from..from + len;
        for at in chains.clone() {
            // SAFETY: the caller's promise.
            unsafe { self.chain(at).dismantle() };
        }
        // So that the last shard to leave does not pay for all. A lookup that still comes here by way of the table
        // reads a place or a control word as it was, or zeros, which are of no line that is made.
        // SAFETY: nothing but these lines, and these sides, which are atomics; and nobody writes to them any more.
        unsafe {
            Blanks::discard(self.lines.start(), self.len(), chains.clone());
            Blanks::discard(self.sides.start(), self.len(), chains);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_was_asked_for() {
        for (entries, shards, lines) in
            [(0, 1, 1), (0, 16, 16), (7, 1, 2), (8, 1, 2), (1_000, 1, 512), (1_000, 1_024, 1_024)]
        {
            let level = Level::for_entries(entries, shards);
            assert_eq!(level.len(), lines, "for {entries} entries, {shards} shards");
            let lines = lines * (size_of::<Line>() + size_of::<Side>());
            let more = level.bytes() - size_of::<Level>() - lines;
            // Whole pages, if it is mappings.
            assert!(
                more == 0 || lines > crate::pages::LEAST && more < 2 * crate::pages::ALIGN,
                "{more}"
            );
        }
    }

    #[test]
    fn a_block_may_be_gone_before_it_is_counted() {
        let level = Level::for_entries(0, 1);
        level.count_drained();
        level.count_spilled();
        assert!(level.next_pointer().is_null(), "none has overflowed");
        level.count_spilled();
        let next = NonNull::new(level.next_pointer()).expect("one has");
        // SAFETY: from `Box::into_raw` in `begin`, and nobody else knows of it.
        unsafe { Level::release(next) };
    }
}
