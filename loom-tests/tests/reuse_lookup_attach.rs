//! B, G: three threads around a slot that is used again: one reads by the old key, one attaches to it, and
//! one ends the client, has its slot reclaimed and connects another there.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn reuse_lookup_attach() {
    model("reuse_lookup_attach", 2, 3_513).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).shards(4).build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let client = guard.get(old);
                let stream = client.and_then(|client| client.stream()).map(|stream| stream.of);
                assert!(stream.is_none_or(|of| of < 2), "another's: {stream:?}");
            })
        };
        let attach = {
            let (registry, stream) = (Arc::clone(&registry), ledger.stream(1));
            spawn(2, move || registry.attach_stream(old, stream))
        };
        let removed = registry.disconnect_key(old).unwrap();
        let last = removed.stream().unwrap().of;
        drop(removed);
        registry.flush();
        let new = ledger.connect(&registry, 2, 8, 2);
        assert_eq!(attach.join().unwrap().is_ok(), last == 1);
        reader.join().unwrap();
        assert_eq!(routed(&registry.pin(), 8), Some(2));
        assert_eq!(registry.key(&2), Some(new));
        drop(registry);
        ledger.settle();
    });
}
