//! B: an attach either is part of what the ended client shows, or fails with its stream handed back.
#![cfg(loom)]

use loom_tests::{Ledger, model, routed, small, spawn};
use std::sync::Arc;

#[test]
fn attach_against_disconnect() {
    model("attach_disconnect: attach", 3, 257).shipped(127).crossbeam(3, 212).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let attach = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || {
                let attached = registry.attach_stream(key, ledger.stream(1)).is_ok();
                assert!(attached || routed(&registry.pin(), 7).is_none(), "it is gone, and found");
                attached
            })
        };
        let removed = registry.disconnect_key(key).unwrap();
        let last = removed.stream().unwrap().of;
        let attached = attach.join().unwrap();
        assert_eq!(last == 1, attached);
        drop(removed);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn disconnect_against_attach() {
    model("attach_disconnect: disconnect", 3, 110).crossbeam(3, 8_099).check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().build().unwrap());
        let key = ledger.connect(&registry, 1, 7, 0);
        let leaver = {
            let registry = Arc::clone(&registry);
            spawn(1, move || {
                let removed = registry.disconnect_key(key).unwrap();
                removed.stream().unwrap().of
            })
        };
        let attached = registry.attach_stream(key, ledger.stream(1)).is_ok();
        assert_eq!(leaver.join().unwrap() == 1, attached);
        drop(registry);
        ledger.settle();
    });
}

#[test]
fn lookup_against_attach() {
    model("attach_disconnect: lookup against attach", 3, 1_007)
        .shipped(4_238)
        .crossbeam(2, 12_772)
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let key = ledger.connect(&registry, 1, 7, 0);
            let reader = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    let guard = registry.pin();
                    let seen = [0; 3].map(|_| routed(&guard, 7).expect("it has a stream"));
                    assert!(seen.is_sorted(), "{seen:?}");
                })
            };
            registry.attach_stream(key, ledger.stream(1)).unwrap();
            registry.attach_stream(key, ledger.stream(2)).unwrap();
            registry.flush();
            reader.join().unwrap();
            drop(registry);
            ledger.settle();
        });
}

#[test]
fn detach_is_exact() {
    model("attach_disconnect: detach against attach", 3, 376)
        .shipped(2_627)
        .crossbeam(3, 1_710)
        .check(|| {
            let ledger = Ledger::default();
            let registry = Arc::new(small().build().unwrap());
            let connected = registry.connect(ledger.client(1, 7, 0)).unwrap();
            let (key, old) = (connected.key, connected.stream_key.unwrap());
            let detach = {
                let registry = Arc::clone(&registry);
                spawn(1, move || {
                    let detached = registry.detach_stream(old);
                    assert!(detached.as_ref().is_none_or(|stream| stream.of == 0));
                    detached.is_some()
                })
            };
            registry.attach_stream(key, ledger.stream(1)).unwrap();
            assert_eq!(routed(&registry.pin(), 7), Some(1), "the fresh stream stays");
            detach.join().unwrap();
            assert_eq!(routed(&registry.pin(), 7), Some(1), "the fresh stream stays");
            drop(registry);
            ledger.settle();
        });
}
