//! E, exact capacity: never more than `max_clients` places are taken, and none is refused while
//! one is free.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use tandem_registry::{ConnectErrorKind, Policy, Registry};

use super::{Plain, client};
use crate::fixtures::{rng::Rng, threads::Done};

fn limited(max_clients: usize, policy: Policy) -> Plain {
    let builder = Registry::builder().max_clients(max_clients).on_conflict(policy);
    builder.build().unwrap()
}

/// Exactly `places` newcomers get in, and the next is refused.
#[track_caller]
fn assert_free_places(registry: &Plain, places: usize) {
    let newcomer = |n: usize| client(5_000_000 + n as u64, 5_000_000 + n as u64);
    for n in 0..places {
        let connected = registry.connect(newcomer(n));
        assert!(connected.is_ok(), "place {n} of {places} was to be free");
    }
    let kind = registry.connect(newcomer(places)).err().map(|error| error.kind());
    assert_eq!(kind, Some(ConnectErrorKind::Full), "{places} places were to be free, not more");
}

#[test]
fn e_a_refused_connect_returns_the_arguments() {
    let registry = limited(2, Policy::Takeover);
    assert_eq!(registry.stats().max_clients, Some(2));
    assert_free_places(&registry, 2);
    let error = registry.connect(client(1, 10).alias(11)).expect_err("it is full");
    assert_eq!(error.kind(), ConnectErrorKind::Full);
    assert_eq!(error.rejected(), &client(1, 10).alias(11));
    assert_eq!(error.into_rejected(), client(1, 10).alias(11));
    assert_eq!(registry.len(), 2);
    assert!(!registry.contains(&1));
    assert_eq!(registry.key_by_node(&10), None);
    assert_eq!(registry.key_by_node(&11), None);
}

#[test]
fn e_without_a_limit_nobody_is_refused() {
    let registry = Plain::new();
    assert_eq!(registry.stats().max_clients, None);
    for n in 0..20_000 {
        registry.connect(client(n, n)).unwrap();
    }
    assert_eq!(registry.len(), 20_000);
}

#[test]
fn e_a_registry_without_places_refuses_all() {
    assert_free_places(&limited(0, Policy::Takeover), 0);
    assert_free_places(&limited(0, Policy::Reject), 0);
}

#[test]
fn e_a_takeover_and_an_update_need_no_free_place() {
    let registry = limited(2, Policy::Takeover);
    let first = registry.connect(client(1, 10)).unwrap().key;
    registry.connect(client(2, 20)).unwrap();
    registry.update_info(first, 7).unwrap();
    registry.attach_stream(first, 8).unwrap();
    registry.add_alias(first, 11).unwrap();
    assert_eq!(registry.connect(client(1, 30)).unwrap().displaced.len(), 1, "by id");
    assert_eq!(registry.connect(client(3, 20)).unwrap().displaced.len(), 1, "by node id");
    assert_eq!(registry.connect(client(3, 20)).unwrap().displaced.len(), 1, "by both");
    assert_eq!(registry.len(), 2);
    assert_free_places(&registry, 0);
}

#[test]
fn e_a_takeover_of_two_clients_frees_one_place() {
    let registry = limited(3, Policy::Takeover);
    registry.connect(client(1, 10)).unwrap();
    registry.connect(client(2, 20)).unwrap();
    registry.connect(client(3, 30)).unwrap();
    assert_eq!(registry.connect(client(1, 20)).unwrap().displaced.len(), 2);
    assert_eq!(registry.len(), 2);
    assert_free_places(&registry, 1);
}

#[test]
fn e_a_place_is_free_as_soon_as_the_disconnect_has_returned() {
    let registry = limited(1, Policy::Takeover);
    for n in 0..1_000 {
        registry.connect(client(n, n)).unwrap();
        let removed = registry.disconnect(&n);
        // Neither the removed client in hand nor garbage takes a place.
        assert!(removed.is_some());
        registry.connect(client(n + 10_000, n)).unwrap();
        let guard = registry.pin();
        assert!(registry.disconnect(&(n + 10_000)).is_some());
        drop(guard);
    }
    assert_free_places(&registry, 1);
}

#[test]
fn e_a_refusal_gives_its_place_back() {
    let registry = limited(2, Policy::Reject);
    registry.connect(client(1, 10)).unwrap();
    for n in 0..1_000 {
        assert!(registry.connect(client(1, n)).is_err());
        assert!(registry.connect(client(n + 2, 10)).is_err());
    }
    assert_free_places(&registry, 1);
}

