//! Reclamation: when the memory of what was retired may be used again (G).
//!
//! A reader pins; what is retired while it is pinned stays. Garbage belongs to the registry: threads
//! put it on piles that anyone can take, a pile becomes a *batch*, and a batch is *ripe* once every
//! pin that was held when it was closed is gone. Ripe batches are disposed of by writers and by
//! `flush`, never by a lookup, one value at a time, so that a panic in one loses no other (I).
//!
//! Three reclaimers have the same face: `epoch` is the one that is used, `crossbeam` the one of the
//! feature `crossbeam-epoch`, and `quarantine` the one that loom sees, which reclaims at the earliest
//! legal moment and checks that nothing is retired twice. The first two have loom models of their own
//! (`modelled`), and those of the registry run on them, too: under `cfg(shipped_reclaimer)` on the
//! one, under `cfg(crossbeam_loom)` and the feature on the other.
//!
//! Which one is used is chosen here, and nobody else knows.

#[cfg(any(loom, not(feature = "crossbeam-epoch")))]
mod barrier;
#[cfg(all(feature = "crossbeam-epoch", any(not(loom), crossbeam_loom)))]
mod crossbeam;
mod disposing;
#[cfg(any(loom, not(feature = "crossbeam-epoch")))]
mod epoch;
#[cfg(loom)]
pub mod modelled;
mod panics;
mod pile;
#[cfg(any(loom, not(feature = "crossbeam-epoch")))]
mod pins;
#[cfg(loom)]
mod quarantine;
#[cfg(any(loom, not(feature = "crossbeam-epoch")))]
mod queue;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(feature = "crossbeam-epoch", any(not(loom), crossbeam_loom)))]
pub(crate) use crossbeam::{Pin, Reclaimer};
#[cfg(any(all(loom, shipped_reclaimer), not(any(loom, feature = "crossbeam-epoch"))))]
pub(crate) use epoch::{Pin, Reclaimer};
pub(crate) use panics::{Late, Panics, attempt};
#[cfg(all(loom, not(any(shipped_reclaimer, crossbeam_loom))))]
pub(crate) use quarantine::{Pin, Reclaimer};

use core::cell::Cell;
use core::ptr::NonNull;

use crate::sync::AtomicU32;

/// The first field of everything that is allocated and retired one by one.
///
/// # Safety of the whole
///
/// A header that is handed to [`Pin::retire`] is unlinked, so that only guards taken before can reach
/// it, and is handed over once. `dispose` then runs once, after those guards are gone, and frees it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Header {
    /// The pile's link; the retiring thread's, then the disposing one's.
    next: Cell<*mut Header>,
    dispose: unsafe fn(NonNull<Header>),
}

impl Header {
    pub(crate) const fn new(dispose: unsafe fn(NonNull<Header>)) -> Self {
        Self { next: Cell::new(core::ptr::null_mut()), dispose }
    }
}

/// What the reclaimer must know of slots, which are retired without an allocation.
pub(crate) trait Slab {
    /// The link word of a slot; the slot's owner's while it is retired.
    fn link(&self, slot: u32) -> &AtomicU32;

    /// Touches what `reclaim` will need of a slot.
    fn prefetch(&self, _slot: u32) {}

    /// Drops what the slot still owns and gives it back to be used again.
    ///
    /// # Safety
    ///
    /// The slot was retired, every guard taken before is gone, and this is called once.
    unsafe fn reclaim(&self, slot: u32);
}

/// What one call disposed of, and what is still retired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) disposed: usize,
    pub(crate) left: usize,
}
