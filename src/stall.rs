//! The stall test (F): one thread is stopped after its k-th atomic step, for every k, and another call,
//! on the same names, finishes alone within a bounded number of steps.
//!
//! A lock, a spin on another thread's progress, or a help that only the stopped thread could give would
//! show as a call that does not end. Afterwards the stopped thread goes on, and what is left must be
//! consistent and complete.

mod paced;
mod promises;
mod several;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ahash::RandomState;
use paced::{Paced, after};

use crate::steps::with_hook;
use crate::{Builder, ClientKey, NewClient, Policy, Registry, StreamKey};

/// Steps within which every call finishes, whatever the other was stopped at. Measured: under 1,600 by the
/// eight connects of `grow`; a flush that finds a pin in its way looks at two records of every thread in
/// each of its rounds, and the tests beside this one have threads, too. The test prints what it saw.
const STEPS: usize = 4_000;

struct Tracked(Arc<AtomicUsize>);

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Small = Registry<u64, u64, u64, Tracked>;
type SmallBuilder = Builder<u64, u64, u64, Tracked>;

/// A registry with two clients, (1, 1) with the alias 11 and (2, 2), and what a call needs to know of it.
struct Stage {
    registry: Small,
    one: ClientKey,
    stream_of_one: StreamKey,
    made: AtomicUsize,
    drops: Arc<AtomicUsize>,
}

impl Stage {
    /// The slots of newcomers are above those of the clients, or `below`: so they compete in another order.
    fn new(build: fn(SmallBuilder) -> SmallBuilder, below: bool) -> Self {
        Self::with_seed(build, below, 0)
    }

    /// With another seed the names are at other places of their lines.
    fn with_seed(build: fn(SmallBuilder) -> SmallBuilder, below: bool, seed: u64) -> Self {
        // Not at random: else the k-th step would be another one each time, and some would be left out.
        let hasher = RandomState::with_seeds(1, 2, 3, seed);
        let registry = build(Registry::builder().shards(1).hasher(hasher)).build().unwrap();
        let first = below.then(|| registry.connect(NewClient::new(9, 9, 0).alias(8)).unwrap().key);
        let (made, drops) = (AtomicUsize::new(2), Arc::new(AtomicUsize::new(0)));
        let stream = || Tracked(Arc::clone(&drops));
        let client = NewClient::new(1, 1, 0).stream(stream()).alias(11);
        let connected = registry.connect(client).unwrap();
        drop(first.map(|key| registry.disconnect_key(key)));
        registry.connect(NewClient::new(2, 2, 0).stream(stream())).unwrap();
        registry.flush();
        Self {
            one: connected.key,
            stream_of_one: connected.stream_key.unwrap(),
            registry,
            made,
            drops,
        }
    }

    fn stream(&self) -> Tracked {
        self.made.fetch_add(1, Ordering::Relaxed);
        Tracked(Arc::clone(&self.drops))
    }

    fn connect(&self, id: u64, node: u64) {
        drop(self.registry.connect(NewClient::new(id, node, 0).stream(self.stream())));
    }

    /// Every name leads to a live client that bears it, no two clients share one, and nothing leaks.
    fn check(self, what: &str) {
        let guard = self.registry.pin();
        let (mut ids, mut nodes) = (BTreeMap::new(), BTreeMap::new());
        for client in guard.iter() {
            assert!(ids.insert(*client.id(), client.key()).is_none(), "two of one client id");
            assert!(nodes.insert(*client.node(), client.key()).is_none(), "two of one node id");
        }
        for (id, key) in &ids {
            assert_eq!(guard.client(id).map(|client| client.key()), Some(*key));
        }
        for (node, key) in &nodes {
            assert_eq!(guard.client_by_node(node).map(|client| client.key()), Some(*key));
        }
        assert_eq!(self.registry.len(), ids.len(), "{what}: places");
        drop(guard);
        assert_eq!(self.registry.flush().left, 0);
        let Self { registry, made, drops, .. } = self;
        drop(registry);
        assert_eq!(drops.load(Ordering::Relaxed), made.into_inner(), "{what}: drops");
    }
}

type Act = fn(&Stage);

fn forget<T>(_: T) {}

/// Every mutator, in the forms that meet the others. (The drop of what is removed is part of those that
/// remove; a session is a connect and a disconnect by key; a shrinking has the registry for itself.)
const MUTATORS: &[(&str, Act)] = &[
    ("connect anew", |stage| stage.connect(3, 3)),
    ("connect the same id", |stage| stage.connect(1, 3)),
    ("connect the same node id", |stage| stage.connect(3, 1)),
    ("connect both", |stage| stage.connect(1, 1)),
    ("connect crosswise", |stage| stage.connect(1, 2)),
    ("connect the other way", |stage| stage.connect(2, 1)),
    ("connect an alias's name", |stage| stage.connect(3, 11)),
    ("connect with an alias", |stage| {
        let client = NewClient::new(3, 3, 0).stream(stage.stream()).alias(12).alias(11);
        drop(stage.registry.connect(client));
    }),
    ("disconnect", |stage| drop(stage.registry.disconnect(&1))),
    ("disconnect by key", |stage| drop(stage.registry.disconnect_key(stage.one))),
    ("attach", |stage| drop(stage.registry.attach_stream(stage.one, stage.stream()))),
    ("detach", |stage| drop(stage.registry.detach_stream(stage.stream_of_one))),
    ("update", |stage| drop(stage.registry.update_info(stage.one, 1))),
    ("add an alias", |stage| drop(stage.registry.add_alias(stage.one, 12))),
    ("take an alias", |stage| {
        if let Some(key) = stage.registry.key(&2) {
            drop(stage.registry.add_alias(key, 11));
        }
    }),
    ("remove an alias", |stage| forget(stage.registry.remove_alias(stage.one, &11))),
    ("remove the alias that is taken", |stage| {
        if let Some(key) = stage.registry.key(&2) {
            forget(stage.registry.remove_alias(key, &11));
        }
    }),
    ("close", |stage| drop(stage.registry.close())),
    ("flush", |stage| forget(stage.registry.flush())),
    ("grow", |stage| (20..28).for_each(|client| stage.connect(client, client))),
];

