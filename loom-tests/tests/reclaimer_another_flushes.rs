//! G: the reclaimer that ships, where one thread retires, another disposes of it, and a third one reads.
#![cfg(loom)]

use loom_tests::{model, spawn};
use std::sync::Arc;
use tandem_registry::reclaimer::Slots;

#[test]
fn reclaimer_another_flushes() {
    model("reclaimer_another_flushes", 2, 28_523).check(|| {
        let slots = Arc::new(Slots::new(2));
        let reader = {
            let slots = Arc::clone(&slots);
            spawn(1, move || assert!(slots.pin().read() < 2))
        };
        let another = {
            let slots = Arc::clone(&slots);
            spawn(2, move || {
                slots.flush();
            })
        };
        slots.replace(1);
        reader.join().unwrap();
        another.join().unwrap();
        assert_eq!(slots.flush(), 0, "no guard is left");
        assert_eq!(slots.reclaimed(), [1, 0]);
    });
}

/// Both move the horizon and dispose of what is ripe, each perhaps by what the other found.
#[test]
fn reclaimer_two_flush() {
    model("reclaimer_another_flushes: two", 2, 10_500).check(|| {
        let slots = Arc::new(Slots::new(2));
        let held = slots.pin();
        assert_eq!(held.read(), 0);
        slots.replace(1);
        let others = [1, 2].map(|number| {
            let slots = Arc::clone(&slots);
            spawn(number, move || {
                slots.flush();
            })
        });
        held.read_again(0);
        drop(held);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(slots.flush(), 0, "no guard is left");
        assert_eq!(slots.reclaimed(), [1, 0]);
    });
}
