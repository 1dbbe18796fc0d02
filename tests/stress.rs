//! Four threads do everything at once on a few hundred names, ten million operations in all, or as many as
//! `OPERATIONS` says, and at the end every value that was made has been dropped once. Each value has a
//! counter of its own.

mod fixtures;

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use fixtures::{
    hashers::FewBits,
    rng::Rng,
    roll::{ROLL, Value},
    threads::Done,
};
use tandem_registry::{
    ClientKey, ConnectErrorKind, Detached, NewClient, Policy, Registry, Removed, StreamKey,
};

const THREADS: usize = 4;
/// Of all threads in all configurations.
const OPERATIONS: usize = 10_400_000;
/// Guards are held, and the limit is looked at, for so many operations.
const CHUNK: usize = 64;
const IDS: u64 = 300;
const NAMES: u64 = 400;
type Stressed<S> = Registry<Value, Value, Value, Value, S>;

#[derive(Default)]
struct Tally {
    connected: AtomicUsize,
    evicted: AtomicUsize,
    refused: AtomicUsize,
    ended: AtomicUsize,
    attached: AtomicUsize,
    found: AtomicUsize,
}

fn count(counter: &AtomicUsize, times: usize) {
    counter.fetch_add(times, Relaxed);
}

/// What a thread remembers and holds.
struct Worker<'r, S> {
    registry: &'r Stressed<S>,
    tally: &'r Tally,
    rng: Rng,
    keys: Vec<(u64, ClientKey)>,
    stream_keys: Vec<StreamKey>,
    removed: Vec<Removed<Value, Value, Value, Value>>,
    detached: Vec<Detached<Value, Value, Value, Value>>,
}

impl<S: BuildHasher> Worker<'_, S> {
    fn run(&mut self, chunks: usize) {
        for chunk in 0..chunks {
            let registry = self.registry;
            // Every fourth chunk runs under one guard, which keeps alive what it has reached.
            let guard = (chunk % 4 == 0).then(|| registry.pin());
            let mut reached = Vec::new();
            for _ in 0..CHUNK {
                if let Some(guard) = &guard {
                    reached.extend(guard.stream(&self.rng.below(NAMES)));
                }
                self.operation();
            }
            for stream in reached {
                assert!(stream.get() < IDS);
            }
            drop(guard);
        }
    }

    fn operation(&mut self) {
        let (id, name) = (self.rng.below(IDS), self.rng.below(NAMES));
        let known = self.known_key();
        match (self.rng.below(64), known) {
            (0..=14, _) | (_, None) => self.connect(id, name),
            (15..=20, _) => {
                let removed = self.registry.disconnect(&id);
                self.keep(removed);
            }
            (21..=24, Some((_, key))) => {
                let removed = self.registry.disconnect_key(key);
                self.keep(removed);
            }
            (25..=30, Some((owner, key))) => {
                if let Ok(stream_key) = self.registry.attach_stream(key, Value::new(owner)) {
                    count(&self.tally.attached, 1);
                    self.remember_stream(stream_key);
                }
            }
            (31..=33, _) => {
                let detached =
                    self.stream_keys.pop().and_then(|key| self.registry.detach_stream(key));
                self.detached.extend(detached);
            }
            (34..=36, Some((owner, key))) => {
                let _ = self.registry.update_info(key, Value::new(owner));
            }
            (37..=40, Some((_, key))) => {
                let _ = self.registry.add_alias(key, Value::new(name));
            }
            (41..=42, Some((_, key))) => {
                self.registry.remove_alias(key, &name);
            }
            (43..=60, Some((owner, key))) => self.look_up(id, name, owner, key),
            (61, _) => {
                for removed in self.removed.drain(..) {
                    assert_eq!(removed.info().get(), removed.id().get());
                }
                for detached in self.detached.drain(..) {
                    assert!(detached.get() < IDS);
                }
            }
            (62, _) if self.rng.one_in(8) => {
                for client in self.registry.pin().iter() {
                    assert_eq!(client.info().get(), client.id().get());
                }
            }
            (62, _) if self.rng.one_in(8) => {
                self.registry.for_each_stream(|_, stream| assert!(stream.get() < IDS));
            }
            (63, _) if self.rng.one_in(4) => {
                self.registry.flush();
            }
            _ => {
                let id = self.rng.below(IDS);
                let there = self.registry.contains(&id);
                count(&self.tally.found, usize::from(there));
            }
        }
    }

    fn connect(&mut self, id: u64, node: u64) {
        let mut new = NewClient::new(Value::new(id), Value::new(node), Value::new(id));
        if !self.rng.one_in(4) {
            new = new.stream(Value::new(id));
        }
        if self.rng.one_in(4) {
            new = new.alias(Value::new(self.rng.below(NAMES)));
        }
        match self.registry.connect(new) {
            Ok(connected) => {
                count(&self.tally.connected, 1);
                count(&self.tally.evicted, connected.displaced.len());
                self.keys.push((id, connected.key));
                if let Some(stream_key) = connected.stream_key {
                    self.remember_stream(stream_key);
                }
                for removed in connected.displaced {
                    assert!(removed.id().get() == id || removed.node().get() == node);
                    self.removed.push(removed);
                }
            }
            Err(error) => {
                assert_ne!(error.kind(), ConnectErrorKind::Closed);
                count(&self.tally.refused, 1);
                let rejected = error.into_rejected();
                assert_eq!((rejected.id.get(), rejected.node.get()), (id, node));
            }
        }
        if self.keys.len() > 64 {
            self.keys.drain(..32);
        }
    }

    fn look_up(&mut self, id: u64, name: u64, owner: u64, key: ClientKey) {
        let guard = self.registry.pin();
        let mut found = 0;
        if let Some(client) = guard.client(&id) {
            assert_eq!((client.id().get(), client.info().get()), (id, id));
            found += 1;
        }
        if let Some(route) = guard.route(&name) {
            assert_eq!(route.key(), route.stream_key().client());
            let stream = route.stream().get();
            if let Some(client) = guard.get(route.key()) {
                assert_eq!(client.id().get(), stream);
            }
            found += 1;
        }
        if let Some(client) = guard.get(key) {
            assert_eq!(client.id().get(), owner);
            found += 1;
        }
        let names = [name, (name + 1) % NAMES, (name + 7) % NAMES];
        guard.routes_batch(&names, |_, route| {
            found += usize::from(route.is_some_and(|route| route.stream().get() < IDS));
        });
        count(&self.tally.found, found);
    }

    fn known_key(&mut self) -> Option<(u64, ClientKey)> {
        let count = self.keys.len() as u64;
        (count > 0).then(|| self.keys[self.rng.below(count) as usize])
    }

    fn remember_stream(&mut self, stream_key: StreamKey) {
        self.stream_keys.push(stream_key);
        if self.stream_keys.len() > 64 {
            self.stream_keys.drain(..32);
        }
    }

    fn keep(&mut self, removed: Option<Removed<Value, Value, Value, Value>>) {
        count(&self.tally.ended, usize::from(removed.is_some()));
        self.removed.extend(removed);
    }
}