#[test]
fn e_never_more_than_n_from_several_threads() {
    const MAX: usize = 5;
    const THREADS: u64 = 4;
    for policy in [Policy::Takeover, Policy::Reject] {
        let registry = limited(MAX, policy);
        // Counted up after a connect has returned and down before a disconnect is called, so it
        // is never above the number of clients.
        let inside = AtomicUsize::new(0);
        let refused = AtomicUsize::new(0);
        let done = Done::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.is_set() {
                    assert!(registry.len() <= MAX);
                    assert!(registry.stats().clients <= MAX);
                }
            });
            let _done = done.when_dropped();
            thread::scope(|writers| {
                for writer in 0..THREADS {
                    let (registry, inside, refused) = (&registry, &inside, &refused);
                    writers.spawn(move || {
                        let mut rng = Rng::new(writer);
                        let mut held = Vec::new();
                        for round in 0..15_000 {
                            let id = writer * 1_000_000 + round;
                            if held.is_empty() || rng.one_in(2) {
                                match registry.connect(client(id, id)) {
                                    Ok(connected) => {
                                        let others = inside.fetch_add(1, SeqCst);
                                        assert!(others < MAX, "{others} were inside already");
                                        held.push(connected.key);
                                    }
                                    Err(error) => {
                                        assert_eq!(error.kind(), ConnectErrorKind::Full);
                                        refused.fetch_add(1, SeqCst);
                                    }
                                }
                            } else {
                                let key = held.swap_remove(rng.below(held.len() as u64) as usize);
                                inside.fetch_sub(1, SeqCst);
                                assert!(registry.disconnect_key(key).is_some());
                            }
                        }
                        for key in held {
                            inside.fetch_sub(1, SeqCst);
                            assert!(registry.disconnect_key(key).is_some());
                        }
                    });
                }
            });
        });
        assert!(refused.into_inner() > 0, "the limit was to be met");
        assert!(registry.is_empty());
        assert_free_places(&registry, MAX);
    }
}

/// As many places as threads, each with one client at most: no connect may be refused. (Without
/// takeovers: one in progress may have a place of its own for a moment.)
#[test]
fn e_refused_only_if_all_places_were_taken() {
    const THREADS: usize = 4;
    for policy in [Policy::Takeover, Policy::Reject] {
        let registry = limited(THREADS, policy);
        thread::scope(|scope| {
            for writer in 0..THREADS as u64 {
                let registry = &registry;
                scope.spawn(move || {
                    for round in 0..15_000 {
                        let id = writer * 1_000_000 + round;
                        let connected = registry.connect(client(id, id)).expect("a place is free");
                        assert!(registry.disconnect_key(connected.key).is_some());
                    }
                });
            }
        });
        assert_free_places(&registry, THREADS);
    }
}

/// The first takes a client over, the second and third disconnect it at the same time: whoever
/// wins, its place is handed on or released, and not both.
#[test]
fn e_a_place_is_released_once_whoever_else_disconnects_the_older_client() {
    const MAX: usize = 3;
    const ROUNDS: u64 = 5_000;
    let registry = limited(MAX, Policy::Takeover);
    for n in 0..MAX as u64 {
        registry.connect(client(n, n)).unwrap();
    }
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                barrier.wait();
                let victim = round % MAX as u64;
                // By its id, its node id, or both; then put back as it was.
                let new = match round % 2 {
                    0 => client(victim, victim),
                    _ => client(victim + 100, victim),
                };
                // Its place is handed over or free; a removal that is not finished has it still.
                if let Err(error) = registry.connect(new) {
                    assert_eq!(error.kind(), ConnectErrorKind::Full);
                }
                barrier.wait();
                registry.disconnect(&victim);
                registry.disconnect(&(victim + 100));
                assert_eq!(registry.len(), MAX - 1);
                registry.connect(client(victim, victim)).expect("one place is free");
                let kind = registry.connect(client(999, 999)).err().map(|error| error.kind());
                assert_eq!(kind, Some(ConnectErrorKind::Full));
            }
        });
        for by_key in [true, false] {
            let (registry, barrier) = (&registry, &barrier);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let victim = round % MAX as u64;
                    barrier.wait();
                    if by_key {
                        registry.key(&victim).and_then(|key| registry.disconnect_key(key));
                    } else {
                        registry.disconnect(&victim);
                    }
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(registry.len(), MAX);
    registry.close();
}

/// A full registry under takeovers from all sides, crossed so that some evict two.
#[test]
fn e_takeovers_from_several_threads_keep_count() {
    const MAX: usize = 4;
    let registry = limited(MAX, Policy::Takeover);
    let done = Done::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_set() {
                assert!(registry.len() <= MAX);
            }
        });
        let _done = done.when_dropped();
        thread::scope(|writers| {
            for writer in 0..3_u64 {
                let registry = &registry;
                writers.spawn(move || {
                    let mut rng = Rng::new(writer + 7);
                    for _ in 0..15_000 {
                        let (id, node) = (rng.below(6), rng.below(6));
                        if rng.one_in(8) {
                            registry.disconnect(&id);
                        } else if let Err(error) = registry.connect(client(id, node)) {
                            assert_eq!(error.kind(), ConnectErrorKind::Full);
                        }
                    }
                });
            }
        });
    });
    let live = registry.len();
    assert_eq!(registry.pin().iter().count(), live);
    assert_free_places(&registry, MAX - live);
}
