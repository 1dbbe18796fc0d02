//! What this module decides itself: how often a flush goes round, and what goes with the registry.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use super::*;
use crate::reclaim::pile::PILE;
use crate::reclaim::tests::{Numbered, readers_meet_nothing_that_was_reclaimed};
use crate::steps::with_hook;

#[test]
fn pins_of_the_collector() {
    readers_meet_nothing_that_was_reclaimed(&Reclaimer::new(), 10_000);
}

/// With a guard in its way it goes round until its patience is at an end, without one as often as it takes
/// to move the epoch on, and with nothing to do not once.
#[test]
fn a_flush_goes_round_no_more_than_it_has_to() {
    let reclaimer = Reclaimer::new();
    let slab = Numbered::new(1);
    let flush = || {
        let steps = Rc::new(Cell::new(0));
        let count = Rc::clone(&steps);
        let (tally, panics) =
            with_hook(move || count.set(count.get() + 1), || reclaimer.flush(&slab));
        panics.resume();
        (steps.get(), tally.left)
    };
    let (nothing, _) = flush();
    let pin = reclaimer.pin();
    slab.retire_all(&reclaimer);
    let (in_vain, left) = flush();
    assert_eq!(left, 1);
    drop(pin);
    let (needed, left) = flush();
    assert_eq!(left, 0);
    let (again, _) = flush();
    let what = format!("{nothing} steps, {in_vain}, {needed}, {again}");
    println!("{what}");
    assert!(in_vain > 4 * needed, "{what}");
    assert!(again <= nothing + 8, "{what}");
}

/// A guard that is renewed is not in the way of what was retired before.
#[test]
fn a_pin_that_enters_the_present_epoch() {
    let reclaimer = Reclaimer::new();
    let slab = Numbered::new(PILE);
    let mut pin = reclaimer.pin();
    slab.retire_all(&reclaimer);
    let left = || {
        let flush = || reclaimer.flush(&slab);
        let (tally, panics) = thread::scope(|scope| scope.spawn(flush).join().unwrap());
        panics.resume();
        tally.left
    };
    assert_eq!(left(), PILE);
    pin.repin();
    assert_eq!(left(), 0);
}

/// What is in the collector's bags goes with the registry, also what a thread left in its own.
#[test]
fn the_collector_goes_with_the_registry() {
    let held = Arc::new(());
    let reclaimer = Reclaimer::new();
    let defer = || {
        let held = Arc::clone(&held);
        reclaimer.pin().guard.defer(|| drop(held));
    };
    defer();
    thread::scope(|scope| scope.spawn(defer).join().unwrap());
    assert_eq!(Arc::strong_count(&held), 3);
    drop(reclaimer);
    assert_eq!(Arc::strong_count(&held), 1);
}
