//! A, linked removal: a client ends in one atomic step, in every table and under every name.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use tandem_registry::{ClientKey, Guard, NewClient, Registry};

use super::{Plain, client, stream};
use crate::fixtures::threads::Done;

const ID: u64 = 1;
const NODE: u64 = 10;
const ALIAS: u64 = 11;

#[test]
fn a_before_the_end_every_name_finds_the_client() {
    let registry = Plain::new();
    let key = registry.connect(client(ID, NODE).alias(ALIAS)).unwrap().key;
    assert_every_name_finds(&registry, key);
}

#[test]
fn a_after_the_end_no_name_finds_it() {
    type End = fn(&Plain, ClientKey) -> bool;
    let ends: [(&str, End); 3] = [
        ("by id", |registry, _| registry.disconnect(&ID).is_some()),
        ("by key", |registry, key| registry.disconnect_key(key).is_some()),
        ("by close", |registry, _| registry.close().len() == 1),
    ];
    for (how, end) in ends {
        let registry = Plain::new();
        let key = registry.connect(client(ID, NODE).alias(ALIAS)).unwrap().key;
        assert!(end(&registry, key), "{how}");
        assert_no_name_finds(&registry, key);
        assert!(registry.is_empty(), "{how}");
    }
}

#[test]
fn a_an_evicted_client_loses_the_names_that_were_not_at_issue_too() {
    let registry = Plain::new();
    let old = registry.connect(client(1, NODE).alias(ALIAS)).unwrap().key;
    let connected = registry.connect(client(2, NODE)).unwrap();
    assert_eq!(connected.displaced.len(), 1);
    assert!(!registry.contains(&1), "by its id");
    let guard = registry.pin();
    assert!(guard.get(old).is_none(), "by its key");
    assert_eq!(stream(&guard, ALIAS), None, "by its alias");
    assert_eq!(stream(&guard, NODE), Some(2002));
}

#[test]
fn a_the_removed_client_is_handed_over_whole() {
    let registry = Plain::new();
    let connected = registry.connect(client(ID, NODE)).unwrap();
    let fresh = registry.attach_stream(connected.key, 77).unwrap();
    registry.update_info(connected.key, 88).unwrap();
    let removed = registry.disconnect(&ID).expect("it is connected");
    assert_eq!(removed.key(), connected.key);
    assert_eq!((removed.id(), removed.node()), (&ID, &NODE));
    assert_eq!(removed.info(), &88);
    assert_eq!(removed.stream(), Some(&77));
    assert_eq!(removed.stream_key(), Some(fresh));
}

#[test]
fn a_an_unknown_client_cannot_be_removed() {
    let registry = Plain::new();
    assert!(registry.disconnect(&ID).is_none());
    let key = registry.connect(client(ID, NODE)).unwrap().key;
    assert!(registry.disconnect(&ID).is_some());
    assert!(registry.disconnect(&ID).is_none());
    assert!(registry.disconnect_key(key).is_none());
}

