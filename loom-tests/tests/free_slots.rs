//! B, G: what is on a stack of free slots, or on a pile of retired ones, is taken once, by one that is ordered after
//! whoever put it there.
#![cfg(loom)]

use loom_tests::{model, spawn};
use std::sync::Arc;
use tandem_registry::stack_of_items::Items;

/// `first` on the spawned thread, `second` on this one; each returns the items that it has at its end.
fn race(items: u32, first: fn(&Items) -> Vec<u32>, second: fn(&Items) -> Vec<u32>) {
    let all = Arc::new(Items::new(items));
    // The first is on top.
    (0..items).rev().for_each(|item| all.push(item));
    let other = {
        let all = Arc::clone(&all);
        spawn(1, move || first(&all))
    };
    let mut seen = second(&all);
    seen.extend(other.join().unwrap());
    seen.extend(std::iter::from_fn(|| all.pop()));
    seen.extend(all.take());
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..items), "each is somebody's, once: {seen:?}");
}

fn pop(items: &Items) -> Vec<u32> {
    items.pop().into_iter().collect()
}

#[test]
fn pop_against_pop() {
    model("free_slots: pop against pop", 3, 7).check(|| race(2, pop, pop));
}

/// The top is taken and put back, above another one than before.
#[test]
fn pop_against_a_top_put_back() {
    model("free_slots: pop against a top that is put back", 3, 122).check(|| {
        race(3, pop, |items| {
            let [first, second] = [(); 2].map(|()| items.pop());
            first.into_iter().for_each(|first| items.push(first));
            second.into_iter().collect()
        });
    });
}

#[test]
fn pop_against_push() {
    model("free_slots: pop against push", 3, 53).check(|| {
        race(1, pop, |items| {
            items.pop().into_iter().for_each(|item| items.push(item));
            Vec::new()
        });
    });
}

/// One puts items on a pile, another one takes them all.
#[test]
fn a_pile_against_its_taker() {
    model("free_slots: a pile against its taker", 3, 18).check(|| {
        race(2, Items::take, |items| {
            while let Some(item) = items.pop() {
                items.pile_up(item);
            }
            Vec::new()
        });
    });
}
