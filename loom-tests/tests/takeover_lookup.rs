//! D: while a node id is taken over, a lookup by node id never misses and never goes back.
#![cfg(loom)]

use loom::thread;
use loom_tests::{Ledger, model, routed, small};
use std::sync::Arc;

#[test]
fn no_gap_and_no_way_back() {
    model("takeover_lookup: by node id", 3, 0).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        ledger.connect(&registry, 1, 7, 0);
        let newcomer = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            thread::spawn(move || {
                let connected = registry.connect(ledger.client(2, 7, 1)).unwrap();
                assert_eq!(connected.displaced.len(), 1);
            })
        };
        {
            let guard = registry.pin();
            let first = routed(&guard, 7).expect("no gap");
            let second = routed(&guard, 7).expect("no gap");
            assert!(first <= second, "from {first} back to {second}");
        }
        newcomer.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn no_gap_though_the_older_one_disconnects() {
    model("takeover_lookup: the older one disconnects", 2, 0).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let old = ledger.connect(&registry, 1, 7, 0);
        let newcomer = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            thread::spawn(move || {
                let connected = registry.connect(ledger.client(2, 7, 1)).unwrap();
                // Late, if it was not evicted first.
                let late = registry.disconnect_key(old);
                assert!(late.is_none(), "a takeover leaves nobody to disconnect");
                assert_eq!(connected.displaced.len(), 1);
            })
        };
        {
            let guard = registry.pin();
            let first = routed(&guard, 7).expect("no gap");
            let by_id = guard.client(&1).is_some();
            let second = routed(&guard, 7).expect("no gap");
            assert!(first <= second);
            assert!(by_id || second == 1, "the older one goes after the newcomer came");
        }
        newcomer.join().unwrap();
        drop(registry);
        ledger.settle();
    });
}
