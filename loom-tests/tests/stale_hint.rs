//! D, F: a lookup that computed its line from the shift of an array and the lines of the next one believes
//! no miss there.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

/// Of the node ids 0 to 3, this one is in the upper half of the array that has grown.
const UPPER: u64 = 2;

#[test]
fn while_an_array_moves() {
    model("stale_hint: while an array moves", 2, 4_835).check(|| {
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
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}
