//! G: a slot whose client is still somebody's (`Removed`) is used again only after that is dropped, and by one that is
//! ordered after the drop.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn dropped_against_used_again() {
    model("reuse_removed: dropped against used again", 3, 46).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let removed = registry.disconnect_key(key).unwrap();
        let other = spawn(1, move || drop(removed));
        registry.flush();
        ledger.connect(&registry, 2, 8, 1);
        other.join().unwrap();
        assert_eq!(routed(&registry.pin(), 8), Some(1));
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn used_again_against_dropped() {
    model("reuse_removed: used again against dropped", 3, 96).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let removed = registry.disconnect_key(key).unwrap();
        let other = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || {
                registry.flush();
                ledger.connect(&registry, 2, 8, 1);
            })
        };
        drop(removed);
        other.join().unwrap();
        assert_eq!(routed(&registry.pin(), 8), Some(1));
        drop(registry);
        ledger.settle();
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
        registry.flush();
        ledger.connect(&registry, 2, 8, 1);
        other.join().unwrap();
        assert_eq!(routed(&registry.pin(), 8), Some(1));
        drop(registry);
        ledger.settle();
    });
}
