//! D, takeover without a gap: a lookup of a node id that is taken over never misses and never
//! flips back; and who is evicted is handed to its displacer.

use std::{
    collections::HashSet,
    hash::BuildHasher,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use tandem_registry::{ClientKey, Guard, NewClient, Registry};

use super::{Plain, client};
use crate::fixtures::{hashers::FewBits, threads::Done};

const NODE: u64 = 10;

/// More than most machines that run this have to spare: a lookup has to be right also if its thread is
/// preempted in the middle of it.
const READERS: u64 = 4;

/// One writer takes the node id over again and again, with streams that count up.
fn readers_see_streams_count_up<S: BuildHasher + Sync>(
    registry: &Registry<u64, u64, u64, u64, S>,
    takeovers: u64,
    next_id: impl Fn(u64) -> u64,
) {
    let done = Done::new();
    let started = Barrier::new(READERS as usize + 1);
    let connected = AtomicU64::new(0);
    registry.connect(NewClient::new(next_id(0), NODE, 0).stream(0)).unwrap();
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (done, started, connected) = (&done, &started, &connected);
            scope.spawn(move || {
                let mut guard = registry.pin();
                let (mut last, mut lookups, mut changes) = (0, 0_u64, 0_u64);
                started.wait();
                while !done.is_set() {
                    if reader % 2 == 0 || lookups % 512 == 0 {
                        guard.repin();
                    }
                    let floor = connected.load(SeqCst);
                    let found =
                        look_up(&guard, lookups % 4).expect("the node id always has a stream");
                    assert!(found >= last, "stream {found} after {last}");
                    assert!(found >= floor, "stream {found} when {floor} had connected");
                    changes += u64::from(found > last);
                    last = found;
                    lookups += 1;
                }
                println!("reader {reader}: {lookups} lookups saw {changes} changes");
            });
        }
        started.wait();
        let _done = done.when_dropped();
        for serial in 1..=takeovers {
            let new = NewClient::new(next_id(serial), NODE, serial).stream(serial);
            assert!(!registry.connect(new).unwrap().displaced.is_empty());
            connected.store(serial, SeqCst);
        }
    });
}

fn look_up<S: BuildHasher>(guard: &Guard<'_, u64, u64, u64, u64, S>, kind: u64) -> Option<u64> {
    match kind {
        0 => guard.stream(&NODE).copied(),
        1 => guard.route(&NODE).map(|route| *route.stream()),
        2 => guard.client_by_node(&NODE).map(|client| *client.info()),
        _ => {
            let mut found = None;
            guard.routes_batch(&[NODE], |_, route| found = route.map(|route| *route.stream()));
            found
        }
    }
}

#[test]
fn d_lookups_never_miss_and_never_flip_back_when_other_ids_take_over() {
    readers_see_streams_count_up(&Plain::new(), 60_000, |serial| serial);
}

#[test]
fn d_lookups_never_miss_and_never_flip_back_when_the_client_reconnects() {
    readers_see_streams_count_up(&Plain::new(), 60_000, |_| 1);
}

#[test]
fn d_lookups_never_miss_and_never_flip_back_in_a_full_registry() {
    let registry: Plain = Registry::builder().max_clients(1).build().unwrap();
    readers_see_streams_count_up(&registry, 60_000, |serial| serial % 2);
}

#[test]
fn d_lookups_never_miss_and_never_flip_back_among_colliding_names() {
    let registry: Registry<u64, u64, u64, u64, FewBits> =
        Registry::builder().hasher(FewBits(0)).build().unwrap();
    for n in 0..8 {
        registry.connect(client(100 + n, 100 + n)).unwrap();
    }
    readers_see_streams_count_up(&registry, 60_000, |serial| serial % 3);
}

#[test]
fn d_a_lookup_by_id_never_misses_a_reconnecting_client() {
    const RECONNECTS: u64 = 60_000;
    let registry = Plain::new();
    let done = Done::new();
    registry.connect(NewClient::new(1, 0, 0)).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.is_set() {
                    let guard = registry.pin();
                    let found = *guard.client(&1).expect("it is always connected").info();
                    assert!(found >= last, "client {found} after {last}");
                    last = found;
                }
            });
        }
        let _done = done.when_dropped();
        for serial in 1..=RECONNECTS {
            // Under another node id each time.
            let _ = registry.connect(NewClient::new(1, serial % 7, serial)).unwrap();
        }
    });
}

/// The table grows again and again while a node id in it is taken over.
#[test]
fn d_growth_opens_no_gap() {
    let registry: Plain = Registry::builder().shards(1).build().unwrap();
    thread::scope(|scope| {
        let growing = scope.spawn(|| {
            for n in 0..150_000 {
                registry.connect(client(1_000_000 + n, 1_000_000 + n)).unwrap();
            }
        });
        readers_see_streams_count_up(&registry, 60_000, |serial| serial % 3);
        growing.join().unwrap();
    });
    assert_eq!(registry.len(), 150_001);
}

