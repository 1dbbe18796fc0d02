//! C: an alias never takes a node id and never ends a client, and goes with its owner.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;
use tandem_registry::AliasErrorKind;

#[test]
fn two_owners_of_one_name() {
    model("aliases: two owners", 3, 3_134).crossbeam(3, 3_072).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let one = ledger.connect(&registry, 1, 1, 0);
        let two = ledger.connect(&registry, 2, 2, 1);
        let other = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.add_alias(one, 9).unwrap())
        };
        registry.add_alias(two, 9).unwrap();
        other.join().unwrap();
        assert!(routed(&registry.pin(), 9).is_some(), "one of them has it");
        assert_eq!(registry.len(), 2);
        let had = [registry.remove_alias(one, &9), registry.remove_alias(two, &9)];
        assert_ne!(had[0], had[1], "one of them had it");
        assert!(routed(&registry.pin(), 9).is_none());
        drop(registry);
        ledger.settle();
    });
}

/// An alias must not take the name from its bearer for an owner that is gone.
#[test]
fn a_taker_that_is_disconnected() {
    model("aliases: the taker is disconnected", 3, 54_980)
        .crossbeam(2, 8_594)
        .keep_garbage()
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let bearer = registry.connect(ledger.client(1, 1, 0).alias(9)).unwrap().key;
            let taker = ledger.connect(&registry, 2, 2, 1);
            let leaver = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    drop(registry.disconnect_key(taker).unwrap());
                    routed(&registry.pin(), 9)
                })
            };
            let taken = registry.add_alias(taker, 9);
            let after = leaver.join().unwrap();
            let kept = routed(&registry.pin(), 9);
            assert_eq!(after, kept, "nobody takes it for one that is gone");
            match taken {
                Ok(()) => assert_eq!(kept, None, "taken, and gone with its owner"),
                Err(error) => {
                    assert_eq!(error.kind(), AliasErrorKind::ClientGone);
                    assert_eq!(kept, Some(0), "not taken");
                }
            }
            assert!(registry.pin().get(bearer).is_some());
            drop(registry);
            ledger.settle();
        });
}

/// Whoever is told that the owner is gone finds it no more. As in `another_against_the_end`, but here two preemptions are
/// enough to show it, so that it is asked on the reclaimer that ships, too.
#[test]
fn of_an_owner_that_is_disconnected() {
    model("aliases: the owner is disconnected", 3, 3_165).crossbeam(3, 2_602).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let owner = ledger.connect(&registry, 1, 1, 0);
        let leaver = {
            let registry = Arc::clone(&registry);
            spawn(1, move || drop(registry.disconnect_key(owner).unwrap()))
        };
        let refused = registry.add_alias(owner, 9).map_err(|error| error.kind()).err();
        if let Some(kind) = refused {
            assert_eq!(kind, AliasErrorKind::ClientGone);
            assert_eq!(routed(&registry.pin(), 1), None, "its end is over");
        }
        leaver.join().unwrap();
        assert_eq!(routed(&registry.pin(), 9), None);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn against_a_connect_of_the_name() {
    model("aliases: against a connect", 3, 2_309).crossbeam(3, 2_341).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let one = ledger.connect(&registry, 1, 1, 0);
        let alias = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.add_alias(one, 9).map_err(|error| error.kind()))
        };
        let connected = registry.connect(ledger.client(2, 9, 1)).unwrap();
        assert!(connected.displaced.is_empty());
        let added = alias.join().unwrap();
        assert!(matches!(added, Ok(()) | Err(AliasErrorKind::NodeId)));
        assert_eq!(routed(&registry.pin(), 9), Some(1), "the node id has it");
        assert_eq!(registry.len(), 2);
        drop(connected);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn two_of_one_owner() {
    model("aliases: two of one owner", 3, 457).crossbeam(3, 1_116).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let owner = ledger.connect(&registry, 1, 1, 0);
        let other = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.add_alias(owner, 8).unwrap())
        };
        registry.add_alias(owner, 9).unwrap();
        other.join().unwrap();
        assert_eq!([1, 8, 9].map(|name| routed(&registry.pin(), name)), [Some(0); 3]);
        drop(registry.disconnect_key(owner).unwrap());
        assert_eq!([1, 8, 9].map(|name| routed(&registry.pin(), name)), [None; 3]);
        drop(registry);
        ledger.settle();
    });
}

/// Given twice at once, and removed: it is there from the first of them on, by one slot or the other.
#[test]
fn one_twice_against_its_removal() {
    model("aliases: one twice, and its removal", 3, 19_999).cut_at(20_000).keep_garbage().check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let owner = ledger.connect(&registry, 1, 1, 0);
            let other = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    registry.add_alias(owner, 9).unwrap();
                    assert!(registry.remove_alias(owner, &9), "it has it");
                })
            };
            registry.add_alias(owner, 9).unwrap();
            other.join().unwrap();
            // If this one's came later.
            let is_there = routed(&registry.pin(), 9).is_some();
            assert_eq!(registry.remove_alias(owner, &9), is_there);
            assert_eq!([1, 9].map(|name| routed(&registry.pin(), name)), [Some(0), None]);
            drop(registry.disconnect_key(owner).unwrap());
            drop(registry);
            ledger.settle();
        },
    );
}

/// Of an owner that has one already, so that nothing but its list tells the two of each other.
#[test]
fn another_against_the_end() {
    model("aliases: another against the end", 3, 2_066).crossbeam(3, 9_118).keep_garbage().check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let owner = registry.connect(ledger.client(1, 1, 0).alias(8)).unwrap().key;
            let other = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    if let Err(error) = registry.add_alias(owner, 9) {
                        assert_eq!(error.kind(), AliasErrorKind::ClientGone);
                        assert_eq!(routed(&registry.pin(), 1), None, "it is gone, and found");
                    }
                })
            };
            let removed = registry.disconnect_key(owner).unwrap();
            other.join().unwrap();
            assert_eq!([1, 8, 9].map(|name| routed(&registry.pin(), name)), [None; 3]);
            drop(removed);
            drop(registry);
            ledger.settle();
        },
    );
}
