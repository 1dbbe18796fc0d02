//! D: a home never says that all its entries are there while one of them is away: lookups believe it.
#![cfg(loom)]

use loom_tests::{Ledger, Small, model, routed, small, spawn};
use std::sync::Arc;

/// Names that have one home of the two that there are: the first one to come is there, the others are away.
const NAMES: [u64; 3] = [1, 3, 5];

/// A registry of one line of three places, in which these names are ids and node ids.
fn crowded(ledger: &Ledger, names: &[u64]) -> Arc<Small> {
    let registry = small().capacity(3).build().unwrap();
    for &name in names {
        ledger.connect(&registry, name, name, name);
    }
    Arc::new(registry)
}

/// Looks `name` up while `act` goes on, through which it stays.
fn looked_up_during(
    model_of: &'static str,
    recorded: usize,
    names: &'static [u64],
    name: u64,
    act: impl Fn(&Small, &Ledger) + Send + Sync + 'static,
) {
    model(model_of, 3, recorded).keep_garbage().check(move || {
        let ledger = Ledger::default();
        let registry = crowded(&ledger, names);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || assert!(routed(&registry.pin(), name).is_some()))
        };
        act(&registry, &ledger);
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn lookup_while_the_home_is_left_and_taken() {
    let [first, away, new] = NAMES;
    let name = "away_from_home: lookup, the home is left and taken";
    looked_up_during(name, 17, &NAMES[..2], away, move |registry, ledger| {
        drop(registry.disconnect(&first).expect("it is there"));
        ledger.connect(registry, new, new, new);
    });
}

#[test]
fn lookup_while_another_one_leaves() {
    let [_, leaves, stays] = NAMES;
    let name = "away_from_home: lookup, another one leaves";
    looked_up_during(name, 35, &NAMES, stays, move |registry, _| {
        drop(registry.disconnect(&leaves).expect("it is there"));
    });
}

#[test]
fn lookup_while_the_name_is_taken_over() {
    let [_, away, _] = NAMES;
    let name = "away_from_home: lookup, the name is taken over";
    looked_up_during(name, 5_023, &NAMES[..2], away, move |registry, ledger| {
        ledger.connect(registry, away, away, away);
    });
}

/// A (and what the home says of others comes after their end): once one of its names does not lead to it, none does.
#[test]
fn the_pair_of_lookups_of_one_that_leaves() {
    model("away_from_home: the pair of lookups", 3, 5_856).keep_garbage().check(|| {
        let [_, leaves, _] = NAMES;
        let ledger = Ledger::default();
        let registry = crowded(&ledger, &NAMES[..2]);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let by_node = || routed(&guard, leaves).is_none();
                let by_id = || guard.client(&leaves).is_none();
                let gone = [by_node(), by_id(), by_node(), by_id()];
                assert!(gone.is_sorted(), "{gone:?}");
            })
        };
        drop(registry.disconnect(&leaves).expect("it is there"));
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}

/// Whatever the order in which the home is told of both, it is right in the end.
#[test]
fn one_comes_while_another_leaves() {
    model("away_from_home: one comes, another leaves", 3, 1_460).keep_garbage().check(move || {
        let [stays, leaves, comes] = NAMES;
        let ledger = Ledger::default();
        let registry = crowded(&ledger, &[stays, leaves]);
        let other = {
            let registry = Arc::clone(&registry);
            let ledger = ledger.clone();
            spawn(1, move || ledger.connect(&registry, comes, comes, comes))
        };
        drop(registry.disconnect(&leaves).expect("it is there"));
        other.join().unwrap();
        let guard = registry.pin();
        let found = [stays, leaves, comes].map(|node| routed(&guard, node));
        assert_eq!(found, [Some(stays), None, Some(comes)]);
        drop(guard);
        drop(registry);
        ledger.settle();
    });
}
