//! G, reclamation: what a guard keeps, and for whom.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use super::g_flush::{CONSTANT, Counted, assert_flushes_all, counted, retire};
use crate::fixtures::tracked::Ledger;

#[test]
fn g_a_guard_keeps_what_was_retired_since_it_was_taken() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    registry.connect(counted(&LEDGER, 1_000_000)).unwrap();
    let guard = registry.pin();
    let reached = guard.stream(&1_000_000).expect("it is connected");
    registry.disconnect(&1_000_000);
    retire(&registry, &LEDGER, 500);
    for _ in 0..10 {
        assert!(registry.flush().left > 0);
        thread::scope(|scope| {
            scope.spawn(|| assert!(registry.flush().left > 0));
        });
        LEDGER.assert_live(2 * 501);
        assert!(registry.stats().retired >= 501);
        assert_eq!(reached.get(), &1_000_000);
    }
    drop(guard);
    assert_flushes_all(&registry, &LEDGER, 0);
}

#[test]
fn g_a_guard_of_another_thread_keeps_things_too() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Arc::new(Counted::new());
    registry.connect(counted(&LEDGER, 7)).unwrap();
    let (pinned, is_pinned) = mpsc::channel();
    let (unpin, may_unpin) = mpsc::channel::<()>();
    let holder = thread::spawn({
        let registry = Arc::clone(&registry);
        move || {
            let guard = registry.pin();
            let reached = guard.stream(&7).expect("it is connected");
            pinned.send(()).unwrap();
            let _ = may_unpin.recv();
            assert_eq!(reached.get(), &7);
        }
    });
    is_pinned.recv().unwrap();
    registry.disconnect(&7);
    assert!(registry.flush().left > 0);
    LEDGER.assert_live(2);
    drop(unpin);
    holder.join().unwrap();
    assert_flushes_all(&registry, &LEDGER, 0);
}

#[test]
#[cfg_attr(feature = "crossbeam-epoch", ignore = "epochs lag: it keeps up to two of them more")]
fn g_a_guard_keeps_nothing_that_was_retired_before_it() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let earlier = registry.pin();
    retire(&registry, &LEDGER, 10_000);
    let guard = registry.pin();
    assert!(registry.flush().left >= 10_000);
    drop(earlier);
    let left = registry.flush().left;
    assert!(left <= CONSTANT, "{left} of 10000 are kept by a guard that cannot reach them");
    drop(guard);
    assert_flushes_all(&registry, &LEDGER, 0);
}

#[test]
fn g_a_repinned_guard_keeps_nothing_from_before() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let mut guard = registry.pin();
    retire(&registry, &LEDGER, 10_000);
    assert!(registry.flush().left >= 10_000);
    guard.repin();
    let left = registry.flush().left;
    assert!(left <= CONSTANT, "{left} of 10000 are kept by a guard that was renewed");
    // It still is a guard.
    registry.connect(counted(&LEDGER, 1)).unwrap();
    let reached = guard.stream(&1).unwrap();
    registry.disconnect(&1);
    assert!(registry.flush().left > 0);
    assert_eq!(reached.get(), &1);
}

/// A thread that renews its guard as it goes, which is never without one, holds nothing up for long.
#[test]
fn g_garbage_stays_bounded_under_a_guard_that_is_repinned() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let mut guard = registry.pin();
    for id in 0..20_000 {
        registry.connect(counted(&LEDGER, id)).unwrap();
        registry.disconnect(&id);
        guard.repin();
        let kept = LEDGER.live();
        assert!(kept <= 2 * CONSTANT, "{kept} values are kept after {id} clients");
    }
}

#[test]
fn g_nested_guards_keep_things_until_the_last() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    registry.connect(counted(&LEDGER, 1)).unwrap();
    let outer = registry.pin();
    let mut inner = registry.pin();
    let reached = outer.stream(&1).unwrap();
    registry.disconnect(&1);
    // A repin of one of them must not let go of what the other reached.
    inner.repin();
    registry.flush();
    assert_eq!(reached.get(), &1);
    drop(inner);
    assert!(registry.flush().left > 0);
    assert_eq!(reached.get(), &1);
    drop(outer);
    assert_flushes_all(&registry, &LEDGER, 0);
}

#[test]
fn g_a_guard_of_another_registry_delays_nothing() {
    static LEDGER: Ledger = Ledger::new();
    let (registry, other) = (Counted::new(), Counted::new());
    let here = other.pin();
    retire(&registry, &LEDGER, 300);
    assert_flushes_all(&registry, &LEDGER, 0);
    let (pinned, is_pinned) = mpsc::channel();
    let (unpin, may_unpin) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = other.pin();
            pinned.send(()).unwrap();
            let _ = may_unpin.into_iter().next();
        });
        is_pinned.recv().unwrap();
        retire(&registry, &LEDGER, 300);
        assert_flushes_all(&registry, &LEDGER, 0);
        drop(unpin);
    });
    drop(here);
}
