//! C, D: a takeover, and two connects of one name, while the line of that name is split.
#![cfg(loom)]

use loom_tests::{Ledger, Small, model, routed, small, spawn};
use std::sync::Arc;

/// As in `growth`: the first client is at home in the node table, the third one is away from it, the fourth in the
/// block, and the next writer splits the line.
const NAMES: [(u64, u64); 4] = [(2, 0), (0, 1), (5, 3), (1, 4)];

fn about_to_split(ledger: &Ledger) -> Arc<Small> {
    let registry = small().capacity(5).shards(2).build().unwrap();
    for (client, (id, node)) in (0..).zip(NAMES) {
        ledger.connect(&registry, id, node, client);
    }
    Arc::new(registry)
}

/// The splitting writer takes the node id of `client` over, under the eyes of two lookups.
fn taken_over(client: usize) {
    const NEW: u64 = 20;
    let (_, node) = NAMES[client];
    let ledger = Ledger::default();
    let registry = about_to_split(&ledger);
    let reader = {
        let registry = Arc::clone(&registry);
        spawn(1, move || {
            let guard = registry.pin();
            let seen = [(); 2].map(|()| routed(&guard, node).expect("there is no gap"));
            assert!(seen.is_sorted(), "{seen:?}: from the older one to the newer one");
        })
    };
    ledger.connect(&registry, NEW, node, NEW);
    reader.join().unwrap();
    assert_eq!(routed(&registry.pin(), node), Some(NEW));
    drop(registry);
    ledger.settle();
}

#[test]
fn of_one_at_home() {
    model("growth_takeover: of one at home", 3, 22_885).keep_garbage().check(|| taken_over(0));
}

#[test]
fn of_one_away() {
    let model = model("growth_takeover: of one away", 3, 14_999).cut_at(15_000);
    model.keep_garbage().check(|| taken_over(2));
}

#[test]
fn of_one_in_the_block() {
    let model = model("growth_takeover: of one in the block", 3, 14_999).cut_at(15_000);
    model.keep_garbage().check(|| taken_over(3));
}

/// One of them may have put its entry before the line was split, the other behind that.
#[test]
fn by_two_connects_of_a_new_name() {
    const NODE: u64 = 9;
    let model = model("growth_takeover: by two connects of a new name", 3, 14_999).cut_at(15_000);
    model.keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = about_to_split(&ledger);
        let other = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || ledger.connect(&registry, 21, NODE, 21))
        };
        ledger.connect(&registry, 20, NODE, 20);
        other.join().unwrap();
        let guard = registry.pin();
        let of_the_name: Vec<u64> = guard
            .iter()
            .filter(|client| *client.node() == NODE)
            .map(|client| *client.id())
            .collect();
        assert_eq!(of_the_name.len(), 1, "{of_the_name:?}");
        assert_eq!(routed(&guard, NODE), Some(of_the_name[0]));
        drop(guard);
        drop(registry);
        ledger.settle();
    });
}
