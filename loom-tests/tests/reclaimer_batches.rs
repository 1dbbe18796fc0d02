//! G: batches of garbage on their queue, by itself: each is taken once, by one that is ordered after whoever put it
//! there.
#![cfg(loom)]

use loom_tests::{model, spawn};
use std::sync::Arc;
use tandem_registry::reclaimer::Batches;

/// `first` on the spawned thread, `second` on this one; then all of `batches` have been pushed.
fn race(batches: u32, before: u32, first: fn(&Batches), second: fn(&Batches)) {
    let queue = Arc::new(Batches::new(batches));
    for batch in 0..before {
        queue.push(batch, 0);
    }
    let other = {
        let queue = Arc::clone(&queue);
        spawn(1, move || first(&queue))
    };
    second(&queue);
    other.join().unwrap();
    while queue.pop(u64::MAX) {}
    queue.take_pile();
    assert_eq!(queue.disposed(), (vec![1; batches as usize], batches as usize));
}

fn push<const BATCH: u32>(queue: &Batches) {
    queue.push(BATCH, u64::from(BATCH));
}

fn pop(queue: &Batches) {
    queue.pop(u64::MAX);
}

#[test]
fn push_against_push() {
    model("reclaimer_batches: push against push", 3, 242)
        .check(|| race(2, 0, push::<0>, push::<1>));
}

#[test]
fn pop_against_push() {
    model("reclaimer_batches: pop against push", 3, 25).check(|| race(1, 0, pop, push::<0>));
}

#[test]
fn pop_against_pop() {
    model("reclaimer_batches: pop against pop", 3, 11).check(|| race(1, 1, pop, pop));
}

/// The batch that the first one looks at goes, and comes back with something else in it.
#[test]
fn pop_against_a_round() {
    model("reclaimer_batches: pop against a round", 3, 8_542).check(|| {
        race(3, 1, pop, |queue| {
            queue.pop(u64::MAX);
            queue.push(1, 1);
            queue.pop(u64::MAX);
            queue.push(2, 2);
        });
    });
}

/// The same, and it is the end of the queue.
#[test]
fn push_against_a_round() {
    model("reclaimer_batches: push against a round", 3, 6_215).check(|| {
        race(4, 1, push::<3>, |queue| {
            queue.push(1, 1);
            queue.pop(u64::MAX);
            queue.pop(u64::MAX);
            queue.push(2, 2);
        });
    });
}

/// Before it is a batch.
#[test]
fn a_pile_against_its_taker() {
    model("reclaimer_batches: a pile against its taker", 3, 176).check(|| {
        race(2, 0, Batches::take_pile, |queue| {
            [0, 1].into_iter().for_each(|slot| queue.pile_up(slot))
        });
    });
}
