//! The reclaimer that ships, small enough for loom: slots that hold one word each, one of which is
//! linked. For this crate's own models; everything else under loom is on the quarantine.

#![allow(missing_docs)]

use core::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Count;

#[cfg(crossbeam_loom)]
use super::crossbeam::{Pin, Reclaimer};
#[cfg(not(crossbeam_loom))]
use super::epoch::{Pin, Reclaimer};
use super::pile::{Garbage, Pile};
pub use super::quarantine::keep_garbage;
use super::queue::Queue;
use super::{Header, Panics, Slab};
use crate::sync::{AtomicU32, AtomicUsize, Ordering, ThreadNumber, UnsafeCell, Witness};

/// Slots, of which the linked one may be read under a pin.
#[derive(Debug)]
pub struct Slots {
    linked: AtomicU32,
    slots: Vec<Slot>,
    reclaimer: Reclaimer,
}

#[derive(Debug)]
struct Slot {
    link: AtomicU32,
    value: UnsafeCell<u32>,
    reclaimed: AtomicUsize,
}

// SAFETY: the cells are written when a slot is reclaimed, and read under a pin: what the models check.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

/// See `Registry::pin`.
pub struct Held<'s> {
    slots: &'s Slots,
    pin: Pin<'s>,
}

/// Has the current thread be number `number`, which no other may have.
pub fn be_thread(number: u32) {
    ThreadNumber::be(number);
}

impl Slots {
    #[must_use]
    pub fn new(slots: u32) -> Self {
        let slot = |value| {
            let cell = UnsafeCell::new(0);
            // Loom does not see the first write.
            // SAFETY: ours.
            cell.with_mut(|cell| unsafe { *cell = value });
            Slot { link: AtomicU32::new(0), value: cell, reclaimed: AtomicUsize::new(0) }
        };
        Self {
            linked: AtomicU32::new(0),
            slots: (0..slots).map(slot).collect(),
            reclaimer: Reclaimer::new(),
        }
    }

    #[must_use]
    pub fn pin(&self) -> Held<'_> {
        Held { slots: self, pin: self.reclaimer.pin() }
    }

    /// As a thread of that number, which goes to another with this.
    #[must_use]
    pub fn pin_of(&self, number: u32) -> Held<'_> {
        be_thread(number);
        let held = self.pin();
        be_thread(0);
        held
    }

    /// Links another slot and retires the one that was.
    pub fn replace(&self, slot: u32) {
        let pin = self.reclaimer.pin();
        // AcqRel: as an exchange of the tables.
        let old = self.linked.swap(slot, Ordering::AcqRel);
        // SAFETY: unlinked just now, by one call, and no slot is linked twice.
        unsafe { pin.retire_slot(old, &self.slots[old as usize].link) };
    }

    pub fn tidy(&self) {
        self.reclaimer.tidy(self).resume();
    }

    /// Returns what had to be left.
    pub fn flush(&self) -> usize {
        let (tally, panics) = self.reclaimer.flush(self);
        panics.resume();
        tally.left
    }

    /// How often each slot was reclaimed.
    #[must_use]
    pub fn reclaimed(&self) -> Vec<usize> {
        self.slots.iter().map(|slot| slot.reclaimed.load(Ordering::Relaxed)).collect()
    }

    /// As at the end of a registry.
    pub fn drain(&self) {
        let mut panics = Panics::default();
        // SAFETY: the models call it last.
        unsafe { self.reclaimer.drain(self, &mut panics) };
        panics.resume();
    }
}

impl Held<'_> {
    /// The number of the linked slot, read out of the slot itself.
    #[must_use]
    pub fn read(&self) -> u32 {
        // Acquire: as a lookup's.
        let linked = self.slots.linked.load(Ordering::Acquire);
        // SAFETY: linked, and kept by the pin: what the models check.
        self.slots.slots[linked as usize].value.with(|value| unsafe { *value })
    }

    /// A slot that was linked under this pin.
    pub fn read_again(&self, slot: u32) {
        // SAFETY: as in `read`.
        let value = self.slots.slots[slot as usize].value.with(|value| unsafe { *value });
        assert_eq!(value, slot);
    }

    pub fn repin(&mut self) {
        self.pin.repin();
    }
}

impl Slab for Slots {
    fn link(&self, slot: u32) -> &AtomicU32 {
        &self.slots[slot as usize].link
    }

    unsafe fn reclaim(&self, slot: u32) {
        let slot = &self.slots[slot as usize];
        // SAFETY: no guard can reach it: what the models check.
        slot.value.with_mut(|value| unsafe { *value = u32::MAX });
        slot.reclaimed.fetch_add(1, Ordering::Relaxed);
    }
}

/// The queue by itself: each batch is a slot and an allocation.
#[derive(Debug)]
pub struct Batches {
    queue: Queue,
    pile: Pile,
    slots: Slots,
    /// How many allocations were disposed of.
    freed: Arc<Count>,
}

/// What is retired with a slot.
#[repr(C)]
struct Allocation {
    header: Header,
    witness: Witness,
    freed: Arc<Count>,
}

impl Allocation {
    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of one from `Batches::push`.
        let allocation = unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) };
        allocation.witness.end();
        // Relaxed: a figure.
        allocation.freed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Batches {
    #[must_use]
    pub fn new(slots: u32) -> Self {
        let (queue, pile) = (Queue::new(), Pile::new());
        Self { queue, pile, slots: Slots::new(slots), freed: Arc::default() }
    }

    /// Puts `slot` on a pile, which no other has, and an allocation.
    fn retire(&self, slot: u32, pile: &Pile) {
        let (witness, freed) = (Witness::new(), Arc::clone(&self.freed));
        let header = Header::new(Allocation::dispose);
        let allocation = Box::leak(Box::new(Allocation { header, witness, freed }));
        self.slots.slots[slot as usize].value.with_mut(|_| ());
        // SAFETY: nothing refers to either, and the models have one thread push.
        unsafe {
            pile.push_slot(slot, self.slots.link(slot));
            pile.push(NonNull::from(allocation).cast());
        }
    }

    fn dispose(&self, garbage: Garbage) {
        let mut panics = Panics::default();
        // SAFETY: nothing refers to either.
        unsafe { garbage.dispose(&self.slots, &mut panics) };
        panics.resume();
    }

    /// Puts a batch with `slot` at the end.
    pub fn push(&self, slot: u32, stamp: u64) {
        let pile = Pile::new();
        self.retire(slot, &pile);
        self.queue.push(pile.take(), stamp);
    }

    /// Disposes of the first batch, if its stamp is below `horizon`.
    pub fn pop(&self, horizon: u64) -> bool {
        let garbage = self.queue.pop(horizon);
        let is_there = garbage.is_some();
        garbage.into_iter().for_each(|garbage| self.dispose(garbage));
        is_there
    }

    /// Puts `slot` on the pile that is not a batch yet.
    pub fn pile_up(&self, slot: u32) {
        self.retire(slot, &self.pile);
    }

    /// Disposes of what is on that pile.
    pub fn take_pile(&self) {
        self.dispose(self.pile.take());
    }

    /// How often each slot was reclaimed, and how many allocations were freed.
    #[must_use]
    pub fn disposed(&self) -> (Vec<usize>, usize) {
        (self.slots.reclaimed(), self.freed.load(Ordering::Relaxed))
    }
}
