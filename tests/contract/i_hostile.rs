//! I, hostile code and input: panics in a user's code, and keys chosen to collide. (Drops that panic
//! are in `g_user_drops`, answers of `Hash` and `Eq` that make no sense in `i_unlawful`.)

use std::{
    cell::Cell,
    hash::{BuildHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use tandem_registry::{ConnectErrorKind, NewClient, Registry};

use super::{Plain, client};
use crate::fixtures::{
    hashers::{FewBits, Identity},
    hooked::{self, Call, Hooked},
    tracked::{Ledger, Tracked},
};

type Value = Tracked<u64>;
type Panicky = Registry<Hooked, Hooked, Value, Value, FewBits>;

fn hooked_client(
    ledger: &'static Ledger,
    id: u64,
    node: u64,
) -> NewClient<Hooked, Hooked, Value, Value> {
    NewClient::new(Hooked::new(ledger, id), Hooked::new(ledger, node), Tracked::new(ledger, id))
        .stream(Tracked::new(ledger, id))
        .alias(Hooked::new(ledger, id + 500))
}

/// Runs `work` with the first, second, ... call of `Hash` or `Eq` panicking in it, each time on a
/// fresh registry, and has it used and counted afterwards. Keys collide, so that `Eq` has work.
fn panic_in_each_call(ledger: &'static Ledger, work: impl Fn(&Panicky)) {
    let mut panics = [0, 0];
    for nth in 1_usize.. {
        assert!(nth < 1_000, "user code runs without end");
        let registry: Panicky = Registry::builder().hasher(FewBits(1)).shards(1).build().unwrap();
        for id in 0..8 {
            registry.connect(hooked_client(ledger, id, id)).unwrap();
        }
        let mut calls = 0;
        let hook = move |call| {
            calls += 1;
            assert!(calls != nth, "{call:?}");
        };
        let outcome =
            catch_unwind(AssertUnwindSafe(|| hooked::with_hook(hook, || work(&registry))));
        if let Err(panic) = &outcome {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            panics[usize::from(text == Some("Eq"))] += 1;
        }
        assert_usable(&registry, ledger);
        drop(registry);
        ledger.assert_balanced();
        if outcome.is_ok() {
            break;
        }
    }
    println!("{} panics in `Hash`, {} in `Eq`", panics[0], panics[1]);
    assert!(panics.iter().all(|&count| count > 0), "both were to panic");
}

/// All clients that are there can be found and ended, and the names used anew.
fn assert_usable(registry: &Panicky, ledger: &'static Ledger) {
    let guard = registry.pin();
    let mut clients = 0;
    for found in guard.iter() {
        clients += 1;
        assert_eq!(guard.client(found.id()).map(|client| client.key()), Some(found.key()));
        assert_eq!(
            guard.client_by_node(found.node()).map(|client| client.key()),
            Some(found.key())
        );
    }
    drop(guard);
    assert_eq!(registry.len(), clients);
    for id in 0..16 {
        let connected = registry.connect(hooked_client(ledger, id, id)).unwrap();
        drop(connected.displaced);
        assert!(registry.pin().route(&Hooked::new(ledger, id)).is_some());
    }
    for id in 0..16 {
        assert!(registry.disconnect(&Hooked::new(ledger, id)).is_some());
    }
    for leftover in registry.close() {
        assert!(leftover.stream().is_some_and(|stream| *stream.get() < 100));
    }
    assert!(registry.is_empty());
    assert_eq!(registry.flush().left, 0);
    ledger.assert_live(0);
}

#[test]
fn i_a_panic_in_a_connect_to_fresh_names() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_each_call(&LEDGER, |registry| {
        let _ = registry.connect(hooked_client(&LEDGER, 20, 21));
    });
}

#[test]
fn i_a_panic_in_a_takeover() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_each_call(&LEDGER, |registry| {
        let _ = registry.connect(hooked_client(&LEDGER, 1, 2));
    });
}

/// Whoever connects gets the key, or nobody is connected: also if it is an alias that panics, after the
/// client was found by all.
#[test]
fn i_a_connect_that_panics_connects_nobody() {
    static LEDGER: Ledger = Ledger::new();
    let left = Cell::new(0);
    panic_in_each_call(&LEDGER, |registry| {
        let connect = || registry.connect(hooked_client(&LEDGER, 20, 21)).is_ok();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(connect)) {
            left.set(left.get() + usize::from(registry.contains(&Hooked::new(&LEDGER, 20))));
            resume_unwind(panic);
        }
    });
    assert_eq!(left.get(), 0, "clients are connected whose keys nobody has");
}

