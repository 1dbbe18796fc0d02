//! Reclamation by epochs, on `crossbeam-epoch` with a collector per registry
//! (K. Fraser, "Practical lock-freedom", UCAM-CL-TR-579, 2004).
//!
//! The collector decides when, this module keeps what. Its own bags are no place for garbage: a bag of
//! a parked thread is out of everyone's reach, and closures run inside lookups. So each thread number
//! has a pile here; a pile is closed into a batch, and the closure that goes into the collector's bag,
//! which is flushed at once, only pushes the batch's index on the ripe stack.

use core::cell::UnsafeCell;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};

use crossbeam_epoch as crossbeam;
use crossbeam_utils::CachePadded;

use super::{Header, Panics, Slab, Tally};
use crate::segments::{Blank, Segments};
use crate::stack::{Chain, IndexPile, IndexStack};
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, ThreadNumber};

/// Retired items on a pile when its thread closes it.
const PILE: usize = 64;

/// Batches that a writer disposes of after it closed one: more than one, so that it catches up.
const STEADY: usize = 4;

/// Rounds of a flush without progress before it says that a guard is in the way. Each yields, so that
/// a lookup that was preempted while pinned can finish.
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
    /// 1 while its thread is disposing.
    disposing: AtomicU32,
    slots: IndexPile,
    headers: AtomicPtr<Header>,
    /// Items this number retired, and items it disposed of, wherever they came from.
    retired: AtomicUsize,
    disposed: AtomicUsize,
}

// SAFETY: a zeroed handle is uninitialized, the rest are atomics of 0 (`IndexPile` is one).
unsafe impl Blank for CachePadded<Local> {
    fn blank() -> Self {
        CachePadded::new(Local {
            handle: UnsafeCell::new(MaybeUninit::uninit()),
            ready: AtomicU32::new(0),
            disposing: AtomicU32::new(0),
            slots: IndexPile::new(),
            headers: AtomicPtr::new(ptr::null_mut()),
            retired: AtomicUsize::new(0),
            disposed: AtomicUsize::new(0),
        })
    }
}

// SAFETY: `handle` is only touched by the thread that owns the number (`Reclaimer::pin`), numbers
// pass from thread to thread with a happens-before edge (`ThreadNumber`), and a `LocalHandle` refers
// to no thread-local state of its creator. Headers are sent as the values in them may be, which the
// registry's own `Send` and `Sync` bounds see to.
unsafe impl Send for Local {}
// SAFETY: as above.
unsafe impl Sync for Local {}

#[derive(Debug)]
struct Batch {
    link: AtomicU32,
    /// Odd from the closing until it is taken to be disposed of.
    serial: AtomicU32,
    slots: AtomicU32,
    headers: AtomicPtr<Header>,
}

