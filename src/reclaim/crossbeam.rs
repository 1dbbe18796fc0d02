//! The other reclaimer that ships: epochs by `crossbeam-epoch`, with a collector per registry
//! (K. Fraser, "Practical lock-freedom", UCAM-CL-TR-579, 2004). Under the feature of that name.
//!
//! The collector decides when, this module keeps what. Its own bags are no place for garbage: a bag of
//! a parked thread is out of everyone's reach, and closures run inside lookups. So each thread number
//! has a pile here, as in `epoch`; a pile is closed into a batch, and the closure that goes into the
//! collector's bag, which is flushed at once, only pushes the batch's index on the ripe stack.
//!
//! Its pins take a full fence, nested ones share an epoch, and an epoch ends two advances after the
//! last retirement in it: so a guard keeps what was retired up to two epochs before it, too.

use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;

use crossbeam_epoch as crossbeam;
use crossbeam_utils::CachePadded;

use super::disposing;
use super::pile::{Pile, Place, outstanding};
use super::{Header, Panics, Slab, Tally};
use crate::blanks::Blank;
use crate::segments::Segments;
use crate::stack::IndexStack;
use crate::sync::{AtomicU32, Ordering, ThreadNumber, UnsafeCell, yield_now};

/// Batches that a writer disposes of after it closed one: more than one, so that it catches up.
const STEADY: usize = 4;

/// Rounds of a flush without progress before it says that a guard is in the way.
const PATIENCE: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    collector: ManuallyDrop<crossbeam::Collector>,
    /// By thread number.
    locals: Segments<CachePadded<Local>>,
    /// One more than the largest thread number seen.
    numbers: AtomicU32,
    batches: Segments<Batch>,
    /// Batches ever made.
    made: AtomicU32,
    idle: IndexStack,
    ripe: CachePadded<IndexStack>,
}

/// What one thread number has in this registry.
#[derive(Debug)]
struct Local {
    /// Initialized when `ready` is 1. Used by the thread that has the number now, alone.
    handle: UnsafeCell<MaybeUninit<crossbeam::LocalHandle>>,
    ready: AtomicU32,
    pile: Pile,
}

// SAFETY: a zeroed handle is uninitialized, the rest are atomics of 0 and null (`Pile`).
unsafe impl Blank for CachePadded<Local> {
    fn blank() -> Self {
        CachePadded::new(Local {
            handle: UnsafeCell::new(MaybeUninit::uninit()),
            ready: AtomicU32::new(0),
            pile: Pile::new(),
        })
    }
}

// SAFETY: `handle` is only touched by the thread that owns the number (`Reclaimer::pin`), numbers
// pass from thread to thread with a happens-before edge (`ThreadNumber`), and a `LocalHandle` refers
// to no thread-local state of its creator. Headers are sent as the values in them may be, which the
// registry's own `Send` and `Sync` bounds see to.
unsafe impl Send for Reclaimer {}
// SAFETY: as above.
unsafe impl Sync for Reclaimer {}

#[derive(Debug)]
struct Batch {
    link: AtomicU32,
    /// Odd from the closing until it is taken to be disposed of.
    serial: AtomicU32,
    garbage: Place,
}

// SAFETY: atomics of 0 and null.
unsafe impl Blank for Batch {
    fn blank() -> Self {
        Self { link: AtomicU32::new(0), serial: AtomicU32::new(0), garbage: Place::new() }
    }
}

/// Whoever holds it can reach what was not retired before it was taken.
pub(crate) struct Pin<'r> {
    // Dropped first: the number is given back after the epoch is left.
    guard: crossbeam::Guard,
    number: ThreadNumber,
    local: &'r Local,
    reclaimer: &'r Reclaimer,
}

impl Reclaimer {
    pub(crate) fn new() -> Self {
        let (locals, batches) = (Segments::new(), Segments::new());
        // The first ones at once: every registry needs them, and loom does not see segments being made.
        locals.get_or_make(0);
        batches.get_or_make(0);
        Self {
            collector: ManuallyDrop::new(crossbeam::Collector::new()),
            locals,
            numbers: AtomicU32::new(0),
            batches,
            made: AtomicU32::new(0),
            idle: IndexStack::new(),
            ripe: CachePadded::new(IndexStack::new()),
        }
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pin<'_> {
        let number = ThreadNumber::current();
        let local: &Local = self.locals.get_or_make(number.value());
        // Relaxed: set by this thread, or by a former owner of its number, which is ordered before.
        if local.ready.load(Ordering::Relaxed) == 0 {
            self.register(local, number.value());
        }
        // SAFETY: `ready` says that it is initialized; no one else touches it, see `Local`.
        let guard = local.handle.with(|handle| unsafe { (*handle).assume_init_ref() }.pin());
        Pin { guard, number, local, reclaimer: self }
    }

