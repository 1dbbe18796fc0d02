//! The reclaimer that ships: piles by thread, batches in a queue, pins by the clock of `pins`.
//!
//! Each thread number has a pile. A full one is closed into a batch, which gets its stamp and goes to
//! the end of the queue; now and then a writer moves the horizon up; and every writer disposes of a few
//! batches at the front, as far as the horizon goes. Garbage in a pile or in the queue is the
//! registry's: any thread can close and dispose of what another retired before it fell asleep (G).

use core::marker::PhantomData;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use super::disposing;
use super::pile::{Garbage, PILE, Pile, outstanding};
use super::pins::{Held, Pins};
use super::queue::Queue;
use super::{Header, Panics, Slab, Tally};
use crate::blanks::Blank;
use crate::segments::Segments;
use crate::sync::{AtomicU32, AtomicU64, Ordering, ThreadNumber};

/// Batches closed from one move of the horizon to the next: it interrupts every running thread.
#[cfg(not(loom))]
const INTERVAL: u64 = 8;
#[cfg(loom)]
const INTERVAL: u64 = 1;

/// Batches that a writer disposes of at most.
const STEADY: usize = 4;

/// Rounds of a flush without progress before it says that a guard is in the way. Each yields, so that
/// a lookup that was preempted while pinned can finish.
#[cfg(not(loom))]
const PATIENCE: usize = 32;
#[cfg(loom)]
const PATIENCE: usize = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    pins: Pins,
    /// By thread number.
    locals: Segments<CachePadded<Local>>,
    /// One more than the largest thread number with a pile.
    numbers: AtomicU32,
    queue: Queue,
    /// When the horizon was moved up last, by whoever set it.
    moved: AtomicU64,
    /// 1 while there may be ripe batches.
    backlog: CachePadded<AtomicU32>,
}

/// What one thread number has in this registry.
#[derive(Debug)]
struct Local {
    pile: Pile,
    /// 1 once there is a batch that its thread has closed and not tidied up after.
    closed: AtomicU32,
}

// SAFETY: atomics of 0 and null (`Pile` is one of those).
unsafe impl Blank for CachePadded<Local> {
    fn blank() -> Self {
        CachePadded::new(Local { pile: Pile::new(), closed: AtomicU32::new(0) })
    }
}

// SAFETY: headers are sent as the values in them may be, which the registry's own `Send` and `Sync`
// bounds see to; everything else is an atomic.
unsafe impl Send for Reclaimer {}
// SAFETY: as above.
unsafe impl Sync for Reclaimer {}

/// Whoever holds it can reach what was not retired before it was taken.
pub(crate) struct Pin<'r> {
    // Dropped first: the number is given back after the pin is.
    held: Held<'r>,
    number: ThreadNumber,
    reclaimer: &'r Reclaimer,
    /// Neither sent nor shared: the record is found and given back by the thread that has the number.
    stays: PhantomData<*const ()>,
}

impl Reclaimer {
    pub(crate) fn new() -> Self {
        Self::with_pins(Pins::new())
    }

    fn with_pins(pins: Pins) -> Self {
        let locals = Segments::new();
        // The first threads' at once, as in `pins`.
        locals.get_or_make(0);
        Self {
            pins,
            locals,
            numbers: AtomicU32::new(0),
            queue: Queue::new(),
            moved: AtomicU64::new(0),
            backlog: CachePadded::new(AtomicU32::new(0)),
        }
    }