// SAFETY: atomics of 0.
unsafe impl Blank for Batch {
    fn blank() -> Self {
        Self {
            link: AtomicU32::new(0),
            serial: AtomicU32::new(0),
            slots: AtomicU32::new(0),
            headers: AtomicPtr::new(ptr::null_mut()),
        }
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
        Self {
            collector: ManuallyDrop::new(crossbeam::Collector::new()),
            locals: Segments::new(),
            numbers: AtomicU32::new(0),
            batches: Segments::new(),
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
        let guard = unsafe { (*local.handle.get()).assume_init_ref() }.pin();
        Pin { guard, number, local, reclaimer: self }
    }

    #[cold]
    fn register(&self, local: &Local, number: u32) {
        // SAFETY: only the owner of the number gets here, see `Local`, and once, see `ready`.
        unsafe { (*local.handle.get()).write(self.collector.register()) };
        local.ready.store(1, Ordering::Relaxed);
        let mut seen = self.numbers.load(Ordering::Relaxed);
        while seen <= number {
            // Release: pairs with the Acquire in `locals_seen`, which looks at all numbers below.
            match self.numbers.compare_exchange(
                seen,
                number + 1,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
    }

    fn locals_seen(&self) -> impl Iterator<Item = &Local> {
        let numbers = self.numbers.load(Ordering::Acquire);
        (0..numbers).filter_map(|number| self.locals.get(number).map(|local| &**local))
    }

    /// What is retired and not disposed of.
    pub(crate) fn outstanding(&self) -> usize {
        // Disposals are counted first: one that is seen has its retirement seen too, so that the
        // difference is never negative for want of a retirement that happened before.
        let disposed = self.sum(|local| &local.disposed);
        self.sum(|local| &local.retired).saturating_sub(disposed)
    }

    fn sum(&self, of: impl Fn(&Local) -> &AtomicUsize) -> usize {
        // Acquire: pairs with the Release in `count_disposed`, for the order in `outstanding`.
        let figures = self.locals_seen().map(|local| of(local).load(Ordering::Acquire));
        figures.fold(0, usize::wrapping_add)
    }

    /// Bytes of its own.
    pub(crate) fn bytes(&self) -> usize {
        self.locals.bytes() + self.batches.bytes()
    }

    /// Closes a pile into a batch that ripens when every present pin is gone.
    fn close(&self, local: &Local, pin: &Pin<'_>) {
        let slots = local.slots.take();
        // Acquire: pairs with the Release of the pushes in `Pin::retire`.
        let headers = local.headers.swap(ptr::null_mut(), Ordering::Acquire);
        if slots == Chain::default() && headers.is_null() {
            return;
        }
        let index = self.idle.pop(|index| self.batch_link(index)).unwrap_or_else(|| {
            // Relaxed: only uniqueness matters.
            self.made.fetch_add(1, Ordering::Relaxed)
        });
        let batch = self.batches.get_or_make(index);
        // Relaxed: published by the epoch's own synchronization, and to `drain` by its caller's.
        batch.slots.store(slots.to_raw(), Ordering::Relaxed);
        batch.headers.store(headers, Ordering::Relaxed);
        // Release: see `untaken`.
        batch.serial.fetch_add(1, Ordering::Release);
        let this: *const Self = self;
        // SAFETY: the closure runs while the collector or one of its handles exists; both go in
        // `finish`, before any field of `self`. It takes no user value along and runs no user code.
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
        if self.ripe.is_empty() {
            return 0;
        }
        let number = ThreadNumber::current();
        let local: &Local = self.locals.get_or_make(number.value());
        // Relaxed: this thread's own.
        if local.disposing.swap(1, Ordering::Relaxed) == 1 {
            return 0;
        }
        let mut disposed = 0;
        for _ in 0..most {
            let pin = self.pin();
            let Some(index) = self.ripe.pop(|index| self.batch_link(index)) else {
                break;
            };
            let batch = self.batches.get_or_make(index);
            // Acquire: whoever takes the contents is ordered after the one who put them.
            let slots = Chain::from_raw(batch.slots.swap(0, Ordering::Acquire));
            let headers = batch.headers.swap(ptr::null_mut(), Ordering::Acquire);
            // Release: see `untaken`.
            batch.serial.fetch_add(1, Ordering::Release);
            self.idle.push(index, &batch.link);
            drop(pin);
            // SAFETY: the batch is ripe, and its contents were taken out, hence by us alone.
            disposed += unsafe { dispose(slab, slots, headers, panics) };
        }
        local.disposing.store(0, Ordering::Relaxed);
        self.count_disposed(disposed);
        disposed
    }

    fn count_disposed(&self, disposed: usize) {
        if disposed > 0 {
            let number = ThreadNumber::current();
            let local = self.locals.get_or_make(number.value());
            // Release: see `outstanding`.
            local.disposed.fetch_add(disposed, Ordering::Release);
        }
    }

    /// Disposes of some of what is ripe: a writer's share of the work.
    pub(crate) fn tidy<S: Slab>(&self, slab: &S) -> Panics {
        let mut panics = Panics::default();
        self.dispose_ripe(slab, STEADY, &mut panics);
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
                    std::thread::yield_now();
                }
            }
        }
        (Tally { disposed, left: self.outstanding() }, panics)
    }