    #[cold]
    fn register(&self, local: &Local, number: u32) {
        let handle = self.collector.register();
        // SAFETY: only the owner of the number gets here, see `Local`, and once, see `ready`.
        local.handle.with_mut(|place| unsafe { (*place).write(handle) });
        // Relaxed: this thread's own.
        local.ready.store(1, Ordering::Relaxed);
        // Relaxed: what is behind a number is published by its segment, and by its pile.
        self.numbers.fetch_max(number + 1, Ordering::Relaxed);
    }

    fn locals_seen(&self) -> impl Iterator<Item = &Local> + Clone {
        // Relaxed: see `register`. Of calls that had returned, whatever they did is seen.
        let numbers = self.numbers.load(Ordering::Relaxed);
        (0..numbers).filter_map(|number| self.locals.get(number).map(|local| &**local))
    }

    /// What is retired and not disposed of.
    pub(crate) fn outstanding(&self) -> usize {
        outstanding(self.locals_seen().map(|local| &local.pile))
    }

    /// Bytes of its own.
    pub(crate) fn bytes(&self) -> usize {
        self.locals.bytes() + self.batches.bytes()
    }

    /// Closes a pile into a batch that ripens when every present pin is gone.
    fn close(&self, local: &Local, pin: &Pin<'_>) {
        let garbage = local.pile.take();
        if garbage.is_empty() {
            return;
        }
        let index = self.idle.pop(|index| self.batch_link(index)).unwrap_or_else(|| {
            // Relaxed: only uniqueness matters.
            self.made.fetch_add(1, Ordering::Relaxed)
        });
        let batch = self.batches.get_or_make(index);
        batch.garbage.put(garbage);
        // Relaxed: see `untaken`.
        batch.serial.fetch_add(1, Ordering::Relaxed);
        let this: *const Self = self;
        // SAFETY: the closure runs while the collector or one of its handles exists; both go in
        // `drop`, before any field of `self`. It takes no user value along and runs no user code.
        unsafe {
            pin.guard.defer_unchecked(move || {
                let this = &*this;
                let batch = this.batches.get_or_make(index);
                this.ripe.push(index, &batch.link);
            });
        }
        // Out of the thread's own bag, so that the batch ripens though this thread should sleep.
        pin.guard.flush();
    }

    fn batch_link(&self, index: u32) -> &AtomicU32 {
        &self.batches.get_or_make(index).link
    }

    /// Disposes of up to `most` ripe batches. User code runs, so the caller holds no pin that matters;
    /// user code that gets here again, from a `Drop`, leaves the rest to the call it interrupted.
    fn dispose_ripe<S: Slab>(&self, slab: &S, most: usize, panics: &mut Panics) -> usize {
        let number = ThreadNumber::current();
        let local: &Local = self.locals.get_or_make(number.value());
        let disposed = disposing::once(self, || {
            let mut disposed = 0;
            for _ in 0..most {
                let pin = self.pin();
                let Some(index) = self.ripe.pop(|index| self.batch_link(index)) else {
                    break;
                };
                let batch = self.batches.get_or_make(index);
                let garbage = batch.garbage.take();
                // Relaxed: see `untaken`.
                batch.serial.fetch_add(1, Ordering::Relaxed);
                self.idle.push(index, &batch.link);
                drop(pin);
                // SAFETY: the batch is ripe, and its contents were taken out, hence by us alone.
                disposed += unsafe { garbage.dispose(slab, panics) };
            }
            local.pile.count_disposed(disposed);
            disposed
        });
        disposed.unwrap_or(0)
    }

    /// Disposes of some of what is ripe: a writer's share of the work.
    pub(crate) fn tidy<S: Slab>(&self, slab: &S) -> Panics {
        let mut panics = Panics::default();
        if !self.ripe.is_empty() {
            self.dispose_ripe(slab, STEADY, &mut panics);
        }
        panics
    }

