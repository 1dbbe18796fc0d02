//! F: growth stops nobody, and a scan finds every entry that was put before it began.
#![cfg(loom)]

use loom_tests::{Ledger, Small, SmallGuard, model, routed, small, spawn};
use std::sync::Arc;
use tandem_registry::ClientKey;

/// Node ids of one shard, and client ids that do not crowd theirs: it is the node table that grows. It is
/// the same code as the other one. The third client is neither in its home nor beside it, the fourth one
/// is in the block.
const NAMES: [(u64, u64); 5] = [(2, 0), (0, 1), (5, 3), (1, 4), (3, 6)];

fn connect(registry: &Small, ledger: &Ledger, client: usize) -> ClientKey {
    let (id, node) = NAMES[client];
    ledger.connect(registry, id, node, client as u64)
}

/// One line of three places, and three clients in it: the next one makes it grow.
fn about_to_grow(ledger: &Ledger) -> (Arc<Small>, Vec<ClientKey>) {
    let registry = small().capacity(5).shards(2).build().unwrap();
    let keys = (0..3).map(|client| connect(&registry, ledger, client)).collect();
    (Arc::new(registry), keys)
}

/// The same after the next one: the line has spilled, and is split by the next writer that comes by.
fn about_to_split(ledger: &Ledger) -> (Arc<Small>, Vec<ClientKey>) {
    let (registry, mut keys) = about_to_grow(ledger);
    keys.push(connect(&registry, ledger, 3));
    (registry, keys)
}

/// Those of the first `clients` that live are found, the others are not.
fn assert_routes(registry: &Small, clients: usize, lives: impl Fn(usize) -> bool) {
    let guard = registry.pin();
    for (client, (_, node)) in NAMES.into_iter().enumerate().take(clients) {
        assert_eq!(routed(&guard, node), lives(client).then_some(client as u64), "{client}");
    }
}

/// A split, from its first step to its last, under the eyes of one lookup.
#[test]
fn a_split_against_lookup() {
    model("growth: a split against a lookup", 3, 7_060).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_split(&ledger);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || assert_eq!(routed(&registry.pin(), NAMES[3].1), Some(3)))
        };
        let removed = registry.disconnect_key(keys[0]);
        reader.join().unwrap();
        drop(removed);
        assert_routes(&registry, 4, |client| client > 0);
        drop(registry);
        ledger.settle();
    });
}

/// The same, and the array that has moved is reclaimed as soon as that is legal (G).
#[test]
fn a_reclaimed_array_against_lookup() {
    model("growth: the old array against a lookup", 3, 37_597).check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_split(&ledger);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || assert_eq!(routed(&registry.pin(), NAMES[3].1), Some(3)))
        };
        drop(registry.disconnect_key(keys[0]));
        registry.flush();
        registry.flush();
        reader.join().unwrap();
        assert_routes(&registry, 4, |client| client > 0);
        drop(registry);
        ledger.settle();
    });
}

/// Two writers split the same line.
#[test]
fn a_split_against_a_split() {
    model("growth: a split against a split", 3, 172_293).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_split(&ledger);
        let (first, last) = (keys[0], keys[3]);
        let other = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.disconnect_key(last).unwrap())
        };
        let removed = registry.disconnect_key(first).unwrap();
        drop((removed, other.join().unwrap()));
        assert_routes(&registry, 4, |client| client == 1 || client == 2);
        drop(registry);
        ledger.settle();
    });
}

/// The same, and all go into one line of the next level, which spills: one may fill its places, the other its block.
#[test]
fn a_split_that_spills_against_a_split() {
    model("growth: a split that spills against a split", 3, 19_999)
        .keep_garbage()
        .cut_at(20_000)
        .check(|| {
            const NAMES: [(u64, u64); 4] = [(0, 0), (1, 3), (2, 6), (5, 9)];
            let ledger = Ledger::default();
            let registry = Arc::new(small().capacity(5).shards(2).build().unwrap());
            let keys = NAMES.map(|(id, node)| ledger.connect(&registry, id, node, node));
            let other = {
                let registry = Arc::clone(&registry);
                spawn(1, move || registry.disconnect_key(keys[0]).unwrap())
            };
            let removed = registry.disconnect_key(keys[1]).unwrap();
            let routes = [6, 9].map(|node| routed(&registry.pin(), node));
            assert_eq!(routes, [Some(6), Some(9)]);
            drop((removed, other.join().unwrap()));
            drop(registry);
            ledger.settle();
        });
}

