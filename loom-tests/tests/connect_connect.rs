//! C, D: two newcomers that compete for a name, for another, for two crosswise.
#![cfg(loom)]

use loom_tests::{Fixed, Ledger, model, routed, small, spawn};
use std::sync::Arc;
use tandem_registry::{ConnectErrorKind, Policy};

/// Runs two connects against each other over the clients in `preloaded`, and returns who was displaced,
/// in the order of the connections' numbers.
fn compete(preloaded: &[(u64, u64)], first: (u64, u64), second: (u64, u64)) -> Vec<u64> {
    let ledger = Ledger::default();
    let registry = Arc::new(small().capacity(4).shards(4).build().unwrap());
    for (of, &(id, node)) in (0..).zip(preloaded) {
        ledger.connect(&registry, id, node, of);
    }
    let newcomers = preloaded.len() as u64;
    let other = {
        let registry = Arc::clone(&registry);
        let client = ledger.client(first.0, first.1, newcomers);
        spawn(1, move || registry.connect(client).unwrap().displaced)
    };
    let connected = registry.connect(ledger.client(second.0, second.1, newcomers + 1)).unwrap();
    let evicted = connected.displaced.into_iter().chain(other.join().unwrap());
    let mut displaced: Vec<u64> = evicted.map(|evicted| *evicted.info()).collect();
    displaced.sort_unstable();
    let guard = registry.pin();
    for (id, node) in [first, second] {
        let client = guard.client(&id).map(|client| *client.info());
        let newest = [newcomers, newcomers + 1].map(Some);
        assert!(client.is_none() || newest.contains(&client));
        let route = routed(&guard, node);
        assert!(route.is_none() || newest.contains(&route));
    }
    let live: Vec<u64> = guard.iter().map(|client| *client.info()).collect();
    assert_eq!(live.len() + displaced.len(), preloaded.len() + 2);
    assert_eq!(registry.len(), live.len());
    drop(guard);
    drop(registry);
    ledger.settle();
    displaced
}

#[test]
fn of_the_same_id() {
    model("connect_connect: the same id", 3, 3_773).keep_garbage().check(|| {
        let displaced = compete(&[], (1, 1), (1, 2));
        assert!(displaced == [0] || displaced == [1], "{displaced:?}");
    });
}

#[test]
fn of_the_same_node_id() {
    model("connect_connect: the same node id", 3, 3_897).keep_garbage().check(|| {
        let displaced = compete(&[], (1, 1), (2, 1));
        assert!(displaced == [0] || displaced == [1], "{displaced:?}");
    });
}

#[test]
fn of_both() {
    model("connect_connect: both names", 3, 113_032).keep_garbage().check(|| {
        let displaced = compete(&[], (1, 1), (1, 1));
        assert!(displaced == [0] || displaced == [1], "{displaced:?}");
    });
}

#[test]
fn over_a_client_of_both_names() {
    model("connect_connect: over a client", 3, 49_999).cut_at(50_000).keep_garbage().check(|| {
        let displaced = compete(&[(1, 1)], (1, 1), (1, 1));
        assert!(displaced == [0, 1] || displaced == [0, 2], "{displaced:?}");
    });
}

#[test]
fn over_a_client_of_the_node_id() {
    model("connect_connect: over a client of the node id", 3, 49_999)
        .cut_at(50_000)
        .keep_garbage()
        .check(|| {
            let displaced = compete(&[(1, 1)], (2, 1), (3, 1));
            assert!(displaced == [0, 1] || displaced == [0, 2], "{displaced:?}");
        });
}

#[test]
fn over_a_client_of_the_id() {
    model("connect_connect: over a client of the id", 3, 49_999)
        .cut_at(50_000)
        .keep_garbage()
        .check(|| {
            let displaced = compete(&[(1, 1)], (1, 2), (1, 3));
            assert!(displaced == [0, 1] || displaced == [0, 2], "{displaced:?}");
        });
}

#[test]
fn crosswise() {
    model("connect_connect: crosswise", 3, 153_075).keep_garbage().check(|| {
        let displaced = compete(&[(1, 1), (2, 2)], (1, 2), (2, 1));
        assert_eq!(displaced, [0, 1]);
    });
}

/// Each may have to carry the other on, and is told by it that the id is taken.
#[test]
fn of_an_id_that_is_taken() {
    model("connect_connect: of an id that is taken", 3, 19_999)
        .cut_at(20_000)
        .keep_garbage()
        .check(|| {
            let ledger = Ledger::default();
            let registry = small().on_conflict(Policy::Reject).build().unwrap();
            let registry = Arc::new(registry);
            ledger.connect(&registry, 1, 7, 0);
            let other = {
                let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
                spawn(1, move || {
                    registry.connect(ledger.client(1, 8, 1)).map_err(|error| error.kind())
                })
            };
            let mine = registry.connect(ledger.client(1, 9, 2)).map_err(|error| error.kind());
            assert_eq!(mine.unwrap_err(), ConnectErrorKind::IdTaken);
            assert_eq!(other.join().unwrap().unwrap_err(), ConnectErrorKind::IdTaken);
            assert_eq!(routed(&registry.pin(), 7), Some(0));
            drop(registry);
            ledger.settle();
        });
}

/// What the one has found out of a client with the same hash is not true of the other, which comes live meanwhile.
#[test]
fn of_the_same_id_beside_one_of_its_hash() {
    model("connect_connect: the same id, beside one of its hash", 3, 14_343).keep_garbage().check(
        || {
            let ledger = Ledger::default();
            let builder = small().on_conflict(Policy::Reject).hasher(Fixed::colliding());
            let registry = Arc::new(builder.build().unwrap());
            ledger.connect(&registry, 0x11, 7, 0);
            let other = {
                let (registry, ledger) = (Arc::clone(&registry), ledger.clone());
                spawn(1, move || {
                    registry.connect(ledger.client(0x21, 8, 1)).map_err(|error| error.kind())
                })
            };
            let mine = registry.connect(ledger.client(0x21, 9, 2)).map_err(|error| error.kind());
            let refused = [mine, other.join().unwrap()].into_iter().filter_map(Result::err);
            assert_eq!(Vec::from_iter(refused), [ConnectErrorKind::IdTaken]);
            drop(registry);
            ledger.settle();
        },
    );
}