/// A node id whose drop may panic.
struct Bomb {
    name: Tracked<u64>,
    armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed, "a drop panics");
    }
}

impl Hash for Bomb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialEq for Bomb {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Bomb {}

/// A session drops the aliases that it did not get. A panic of such a drop ends its client, whose session
/// nobody has, and loses no client that it displaced.
#[test]
fn i_a_session_that_panics_connects_nobody() {
    static LEDGER: Ledger = Ledger::new();
    let bomb = |armed| Bomb { name: Tracked::new(&LEDGER, 1), armed };
    let client = || {
        NewClient::new(1, bomb(false), Tracked::new(&LEDGER, 1)).stream(Tracked::new(&LEDGER, 1))
    };
    // After the first that panics, too, all are dropped.
    for aliases in 1..=2 {
        let registry: Arc<Registry<u64, Bomb, Value, Value>> = Arc::default();
        registry.connect(client()).unwrap();
        let mut new = client();
        // Its own node id cannot be an alias.
        new.aliases.extend((0..aliases).map(|_| bomb(true)));
        assert!(catch_unwind(AssertUnwindSafe(|| registry.session(new).is_ok())).is_err());
        assert!(registry.is_empty());
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(0);
        assert_eq!(Arc::strong_count(&registry), 1);
    }
}

#[test]
fn i_a_panic_in_a_disconnect() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_each_call(&LEDGER, |registry| {
        registry.disconnect(&Hooked::new(&LEDGER, 1));
    });
}

#[test]
fn i_a_panic_in_a_lookup() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_each_call(&LEDGER, |registry| {
        let guard = registry.pin();
        let _ = guard.route(&Hooked::new(&LEDGER, 1));
        let _ = guard.client(&Hooked::new(&LEDGER, 2));
        guard.routes_batch(&[Hooked::new(&LEDGER, 3), Hooked::new(&LEDGER, 4)], |_, _| {});
    });
}

#[test]
fn i_a_panic_in_a_change_of_aliases() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_each_call(&LEDGER, |registry| {
        let key = registry.key(&Hooked::new(&LEDGER, 1)).unwrap();
        let _ = registry.add_alias(key, Hooked::new(&LEDGER, 502));
        registry.remove_alias(key, &Hooked::new(&LEDGER, 501));
    });
}

/// An alias is not given twice: with the panic it stays with its older owner, or is lost.
#[test]
fn i_an_alias_whose_change_panics_is_not_given() {
    static LEDGER: Ledger = Ledger::new();
    let alias = || Hooked::new(&LEDGER, 502);
    let given = Cell::new(0);
    panic_in_each_call(&LEDGER, |registry| {
        let newer = registry.key(&Hooked::new(&LEDGER, 1)).unwrap();
        let older = registry.key_by_node(&alias());
        let add = || registry.add_alias(newer, alias()).is_ok();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(add)) {
            let owner = registry.key_by_node(&alias());
            let is_given = registry.remove_alias(newer, &alias());
            given.set(
                given.get()
                    + usize::from(is_given || owner.is_some_and(|owner| Some(owner) != older)),
            );
            resume_unwind(panic);
        }
    });
    assert_eq!(given.get(), 0, "the alias was given by a call that panicked");
}

/// A place taken by a connect that panics is given back.
#[test]
fn i_a_panic_costs_no_place() {
    static LEDGER: Ledger = Ledger::new();
    for nth in 1..40 {
        let builder = Registry::builder().max_clients(3).hasher(FewBits(0)).shards(1);
        let registry: Panicky = builder.build().unwrap();
        registry.connect(hooked_client(&LEDGER, 1, 1)).unwrap();
        let mut calls = 0;
        let hook = move |_: Call| {
            calls += 1;
            assert_ne!(calls, nth);
        };
        let _ = catch_unwind(AssertUnwindSafe(|| {
            hooked::with_hook(hook, || registry.connect(hooked_client(&LEDGER, 2, 2)).is_ok())
        }));
        // Whether the panic came before or after the commit.
        let free = 3 - registry.len() as u64;
        for n in 0..free {
            assert!(registry.connect(hooked_client(&LEDGER, 10 + n, 10 + n)).is_ok());
        }
        assert!(registry.connect(hooked_client(&LEDGER, 20, 20)).is_err());
    }
    LEDGER.assert_balanced();
}

