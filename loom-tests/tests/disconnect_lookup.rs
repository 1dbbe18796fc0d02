//! A: one atomic step ends a client in both tables: no pair of lookups sees half of it.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn the_pair_of_lookups() {
    model("disconnect_lookup: the pair", 3, 2_824).shipped(5_689).crossbeam(2, 4_932).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let route = routed(&guard, 7).is_some();
                let client = guard.client(&1).is_some();
                let again = routed(&guard, 7).is_some();
                let by_key = guard.get(key).is_some();
                let seen = [route, client, again, by_key];
                assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
            })
        };
        let removed = registry.disconnect_key(key).expect("nobody else ends it");
        assert_eq!(removed.stream().unwrap().of, 0);
        drop(removed);
        reader.join().unwrap();
        assert!(registry.is_empty());
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn by_an_alias() {
    model("disconnect_lookup: an alias", 3, 10_773).crossbeam(1, 604).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = registry.connect(ledger.client(1, 7, 0).alias(8)).unwrap().key;
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let seen = [8, 7, 8, 7].map(|name| routed(&guard, name).is_some());
                assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
            })
        };
        drop(registry.disconnect_key(key).expect("nobody else ends it"));
        reader.join().unwrap();
        assert!(registry.key_by_node(&8).is_none());
        drop(registry);
        ledger.settle();
    });
}
