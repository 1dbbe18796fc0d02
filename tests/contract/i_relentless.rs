//! I, hostile code: an `Eq` that panics each time it is called from some time on. Every call ends, by that panic,
//! and nobody has come by it. So do calls that ask it on others' behalf.

use std::{
    cell::Cell,
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use tandem_registry::{ClientKey, NewClient, Policy, Registry};

use crate::fixtures::{
    hooked::{self, Call, Hooked},
    threads::within_deadline,
    tracked::Ledger,
};

thread_local! {
    /// How many more calls of `Eq` return.
    static RETURN: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// A name that meets all others.
struct Relentless(u64);

impl Hash for Relentless {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl PartialEq for Relentless {
    fn eq(&self, other: &Self) -> bool {
        RETURN.set(RETURN.get().checked_sub(1).expect("every `Eq` panics"));
        self.0 == other.0
    }
}

impl Eq for Relentless {}

type Panicky = Registry<Relentless, Relentless, u64, u64>;

fn client(id: u64, node: u64) -> NewClient<Relentless, Relentless, u64, u64> {
    NewClient::new(Relentless(id), Relentless(node), id).stream(id)
}

/// Two clients, of which the first has an alias.
fn populated(policy: Policy, limit: Option<usize>) -> (Panicky, ClientKey) {
    let mut builder = Registry::builder().on_conflict(policy);
    if let Some(limit) = limit {
        builder = builder.max_clients(limit);
    }
    let registry = builder.build().unwrap();
    let key = registry.connect(client(1, 1).alias(Relentless(3))).unwrap().key;
    registry.connect(client(2, 2)).unwrap();
    (registry, key)
}

type Work = fn(&Panicky, ClientKey);

const CALLS: [(&str, Work); 11] = [
    ("a connect", |registry, _| drop(registry.connect(client(20, 21)))),
    ("a connect of an id", |registry, _| drop(registry.connect(client(1, 21)))),
    ("a connect of both names", |registry, _| drop(registry.connect(client(1, 2)))),
    ("a connect of an alias", |registry, _| drop(registry.connect(client(20, 3)))),
    ("an alias", |registry, key| drop(registry.add_alias(key, Relentless(22)))),
    ("an alias of another", |registry, key| drop(registry.add_alias(key, Relentless(2)))),
    ("the same alias", |registry, key| drop(registry.add_alias(key, Relentless(3)))),
    ("a removal of an alias", |registry, key| assert!(registry.remove_alias(key, &Relentless(3)))),
    ("a disconnect", |registry, _| drop(registry.disconnect(&Relentless(1)))),
    ("a lookup", |registry, _| assert!(registry.contains(&Relentless(1)))),
    ("a route", |registry, _| assert!(registry.pin().route(&Relentless(3)).is_some())),
];

#[test]
fn i_an_eq_that_always_panics_ends_every_call() {
    for policy in [Policy::Takeover, Policy::Reject] {
        // The second limit is reached.
        for limit in [None, Some(2)] {
            for (call, work) in CALLS {
                let panics = (0..)
                    .take_while(|&first| {
                        within_deadline(move || panics_from(first, &populated(policy, limit), work))
                    })
                    .count();
                println!("{call}, {policy:?}, {limit:?}: panics in {panics} calls of `Eq`");
                assert!(panics > 0, "{call} asks `Eq`");
            }
        }
    }
}

/// Whether it panics when every `Eq` does but some at first.
fn panics_from(first: usize, (registry, key): &(Panicky, ClientKey), work: Work) -> bool {
    RETURN.set(first);
    let ended = catch_unwind(AssertUnwindSafe(|| work(registry, *key)));
    RETURN.set(usize::MAX);
    if ended.is_err() {
        let guard = registry.pin();
        for client in [1, 2].map(Relentless) {
            let found = guard.client(&client);
            assert_eq!(guard.client_by_node(&client).is_some(), found.is_some());
            if first == 0 {
                assert!(found.is_some(), "nobody was displaced");
            }
        }
        let named = guard.route(&Relentless(3)).map(|route| route.key());
        assert!(named == Some(*key) || guard.get(*key).is_none());
        for nobody in [20, 21, 22].map(Relentless) {
            assert!(guard.client(&nobody).is_none() && guard.stream(&nobody).is_none());
        }
    }
    ended.is_err()
}

/// It carries a newcomer on whose owner is stopped, and asks on its behalf.
#[test]
fn i_a_panic_in_a_close_is_met_by_its_caller() {
    static LEDGER: Ledger = Ledger::new();
    let client = |id, node| {
        NewClient::new(Hooked::new(&LEDGER, id), Hooked::new(&LEDGER, node), ()).stream(())
    };
    let registry = Registry::new();
    // A slot below the older client's, so that the newcomer is met first.
    let below = registry.connect(client(9, 9)).unwrap().key;
    registry.connect(client(1, 1)).unwrap();
    drop(registry.disconnect_key(below));
    assert_eq!(registry.flush().left, 0);
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let stop = move |call| {
                if call == Call::Eq {
                    let _ = arrived.send(());
                    let _ = may_go.recv();
                }
            };
            let _ = hooked::with_hook(stop, || registry.connect(client(1, 2)));
        });
        has_arrived.recv().unwrap();
        let panic = |call| assert_ne!(call, Call::Eq);
        let close = || hooked::with_hook(panic, || registry.close());
        assert!(catch_unwind(AssertUnwindSafe(close)).is_err());
        drop(go);
    });
    assert!(registry.is_closed());
    drop(registry.close());
    assert!(registry.is_empty());
}
