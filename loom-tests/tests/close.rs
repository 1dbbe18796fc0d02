//! E, G: a connect that races the end of the registry is refused, with all it brought handed back, or retired; no
//! place stays taken, and its stream is dropped once.
#![cfg(loom)]

use loom_tests::{Ledger, model, small, spawn};
use std::sync::Arc;
use tandem_registry::{ConnectErrorKind, Policy};

fn race(policy: Policy) {
    let ledger = Ledger::default();
    let registry = Arc::new(small().on_conflict(policy).build().unwrap());
    let connect = {
        let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
        spawn(1, move || match registry.connect(ledger.client(1, 7, 0)) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ConnectErrorKind::Closed);
                assert_eq!(error.into_rejected().stream.unwrap().of, 0);
                false
            }
        })
    };
    let removed = registry.close();
    let connected = connect.join().unwrap();
    assert_eq!(removed.len(), usize::from(connected), "refused or retired");
    assert!(registry.is_empty());
    assert_eq!(registry.pin().iter().count(), 0);
    drop(removed);
    drop(registry);
    ledger.settle();
}

#[test]
fn connect_under_takeover() {
    model("close: connect under takeover", 3, 374)
        .shipped(680)
        .crossbeam(3, 5_826)
        .check(|| race(Policy::Takeover));
}

#[test]
fn connect_under_reject() {
    model("close: connect under reject", 3, 326)
        .shipped(651)
        .crossbeam(3, 5_791)
        .check(|| race(Policy::Reject));
}

/// A newcomer that found no place free takes over the one of the client that it displaces, in a slot that is new, and so
/// perhaps beyond those that the close looks at.
#[test]
fn takeover_of_the_last_place() {
    model("close: takeover of the last place", 3, 21_777).keep_garbage().check(|| {
        let ledger = Ledger::default();
        let registry = Arc::new(small().max_clients(1).build().unwrap());
        ledger.connect(&registry, 1, 7, 0);
        let connect = {
            let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
            spawn(1, move || match registry.connect(ledger.client(1, 8, 1)) {
                Ok(connected) => Some(connected.displaced.len()),
                Err(error) => {
                    assert_eq!(error.kind(), ConnectErrorKind::Closed);
                    None
                }
            })
        };
        let removed = registry.close();
        let expected = connect.join().unwrap().map_or(1, |displaced| 2 - displaced);
        assert_eq!(removed.len(), expected, "refused or retired");
        assert!(registry.is_empty());
        assert_eq!(registry.pin().iter().count(), 0);
        drop(removed);
        drop(registry);
        ledger.settle();
    });
}
