//! J, bounded memory: at constant population, any churn of ever-new names uses constant memory.
//! (What the allocator says to it is in `memory.rs`.)

use std::{
    sync::{Barrier, Mutex},
    thread,
};

use tandem_registry::{Builder, ClientKey, Policy, Registry, Stats};

use super::{Plain, client};
use crate::fixtures::{hashers::FewBits, rng::Rng};

type Seedless = Registry<u64, u64, u64, u64, FewBits>;

const POPULATION: usize = 2_000;
/// Slots that garbage on its way to be reclaimed may hold beside the clients.
const GARBAGE: usize = 1_024;
/// How many fresh clients pass through: many times what is there at any time.
const FRESH: usize = 50 * POPULATION;

/// Slots are never many more than the most clients that there were at once, and garbage is never
/// much.
#[track_caller]
fn assert_bounded(end: Stats, clients: usize) {
    assert!(end.slots <= clients + GARBAGE, "slots pile up: {end:?}");
    assert!(end.retired <= GARBAGE, "garbage piles up: {end:?}");
}

/// The same for a handful of clients: the memory is what the garbage takes.
#[track_caller]
fn assert_small(end: Stats, clients: usize) {
    assert_bounded(end, clients);
    assert!(end.bytes <= 512 * GARBAGE, "memory grows: {end:?}");
}

/// Replaces clients by fresh ones, one by one, and compares what is held after a warm-up and at
/// the end.
///
/// The hasher has no random seed: an index that meets an unlucky one may double once more, late.
fn churn(
    builder: Builder<u64, u64, u64, u64>,
    how: &str,
    mut replace: impl FnMut(&Seedless, u64, ClientKey) -> ClientKey,
) {
    let registry = &builder.hasher(FewBits(64)).build().unwrap();
    let mut rng = Rng::new(1);
    let mut live: Vec<ClientKey> =
        (0..POPULATION as u64).map(|id| registry.connect(client(id, id)).unwrap().key).collect();
    let mut fresh = POPULATION as u64;
    let mut run = |clients: usize| -> Stats {
        for _ in 0..clients {
            let leaving = rng.below(POPULATION as u64) as usize;
            live[leaving] = replace(registry, fresh, live[leaving]);
            fresh += 1;
        }
        registry.stats()
    };
    let warm = run(FRESH / 5);
    let half = run(FRESH * 2 / 5);
    let end = run(FRESH * 2 / 5);
    for (when, stats) in [("warm", warm), ("half", half), ("end", end)] {
        println!(
            "{how}, {when}: {} clients, {} slots, {} bytes, {} retired",
            stats.clients, stats.slots, stats.bytes, stats.retired
        );
    }
    assert_eq!(end.clients, POPULATION);
    // A client takes a slot, and so does each of its aliases.
    assert_bounded(end, 3 * POPULATION);
    assert_eq!((half.bytes, end.bytes), (warm.bytes, warm.bytes), "memory grows");
}

#[test]
fn j_churn_of_fresh_names_uses_constant_memory() {
    churn(Plain::builder(), "disconnect and connect", |registry, fresh, leaving| {
        assert!(registry.disconnect_key(leaving).is_some());
        registry.connect(client(fresh, fresh)).unwrap().key
    });
}

#[test]
fn j_churn_with_a_random_hasher_uses_bounded_memory() {
    let registry = Plain::new();
    let population = POPULATION as u64;
    let run = |ids: std::ops::Range<u64>| {
        for id in ids {
            registry.connect(client(id, id)).unwrap();
            if let Some(oldest) = id.checked_sub(population) {
                assert!(registry.disconnect(&oldest).is_some());
            }
        }
        registry.stats()
    };
    let fresh = FRESH as u64;
    let warm = run(0..fresh / 5);
    let end = run(fresh / 5..5 * fresh);
    println!("{warm:?}, {end:?}");
    assert_bounded(end, POPULATION + 1);
    assert!(end.bytes <= 2 * warm.bytes, "memory grows");
}

#[test]
fn j_churn_in_a_registry_with_a_limit_and_one_shard() {
    let builder = Registry::builder().max_clients(POPULATION).shards(1);
    churn(builder, "with a limit", |registry, fresh, leaving| {
        assert!(registry.disconnect_key(leaving).is_some());
        registry.connect(client(fresh, fresh)).unwrap().key
    });
}

#[test]
fn j_churn_of_fresh_names_by_takeover() {
    churn(Plain::builder(), "takeover", |registry, fresh, leaving| {
        let (id, node) = {
            let guard = registry.pin();
            let leaving = guard.get(leaving).expect("it is connected");
            (*leaving.id(), *leaving.node())
        };
        // The same client under a fresh node id, or a fresh client under the same node id.
        let new = if fresh % 2 == 0 { client(id, fresh) } else { client(fresh, node) };
        let connected = registry.connect(new).unwrap();
        assert_eq!(connected.displaced.len(), 1);
        connected.key
    });
}

