//! D: whatever is done to the older client meanwhile, a takeover evicts it.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

/// The newcomer's owner finds the older one's word changed, and looks again: `has_alias`, by the way that anyone may
/// take, else first by its own.
fn over_a_client_that_gets_a_stream(name: &'static str, recorded: usize, has_alias: bool) {
    model(name, 3, recorded).keep_garbage().check(move || {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        if has_alias {
            registry.add_alias(key, 8).unwrap();
        }
        let attach = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || registry.attach_stream(key, ledger.stream(2)).is_ok())
        };
        let displaced = registry.connect(ledger.client(1, 9, 1)).unwrap().displaced;
        let older = displaced.by_id.expect("it is evicted");
        let attached = attach.join().unwrap();
        assert_eq!(older.stream().unwrap().of == 2, attached);
        assert_eq!(registry.len(), 1);
        let guard = registry.pin();
        assert_eq!([7, 8, 9].map(|node| routed(&guard, node)), [None, None, Some(1)]);
        drop((guard, older));
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn attach_to_an_older_client() {
    over_a_client_that_gets_a_stream("takeover_attach: an older client", 77, false);
}

#[test]
fn attach_to_an_older_client_with_an_alias() {
    over_a_client_that_gets_a_stream("takeover_attach: one with an alias", 229, true);
}