#[test]
fn i_a_panic_in_a_closure_leaves_the_registry_usable() {
    let registry = Plain::new();
    for id in 0..10 {
        registry.connect(client(id, id)).unwrap();
    }
    let calls: [fn(&Plain); 3] = [
        |registry| registry.with_stream(&1, |_| panic!("in a closure")).unwrap_or(()),
        |registry| registry.for_each_stream(|_, _| panic!("in a closure")),
        |registry| registry.pin().routes_batch(&[1, 2], |_, _| panic!("in a closure")),
    ];
    for call in calls {
        assert!(catch_unwind(AssertUnwindSafe(|| call(&registry))).is_err());
        let connected = registry.connect(client(1, 1)).unwrap();
        assert_eq!(connected.displaced.len(), 1);
        drop(connected);
        assert_eq!(registry.flush().left, 0, "the guard of the panicked call has ended");
    }
    assert_eq!(registry.len(), 10);
}

/// Chosen input against a predictable hasher: it gets slow, not wrong.
#[test]
fn i_colliding_keys_are_told_apart() {
    fn run<S: BuildHasher>(hasher: S, clients: u64) {
        let registry: Registry<u64, u64, u64, u64, S> =
            Registry::builder().hasher(hasher).build().unwrap();
        for n in 0..clients {
            // High bits only, low bits only, or both.
            let id = n << 40;
            assert!(registry.connect(client(id, n)).unwrap().displaced.is_empty());
        }
        let guard = registry.pin();
        for n in 0..clients {
            assert_eq!(guard.client(&(n << 40)).map(|client| *client.node()), Some(n));
            assert_eq!(guard.stream(&n).copied(), Some((n << 40) + 2000));
            assert!(guard.stream(&(n + clients)).is_none());
        }
        drop(guard);
        for n in (0..clients).rev() {
            assert!(registry.disconnect(&(n << 40)).is_some());
        }
        assert!(registry.is_empty());
    }
    run(FewBits(0), 600);
    run(FewBits(4), 2_000);
    run(Identity, 2_000);
}

#[test]
fn i_the_default_hasher_is_randomly_seeded() {
    // Two hashers of the default kind do not agree, so no input can be chosen against both.
    fn hash_of_one<Id, Node, Info, Stream, S: BuildHasher + Default>(
        _: &Registry<Id, Node, Info, Stream, S>,
    ) -> u64 {
        S::default().hash_one(1_u64)
    }
    let registry = Plain::new();
    let hashes: Vec<u64> = (0..4).map(|_| hash_of_one(&registry)).collect();
    assert!(hashes.iter().any(|hash| hash != &hashes[0]), "{hashes:?}");
}

/// The place that a newcomer was promised stays with its client, and is released with it, once. `has_alias`: the older
/// client.
fn panic_in_a_takeover_of_the_only_place(ledger: &'static Ledger, has_alias: bool) {
    let client = |id, node| {
        let mut client = hooked_client(ledger, id, node);
        client.aliases.clear();
        client
    };
    let connect = |registry: &Panicky, client: NewClient<Hooked, Hooked, Value, Value>| {
        registry.connect(client).map(drop).map_err(|error| error.kind())
    };
    let full = Err(ConnectErrorKind::Full);
    let mut panics = 0;
    for nth in 1.. {
        let registry: Panicky =
            Registry::builder().hasher(FewBits(64)).max_clients(1).build().unwrap();
        let older = if has_alias { hooked_client(ledger, 1, 7) } else { client(1, 7) };
        assert_eq!(connect(&registry, older), Ok(()));
        let mut calls = 0;
        let hook = move |call| {
            calls += 1;
            assert!(calls != nth, "{call:?}");
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            hooked::with_hook(hook, || connect(&registry, client(2, 7)).unwrap());
        }));
        assert_eq!(registry.len(), registry.pin().iter().count(), "after a panic of call {nth}");
        if registry.len() == 1 {
            assert_eq!(connect(&registry, client(3, 9)), full, "after a panic of call {nth}");
        }
        let keys: Vec<_> = registry.pin().iter().map(|client| client.key()).collect();
        keys.iter().for_each(|&key| drop(registry.disconnect_key(key)));
        assert_eq!(registry.len(), 0, "after a panic of call {nth}");
        assert_eq!(connect(&registry, client(4, 9)), Ok(()));
        assert_eq!(connect(&registry, client(5, 10)), full);
        drop(registry);
        ledger.assert_balanced();
        if outcome.is_ok() {
            break;
        }
        panics += 1;
    }
    assert!(panics >= 4, "{panics}: two hashes and two comparisons were to panic");
}

#[test]
fn i_a_takeover_that_panics_neither_takes_a_place_nor_loses_one() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_a_takeover_of_the_only_place(&LEDGER, false);
}

#[test]
fn i_a_takeover_of_a_client_with_aliases_that_panics_neither_takes_a_place_nor_loses_one() {
    static LEDGER: Ledger = Ledger::new();
    panic_in_a_takeover_of_the_only_place(&LEDGER, true);
}
