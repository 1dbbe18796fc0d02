//! Threads that read under pins, against one that has what they read reclaimed.
//!
//! For the bookkeeping, with each barrier: a horizon one batch too far is met at once. A fence too few is
//! for the loom models to find, no processor shows it reliably.

use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;
use crate::reclaim::barrier::Barrier;

const SLOTS: u32 = 1_000;
const GONE: u32 = u32::MAX;

/// Slots that say who they are until they are reclaimed. A free list of them goes round.
struct Numbered {
    slots: Vec<(AtomicU32, AtomicU32)>,
    free: crate::stack::IndexStack,
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

fn readers_meet_nothing_that_was_reclaimed(pins: Pins) {
    let reclaimer = Reclaimer::with_pins(pins);
    let slot = |number| (AtomicU32::new(0), AtomicU32::new(number));
    let slab =
        Numbered { slots: (0..SLOTS).map(slot).collect(), free: crate::stack::IndexStack::new() };
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
            while replaced < 40_000 {
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

#[test]
fn with_the_barrier_of_the_system() {
    readers_meet_nothing_that_was_reclaimed(Pins::new());
}

#[test]
fn with_a_fence_on_both_sides() {
    readers_meet_nothing_that_was_reclaimed(Pins::with_barrier(Barrier::symmetric()));
}

#[test]
fn the_horizon_is_moved_once_in_an_interval() {
    let reclaimer = Reclaimer::new();
    // The clock is past zero at first.
    let mut waited = reclaimer.pins.now();
    for _ in 0..3 {
        for _ in waited..INTERVAL {
            assert!(!reclaimer.is_due());
            reclaimer.pins.stamp();
        }
        assert!(reclaimer.is_due());
        waited = 0;
    }
}

/// What a stalled reader kept is not the work of the next writer alone.
#[test]
fn a_writer_disposes_of_few_batches_at_once() {
    const BATCHES: usize = 10 * STEADY;
    let reclaimer = Reclaimer::new();
    let slot = |number| (AtomicU32::new(0), AtomicU32::new(number));
    let slots = (0..(BATCHES * PILE) as u32).map(slot).collect();
    let slab = Numbered { slots, free: crate::stack::IndexStack::new() };
    let pin = reclaimer.pin();
    for (slot, (link, _)) in slab.slots.iter().enumerate() {
        // SAFETY: nobody else knows of it.
        unsafe { pin.retire_slot(slot as u32, link) };
    }
    drop(pin);
    for batches in (0..BATCHES).step_by(STEADY) {
        assert_eq!(reclaimer.outstanding(), (BATCHES - batches) * PILE);
        reclaimer.tidy(&slab).resume();
    }
    assert_eq!(reclaimer.outstanding(), 0);
}
