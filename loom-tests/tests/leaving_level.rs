//! A, F: two writers split a line each of one shard, and the last one has everybody leave the level: what the other
//! has moved is found in the next level, whole.
#![cfg(loom)]

use loom_tests::{Ledger, Small, model, routed, small, spawn};
use std::sync::Arc;
use tandem_registry::ClientKey;

/// One shard of two lines of three places. The first client's node id is of the one line, those of the others are of
/// the other one: the last one spills, so that the level has a successor. Client ids do not crowd theirs.
const NAMES: [(u64, u64); 5] = [(5, 5), (0, 0), (1, 1), (3, 3), (2, 6)];
/// The one that spilled.
const LAST: u64 = 6;

fn about_to_leave(ledger: &Ledger) -> (Arc<Small>, [ClientKey; 5]) {
    let registry = small().capacity(6).build().unwrap();
    let keys = NAMES.map(|(id, node)| ledger.connect(&registry, id, node, node));
    (Arc::new(registry), keys)
}

#[test]
fn then_a_lookup() {
    model("leaving_level: then a lookup", 3, 78_036).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_leave(&ledger);
        let other = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.disconnect_key(keys[1]).unwrap())
        };
        let removed = registry.disconnect_key(keys[0]).unwrap();
        assert_eq!(routed(&registry.pin(), LAST), Some(LAST));
        drop((removed, other.join().unwrap()));
        let routes = NAMES.map(|(_, node)| routed(&registry.pin(), node));
        assert_eq!(routes, [None, None, Some(1), Some(3), Some(LAST)]);
        drop(registry);
        ledger.settle();
    });
}

/// Three threads: whoever looks has split nothing.
#[test]
fn under_a_lookup() {
    model("leaving_level: under a lookup", 2, 35_872).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let (registry, keys) = about_to_leave(&ledger);
        let writers = [1, 0].map(|client| {
            let registry = Arc::clone(&registry);
            spawn(client + 1, move || registry.disconnect_key(keys[client as usize]).unwrap())
        });
        assert_eq!(routed(&registry.pin(), LAST), Some(LAST));
        for writer in writers {
            drop(writer.join().unwrap());
        }
        drop(registry);
        ledger.settle();
    });
}
