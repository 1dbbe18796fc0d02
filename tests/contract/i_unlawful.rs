//! I, hostile code: answers of `Hash` and `Eq` that make no sense cost correctness of lookups, never
//! memory safety, and every value is still dropped once.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use tandem_registry::{NewClient, Registry};

use crate::fixtures::{
    hashers::{FewBits, NeverTheSame},
    rng::Rng,
    tracked::{Ledger, Tracked},
};

type Value = Tracked<u64>;

/// A key whose hash and equality are whatever a generator says.
struct Erratic {
    value: Tracked<u64>,
    /// Out of this many answers one is wrong.
    wrong: u64,
}

static ANSWERS: AtomicU64 = AtomicU64::new(1);

impl Erratic {
    fn lies(&self) -> bool {
        Rng::new(ANSWERS.fetch_add(1, Relaxed)).one_in(self.wrong)
    }
}

impl Hash for Erratic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
        if self.lies() {
            state.write_u64(ANSWERS.load(Relaxed));
        }
    }
}

impl PartialEq for Erratic {
    fn eq(&self, other: &Self) -> bool {
        (self.value == other.value) != self.lies()
    }
}

impl Eq for Erratic {}

/// Runs all operations with unlawful keys. What they answer is anybody's guess; that each value
/// is dropped once, and none is read after, is not.
fn run_unlawful<S: BuildHasher + Sync + Send>(
    ledger: &'static Ledger,
    hasher: S,
    wrong: u64,
    threads: u64,
) {
    let builder = Registry::builder().hasher(hasher).max_clients(40);
    let registry: Registry<Erratic, Erratic, Value, Value, S> = builder.build().unwrap();
    thread::scope(|scope| {
        for seed in 0..threads {
            let registry = &registry;
            scope.spawn(move || unlawful_operations(registry, ledger, wrong, seed));
        }
    });
    for removed in registry.close() {
        removed.info().get();
    }
    registry.flush();
    drop(registry);
    ledger.assert_balanced();
}

fn unlawful_operations<S: BuildHasher>(
    registry: &Registry<Erratic, Erratic, Value, Value, S>,
    ledger: &'static Ledger,
    wrong: u64,
    seed: u64,
) {
    let mut rng = Rng::new(seed);
    let mut keys = Vec::new();
    let mut stream_keys = Vec::new();
    let key = |value| Erratic { value: Tracked::new(ledger, value), wrong };
    let value = || Tracked::new(ledger, 0);
    for round in 0..12_000_usize {
        let (id, node) = (key(rng.below(24)), key(rng.below(24)));
        let any_key = keys.get(round % keys.len().max(1)).copied();
        match (rng.below(12), any_key) {
            (0..=3, _) | (_, None) => {
                let new =
                    NewClient::new(id, node, value()).stream(value()).alias(key(rng.below(24)));
                if let Ok(connected) = registry.connect(new) {
                    keys.push(connected.key);
                    stream_keys.extend(connected.stream_key);
                    for removed in connected.displaced {
                        removed.stream().map(Tracked::get);
                    }
                }
            }
            (4, _) => drop(registry.disconnect(&id)),
            (5, Some(key)) => drop(registry.disconnect_key(key)),
            (6, Some(key)) => stream_keys.extend(registry.attach_stream(key, value())),
            (7, Some(key)) => drop(registry.update_info(key, value())),
            (8, Some(key)) => {
                let _ = registry.add_alias(key, node);
            }
            (9, Some(key)) => {
                registry.remove_alias(key, &node);
                if let Some(stream_key) = stream_keys.pop() {
                    drop(registry.detach_stream(stream_key));
                }
            }
            (10, Some(key)) => {
                let guard = registry.pin();
                guard.stream(&node).map(Tracked::get);
                guard.client(&id).map(|client| client.info().get());
                guard.get(key).map(|client| client.info().get());
            }
            _ => {
                for client in registry.pin().iter() {
                    client.info().get();
                }
                registry.flush();
            }
        }
        keys.truncate(64);
    }
}

#[test]
fn i_unlawful_eq_and_hash_cost_no_safety() {
    static LEDGER: Ledger = Ledger::new();
    for wrong in [2, 5, 50] {
        run_unlawful(&LEDGER, FewBits(64), wrong, 1);
        run_unlawful(&LEDGER, FewBits(2), wrong, 1);
    }
}

#[test]
fn i_unlawful_keys_cost_no_safety_on_several_threads() {
    static LEDGER: Ledger = Ledger::new();
    for wrong in [2, 20] {
        run_unlawful(&LEDGER, FewBits(3), wrong, 3);
    }
}

#[test]
fn i_an_unlawful_hasher_costs_no_safety() {
    static LEDGER: Ledger = Ledger::new();
    run_unlawful(&LEDGER, NeverTheSame::new(1), 1_000_000, 1);
    run_unlawful(&LEDGER, NeverTheSame::new(2), 3, 3);
}