struct Configuration {
    name: &'static str,
    policy: Policy,
    max_clients: Option<usize>,
    shards: usize,
    hash_bits: u32,
}

/// `chunks`: of each thread.
fn stress(configuration: &Configuration, chunks: usize) {
    let started = Instant::now();
    let mut builder = Registry::builder()
        .hasher(FewBits(configuration.hash_bits))
        .on_conflict(configuration.policy)
        .shards(configuration.shards);
    if let Some(max) = configuration.max_clients {
        builder = builder.max_clients(max);
    }
    let registry: Stressed<FewBits> = builder.build().unwrap();
    let max_clients = configuration.max_clients.unwrap_or(usize::MAX);
    let tally = Tally::default();
    let done = Done::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_set() {
                assert!(registry.len() <= max_clients);
                thread::yield_now();
            }
        });
        let _done = done.when_dropped();
        thread::scope(|workers| {
            for seed in 0..THREADS as u64 {
                let (registry, tally) = (&registry, &tally);
                workers.spawn(move || {
                    let mut worker = Worker {
                        registry,
                        tally,
                        rng: Rng::new(seed),
                        keys: Vec::new(),
                        stream_keys: Vec::new(),
                        removed: Vec::new(),
                        detached: Vec::new(),
                    };
                    worker.run(chunks);
                });
            }
        });
    });

    let left = registry.len();
    assert_eq!(registry.pin().iter().count(), left);
    let (connected, evicted) = (tally.connected.into_inner(), tally.evicted.into_inner());
    let ended = tally.ended.into_inner();
    assert_eq!(connected, evicted + ended + left, "each client ends once");
    let flushed = registry.flush();
    assert_eq!(flushed.left, 0);
    let stats = registry.stats();
    // Every other configuration ends its clients by hand, the rest leaves them to the registry.
    if configuration.max_clients.is_some() {
        assert_eq!(registry.close().len(), left);
    }
    drop(registry);
    let made = ROLL.settle();
    println!(
        "{}: {} operations in {:.1?}: {connected} connected, {evicted} evicted, {ended} disconnected, \
         {} refused, {} attached, {} found; {made} values made, each dropped once; {stats:?}",
        configuration.name,
        THREADS * chunks * CHUNK,
        started.elapsed(),
        tally.refused.into_inner(),
        tally.attached.into_inner(),
        tally.found.into_inner(),
    );
}

/// One test, so that the configurations do not share the machine.
#[test]
fn every_value_is_dropped_once() {
    let configurations = [
        Configuration {
            name: "takeover with a limit",
            policy: Policy::Takeover,
            max_clients: Some(100),
            shards: 16,
            hash_bits: 64,
        },
        Configuration {
            name: "reject",
            policy: Policy::Reject,
            max_clients: Some(200),
            shards: 16,
            hash_bits: 64,
        },
        Configuration {
            name: "takeover without a limit, many shards",
            policy: Policy::Takeover,
            max_clients: None,
            shards: 256,
            hash_bits: 64,
        },
        Configuration {
            name: "reject without a limit, one shard",
            policy: Policy::Reject,
            max_clients: None,
            shards: 1,
            hash_bits: 64,
        },
        Configuration {
            name: "takeover with colliding hashes",
            policy: Policy::Takeover,
            max_clients: Some(100),
            shards: 1,
            hash_bits: 4,
        },
    ];
    let wanted = std::env::var("OPERATIONS").ok().and_then(|text| text.parse().ok());
    let chunks = wanted.unwrap_or(OPERATIONS) / configurations.len() / THREADS / CHUNK;
    for configuration in &configurations {
        stress(configuration, chunks);
    }
}