/// One is about to put its entry into a block when the chain is frozen, block and all.
fn spill_into_what_is_split() {
    // One shard of four lines. The first three fill one of them, the others one more; client ids crowd none.
    const NAMES: [(u64, u64); 6] = [(0, 0), (1, 3), (2, 6), (3, 2), (4, 10), (5, 13)];
    let ledger = Ledger::default();
    let registry = Arc::new(small().capacity(12).build().unwrap());
    let keys = NAMES.map(|(id, node)| ledger.connect(&registry, id, node, node));
    // Spills in the other line, so that the level has a successor, and splits the first one.
    let splits = {
        let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
        spawn(1, move || {
            ledger.connect(&registry, 10, 16, 16);
            registry.disconnect_key(keys[0]).unwrap()
        })
    };
    ledger.connect(&registry, 8, 9, 9);
    let removed = splits.join().unwrap();
    let routes = [0, 3, 6, 9, 16].map(|node| routed(&registry.pin(), node));
    assert_eq!(routes, [None, Some(3), Some(6), Some(9), Some(16)]);
    drop(removed);
    drop(registry);
    ledger.settle();
}

#[test]
fn a_spill_against_a_split() {
    let model = model("growth: a spill against a split", 2, 23_412);
    model.keep_garbage().check(spill_into_what_is_split);
}

#[test]
fn a_spill_against_a_split_deeper() {
    let model = model("growth: a spill against a split, deeper", 3, 14_999).cut_at(15_000);
    model.keep_garbage().check(spill_into_what_is_split);
}

/// Growth from its first step to its last, under the eyes of `read`.
fn grow_under(read: impl Fn(&SmallGuard<'_>) + 'static) {
    let ledger = Ledger::default();
    let (registry, _) = about_to_grow(&ledger);
    let reader = {
        let registry = Arc::clone(&registry);
        spawn(1, move || read(&registry.pin()))
    };
    // Spills, and so begins to grow; the next one splits the line that it needs.
    connect(&registry, &ledger, 3);
    connect(&registry, &ledger, 4);
    reader.join().unwrap();
    drop(registry);
    ledger.settle();
}

#[test]
fn against_lookup_of_one_that_stays() {
    model("growth: lookup of one that stays", 3, 2_577).keep_garbage().check(|| {
        grow_under(|guard| assert_eq!(routed(guard, NAMES[2].1), Some(2)));
    });
}

#[test]
fn against_lookups_of_the_newest() {
    model("growth: lookups of the newest", 3, 49_999).keep_garbage().cut_at(50_000).check(|| {
        grow_under(|guard| {
            let newest = [(); 2].map(|()| routed(guard, NAMES[3].1));
            assert!(newest.is_sorted(), "{newest:?}");
        });
    });
}

#[test]
fn against_connect() {
    model("growth: connect", 3, 62_457).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, _) = about_to_grow(&ledger);
        let grow = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || connect(&registry, &ledger, 3))
        };
        connect(&registry, &ledger, 4);
        grow.join().unwrap();
        assert_routes(&registry, 5, |_| true);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn against_disconnect() {
    model("growth: disconnect", 3, 26).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_grow(&ledger);
        let grow = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || connect(&registry, &ledger, 3))
        };
        let removed = registry.disconnect_key(keys[1]).unwrap();
        assert!(routed(&registry.pin(), NAMES[1].1).is_none());
        grow.join().unwrap();
        drop(removed);
        assert_routes(&registry, 4, |client| client != 1);
        drop(registry);
        ledger.settle();
    });
}
