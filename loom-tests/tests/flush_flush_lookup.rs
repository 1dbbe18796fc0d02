//! G: three threads: a client was ended, two of them flush, and one may be looking at it still.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn flush_flush_lookup() {
    model("flush_flush_lookup", 3, 4_917).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let of = routed(&registry.pin(), 7);
                assert!(of.is_none_or(|of| of == 0));
            })
        };
        let flush = {
            let registry = Arc::clone(&registry);
            spawn(2, move || registry.flush())
        };
        drop(registry.disconnect_key(key).unwrap());
        registry.flush();
        flush.join().unwrap();
        reader.join().unwrap();
        // The first finds out that nobody looks, the second that nobody who missed it does.
        registry.flush();
        registry.flush();
        assert_eq!(registry.stats().retired, 0);
        drop(registry);
        ledger.settle();
    });
}
