//! D: while a node id is taken over, a lookup by node id never misses and never goes back.
#![cfg(loom)]

use loom_tests::{Fixed, Ledger, Model, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn no_gap_and_no_way_back() {
    model("takeover_lookup: by node id", 3, 35_784).crossbeam(1, 1_068).keep_garbage().check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            ledger.connect(&registry, 1, 7, 0);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    let guard = registry.pin();
                    let first = routed(&guard, 7).expect("no gap");
                    let second = routed(&guard, 7).expect("no gap");
                    assert!(first <= second, "from {first} back to {second}");
                })
            };
            let connected = registry.connect(ledger.client(2, 7, 1)).unwrap();
            assert_eq!(connected.displaced.len(), 1);
            drop(connected);
            reader.join().unwrap();
            drop(registry);
            ledger.settle();
        },
    );
}

/// One kind of lookup looks at every entry, the other at the likely one first, which may be the older client's:
/// it is marked before the newcomer commits.
#[test]
fn no_way_back_from_one_kind_of_lookup_to_another() {
    model("takeover_lookup: one kind after another", 3, 49_506)
        .crossbeam(2, 13_454)
        .keep_garbage()
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let old = ledger.connect(&registry, 1, 7, 0);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    let first = registry.key_by_node(&7).expect("no gap");
                    let second = registry.pin().route(&7).expect("no gap").key();
                    assert!(first == old || second != old, "from {first:?} back to {second:?}");
                })
            };
            drop(registry.connect(ledger.client(2, 7, 1)).unwrap());
            reader.join().unwrap();
            drop(registry);
            ledger.settle();
        });
}

/// Another client's node id has the same hash, so that no lookup is answered at first sight: a scan that
/// came before the newcomer's entry and read the older word after its end is told by the raised version.
#[test]
fn no_gap_where_hashes_collide() {
    model("takeover_lookup: by a node id that collides", 3, 9_455).crossbeam(2, 6_177).check(
        || {
            let ledger = Ledger::default();
            let registry = Arc::new(small().hasher(Fixed::colliding()).build().unwrap());
            ledger.connect(&registry, 1, 0x17, 0);
            ledger.connect(&registry, 2, 0x27, 9);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    assert!(routed(&registry.pin(), 0x17).is_some_and(|of| of < 2), "no gap");
                })
            };
            let connected = registry.connect(ledger.client(3, 0x17, 1)).unwrap();
            assert_eq!(connected.displaced.len(), 1);
            drop(connected);
            reader.join().unwrap();
            drop(registry);
            ledger.settle();
        },
    );
}

/// Three threads: the older client is disconnected by its key meanwhile.
#[test]
fn no_way_back_though_the_older_one_disconnects() {
    let model = model("takeover_lookup: the older one disconnects", 2, 49_999);
    model.keep_garbage().cut_at(50_000).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).shards(4).build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let newcomer = ledger.client(2, 7, 1);
        let leaver = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.disconnect_key(old))
        };
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(2, move || {
                let guard = registry.pin();
                let seen = [routed(&guard, 7), routed(&guard, 7)];
                // 0, then nothing if it left first, then 1.
                assert!(!matches!(seen, [Some(1), None | Some(0)] | [None, Some(0)]), "{seen:?}");
            })
        };
        let connected = registry.connect(newcomer).unwrap();
        let left = leaver.join().unwrap();
        reader.join().unwrap();
        assert_eq!(left.is_some(), connected.displaced.is_empty(), "it ended once");
        drop((left, connected));
        drop(registry);
        ledger.settle();
    });
}

/// The newcomer comes and goes: a lookup that met both words, the older one's first, must not return the
/// older client after another lookup had the newcomer.
fn no_way_back_from_a_newcomer_that_left(model: Model, node: u64) {
    model.keep_garbage().check(move || {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        ledger.connect(&registry, 1, node, 0);
        let reader = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let guard = registry.pin();
                let seen = [routed(&guard, node), routed(&guard, node)];
                let back = matches!(seen, [Some(1), Some(0)] | [None, Some(_)]);
                assert!(!back, "{seen:?}");
            })
        };
        let newcomer = ledger.connect(&registry, 2, node, 1);
        drop(registry.disconnect_key(newcomer).unwrap());
        reader.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}

/// The older one's entry lies first.
#[test]
fn no_way_back_from_a_newcomer_behind_that_left() {
    let model = model("takeover_lookup: the newcomer leaves", 3, 344_248);
    no_way_back_from_a_newcomer_that_left(model.crossbeam(1, 4_951), 5);
}

/// The newcomer's does.
#[test]
fn no_way_back_from_a_newcomer_in_front_that_left() {
    let model = model("takeover_lookup: the newcomer leaves, in front", 3, 499_711);
    no_way_back_from_a_newcomer_that_left(model.crossbeam(1, 5_536), 7);
}
