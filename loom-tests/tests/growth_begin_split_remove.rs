//! F: three threads: a connect that begins growth, a disconnect that splits the line, and another that
//! meets its entry frozen there.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn growth_begin_split_remove() {
    model("growth_begin_split_remove", 2, 3_847).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(5).shards(2).build().unwrap());
        // Three in the one line of their shard; client ids do not crowd theirs.
        let names = [(2, 0), (0, 1), (5, 3)];
        let keys = names.map(|(id, node)| ledger.connect(&registry, id, node, node));
        let begin = {
            let (registry, client) = (Arc::clone(&registry), ledger.client(1, 4, 4));
            spawn(1, move || registry.connect(client).unwrap().key)
        };
        let split = {
            let registry = Arc::clone(&registry);
            spawn(2, move || registry.disconnect_key(keys[0]).unwrap())
        };
        let removed = registry.disconnect_key(keys[1]).unwrap();
        begin.join().unwrap();
        drop((removed, split.join().unwrap()));
        let routes = [0, 1, 3, 4].map(|node| routed(&registry.pin(), node));
        assert_eq!(routes, [None, None, Some(3), Some(4)]);
        drop(registry);
        ledger.settle();
    });
}
