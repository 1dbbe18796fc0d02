//! G: retired clients outlive their registry, and whoever is the last frees its memory, after all others.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom_tests::{Fixed, Ledger, Small, SmallRemoved, model, small, spawn};
use std::array::from_fn;
use std::sync::Arc;
use tandem_registry::{NewClient, Registry};

/// A client for each of these thread numbers, ended under it, and the registry; `end` ends all of them.
fn outlived<const CLIENTS: usize>(
    numbers: [u32; CLIENTS],
    end: impl Fn([SmallRemoved; CLIENTS], Arc<Small>),
) {
    let ledger = Ledger::default();
    let registry = Arc::new(small().build().unwrap());
    let removed = from_fn(|client| {
        let id = client as u64;
        let key = ledger.connect(&registry, id, id, id);
        let registry = Arc::clone(&registry);
        spawn(numbers[client], move || registry.disconnect_key(key).unwrap()).join().unwrap()
    });
    end(removed, registry);
    ledger.settle();
}

#[test]
fn against_the_last_client() {
    model("outlived_registry: against the last client", 3, 99)
        .shipped(6_622)
        .crossbeam(3, 1_933)
        .check(|| {
            outlived([1], |[removed], registry| {
                let other = spawn(1, move || drop(removed));
                drop(registry);
                other.join().unwrap();
            });
        });
}

fn two_of_one_that_is_gone(numbers: [u32; 2]) {
    outlived(numbers, |[one, another], registry| {
        drop(registry);
        let other = spawn(1, move || drop(one));
        drop(another);
        other.join().unwrap();
    });
}

#[test]
fn two_of_one_that_is_gone_by_two_threads() {
    model("outlived_registry: two clients, by two threads", 3, 4)
        .crossbeam(3, 4)
        .check(|| two_of_one_that_is_gone([1, 2]));
}

#[test]
fn two_of_one_that_is_gone_by_one_thread() {
    model("outlived_registry: two clients, by one thread", 3, 4)
        .crossbeam(3, 4)
        .check(|| two_of_one_that_is_gone([1, 1]));
}

/// Three threads.
#[test]
fn against_two_clients() {
    model("outlived_registry: against two clients", 2, 858).crossbeam(1, 2_195).check(|| {
        outlived([1, 2], |[one, another], registry| {
            let others = [(1, one), (2, another)];
            let others = others.map(|(number, removed)| spawn(number, move || drop(removed)));
            drop(registry);
            for other in others {
                other.join().unwrap();
            }
        });
    });
}

/// A stream of which loom sees who reads it and who drops it.
struct Watched(UnsafeCell<()>);

// SAFETY: there is nothing in it.
unsafe impl Sync for Watched {}

impl Watched {
    fn new() -> Self {
        let cell = UnsafeCell::new(());
        // Loom does not see the first write.
        cell.with_mut(|_| ());
        Self(cell)
    }

    fn read(&self) {
        self.0.with(|_| ());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}

/// The registry goes when no guard is left, and then a client is dropped without waiting for any.
#[test]
fn after_a_guard_that_reads() {
    model("outlived_registry: after a guard that reads", 3, 126)
        .shipped(12_860)
        .crossbeam(3, 3_762)
        .check(|| {
            let registry = Registry::builder().shards(1).capacity(8).hasher(Fixed::default());
            let registry = registry.build().unwrap();
            let client = NewClient::new(1, 7, ()).stream(Watched::new());
            let key = registry.connect(client).expect("nothing refuses it").key;
            let guard = registry.pin();
            let route = guard.stream(&7).unwrap();
            let removed = registry.disconnect_key(key).unwrap();
            let other = spawn(1, move || drop(removed));
            route.read();
            drop(guard);
            drop(registry);
            other.join().unwrap();
        });
}
