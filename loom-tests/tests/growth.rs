//! F: growth stops nobody, and a scan finds every entry that was put before it began.
#![cfg(loom)]

use loom::thread;
use loom_tests::{Ledger, Small, model, routed, small};
use std::sync::Arc;

/// One line of three places, and three clients in it: the next one makes it grow.
fn about_to_grow(ledger: &Ledger) -> Arc<Small> {
    let registry = small().capacity(3).build().unwrap();
    for client in 0..3 {
        ledger.connect(&registry, client, client, client);
    }
    Arc::new(registry)
}

/// The same after the next one: the line has spilled, and is split by the next writer that comes by.
fn about_to_split(ledger: &Ledger) -> Arc<Small> {
    let registry = about_to_grow(ledger);
    ledger.connect(&registry, 3, 3, 3);
    registry
}

/// A split, from its first step to its last, under the eyes of one lookup.
#[test]
fn a_split_against_lookup() {
    model("growth: a split against a lookup", 3, 28_503).check(|| {
        let ledger = Ledger::default();
        let registry = about_to_split(&ledger);
        let reader = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || assert_eq!(routed(&registry.pin(), 3), Some(3)))
        };
        drop(registry.disconnect(&0));
        reader.join().unwrap();
        for client in 0..4 {
            assert_eq!(routed(&registry.pin(), client), (client > 0).then_some(client));
        }
        drop(registry);
        ledger.settle();
    });
}

/// Two writers split the same line.
#[test]
fn a_split_against_a_split() {
    model("growth: a split against a split", 3, 20_000).cut_after(15).check(|| {
        let ledger = Ledger::default();
        let registry = about_to_split(&ledger);
        let other = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || drop(registry.disconnect(&3)))
        };
        drop(registry.disconnect(&0));
        other.join().unwrap();
        for client in 0..4 {
            let lives = client == 1 || client == 2;
            assert_eq!(routed(&registry.pin(), client), lives.then_some(client));
        }
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn against_lookup() {
    model("growth: lookup", 3, 20_000).cut_after(20).check(|| {
        let ledger = Ledger::default();
        let registry = about_to_grow(&ledger);
        let reader = {
            let registry = Arc::clone(&registry);
            thread::spawn(move || {
                let guard = registry.pin();
                assert_eq!(routed(&guard, 1), Some(1));
                let newest = [routed(&guard, 3), routed(&guard, 3)];
                assert!(newest.is_sorted(), "{newest:?}");
            })
        };
        // Spills, and so begins to grow; the next one splits the line that it needs.
        ledger.connect(&registry, 3, 3, 3);
        ledger.connect(&registry, 4, 4, 4);
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn against_connect() {
    model("growth: connect", 3, 20_000).cut_after(20).check(|| {
        let ledger = Ledger::default();
        let registry = about_to_grow(&ledger);
        let grow = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            thread::spawn(move || ledger.connect(&registry, 3, 3, 3))
        };
        ledger.connect(&registry, 4, 4, 4);
        grow.join().unwrap();
        for client in 0..5 {
            assert_eq!(routed(&registry.pin(), client), Some(client));
        }
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn against_disconnect() {
    model("growth: disconnect", 3, 18_385).check(|| {
        let ledger = Ledger::default();
        let registry = about_to_grow(&ledger);
        let grow = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            thread::spawn(move || ledger.connect(&registry, 3, 3, 3))
        };
        drop(registry.disconnect(&1).unwrap());
        assert!(routed(&registry.pin(), 1).is_none());
        grow.join().unwrap();
        assert!(routed(&registry.pin(), 1).is_none());
        for client in [0, 2, 3] {
            assert_eq!(routed(&registry.pin(), client), Some(client));
        }
        drop(registry);
        ledger.settle();
    });
}
