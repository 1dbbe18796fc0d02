//! B: what is done by an old key cannot harm the reconnect, nor a client that has the slot now.
#![cfg(loom)]

use loom::thread;
use loom_tests::{Ledger, model, routed, small};
use std::sync::Arc;

#[test]
fn disconnect_against_a_reconnect() {
    model("stale_key: disconnect against a reconnect", 3, 0).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let late = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || registry.disconnect_key(old).is_some())
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
fn against_the_slot_used_again() {
    model("stale_key: the slot used again", 3, 0).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let reuse = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            thread::spawn(move || {
                // Retires the slot, has it reclaimed, and takes it again.
                drop(registry.disconnect_key(old));
                registry.flush();
                ledger.connect(&registry, 2, 8, 1)
            })
        };
        {
            let guard = registry.pin();
            if let Some(client) = guard.get(old) {
                assert_eq!((*client.id(), client.stream().unwrap().of), (1, 0));
            }
            assert_ne!(routed(&guard, 7), Some(1));
        }
        let late = registry.disconnect_key(old);
        let new = reuse.join().unwrap();
        assert_ne!(old, new);
        drop(late);
        assert_eq!(routed(&registry.pin(), 8), Some(1));
        drop(registry);
        ledger.settle();
    });
}
