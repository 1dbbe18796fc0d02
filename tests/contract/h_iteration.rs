//! H, iteration: what lives throughout is yielded exactly once, what ended before never.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use tandem_registry::{ClientKey, NewClient, Registry};

use super::{Plain, client};
use crate::fixtures::{rng::Rng, threads::Done};

#[test]
fn h_every_live_client_is_yielded_once() {
    let registry = Plain::new();
    let mut live = HashMap::new();
    for id in 0..3_000 {
        let key = registry.connect(client(id, id)).unwrap().key;
        if id % 3 == 0 {
            registry.disconnect_key(key);
        } else {
            live.insert(key, id);
        }
    }
    let guard = registry.pin();
    let mut found = HashMap::new();
    for client in guard.iter() {
        assert_eq!(*client.info(), client.id() + 1000);
        assert!(found.insert(client.key(), *client.id()).is_none(), "yielded twice");
    }
    assert_eq!(found, live);
    assert_eq!(registry.len(), live.len());
}

#[test]
fn h_an_empty_registry_yields_nothing() {
    let registry = Plain::new();
    assert_eq!(registry.pin().iter().count(), 0);
    registry.connect(client(1, 1)).unwrap();
    registry.disconnect(&1);
    let guard = registry.pin();
    let mut clients = guard.iter();
    assert!(clients.next().is_none());
    assert!(clients.next().is_none(), "nor later");
    registry.for_each_stream(|_, _| panic!("there is no stream"));
}

#[test]
fn h_what_is_left_is_bounded() {
    let registry = Plain::new();
    (0..10).for_each(|id| drop(registry.connect(client(id, id)).unwrap()));
    registry.disconnect(&5);
    let guard = registry.pin();
    let mut clients = guard.iter();
    assert_eq!(clients.size_hint(), (0, Some(10)), "by slots");
    assert_eq!(clients.by_ref().take(3).count(), 3);
    assert_eq!(clients.size_hint(), (0, Some(7)));
    assert_eq!(clients.count(), 6);
}

#[test]
fn h_a_broadcast_reaches_every_stream_and_only_streams() {
    let registry = Plain::new();
    let mut expected = HashMap::new();
    for id in 0..2_000 {
        if id % 2 == 0 {
            let connected = registry.connect(client(id, id).alias(id + 10_000)).unwrap();
            expected.insert(connected.stream_key.unwrap(), id + 2000);
        } else {
            registry.connect(NewClient::new(id, id, 0)).unwrap();
        }
    }
    let mut reached = HashMap::new();
    registry.for_each_stream(|key, &stream| {
        assert!(reached.insert(key, stream).is_none(), "an alias is not a second stream");
    });
    assert_eq!(reached, expected);
}

#[test]
fn h_a_broadcast_may_change_the_registry() {
    let registry = Plain::new();
    for id in 0..500 {
        registry.connect(client(id, id)).unwrap();
    }
    // A send fails: that stream is detached, exact to the generation, on the spot.
    let mut failed = 0;
    registry.for_each_stream(|key, _| {
        failed += 1;
        assert!(registry.detach_stream(key).is_some());
        registry.flush();
    });
    assert_eq!(failed, 500);
    assert_eq!(registry.len(), 500, "the clients stay");
    registry.for_each_stream(|_, _| panic!("no stream is left"));
    let mut ended = 0;
    for client in registry.pin().iter() {
        ended += usize::from(registry.disconnect_key(client.key()).is_some());
    }
    assert_eq!(ended, 500);
}

#[test]
fn h_iteration_sees_no_client_that_ended_while_it_was_under_way() {
    let registry = Plain::new();
    for id in 0..1_000 {
        registry.connect(client(id, id)).unwrap();
    }
    let guard = registry.pin();
    let mut left = 1_000;
    for client in guard.iter() {
        // Ends all the rest: none of them may be yielded any more.
        for id in (0..1_000).filter(|id| id != client.id()) {
            left -= u64::from(registry.disconnect(&id).is_some());
        }
        assert_eq!(left, 1);
    }
}

/// Residents stay, guests come and go. Each iteration yields all residents once, nobody twice, and
/// no guest that had left before it began.
#[test]
fn h_under_churn_residents_are_yielded_once_and_the_departed_never() {
    const RESIDENTS: u64 = 500;
    const GUESTS: u64 = 20_000;
    let registry: Plain = Registry::builder().shards(2).build().unwrap();
    let residents: HashSet<ClientKey> =
        (0..RESIDENTS).map(|id| registry.connect(client(id, id)).unwrap().key).collect();
    let departed = Mutex::new(Vec::<ClientKey>::new());
    let iterations = AtomicU64::new(0);
    let done = Done::new();
    thread::scope(|scope| {
        for broadcasting in [false, true] {
            let (registry, residents) = (&registry, &residents);
            let (departed, iterations, done) = (&departed, &iterations, &done);
            scope.spawn(move || {
                while !done.is_set() {
                    let gone: HashSet<ClientKey> = {
                        let departed = departed.lock().unwrap();
                        departed.iter().rev().take(5_000).copied().collect()
                    };
                    let mut yielded = HashSet::new();
                    let mut see = |key| {
                        assert!(yielded.insert(key), "{key:?} was yielded twice");
                        assert!(!gone.contains(&key), "{key:?} had ended before");
                    };
                    if broadcasting {
                        registry.for_each_stream(|key, _| see(key.client()));
                    } else {
                        registry.pin().iter().for_each(|client| see(client.key()));
                    }
                    assert!(residents.is_subset(&yielded), "a resident was left out");
                    iterations.fetch_add(1, SeqCst);
                }
            });
        }
        let _done = done.when_dropped();
        thread::scope(|writers| {
            for writer in 0..2 {
                let (registry, departed) = (&registry, &departed);
                writers.spawn(move || {
                    let mut rng = Rng::new(writer);
                    let mut present = Vec::new();
                    for round in 0..GUESTS {
                        let id = 1_000_000 * (writer + 1) + round;
                        present.push(registry.connect(client(id, id)).unwrap().key);
                        if present.len() > 50 {
                            let key = present.swap_remove(rng.below(present.len() as u64) as usize);
                            assert!(registry.disconnect_key(key).is_some());
                            departed.lock().unwrap().push(key);
                        }
                    }
                });
            }
        });
    });
    println!("{} iterations", iterations.into_inner());
}

/// While the tables grow under it.
#[test]
fn h_under_growth_residents_are_yielded_once() {
    const RESIDENTS: u64 = 100;
    let registry = Plain::new();
    let residents: HashSet<ClientKey> =
        (0..RESIDENTS).map(|id| registry.connect(client(id, id)).unwrap().key).collect();
    let done = Done::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_set() {
                let guard = registry.pin();
                let yielded = guard.iter().map(|client| client.key());
                let found = yielded.filter(|key| residents.contains(key)).count();
                assert_eq!(found, residents.len());
            }
        });
        let _done = done.when_dropped();
        for id in RESIDENTS..40_000 {
            registry.connect(client(id, id)).unwrap();
        }
    });
    assert_eq!(registry.pin().iter().count(), 40_000);
}