/// Several writers at once: streams no longer count up, but one that a reader has seen replaced
/// must not come back.
#[test]
fn d_many_writers_leave_no_gap_and_no_way_back() {
    const WRITERS: u64 = 3;
    const TAKEOVERS: u64 = 20_000;
    let builder = Registry::builder().hasher(FewBits(3));
    let registry: Registry<u64, u64, u64, u64, FewBits> = builder.build().unwrap();
    let done = Done::new();
    registry.connect(NewClient::new(0, NODE, 0).stream(0)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut replaced = vec![false; (WRITERS * TAKEOVERS + 1) as usize];
            let mut current = 0;
            while !done.is_set() {
                let guard = registry.pin();
                let found = *guard.stream(&NODE).expect("the node id always has a stream");
                if found != current {
                    assert!(!replaced[found as usize], "stream {found} came back");
                    replaced[current as usize] = true;
                    current = found;
                }
            }
        });
        let _done = done.when_dropped();
        thread::scope(|writers| {
            for writer in 0..WRITERS {
                let registry = &registry;
                writers.spawn(move || {
                    for round in 0..TAKEOVERS {
                        let serial = 1 + writer * TAKEOVERS + round;
                        let id = (writer + round) % 4;
                        let _ =
                            registry.connect(NewClient::new(id, NODE, 0).stream(serial)).unwrap();
                    }
                });
            }
        });
    });
    assert_eq!(registry.len(), 1);
}

/// Takeovers race disconnects by id and by key: whoever ends a client, it ends once and is handed
/// to one caller.
#[test]
fn d_every_client_ends_once_in_one_pair_of_hands() {
    const ROUNDS: u64 = 15_000;
    let registry = Plain::new();
    let newest = AtomicU64::new(0);
    let (connected, ended): (Vec<ClientKey>, Vec<ClientKey>) = thread::scope(|scope| {
        let connectors: Vec<_> = (0..2_u64)
            .map(|writer| {
                let (registry, newest) = (&registry, &newest);
                scope.spawn(move || {
                    let (mut keys, mut ended) = (Vec::new(), Vec::new());
                    for round in 0..ROUNDS {
                        let id = (writer + round) % 3;
                        let node = (writer + 2 * round) % 3;
                        let connected = registry.connect(client(id, node)).unwrap();
                        newest.store(id, SeqCst);
                        for removed in connected.displaced {
                            assert!(removed.id() == &id || removed.node() == &node);
                            ended.push(removed.key());
                        }
                        if round % 4 == 0 {
                            let removed = registry.disconnect_key(connected.key);
                            ended.extend(removed.map(|removed| removed.key()));
                        }
                        keys.push(connected.key);
                    }
                    (keys, ended)
                })
            })
            .collect();
        let remover = scope.spawn(|| {
            let mut ended = Vec::new();
            for _ in 0..ROUNDS {
                let id = newest.load(SeqCst);
                if let Some(removed) = registry.disconnect(&id) {
                    assert_eq!(removed.id(), &id);
                    ended.push(removed.key());
                }
            }
            ended
        });
        let mut all = (Vec::new(), remover.join().unwrap());
        for connector in connectors {
            let (keys, ended) = connector.join().unwrap();
            all.0.extend(keys);
            all.1.extend(ended);
        }
        all
    });
    let distinct: HashSet<ClientKey> = ended.iter().copied().collect();
    assert_eq!(distinct.len(), ended.len(), "a client was handed out twice");
    let guard = registry.pin();
    for key in connected {
        assert_eq!(guard.get(key).is_some(), !distinct.contains(&key));
    }
    assert_eq!(guard.iter().count(), registry.len());
}

/// "Two atomic steps": once the newcomer is seen by a name at issue, the older one is never seen
/// by it again, though it may be for a moment by another name; when `connect` has returned, by
/// none.
#[test]
fn d_when_connect_returns_the_older_client_is_gone_by_all_names() {
    const ROUNDS: u64 = 20_000;
    let registry = Plain::new();
    let done = Done::new();
    let returned = AtomicU64::new(0);
    registry.connect(NewClient::new(0, NODE, 0)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_set() {
                let serial = returned.load(SeqCst);
                let guard = registry.pin();
                // Not at issue: each client has an id of its own.
                for old in serial.saturating_sub(2)..serial {
                    assert!(guard.client(&old).is_none(), "client {old} is gone");
                }
                let by_node = *guard.client_by_node(&NODE).expect("never a gap").info();
                assert!(by_node >= serial);
            }
        });
        let _done = done.when_dropped();
        for serial in 1..=ROUNDS {
            let _ = registry.connect(NewClient::new(serial, NODE, serial)).unwrap();
            returned.store(serial, SeqCst);
        }
    });
}
