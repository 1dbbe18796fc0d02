//! D, F, G: a lookup that looks first in a level that its chain has left believes no miss there, and one that is
//! reclaimed is looked at by nobody.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

/// Of the node ids 0 to 3, this one is in the upper half of the level that has grown.
const UPPER: u64 = 2;

#[test]
fn while_a_level_moves() {
    model("stale_level: while a level moves", 3, 5_346).crossbeam(1, 6_094).check(|| {
        let ledger = Ledger::default();
        // One line of three places: the fourth client spills, and the next writer splits it.
        let registry = Arc::new(small().capacity(3).build().unwrap());
        for client in 0..4 {
            ledger.connect(&registry, client, client, client);
        }
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || assert_eq!(routed(&registry.pin(), UPPER), Some(UPPER)))
        };
        drop(registry.disconnect(&0));
        registry.flush();
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}
