//! G, J: arrays that grow without moving, by themselves. Everything else has pointers to segments that loom does not
//! see; here they are its own.
#![cfg(loom)]

use std::sync::Arc;

use loom_tests::{model, spawn};
use tandem_registry::counters::Counters;

/// The first index of the second segment.
const SECOND: u32 = 4;

#[test]
fn two_make_one() {
    model("segments: two make one", 3, 16).check(|| {
        let counters = Arc::new(Counters::default());
        let other = {
            let counters = Arc::clone(&counters);
            spawn(1, move || counters.count(SECOND))
        };
        counters.count(SECOND + 1);
        other.join().unwrap();
        assert_eq!((counters.counted(SECOND), counters.counted(SECOND + 1)), (Some(1), Some(1)));
        assert_eq!((counters.sum(), counters.counted(0)), (2, None));
    });
}

fn read_while_it_is_made(name: &'static str, recorded: usize, read: fn(&Counters) -> Option<u32>) {
    model(name, 3, recorded).check(move || {
        let counters = Arc::new(Counters::default());
        let reader = {
            let counters = Arc::clone(&counters);
            spawn(1, move || assert!(read(&counters).is_none_or(|counted| counted < 2)))
        };
        counters.count(SECOND);
        reader.join().unwrap();
        assert_eq!(read(&counters), Some(1));
    });
}

#[test]
fn a_read_while_it_is_made() {
    read_while_it_is_made("segments: a read", 18, |counters| counters.counted(SECOND));
}

#[test]
fn a_look_and_a_read_while_it_is_made() {
    read_while_it_is_made("segments: a look and a read", 18, |counters| {
        counters.counted_in_two_steps(SECOND)
    });
}

#[test]
fn a_walk_while_it_is_made() {
    read_while_it_is_made("segments: a walk", 18, |counters| Some(counters.sum()));
}

/// By one who is alone meanwhile, and is followed by others.
#[test]
fn one_that_was_given_back_is_made_again() {
    model("segments: given back and made again", 3, 70).check(|| {
        let counters = Arc::new(Counters::default());
        let first = {
            let counters = Arc::clone(&counters);
            spawn(1, move || counters.count(SECOND))
        };
        first.join().unwrap();
        // SAFETY: nobody else is here.
        unsafe { counters.vacate() };
        let others = [1, 2].map(|number| {
            let counters = Arc::clone(&counters);
            spawn(number, move || counters.count(SECOND))
        });
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(counters.counted(SECOND), Some(2));
    });
}
