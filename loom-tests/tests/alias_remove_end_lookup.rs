//! A, C: three threads on one alias: it is removed, its owner is disconnected, and a lookup by it finds the
//! owner up to one of the two and nobody from then on.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn alias_remove_end_lookup() {
    model("alias_remove_end_lookup", 2, 58_890).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).shards(4).build().unwrap());
        let key = registry.connect(ledger.client(1, 1, 0).alias(3)).unwrap().key;
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let seen = [(); 2].map(|()| routed(&guard, 3).is_some());
                assert!(seen[0] || !seen[1], "an alias does not come back");
            })
        };
        let remove = {
            let registry = Arc::clone(&registry);
            spawn(2, move || registry.remove_alias(key, &3))
        };
        let removed = registry.disconnect_key(key).expect("nobody else ends it");
        remove.join().unwrap();
        reader.join().unwrap();
        assert_eq!([1, 3].map(|name| routed(&registry.pin(), name)), [None, None]);
        assert!(!registry.remove_alias(key, &3));
        drop(removed);
        drop(registry);
        ledger.settle();
    });
}
