//! Slots that know whether they are in use, for the tests of both reclaimers that ship; and threads that read
//! under pins, against one that has what they read reclaimed.

use std::sync::atomic::AtomicBool;
use std::thread;

use super::pile::PILE;
use super::{Reclaimer, Slab};
use crate::stack::IndexStack;
use crate::sync::{AtomicU32, Ordering};

const SLOTS: u32 = 1_000;
const GONE: u32 = u32::MAX;

/// Slots that say who they are until they are reclaimed. A free list of them goes round.
pub(super) struct Numbered {
    slots: Vec<(AtomicU32, AtomicU32)>,
    free: IndexStack,
}

impl Numbered {
    /// So many slots, in use.
    pub(super) fn new(slots: usize) -> Self {
        let slot = |number| (AtomicU32::new(0), AtomicU32::new(number));
        Self { slots: (0..slots as u32).map(slot).collect(), free: IndexStack::new() }
    }

    /// Retires all that are in use.
    pub(super) fn retire_all(&self, reclaimer: &Reclaimer) {
        let pin = reclaimer.pin();
        for (slot, (link, number)) in self.slots.iter().enumerate() {
            // Relaxed: see `reclaim`.
            if number.load(Ordering::Relaxed) != GONE {
                // SAFETY: nobody else knows of it.
                unsafe { pin.retire_slot(slot as u32, link) };
            }
        }
    }

    /// Takes all into use again.
    pub(super) fn renew(&self) {
        while let Some(slot) = self.free.pop(|slot| self.link(slot)) {
            self.slots[slot as usize].1.store(slot, Ordering::Relaxed);
        }
    }
}

impl Slab for Numbered {
    fn link(&self, slot: u32) -> &AtomicU32 {
        &self.slots[slot as usize].0
    }

    unsafe fn reclaim(&self, slot: u32) {
        // Relaxed, as everything on these numbers: what is checked is the order that the pins give.
        let before = self.slots[slot as usize].1.swap(GONE, Ordering::Relaxed);
        assert_eq!(before, slot, "reclaimed once");
        self.free.push(slot, self.link(slot));
    }
}

/// Two threads read what is linked, while a third replaces it, so many times, and has the old reclaimed.
pub(super) fn readers_meet_nothing_that_was_reclaimed(reclaimer: &Reclaimer, times: usize) {
    let slab = Numbered::new(SLOTS as usize);
    for slot in 1..SLOTS {
        slab.slots[slot as usize].1.store(GONE, Ordering::Relaxed);
        slab.free.push(slot, slab.link(slot));
    }
    let linked = AtomicU32::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut pin = reclaimer.pin();
                    for _ in 0..2 {
                        let slot = linked.load(Ordering::Acquire);
                        // Long enough for a flush that missed the pin to get to the slot.
                        for _ in 0..40 {
                            let number = slab.slots[slot as usize].1.load(Ordering::Relaxed);
                            assert_eq!(number, slot);
                        }
                        pin.repin();
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut replaced = 0;
            while replaced < times {
                // Readers that sleep with a pin keep what there is: wait for them.
                let Some(next) = slab.free.pop(|slot| slab.link(slot)) else {
                    let (_, panics) = reclaimer.flush(&slab);
                    panics.resume();
                    continue;
                };
                slab.slots[next as usize].1.store(next, Ordering::Relaxed);
                let pin = reclaimer.pin();
                let old = linked.swap(next, Ordering::AcqRel);
                // SAFETY: unlinked just now, and linked once at a time.
                unsafe { pin.retire_slot(old, slab.link(old)) };
                drop(pin);
                // A flush looks for pins each time: the shorter it takes, the more races there are.
                if replaced % 2 == 0 {
                    let (_, panics) = reclaimer.flush(&slab);
                    panics.resume();
                } else {
                    reclaimer.tidy(&slab).resume();
                }
                replaced += 1;
            }
            done.store(true, Ordering::Relaxed);
        });
    });
    let (tally, panics) = reclaimer.flush(&slab);
    panics.resume();
    assert_eq!(tally.left, 0);
}

/// Whatever is in whichever batch, and how often these were used before.
#[test]
fn a_flush_leaves_nothing_without_a_guard() {
    let reclaimer = Reclaimer::new();
    for slots in [1, PILE, 3 * PILE + 1, 1, 2 * PILE] {
        let slab = Numbered::new(slots);
        for _ in 0..3 {
            slab.renew();
            slab.retire_all(&reclaimer);
            assert_eq!(reclaimer.outstanding(), slots);
            let (tally, panics) = reclaimer.flush(&slab);
            panics.resume();
            assert_eq!((tally.disposed, tally.left), (slots, 0));
        }
    }
}
