//! B, G: numbers of threads, by themselves. What is kept for a thread stands in places that its number indexes, and that
//! are nobody else's while it has it.
#![cfg(loom)]

use std::sync::Arc;

use loom_tests::{model, spawn};
use tandem_registry::thread_numbers::Numbers;

#[test]
fn two_at_once() {
    model("thread_numbers: two at once", 3, 66).check(|| {
        let numbers = Arc::new(Numbers::new(2));
        let other = {
            let numbers = Arc::clone(&numbers);
            spawn(1, move || drop(numbers.take()))
        };
        drop(numbers.take());
        other.join().unwrap();
        assert!(numbers.take().value() < 2);
    });
}

/// One is on the list: its owner gives it back while two others come.
#[test]
fn three_for_one_that_is_given_back() {
    model("thread_numbers: three for one that is given back", 3, 14_315).check(|| {
        let numbers = Arc::new(Numbers::new(3));
        let others = [1, 2].map(|number| {
            let numbers = Arc::clone(&numbers);
            spawn(number, move || drop(numbers.take()))
        });
        drop(numbers.take());
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Those that are taken are passed over, by one who is ordered after neither of their owners.
#[test]
fn one_behind_another() {
    model("thread_numbers: one behind another", 3, 2_670).check(|| {
        let numbers = Arc::new(Numbers::new(4));
        let others = [1, 2].map(|number| {
            let numbers = Arc::clone(&numbers);
            spawn(number, move || {
                let one = numbers.take();
                let another = numbers.take();
                assert_ne!(one.value(), another.value());
            })
        });
        for other in others {
            other.join().unwrap();
        }
    });
}