/// What only reads.
const LOOKUPS: &[(&str, Act)] = &[
    ("route", |stage| forget(stage.registry.pin().route(&1))),
    ("route by alias", |stage| forget(stage.registry.pin().route(&11))),
    ("miss", |stage| forget(stage.registry.pin().route(&3))),
    ("client", |stage| forget(stage.registry.pin().client(&1))),
    ("client by node", |stage| forget(stage.registry.pin().client_by_node(&1))),
    ("client by key", |stage| forget(stage.registry.pin().get(stage.one))),
    ("keys", |stage| forget((stage.registry.key(&1), stage.registry.key_by_node(&11)))),
    ("batch", |stage| stage.registry.pin().routes_batch(&[1, 2, 3, 11], |_, _| ())),
    ("iterate", |stage| forget(stage.registry.pin().iter().count())),
    ("contains", |stage| forget(stage.registry.contains(&1))),
    ("with a stream", |stage| forget(stage.registry.with_stream(&1, |_| ()))),
    ("repin", |stage| {
        let mut guard = stage.registry.pin();
        guard.repin();
        forget(guard.stream(&1));
    }),
    ("length", |stage| forget((stage.registry.len(), stage.registry.is_empty()))),
    ("every stream", |stage| stage.registry.for_each_stream(|_, _| ())),
    ("figures", |stage| forget((stage.registry.stats(), stage.registry.is_closed()))),
];

/// Stops `stalled` after its k-th step for every k, and has `alone` finish meanwhile. Returns how often it
/// was stopped, and the most steps that `alone` took.
fn stall(
    (build, below, seed): (fn(SmallBuilder) -> SmallBuilder, bool, u64),
    (stalled_name, stalled): (&str, Act),
    (alone_name, alone): (&str, Act),
) -> (usize, usize) {
    let mut most = 0;
    for k in 0.. {
        let stage = Arc::new(Stage::with_seed(build, below, seed));
        let (other, was_stopped) = {
            let stage = Arc::clone(&stage);
            Paced::run(after(k), move || stalled(&stage))
        };
        let steps = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&steps);
        let what = format!("{alone_name}, while {stalled_name} is stopped at step {k}");
        let waits = format!("{what}, does not end");
        let hook = move || {
            let step = count.fetch_add(1, Ordering::Relaxed);
            assert!(step < STEPS || thread::panicking(), "{waits}");
        };
        with_hook(hook, || alone(&stage));
        most = most.max(steps.load(Ordering::Relaxed));
        other.finish();
        Arc::into_inner(stage).unwrap().check(&what);
        if !was_stopped {
            return (k, most);
        }
    }
    unreachable!("a call has finitely many steps")
}

fn stall_all(name: &str, build: fn(SmallBuilder) -> SmallBuilder) {
    let (mut runs, mut most, mut seed) = (0, (0, ""), 0);
    for below in [false, true] {
        for &stalled in MUTATORS {
            for &alone in MUTATORS.iter().chain(LOOKUPS) {
                let (stops, steps) = stall((build, below, seed), stalled, alone);
                seed += 1;
                runs += stops;
                most = most.max((steps, alone.0));
            }
        }
    }
    println!("stall, {name}: {runs} runs, at most {} steps alone ({})", most.0, most.1);
}

/// Whoever drops what was removed is stopped at each step, and the registry goes meanwhile (G).
#[test]
fn a_registry_goes_without_what_was_removed() {
    for k in 0.. {
        let drops = Arc::new(AtomicUsize::new(0));
        let registry = Small::new();
        let client = NewClient::new(1, 1, 0).stream(Tracked(Arc::clone(&drops)));
        registry.connect(client).unwrap();
        let removed = registry.disconnect(&1).unwrap();
        let (other, was_stopped) = Paced::run(after(k), || drop(removed));
        drop(registry);
        other.finish();
        assert_eq!(drops.load(Ordering::Relaxed), 1, "stopped at step {k}");
        if !was_stopped {
            return;
        }
    }
}

#[test]
fn grow_grows() {
    let stage = Stage::new(|builder| builder, false);
    let tandem = stage.registry.tandem();
    let bytes = || [&tandem.ids, &tandem.nodes].map(|table| table.bytes(&tandem.pin()));
    let before = bytes();
    let (_, grow) = MUTATORS.iter().find(|(name, _)| *name == "grow").unwrap();
    grow(&stage);
    let after = bytes();
    assert!((0..2).all(|table| before[table] < after[table]), "{before:?} {after:?}");
    stage.check("grow");
}

#[test]
fn takeovers() {
    stall_all("takeover", |builder| builder);
}

#[test]
fn takeovers_when_full() {
    stall_all("takeover, full", |builder| builder.max_clients(2));
}

#[test]
fn rejections() {
    stall_all("reject", |builder| builder.on_conflict(Policy::Reject));
}

#[test]
fn rejections_when_full() {
    stall_all("reject, full", |builder| builder.on_conflict(Policy::Reject).max_clients(2));
}
