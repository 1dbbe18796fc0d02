//! B, H: iteration yields what is live, whole, while clients come, go, and leave their slots to others.
#![cfg(loom)]

use loom_tests::{Ledger, Small, model, small, spawn};
use std::sync::Arc;

/// Ids and the connection that each stream is of.
fn all(registry: &Small) -> Vec<(u64, u64)> {
    let guard = registry.pin();
    let stream = |client: tandem_registry::ClientRef<'_, _, _, _, loom_tests::Counted>| {
        (*client.id(), client.stream().expect("it has one").of)
    };
    guard.iter().map(stream).collect()
}

#[test]
fn against_connect() {
    model("iteration_connect: against a connect", 3, 300).shipped(117).crossbeam(3, 297).check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            ledger.connect(&registry, 1, 7, 10);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || all(&registry))
            };
            ledger.connect(&registry, 2, 8, 20);
            let seen = reader.join().unwrap();
            assert!([&[(1, 10)][..], &[(1, 10), (2, 20)]].contains(&&*seen), "{seen:?}");
            drop(registry);
            ledger.settle();
        },
    );
}

#[test]
fn against_a_slot_used_again() {
    model("iteration_connect: against a slot used again", 3, 752)
        .shipped(1_234)
        .crossbeam(2, 7_971)
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let key = ledger.connect(&registry, 1, 7, 10);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || all(&registry))
            };
            drop(registry.disconnect_key(key));
            registry.flush();
            ledger.connect(&registry, 2, 8, 20);
            let seen = reader.join().unwrap();
            let expected = [&[][..], &[(1, 10)], &[(2, 20)], &[(1, 10), (2, 20)]];
            assert!(expected.contains(&&*seen), "{seen:?}");
            drop(registry);
            ledger.settle();
        });
}