    /// Disposes of all that was retired by calls that had returned, unless a guard is in the way.
    pub(crate) fn flush<S: Slab>(&self, slab: &S) -> (Tally, Panics) {
        let mut untaken = {
            let pin = self.pin();
            for local in self.locals_seen() {
                self.close(local, &pin);
            }
            self.untaken()
        };
        let mut panics = Panics::default();
        let mut disposed = 0;
        let mut idle_rounds = 0;
        // At most what there is now in one round: others may go on for ever.
        let most = untaken.len() + STEADY;
        while !untaken.is_empty() && idle_rounds < PATIENCE {
            // Each pin that finds no older one in the way moves the epoch on and ripens what is due.
            self.pin().guard.flush();
            disposed += self.dispose_ripe(slab, most, &mut panics);
            let before = untaken.len();
            untaken.retain(|&(index, serial)| self.serial(index) == serial);
            if untaken.len() < before {
                idle_rounds = 0;
            } else {
                idle_rounds += 1;
                // The first few rounds only move the epoch.
                if idle_rounds > 4 {
                    yield_now();
                }
            }
        }
        (Tally { disposed, left: self.outstanding() }, panics)
    }

    /// The batches that nobody has taken yet, with their serials.
    fn untaken(&self) -> Vec<(u32, u32)> {
        // Relaxed, here and in `serial`: they say whether to look again, and nothing is read because of it. What was
        // closed by this call, or by calls that had returned, is seen.
        let made = self.made.load(Ordering::Relaxed);
        let serials = (0..made).map(|index| (index, self.serial(index)));
        serials.filter(|(_, serial)| serial % 2 == 1).collect()
    }

    fn serial(&self, index: u32) -> u32 {
        let batch = self.batches.get(index);
        batch.map_or(0, |batch| batch.serial.load(Ordering::Relaxed))
    }

    /// Disposes of everything that is retired, whatever the epoch.
    ///
    /// # Safety
    ///
    /// No guard can reach any of it any more.
    pub(crate) unsafe fn drain<S: Slab>(&self, slab: &S, panics: &mut Panics) {
        let mut disposed = 0;
        for local in self.locals_seen() {
            // SAFETY: the caller's promise; taken off, hence by us alone.
            disposed += unsafe { local.pile.take().dispose(slab, panics) };
        }
        // Relaxed: what is in a batch is published by itself (`Place::take`). Who retires meanwhile, as it holds
        // something that outlived the registry, drains once more.
        for index in 0..self.made.load(Ordering::Relaxed) {
            if let Some(batch) = self.batches.get(index) {
                // SAFETY: as above. Its closure, if it is still to run, finds the batch empty.
                disposed += unsafe { batch.garbage.take().dispose(slab, panics) };
            }
        }
        let number = ThreadNumber::current();
        self.locals.get_or_make(number.value()).pile.count_disposed(disposed);
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        for local in self.locals_seen() {
            // Relaxed: `&mut self`.
            if local.ready.load(Ordering::Relaxed) == 1 {
                // SAFETY: initialized, and nobody can pin any more: `&mut self`.
                local.handle.with_mut(|handle| unsafe { (*handle).assume_init_drop() });
            }
        }
        // SAFETY: dropped once, here. The closures that are left run now, or never if a guard was
        // leaked, whose handle then keeps the collector; the batches they refer to are still there.
        unsafe { ManuallyDrop::drop(&mut self.collector) };
    }
}

impl Pin<'_> {
    /// The number of this thread, for whatever is striped by thread.
    #[inline]
    pub(crate) fn thread(&self) -> u32 {
        self.number.value()
    }

    /// Leaves the epoch and enters the present one, if no other pin of this thread is held.
    pub(crate) fn repin(&mut self) {
        // An epoch ends two advances after the last retirement in it. Each round moves this thread up
        // to the present epoch and the epoch on, so that what was retired before stays no longer on
        // account of this pin.
        for _ in 0..3 {
            self.guard.repin();
            self.guard.flush();
        }
    }

    /// See `epoch::Pin`.
    ///
    /// # Safety
    ///
    /// The slot is unlinked, so that only guards taken before can reach it, and is retired once.
    pub(crate) unsafe fn retire_slot(&self, slot: u32, link: &AtomicU32) {
        // SAFETY: the caller's promise, and the pile is this thread's.
        if unsafe { self.local.pile.push_slot(slot, link) } {
            self.reclaimer.close(self.local, self);
        }
    }

    /// See `epoch::Pin`.
    ///
    /// # Safety
    ///
    /// As for a slot.
    pub(crate) unsafe fn retire(&self, header: NonNull<Header>) {
        // SAFETY: the caller's promise, and the pile is this thread's.
        if unsafe { self.local.pile.push(header) } {
            self.reclaimer.close(self.local, self);
        }
    }
}

#[cfg(test)]
mod tests;
