//! G: a slot whose client is still somebody's (`Removed`) is used again only after that is dropped, and by one that is
//! ordered after the drop.
#![cfg(loom)]

use loom_tests::{Ledger, Small, SmallRemoved, model, routed, small, spawn};
use std::sync::Arc;

/// A client that was ended, and `race`s its registry; after that the registry is as it should be.
fn removed(race: impl FnOnce(&Arc<Small>, &Ledger, SmallRemoved)) {
    let ledger = Ledger::default();
    let registry = Arc::new(small().build().unwrap());
    let key = ledger.connect(&registry, 1, 7, 0);
    let removed = registry.disconnect_key(key).unwrap();
    race(&registry, &ledger, removed);
    assert_eq!(routed(&registry.pin(), 8), Some(1));
    drop(registry);
    ledger.settle();
}

fn use_again(registry: &Small, ledger: &Ledger) {
    registry.flush();
    ledger.connect(registry, 2, 8, 1);
}

#[test]
fn dropped_against_used_again() {
    model("reuse_removed: dropped against used again", 3, 46)
        .shipped(1_777)
        .crossbeam(3, 2_783)
        .check(|| {
            removed(|registry, ledger, removed| {
                let other = spawn(1, move || drop(removed));
                use_again(registry, ledger);
                other.join().unwrap();
            });
        });
}

#[test]
fn used_again_against_dropped() {
    model("reuse_removed: used again against dropped", 3, 96).crossbeam(2, 9_474).check(|| {
        removed(|registry, ledger, removed| {
            let (registry, ledger) = (Arc::clone(registry), ledger.clone());
            let other = spawn(1, move || use_again(&registry, &ledger));
            drop(removed);
            other.join().unwrap();
        });
    });
}

/// The slot's first stream is somebody's by itself (`Detached`): one disposes of that, another of the rest, and either
/// may be the last.
#[test]
fn used_again_after_two() {
    model("reuse_removed: used again after two", 3, 548).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let stream = registry.pin().get(key).unwrap().stream_key().unwrap();
        let detached = registry.detach_stream(stream).unwrap();
        let removed = registry.disconnect_key(key).unwrap();
        let other = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                drop(detached);
                registry.flush();
            })
        };
        drop(removed);
        use_again(&registry, &ledger);
        other.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}