#[test]
fn a_one_of_many_removers_gets_the_client() {
    const ROUNDS: usize = 2_000;
    const THREADS: usize = 4;
    let registry = Plain::new();
    let keys: Vec<ClientKey> = (0..ROUNDS as u64)
        .map(|n| {
            // All connected beforehand, so that the rounds consist of the race alone.
            registry.connect(client(n, n)).unwrap().key
        })
        .collect();
    let barrier = Barrier::new(THREADS);
    let winners: usize = thread::scope(|scope| {
        let racers: Vec<_> = (0..THREADS)
            .map(|racer| {
                let (registry, keys, barrier) = (&registry, &keys, &barrier);
                scope.spawn(move || {
                    let mut won = 0;
                    for (round, &key) in keys.iter().enumerate() {
                        barrier.wait();
                        let removed = match racer % 2 {
                            0 => registry.disconnect_key(key),
                            _ => registry.disconnect(&(round as u64)),
                        };
                        if let Some(removed) = removed {
                            assert_eq!(removed.key(), key);
                            won += 1;
                        }
                    }
                    won
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(winners, ROUNDS);
    assert!(registry.is_empty());
}

/// One client at a time connects under the same names and disconnects again. What the writer has
/// begun and ended is published around its calls, so a reader knows, for each lookup, what it must
/// see and what it must not.
#[test]
fn a_no_lookup_returns_an_ended_client_or_misses_a_live_one() {
    const CLIENTS: u64 = 40_000;
    let registry = Plain::new();
    let (connected, ending, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let foreseen = AtomicU64::new(0);
    let done = Done::new();
    thread::scope(|scope| {
        for reader in 0..2 {
            let (registry, done, foreseen) = (&registry, &done, &foreseen);
            let (connected, ending, ended) = (&connected, &ending, &ended);
            scope.spawn(move || {
                let mut guard = registry.pin();
                let (mut hits, mut sure_hits) = (0_u64, 0_u64);
                for round in 0_u64.. {
                    if done.is_set() {
                        break;
                    }
                    // One reader keeps its guard for long, the other hardly ever.
                    if reader == 0 || round % 256 == 0 {
                        guard.repin();
                    }
                    let gone = ended.load(SeqCst);
                    let there = connected.load(SeqCst);
                    let found = look_up(&guard, round % 4);
                    let about_to_go = ending.load(SeqCst);
                    if let Some(serial) = found {
                        assert!(serial > gone, "client {serial} was returned, {gone} had ended");
                        hits += 1;
                    }
                    if about_to_go < there {
                        assert_eq!(found, Some(there), "a live client was missed");
                        sure_hits += 1;
                    }
                }
                println!("reader {reader}: {hits} hits, {sure_hits} of them foreseen");
                foreseen.fetch_add(sure_hits, SeqCst);
            });
        }
        let _done = done.when_dropped();
        for serial in 1..=CLIENTS {
            let new = NewClient::new(ID, NODE, serial).stream(serial).alias(ALIAS);
            let key = registry.connect(new).unwrap().key;
            connected.store(serial, SeqCst);
            // Some stay long enough for whole lookups to fall within their life.
            if serial % 8 == 0 {
                thread::yield_now();
            }
            ending.store(serial, SeqCst);
            if serial % 2 == 0 {
                assert!(registry.disconnect_key(key).is_some());
            } else {
                assert!(registry.disconnect(&ID).is_some());
            }
            ended.store(serial, SeqCst);
        }
    });
    assert!(foreseen.into_inner() > 0, "no lookup fell within a client's life");
}

/// A client is gone under all names as soon as it is gone under one: whoever has seen it and then
/// misses it by one name never again finds it by another.
#[test]
fn a_the_end_is_one_step_for_all_names() {
    const CLIENTS: u64 = 40_000;
    let registry = Plain::new();
    let done = Done::new();
    thread::scope(|scope| {
        for reader in 0..2_u64 {
            let (registry, done) = (&registry, &done);
            scope.spawn(move || {
                let (mut seen, mut gone) = (0, 0);
                for round in reader.. {
                    if done.is_set() {
                        break;
                    }
                    let guard = registry.pin();
                    // No alias here: it comes a step after its client.
                    match look_up(&guard, round % 3) {
                        Some(serial) => {
                            assert!(serial > gone, "client {serial} came back");
                            assert!(serial >= seen, "client {serial} after {seen}");
                            if serial > seen {
                                gone = seen;
                            }
                            seen = serial;
                        }
                        None => gone = seen,
                    }
                }
            });
        }
        let _done = done.when_dropped();
        for serial in 1..=CLIENTS {
            registry.connect(NewClient::new(ID, NODE, serial).stream(serial)).unwrap();
            assert!(registry.disconnect(&ID).is_some());
        }
    });
}

/// The serial number of the client that one of the four kinds of lookup finds.
fn look_up(guard: &Guard<'_, u64, u64, u64, u64>, kind: u64) -> Option<u64> {
    match kind {
        0 => guard.route(&NODE).map(|route| *route.stream()),
        1 => guard.client(&ID).map(|client| *client.info()),
        2 => guard.client_by_node(&NODE).map(|client| *client.info()),
        _ => {
            // Its alias may come a step later; found by it, the client must not be an old one.
            let by_alias = guard.stream(&ALIAS).copied();
            by_alias.or_else(|| guard.stream(&NODE).copied())
        }
    }
}

fn assert_every_name_finds(registry: &Plain, key: ClientKey) {
    let guard = registry.pin();
    assert!(registry.contains(&ID));
    assert_eq!(registry.key(&ID), Some(key));
    assert_eq!(registry.key_by_node(&NODE), Some(key));
    assert_eq!(registry.key_by_node(&ALIAS), Some(key));
    assert_eq!(guard.client(&ID).map(|client| client.key()), Some(key));
    assert_eq!(guard.client_by_node(&ALIAS).map(|client| client.key()), Some(key));
    assert_eq!(guard.get(key).map(|client| *client.id()), Some(ID));
    assert_eq!(guard.route(&NODE).map(|route| route.key()), Some(key));
    assert_eq!(stream(&guard, NODE), Some(ID + 2000));
    assert_eq!(stream(&guard, ALIAS), Some(ID + 2000));
    assert_eq!(registry.with_stream(&NODE, |stream| *stream), Some(ID + 2000));
    assert_eq!(registry.stream_cloned(&ALIAS), Some(ID + 2000));
    guard.routes_batch(&[NODE, ALIAS], |_, route| {
        assert_eq!(route.map(|route| route.key()), Some(key));
    });
    assert_eq!(guard.iter().map(|client| client.key()).collect::<Vec<_>>(), [key]);
    let mut streams = Vec::new();
    registry.for_each_stream(|stream_key, _| streams.push(stream_key.client()));
    assert_eq!(streams, [key]);
}

fn assert_no_name_finds<S>(registry: &Registry<u64, u64, u64, u64, S>, key: ClientKey)
where
    S: std::hash::BuildHasher,
{
    let guard = registry.pin();
    assert!(!registry.contains(&ID));
    assert_eq!(registry.key(&ID), None);
    assert_eq!(registry.key_by_node(&NODE), None);
    assert_eq!(registry.key_by_node(&ALIAS), None);
    assert!(guard.client(&ID).is_none());
    assert!(guard.client_by_node(&ALIAS).is_none());
    assert!(guard.get(key).is_none());
    assert!(guard.route(&NODE).is_none());
    assert!(guard.stream(&ALIAS).is_none());
    assert_eq!(registry.with_stream(&NODE, |stream| *stream), None);
    assert_eq!(registry.stream_cloned(&ALIAS), None);
    guard.routes_batch(&[NODE, ALIAS], |_, route| assert!(route.is_none()));
    assert_eq!(guard.iter().count(), 0);
    registry.for_each_stream(|_, _| panic!("a stream without a client"));
}
