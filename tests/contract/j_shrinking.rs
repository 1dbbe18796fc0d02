//! J, bounded memory: `shrink_to_fit` gives back what a peak left, and nothing that is known before is forgotten.

use std::{collections::HashSet, sync::mpsc, thread};

use tandem_registry::{ClientKey, NewClient, Registry, Removed};

use super::{Plain, client};
use crate::fixtures::tracked::{Ledger, Tracked};

#[test]
fn j_shrink_returns_what_a_peak_left_and_keeps_every_key_true() {
    const PEAK: u64 = 100_000;
    let mut registry: Registry<u64, u64, u64, u64> = Registry::new();
    let small = {
        for id in 0..100 {
            registry.connect(client(id, id)).unwrap();
        }
        registry.stats().bytes
    };
    let keys: Vec<ClientKey> = (0..PEAK)
        .map(|id| registry.connect(client(id, id).alias(id + PEAK)).unwrap().key)
        .collect();
    let peak = registry.stats().bytes;
    let survives = |id: u64| id < 100;
    for (id, &key) in (0..).zip(&keys) {
        if !survives(id) {
            assert!(registry.disconnect_key(key).is_some());
        }
    }
    registry.shrink_to_fit();
    let shrunk = registry.stats().bytes;
    println!(
        "bytes: {small} with 100 clients, {peak} with {PEAK}, {shrunk} after shrinking to 100"
    );
    assert!(shrunk < peak / 4, "{peak} bytes became {shrunk}");

    assert_eq!(registry.len(), 100);
    let guard = registry.pin();
    for (id, &key) in (0..).zip(&keys) {
        let found = guard.get(key);
        assert_eq!(found.is_some(), survives(id), "key of client {id}");
        assert_eq!(guard.client(&id).is_some(), survives(id));
        assert_eq!(guard.stream(&id).copied(), survives(id).then_some(id + 2000));
        assert_eq!(guard.stream(&(id + PEAK)).copied(), survives(id).then_some(id + 2000));
    }
    drop(guard);

    // Fresh clients get keys that no old one is equal to, and old keys touch none of them.
    let old: HashSet<ClientKey> = keys.iter().copied().collect();
    for id in PEAK..2 * PEAK {
        let key = registry.connect(client(id, id + PEAK)).unwrap().key;
        assert!(!old.contains(&key), "a key was given out again");
    }
    for (id, &key) in (0..).zip(&keys) {
        assert_eq!(registry.disconnect_key(key).is_some(), survives(id));
    }
    assert_eq!(registry.len(), PEAK as usize);
}

/// What is large of a client is given back as well as what is small, and taken into use again.
#[test]
fn j_shrink_below_a_survivor() {
    const PEAK: u64 = 5_000;
    let mut registry: Registry<u64, u64, [u64; 64], ()> = Registry::new();
    let connect = |registry: &Registry<_, _, _, ()>, id| {
        drop(registry.connect(NewClient::new(id, id, [id; 64])).unwrap());
    };
    (0..PEAK).for_each(|id| connect(&registry, id));
    let peak = registry.stats();
    for round in 0..3 {
        (0..PEAK - 1).for_each(|id| drop(registry.disconnect(&id)));
        registry.shrink_to_fit();
        let shrunk = registry.stats().bytes;
        assert!(shrunk < peak.bytes / 10, "{} bytes became {shrunk}", peak.bytes);
        assert_eq!(registry.pin().iter().count(), 1);
        (0..PEAK - 1).for_each(|id| connect(&registry, id));
        assert_eq!(registry.stats().slots, peak.slots, "after round {round}");
    }
    assert!((0..PEAK).all(|id| registry.pin().client(&id).unwrap().info() == &[id; 64]));
}

/// Whoever outlives a peak need not have come before it: the survivors are from all over.
#[test]
fn j_shrink_returns_what_a_peak_left_whoever_survives_it() {
    const PEAK: u64 = 100_000;
    let mut registry = Plain::new();
    let keys: Vec<ClientKey> =
        (0..PEAK).map(|id| registry.connect(client(id, id)).unwrap().key).collect();
    let peak = registry.stats().bytes;
    let survives = |id: u64| id % 1_000 == 999;
    for (id, &key) in (0..).zip(&keys).filter(|&(id, _)| !survives(id)) {
        assert!(registry.disconnect_key(key).is_some(), "client {id}");
    }
    registry.shrink_to_fit();
    let shrunk = registry.stats().bytes;
    println!("bytes: {peak} with {PEAK} clients, {shrunk} with 100 survivors from all over");
    let guard = registry.pin();
    for (id, &key) in (0..).zip(&keys) {
        assert_eq!(guard.get(key).is_some(), survives(id), "key of client {id}");
    }
    assert!(shrunk < peak / 4, "{peak} bytes became {shrunk}");
}

/// Aliases have come and gone before: what their owners remember of them must not outlive them.
#[test]
fn j_shrink_forgets_aliases_that_have_gone() {
    let mut registry = Plain::new();
    let key = registry.connect(client(1, 1)).unwrap().key;
    for name in 1_000..2_000 {
        registry.add_alias(key, name).unwrap();
    }
    for name in 1_000..2_000_u64 {
        assert!(registry.remove_alias(key, &name));
    }
    registry.shrink_to_fit();
    registry.add_alias(key, 11).unwrap();
    assert_eq!(registry.key_by_node(&11), Some(key));
    assert!(registry.disconnect(&1).is_some());
    assert_eq!(registry.key_by_node(&11), None);
    assert_eq!(registry.flush().left, 0);
}

/// Shrinking has the registry to itself, but not what was handed out: that is dropped elsewhere at the
/// same time.
#[test]
fn j_shrink_while_what_was_removed_is_dropped_elsewhere() {
    static LEDGER: Ledger = Ledger::new();
    type Counted = Registry<u64, u64, Tracked<u64>, Tracked<u64>>;
    let mut registry = Counted::new();
    let (to_dropper, removed) = mpsc::channel::<Vec<Removed<_, _, _, _>>>();
    thread::scope(|scope| {
        scope.spawn(|| removed.into_iter().flatten().for_each(drop));
        for _ in 0..50 {
            for id in 0..500 {
                let value = || Tracked::new(&LEDGER, id);
                registry.connect(NewClient::new(id, id, value()).stream(value())).unwrap();
            }
            let ended = (5..500).rev().filter_map(|id| registry.disconnect(&id)).collect();
            to_dropper.send(ended).unwrap();
            registry.shrink_to_fit();
            for id in 0..5 {
                assert_eq!(registry.with_stream(&id, |stream| *stream.get()), Some(id));
            }
        }
        drop(to_dropper);
    });
    registry.flush();
    LEDGER.assert_live(2 * 5);
    drop(registry);
    LEDGER.assert_balanced();
}

#[test]
fn j_shrink_of_an_emptied_registry_gives_no_key_out_again() {
    let mut registry: Registry<u64, u64, (), String> = Registry::new();
    let mut seen = HashSet::new();
    let mut shrunk = Vec::new();
    for round in 0..6 {
        for id in 0..5_000 {
            let new = NewClient::new(id, id, ()).stream(format!("{round} {id}"));
            assert!(seen.insert(registry.connect(new).unwrap().key), "a key was given out again");
        }
        for id in 0..5_000_u64 {
            assert!(registry.disconnect(&id).is_some());
        }
        registry.shrink_to_fit();
        shrunk.push(registry.stats().bytes);
    }
    println!("bytes after each shrinking: {shrunk:?}");
    assert!(shrunk.last() <= shrunk.first(), "shrinking leaves more and more behind");
}
