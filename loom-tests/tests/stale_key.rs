//! B: what is done by an old key cannot harm the reconnect, nor a client that has the slot now.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn disconnect_against_a_reconnect() {
    model("stale_key: disconnect against a reconnect", 3, 3_984)
        .shipped(5_621)
        .crossbeam(3, 2_345)
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let late = {
                let registry = Arc::clone(&registry);
                spawn(1, move || registry.disconnect_key(old).is_some())
            };
            let connected = registry.connect(ledger.client(1, 7, 1)).unwrap();
            let late = late.join().unwrap();
            assert_eq!(late, connected.displaced.is_empty(), "it ended once");
            drop(connected);
            assert_eq!(routed(&registry.pin(), 7), Some(1));
            assert_eq!(registry.len(), 1);
            drop(registry);
            ledger.settle();
        });
}

#[test]
fn lookups_against_the_slot_used_again() {
    model("stale_key: lookups, the slot used again", 3, 938)
        .shipped(2_355)
        .crossbeam(2, 10_216)
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    let guard = registry.pin();
                    if let Some(client) = guard.get(old) {
                        assert_eq!((*client.id(), client.stream().unwrap().of), (1, 0));
                    }
                    assert_ne!(routed(&guard, 7), Some(1));
                })
            };
            // Retires the slot, has it reclaimed as soon as that is legal, and takes it again.
            drop(registry.disconnect_key(old));
            registry.flush();
            let new = ledger.connect(&registry, 2, 8, 1);
            assert_ne!(old, new);
            reader.join().unwrap();
            drop(registry);
            ledger.settle();
        });
}

#[test]
fn a_late_disconnect_against_the_slot_used_again() {
    model("stale_key: disconnect, the slot used again", 3, 376).crossbeam(2, 5_850).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let late = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.disconnect_key(old).is_some())
        };
        let mine = registry.disconnect_key(old).is_some();
        registry.flush();
        let new = ledger.connect(&registry, 2, 8, 1);
        assert_ne!(late.join().unwrap(), mine, "it ended once");
        assert_eq!(registry.key(&2), Some(new));
        assert_eq!(routed(&registry.pin(), 8), Some(1));
        drop(registry);
        ledger.settle();
    });
}