#[test]
fn j_churn_of_fresh_aliases() {
    churn(Plain::builder(), "aliases", |registry, fresh, leaving| {
        // Some go by themselves, some with their client.
        assert!(registry.disconnect_key(leaving).is_some());
        let new = client(fresh, fresh).alias(fresh + (1 << 40));
        let key = registry.connect(new).unwrap().key;
        registry.add_alias(key, fresh + (2 << 40)).unwrap();
        assert!(registry.remove_alias(key, &(fresh + (2 << 40))));
        key
    });
}

#[test]
fn j_churn_of_streams_and_infos() {
    let registry = Plain::new();
    let key = registry.connect(client(1, 1)).unwrap().key;
    let attach = |times: u64| {
        for n in 0..times {
            let stream_key = registry.attach_stream(key, n).unwrap();
            registry.update_info(key, n).unwrap();
            if n % 2 == 0 {
                assert!(registry.detach_stream(stream_key).is_some());
            }
        }
        registry.stats()
    };
    let end = attach(100_000);
    println!("{end:?}");
    assert_small(end, 1);
}

/// The first 20 doublings and halvings of a breathing population may allocate; later ones not.
#[test]
fn j_a_breathing_population_uses_constant_memory() {
    let registry: Seedless = Plain::builder().hasher(FewBits(64)).build().unwrap();
    let mut fresh = 0;
    let mut breathe = |times: usize| {
        for _ in 0..times {
            let first = fresh;
            for _ in 0..POPULATION {
                registry.connect(client(fresh, fresh)).unwrap();
                fresh += 1;
            }
            for id in first..fresh {
                assert!(registry.disconnect(&id).is_some());
            }
        }
        registry.stats()
    };
    let warm = breathe(20);
    let end = breathe(40);
    println!("{warm:?}, {end:?}");
    assert_bounded(end, POPULATION);
    assert_eq!(end.bytes, warm.bytes, "memory grows");
}

#[test]
fn j_refused_connects_use_no_memory() {
    for policy in [Policy::Takeover, Policy::Reject] {
        let builder = Registry::builder().max_clients(10).on_conflict(policy);
        let registry: Plain = builder.build().unwrap();
        for id in 0..10 {
            registry.connect(client(id, id)).unwrap();
        }
        let refuse = |times: u64| {
            for n in 0..times {
                let fresh = 1_000 + n;
                // Full; or under `Reject`, now and then, a name that is taken.
                let id = if policy == Policy::Reject && n % 2 == 0 { 1 } else { fresh };
                assert!(registry.connect(client(id, fresh).alias(n)).is_err());
            }
            registry.stats()
        };
        assert_small(refuse(50_000), 10);
    }
}

#[test]
fn j_aliases_that_change_hands_or_are_refused_use_no_memory() {
    let registry = Plain::new();
    let owners = [1, 2].map(|id| registry.connect(client(id, id)).unwrap().key);
    let change = |times: u64| {
        for n in 0..times {
            let owner = owners[n as usize % 2];
            registry.add_alias(owner, 99).expect("the newer owner takes it");
            registry.add_alias(owner, 99).expect("it is its own");
            assert!(registry.add_alias(owner, 1).is_err(), "it is a node id");
        }
        registry.stats()
    };
    assert_small(change(50_000), 3);
}

/// The other way round: what clients take is not hidden.
#[test]
fn j_bytes_are_at_least_what_the_clients_take() {
    let registry: Plain = Plain::new();
    let empty = registry.stats().bytes;
    for id in 0..10_000 {
        registry.connect(client(id, id)).unwrap();
    }
    // Four words of 8 bytes are the names and values alone.
    let full = registry.stats().bytes;
    assert!(full >= empty + 10_000 * 4 * 8, "{empty} -> {full}");
}

/// Slots go back to the number of whoever disposes of them, and whoever connects looks everywhere.
#[test]
fn j_slots_freed_by_one_thread_are_used_by_all() {
    const CLIENTS: u64 = 500;
    let registry: Plain = Plain::new();
    let fill = || {
        for id in 0..CLIENTS {
            registry.connect(client(id, id)).unwrap();
        }
    };
    let drain = || {
        for id in 0..CLIENTS {
            drop(registry.disconnect(&id));
        }
        assert_eq!(registry.flush().left, 0);
    };
    fill();
    drain();
    let slots = registry.stats().slots;
    // At once, so that each has a number of its own; a panic of one is one of all.
    const THREADS: usize = 6;
    let (barrier, turn) = (Barrier::new(THREADS), Mutex::new(()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                drop(registry.pin());
                barrier.wait();
                let _turn = turn.lock().unwrap();
                // Everything is free, and was freed by another.
                fill();
                drain();
            });
        }
    });
    assert_eq!(registry.stats().slots, slots);
}
