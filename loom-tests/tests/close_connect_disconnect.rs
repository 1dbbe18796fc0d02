//! E, G: three threads at the end of a registry: it is closed, a client connects, another is disconnected.
//! Whoever lived is handed to one of them.
#![cfg(loom)]

use loom_tests::{Ledger, model, small, spawn};
use std::sync::Arc;

#[test]
fn close_connect_disconnect() {
    model("close_connect_disconnect", 3, 4_656).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().capacity(4).shards(4).build().unwrap());
        let old = ledger.connect(&registry, 1, 1, 0);
        let leave = {
            let registry = Arc::clone(&registry);
            spawn(1, move || registry.disconnect_key(old))
        };
        let connect = {
            let (registry, client) = (Arc::clone(&registry), ledger.client(2, 2, 1));
            spawn(2, move || registry.connect(client))
        };
        let mut removed = registry.close();
        removed.extend(leave.join().unwrap());
        let connected = connect.join().unwrap();
        let mut ended: Vec<u64> = removed.iter().map(|removed| *removed.info()).collect();
        ended.sort_unstable();
        let expected: &[u64] = if connected.is_ok() { &[0, 1] } else { &[0] };
        assert_eq!(ended, expected);
        assert!(registry.is_empty());
        drop((removed, connected));
        drop(registry);
        ledger.settle();
    });
}
