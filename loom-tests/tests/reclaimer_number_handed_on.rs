//! G: the reclaimer that ships, where a thread has given its number back with a pin that ends late, while the next
//! owner of the number pins.
#![cfg(loom)]

use loom_tests::{model, spawn};
use std::sync::Arc;
use tandem_registry::reclaimer::Slots;

#[test]
fn reclaimer_number_handed_on() {
    model("reclaimer_number_handed_on", 2, 1_566).check(|| {
        let slots = Arc::new(Slots::new(2));
        let held = slots.pin_of(1);
        let next = {
            let slots = Arc::clone(&slots);
            spawn(1, move || assert!(slots.pin().read() < 2))
        };
        let writer = {
            let slots = Arc::clone(&slots);
            spawn(2, move || {
                slots.replace(1);
                slots.flush();
            })
        };
        assert!(held.read() < 2);
        drop(held);
        next.join().unwrap();
        writer.join().unwrap();
        assert_eq!(slots.flush(), 0, "no guard is left");
        assert_eq!(slots.reclaimed(), [1, 0]);
    });
}
