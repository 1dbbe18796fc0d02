//! E: places are counted exactly.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;
use tandem_registry::ConnectErrorKind;

#[test]
fn the_last_place_against_two_connects() {
    model("capacity: the last place", 3, 138).shipped(452).crossbeam(3, 5_636).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().max_clients(1).build().unwrap());
        let other = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || {
                let result = registry.connect(ledger.client(1, 1, 0));
                result.map(drop).map_err(|error| error.kind())
            })
        };
        let mine = registry.connect(ledger.client(2, 2, 1)).map(drop).map_err(|error| error.kind());
        let other = other.join().unwrap();
        let full = Err(ConnectErrorKind::Full);
        assert!((mine.is_ok() && other == full) || (other.is_ok() && mine == full));
        assert_eq!(registry.len(), 1);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn a_takeover_hands_its_place_over_once() {
    model("capacity: takeover and disconnect", 3, 3_346).shipped(22_064).crossbeam(3, 7_794).check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().max_clients(1).build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let late = {
                let registry = Arc::clone(&registry);
                spawn(1, move || drop(registry.disconnect_key(old)))
            };
            if let Err(full) = registry.connect(ledger.client(2, 7, 1)) {
                // Disconnected before, and the removal still has the place: nobody to take it over from.
                assert_eq!(full.kind(), ConnectErrorKind::Full);
                assert!(registry.pin().get(old).is_none());
                late.join().unwrap();
                registry.connect(full.into_rejected()).expect("the removal is finished");
            } else {
                late.join().unwrap();
            }
            assert_eq!(registry.len(), 1);
            let full = registry.connect(ledger.client(3, 8, 2)).unwrap_err();
            assert_eq!(full.kind(), ConnectErrorKind::Full);
            assert_eq!(routed(&registry.pin(), 7), Some(1));
            drop(full);
            drop(registry);
            ledger.settle();
        },
    );
}

/// Three threads: while a takeover is between its steps and the older client is being disconnected, a
/// third client connects. The place is released once.
#[test]
fn a_third_connect_between_the_steps() {
    model("capacity: a third connect between the steps", 3, 123_541)
        .crossbeam(1, 6_723)
        .keep_garbage()
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().max_clients(1).build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let late = {
                let registry = Arc::clone(&registry);
                spawn(1, move || drop(registry.disconnect_key(old)))
            };
            let third = {
                let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
                spawn(2, move || registry.connect(ledger.client(3, 8, 2)).is_ok())
            };
            let taken = registry.connect(ledger.client(2, 7, 1)).is_ok();
            late.join().unwrap();
            let third = third.join().unwrap();
            assert!(!(taken && third), "there is one place");
            // Neither, if both looked while the removal still had it.
            let live = usize::from(taken) + usize::from(third);
            assert_eq!(registry.len(), live);
            assert_eq!(registry.pin().iter().count(), live);
            drop(registry);
            ledger.settle();
        });
}

/// Whoever got the place finds the client gone that had it.
#[test]
fn a_place_that_was_released() {
    model("capacity: a place that was released", 3, 196).crossbeam(3, 6_145).keep_garbage().check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().max_clients(1).build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let next = {
                let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
                spawn(1, move || {
                    let is_in = registry.connect(ledger.client(2, 8, 1)).is_ok();
                    let is_old_found = routed(&registry.pin(), 7).is_some();
                    assert!(!is_in || !is_old_found, "two clients at once");
                })
            };
            drop(registry.disconnect_key(old));
            next.join().unwrap();
            drop(registry);
            ledger.settle();
        },
    );
}

/// Both displace whoever has the place, so neither is ever refused.
#[test]
fn two_takeovers_of_one_place() {
    model("capacity: two takeovers of one place", 3, 19_999).keep_garbage().cut_at(20_000).check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().max_clients(1).build().unwrap());
            ledger.connect(&registry, 1, 7, 0);
            let other = {
                let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
                spawn(1, move || registry.connect(ledger.client(2, 7, 1)).is_ok())
            };
            let mine = registry.connect(ledger.client(3, 7, 2)).is_ok();
            assert!(mine && other.join().unwrap(), "one is refused");
            assert_eq!(registry.len(), 1);
            drop(registry);
            ledger.settle();
        },
    );
}
