//! The reclaimer that ships, small enough for loom: slots that hold one word each, one of which is
//! linked. For this crate's own models; everything else under loom is on the quarantine.

#![allow(missing_docs)]

use super::epoch::{Pin, Reclaimer};
pub use super::quarantine::keep_garbage;
use super::{Panics, Slab};
use crate::sync::{AtomicU32, AtomicUsize, Ordering, ThreadNumber, UnsafeCell};

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
