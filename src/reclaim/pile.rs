//! What was retired, on its way from the thread that retired it to the one that disposes of it.

use core::ptr::{self, NonNull};

use super::{Header, Panics, Slab};
use crate::stack::{IndexPile, Taken};
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Retired items on a pile when its thread closes it.
#[cfg(not(loom))]
pub(super) const PILE: usize = 64;
#[cfg(loom)]
pub(super) const PILE: usize = 1;

/// What one thread number has retired and nobody has closed into a batch. The thread that has the
/// number pushes; anyone may take.
#[derive(Debug)]
pub(super) struct Pile {
    slots: IndexPile,
    headers: AtomicPtr<Header>,
    /// Items this number retired, and items it disposed of, wherever they came from.
    retired: AtomicUsize,
    disposed: AtomicUsize,
}

/// Items that were taken off a pile. Owes them a [`Garbage::dispose`].
#[derive(Debug)]
#[must_use]
pub(super) struct Garbage {
    slots: Taken,
    headers: *mut Header,
}

/// A place for garbage that waits. Blank, it is empty.
#[derive(Debug)]
pub(super) struct Place {
    slots: AtomicU32,
    headers: AtomicPtr<Header>,
}

impl Pile {
    pub(super) fn new() -> Self {
        Self {
            slots: IndexPile::new(),
            headers: AtomicPtr::new(ptr::null_mut()),
            retired: AtomicUsize::new(0),
            disposed: AtomicUsize::new(0),
        }
    }

    /// Puts a slot on the pile. `true`: time to close it.
    ///
    /// # Safety
    ///
    /// See `Pin::retire_slot`; the caller's thread has the number of this pile.
    pub(super) unsafe fn push_slot(&self, slot: u32, link: &AtomicU32) -> bool {
        let is_full = self.count_retired();
        self.slots.push(slot, link);
        is_full
    }

    /// Puts an allocation on the pile. `true`: time to close it.
    ///
    /// # Safety
    ///
    /// See `Pin::retire`; the caller's thread has the number of this pile.
    pub(super) unsafe fn push(&self, header: NonNull<Header>) -> bool {
        let is_full = self.count_retired();
        // Relaxed, also on failure: the head is only stored as a link.
        let mut head = self.headers.load(Ordering::Relaxed);
        loop {
            // SAFETY: the header is ours until the exchange.
            unsafe { header.as_ref() }.next.set(head);
            // Release: publishes the link and the value to the Acquire in `take`.
            match self.headers.compare_exchange(
                head,
                header.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return is_full,
                Err(seen) => head = seen,
            }
        }
    }

    fn count_retired(&self) -> bool {
        // Relaxed: this thread is the only writer, and the push that follows publishes it.
        let retired = self.retired.load(Ordering::Relaxed).wrapping_add(1);
        self.retired.store(retired, Ordering::Relaxed);
        retired.is_multiple_of(PILE)
    }

    /// Counts what the thread of this number has disposed of.
    pub(super) fn count_disposed(&self, disposed: usize) {
        // Relaxed: this thread is the only writer.
        let sum = self.disposed.load(Ordering::Relaxed).wrapping_add(disposed);
        // Release: see `outstanding`.
        self.disposed.store(sum, Ordering::Release);
    }

    pub(super) fn take(&self) -> Garbage {
        let slots = self.slots.take();
        // Acquire: pairs with the Release in `push`.
        let headers = self.headers.swap(ptr::null_mut(), Ordering::Acquire);
        Garbage { slots, headers }
    }
}

/// What is on the piles' accounts: retired and not disposed of.
pub(super) fn outstanding<'a>(piles: impl Iterator<Item = &'a Pile> + Clone) -> usize {
    let sum = |figures: &mut dyn Iterator<Item = usize>| figures.fold(0, usize::wrapping_add);
    // Disposals are counted first: one that is seen has its retirement seen too, so that the
    // difference is never negative for want of a retirement that happened before. Acquire: pairs with
    // the Release in `count_disposed`. Relaxed: ordered by it.
    let disposed = sum(&mut piles.clone().map(|pile| pile.disposed.load(Ordering::Acquire)));
    let retired = sum(&mut piles.map(|pile| pile.retired.load(Ordering::Relaxed)));
    retired.saturating_sub(disposed)
}

impl Garbage {
    pub(super) fn is_empty(&self) -> bool {
        self.slots == Taken::default() && self.headers.is_null()
    }

    /// Disposes of every item, whatever panics, and returns how many they were.
    ///
    /// # Safety
    ///
    /// No guard can reach them.
    pub(super) unsafe fn dispose<S: Slab>(mut self, slab: &S, panics: &mut Panics) -> usize {
        let mut disposed = 0;
        while let Some(slot) = self.slots.next(|slot| slab.link(slot)) {
            // What the next one holds is on its way while this one's values are dropped.
            self.slots.first().inspect(|&ahead| slab.prefetch(ahead));
            // SAFETY: retired once, by the promise of `push_slot`, and the caller's promise.
            panics.run(|| unsafe { slab.reclaim(slot) });
            disposed += 1;
        }
        while let Some(header) = NonNull::new(self.headers) {
            // SAFETY: a header of a pile is valid until disposed of, here and once.
            unsafe {
                self.headers = header.as_ref().next.get();
                let dispose = header.as_ref().dispose;
                panics.run(|| dispose(header));
            }
            disposed += 1;
        }
        disposed
    }
}

impl Place {
    pub(super) fn new() -> Self {
        Self { slots: AtomicU32::new(0), headers: AtomicPtr::new(ptr::null_mut()) }
    }

    pub(super) fn put(&self, garbage: Garbage) {
        // Release: see `look`.
        self.slots.store(garbage.slots.to_raw(), Ordering::Release);
        self.headers.store(garbage.headers, Ordering::Release);
    }

    /// What was put here last. It is the caller's if the caller finds out that it alone was sent here,
    /// and after this: what it does to find out stays behind the loads (Acquire), and whoever put
    /// something else here meanwhile came after another who was sent (Release in `put`).
    #[cfg(any(loom, not(feature = "crossbeam-epoch")))]
    pub(super) fn look(&self) -> Garbage {
        let slots = Taken::from_raw(self.slots.load(Ordering::Acquire));
        Garbage { slots, headers: self.headers.load(Ordering::Acquire) }
    }

    /// Takes it, once: who comes later finds nothing.
    #[cfg(all(feature = "crossbeam-epoch", any(not(loom), crossbeam_loom)))]
    pub(super) fn take(&self) -> Garbage {
        // Relaxed, twice: where nothing is there is nothing to be ordered after. And it is not exchanged: loom may have
        // a `put` come before an exchange that does not know of it, though the exchange read what was there before.
        let (mut slots, mut headers) = (0, ptr::null_mut());
        if self.slots.load(Ordering::Relaxed) != 0 {
            // Acquire, here and below: whoever takes it is ordered after the one who put it (Release in `put`), however
            // it was told.
            slots = self.slots.swap(0, Ordering::Acquire);
        }
        if !self.headers.load(Ordering::Relaxed).is_null() {
            headers = self.headers.swap(ptr::null_mut(), Ordering::Acquire);
        }
        Garbage { slots: Taken::from_raw(slots), headers }
    }
}