    #[inline(always)]
    pub(crate) fn pin(&self) -> Pin<'_> {
        let number = ThreadNumber::current();
        Pin { held: self.pins.pin(number.value()), number, reclaimer: self, stays: PhantomData }
    }

    /// What the thread that has `number` has here.
    fn local(&self, number: &ThreadNumber) -> &Local {
        // Relaxed: raised by this thread, or by a former owner of its number, which is ordered before, or
        // by one with a larger number.
        if self.numbers.load(Ordering::Relaxed) <= number.value() {
            // Relaxed: what is behind a number is published by its segment, and by its pile.
            self.numbers.fetch_max(number.value() + 1, Ordering::Relaxed);
        }
        self.locals.get_or_make(number.value())
    }

    fn piles(&self) -> impl Iterator<Item = &Pile> + Clone {
        // Relaxed: see `local`. A pile that is not made yet has nothing on it, and of calls that had returned all are seen.
        let numbers = self.numbers.load(Ordering::Relaxed);
        (0..numbers).filter_map(|number| self.locals.get(number).map(|local| &local.pile))
    }

    /// What is retired and not disposed of.
    pub(crate) fn outstanding(&self) -> usize {
        outstanding(self.piles())
    }

    /// Bytes of its own.
    pub(crate) fn bytes(&self) -> usize {
        self.pins.bytes() + self.locals.bytes() + self.queue.bytes()
    }

    /// Closes what was taken off a pile into a batch.
    fn close(&self, garbage: Garbage) {
        if !garbage.is_empty() {
            // The stamp comes after the pile was taken, and so after all that is in it was unlinked.
            let stamp = self.pins.stamp();
            self.queue.push(garbage, stamp);
        }
    }

    /// Whether it is this thread's turn to move the horizon up: enough was closed since the last time.
    fn is_due(&self) -> bool {
        let now = self.pins.now();
        // Relaxed, here and in the exchange: it chooses who does it, no more.
        let moved = self.moved.load(Ordering::Relaxed);
        now.saturating_sub(moved) >= INTERVAL
            && self.moved.compare_exchange(moved, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Disposes of up to `most` ripe batches. User code runs, so the caller holds no pin that matters.
    /// `None`: this is user code, from a `Drop`, that leaves the rest to the call it interrupted.
    fn dispose_ripe<S: Slab>(
        &self,
        local: &Local,
        slab: &S,
        most: usize,
        panics: &mut Panics,
    ) -> Option<Disposed> {
        disposing::once(self, || {
            let mut done = Disposed { items: 0, batches: 0 };
            while done.batches < most
                && let Some(garbage) = self.queue.pop(self.pins.horizon())
            {
                // SAFETY: stamped before the horizon, hence out of reach of every guard, and popped once.
                done.items += unsafe { garbage.dispose(slab, panics) };
                done.batches += 1;
            }
            local.pile.count_disposed(done.items);
            done
        })
    }

    /// Disposes of some of what is ripe: a writer's share of the work.
    pub(crate) fn tidy<S: Slab>(&self, slab: &S) -> Panics {
        let mut panics = Panics::default();
        let number = ThreadNumber::current();
        let local = self.local(&number);
        // Relaxed, twice: this thread's own.
        let has_closed = local.closed.load(Ordering::Relaxed) == 1;
        if has_closed {
            local.closed.store(0, Ordering::Relaxed);
        }
        if has_closed && self.is_due() || self.pins.take_unblocked() {
            self.pins.advance();
            // Relaxed: as below.
            self.backlog.store(1, Ordering::Relaxed);
        }
        // Relaxed, three times: a hint. Taken back before the look at the queue, so that what another
        // ripens after it is another's to look for.
        if self.backlog.load(Ordering::Relaxed) == 1 {
            self.backlog.store(0, Ordering::Relaxed);
            let done = self.dispose_ripe(local, slab, STEADY, &mut panics);
            if done.is_none_or(|done| done.batches == STEADY) {
                self.backlog.store(1, Ordering::Relaxed);
            }
        }
        panics
    }

    /// Disposes of all that was retired by calls that had returned, unless a guard is in the way.
    pub(crate) fn flush<S: Slab>(&self, slab: &S) -> (Tally, Panics) {
        let number = ThreadNumber::current();
        let local = self.local(&number);
        for pile in self.piles() {
            self.close(pile.take());
        }
        let mark = self.queue.mark();
        let mut panics = Panics::default();
        let mut disposed = 0;
        let mut idle_rounds = 0;
        loop {
            let before = self.queue.left(mark);
            if before == 0 || idle_rounds == PATIENCE {
                break;
            }
            self.pins.advance();
            // At most what there was: others may go on for ever.
            let Some(done) = self.dispose_ripe(local, slab, before, &mut panics) else {
                break;
            };
            disposed += done.items;
            if self.queue.left(mark) < before {
                idle_rounds = 0;
            } else {
                idle_rounds += 1;
                crate::sync::yield_now();
            }
        }
        (Tally { disposed, left: self.outstanding() }, panics)
    }

    /// Disposes of everything that is retired, whatever the pins.
    ///
    /// # Safety
    ///
    /// No guard can reach any of it any more.
    pub(crate) unsafe fn drain<S: Slab>(&self, slab: &S, panics: &mut Panics) {
        let number = ThreadNumber::current();
        let local = self.local(&number);
        let mut disposed = 0;
        for pile in self.piles() {
            // SAFETY: the caller's promise; taken off, hence by us alone.
            disposed += unsafe { pile.take().dispose(slab, panics) };
        }
        while let Some(garbage) = self.queue.pop(u64::MAX) {
            // SAFETY: the caller's promise; popped once.
            disposed += unsafe { garbage.dispose(slab, panics) };
        }
        local.pile.count_disposed(disposed);
    }
}

/// What one series of disposals came to.
struct Disposed {
    items: usize,
    batches: usize,
}

impl Pin<'_> {
    /// The number of this thread, for whatever is striped by thread.
    #[inline]
    pub(crate) fn thread(&self) -> u32 {
        self.number.value()
    }

    /// Drops the pin and takes it anew.
    pub(crate) fn repin(&mut self) {
        self.held.renew();
    }

    /// Retires a slot. Its link is the slab's to name and this pile's to use from now on.
    ///
    /// # Safety
    ///
    /// The slot is unlinked, so that only guards taken before can reach it, and is retired once.
    pub(crate) unsafe fn retire_slot(&self, slot: u32, link: &AtomicU32) {
        let local = self.reclaimer.local(&self.number);
        // SAFETY: the caller's promise, and the number is this thread's.
        if unsafe { local.pile.push_slot(slot, link) } {
            self.close(local);
        }
    }

    /// Retires an allocation. See [`Header`].
    ///
    /// # Safety
    ///
    /// As for a slot.
    pub(crate) unsafe fn retire(&self, header: NonNull<Header>) {
        let local = self.reclaimer.local(&self.number);
        // SAFETY: the caller's promise, and the number is this thread's.
        if unsafe { local.pile.push(header) } {
            self.close(local);
        }
    }

    #[cold]
    fn close(&self, local: &Local) {
        self.reclaimer.close(local.pile.take());
        // Relaxed: this thread's own.
        local.closed.store(1, Ordering::Relaxed);
    }
}

// The horizon is moved up once in `INTERVAL` batches of `PILE` items: what lingers without a guard.
const _: () = assert!(INTERVAL as usize * PILE <= 1 << 10);

#[cfg(all(test, not(loom)))]
mod tests;
