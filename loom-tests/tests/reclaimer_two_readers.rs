//! G: the reclaimer that ships, under two readers and a writer that flushes.
#![cfg(loom)]

use loom_tests::{model, spawn};
use std::sync::Arc;
use tandem_registry::reclaimer::Slots;

#[test]
fn reclaimer_two_readers() {
    model("reclaimer_two_readers", 2, 10_750).check(|| {
        let slots = Arc::new(Slots::new(2));
        let readers = [1, 2].map(|number| {
            let slots = Arc::clone(&slots);
            spawn(number, move || assert!(slots.pin().read() < 2))
        });
        slots.replace(1);
        slots.flush();
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(slots.flush(), 0, "no guard is left");
        assert_eq!(slots.reclaimed(), [1, 0]);
    });
}
