//! The bookkeeping, with each barrier: a horizon one batch too far is met at once. A fence too few is for the
//! loom models to find, no processor shows it reliably.

use super::*;
use crate::reclaim::barrier::Barrier;
use crate::reclaim::tests::{Numbered, readers_meet_nothing_that_was_reclaimed};

#[test]
fn with_the_barrier_of_the_system() {
    readers_meet_nothing_that_was_reclaimed(&Reclaimer::new(), 40_000);
}

#[test]
fn with_a_fence_on_both_sides() {
    let pins = Pins::with_barrier(Barrier::symmetric());
    readers_meet_nothing_that_was_reclaimed(&Reclaimer::with_pins(pins), 40_000);
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
    let slab = Numbered::new(BATCHES * PILE);
    slab.retire_all(&reclaimer);
    for batches in (0..BATCHES).step_by(STEADY) {
        assert_eq!(reclaimer.outstanding(), (BATCHES - batches) * PILE);
        reclaimer.tidy(&slab).resume();
    }
    assert_eq!(reclaimer.outstanding(), 0);
}