    /// The batches that nobody has taken yet, with their serials.
    fn untaken(&self) -> Vec<(u32, u32)> {
        // Acquire here and in `serial`: pairs with the Release in `close` and `dispose_ripe`.
        let made = self.made.load(Ordering::Acquire);
        let serials = (0..made).map(|index| (index, self.serial(index)));
        serials.filter(|(_, serial)| serial % 2 == 1).collect()
    }

    fn serial(&self, index: u32) -> u32 {
        let batch = self.batches.get(index);
        batch.map_or(0, |batch| batch.serial.load(Ordering::Acquire))
    }

    /// Disposes of everything that is retired, whatever the epoch.
    ///
    /// # Safety
    ///
    /// No guard can reach any of it any more.
    pub(crate) unsafe fn drain<S: Slab>(&self, slab: &S, panics: &mut Panics) {
        let mut disposed = 0;
        // Acquire in `swap` and `take`: pairs with the Release of the pushes.
        for local in self.locals_seen() {
            let slots = local.slots.take();
            let headers = local.headers.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: the caller's promise; taken out, hence by us alone.
            disposed += unsafe { dispose(slab, slots, headers, panics) };
        }
        for index in 0..self.made.load(Ordering::Acquire) {
            let Some(batch) = self.batches.get(index) else {
                continue;
            };
            let slots = Chain::from_raw(batch.slots.swap(0, Ordering::Acquire));
            let headers = batch.headers.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: as above. Its closure, if it is still to run, finds the batch empty.
            disposed += unsafe { dispose(slab, slots, headers, panics) };
        }
        self.count_disposed(disposed);
    }
}

/// Disposes of every item, whatever panics.
///
/// # Safety
///
/// The items are the caller's, and no guard can reach them.
unsafe fn dispose<S: Slab>(
    slab: &S,
    mut slots: Chain,
    mut headers: *mut Header,
    panics: &mut Panics,
) -> usize {
    let mut disposed = 0;
    while let Some(slot) = slots.next(|slot| slab.link(slot)) {
        // SAFETY: the caller's promise.
        panics.run(|| unsafe { slab.reclaim(slot) });
        disposed += 1;
    }
    while let Some(header) = NonNull::new(headers) {
        // SAFETY: a header of a pile is valid until disposed of, here and once.
        unsafe {
            headers = header.as_ref().next.get();
            let dispose = header.as_ref().dispose;
            panics.run(|| dispose(header));
        }
        disposed += 1;
    }
    disposed
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        for local in self.locals_seen() {
            // Relaxed: `&mut self`.
            if local.ready.load(Ordering::Relaxed) == 1 {
                // SAFETY: initialized, and nobody can pin any more: `&mut self`.
                unsafe { (*local.handle.get()).assume_init_drop() };
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

    /// Retires a slot. Its link is the slab's to name and this pile's to use from now on.
    ///
    /// # Safety
    ///
    /// The slot is unlinked, so that only guards taken before can reach it, and is retired once.
    pub(crate) unsafe fn retire_slot(&self, slot: u32, link: &AtomicU32) {
        self.local.slots.push(slot, link);
        self.count_retired();
    }

    /// Retires an allocation. See [`Header`].
    ///
    /// # Safety
    ///
    /// As for a slot.
    pub(crate) unsafe fn retire(&self, header: NonNull<Header>) {
        let mut head = self.local.headers.load(Ordering::Relaxed);
        loop {
            // SAFETY: the header is ours until the exchange.
            unsafe { header.as_ref() }.next.set(head);
            // Release: publishes the link and the value to whoever takes the pile. Relaxed on
            // failure, and above: the head is only stored as a link.
            match self.local.headers.compare_exchange(
                head,
                header.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(seen) => head = seen,
            }
        }
        self.count_retired();
    }

    fn count_retired(&self) {
        // Relaxed: a count; what it counts is published by the pile.
        let retired = self.local.retired.fetch_add(1, Ordering::Relaxed);
        if retired % PILE == PILE - 1 {
            self.reclaimer.close(self.local, self);
        }
    }
}
