//! G and I, a user's `Drop`: it may panic, and it may call back into the registry.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use tandem_registry::{NewClient, Registry};

use crate::fixtures::{
    threads::within_deadline,
    tracked::{Ledger, Tracked},
};

/// A stream whose drop panics if told so. The tracked value in it is dropped all the same.
struct Bomb {
    armed: bool,
    _value: Tracked<u64>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed, "the drop of a stream panics");
    }
}

type Explosive = Registry<u64, u64, Tracked<u64>, Bomb>;

fn explosive(
    ledger: &'static Ledger,
    id: u64,
    armed: bool,
) -> NewClient<u64, u64, Tracked<u64>, Bomb> {
    let bomb = Bomb { armed, _value: Tracked::new(ledger, id) };
    NewClient::new(id, id, Tracked::new(ledger, id)).stream(bomb)
}

/// Retires the clients under a guard, so that they come due all at once.
fn retire_together(registry: &Explosive, ledger: &'static Ledger, armed: impl Fn(u64) -> bool) {
    let guard = registry.pin();
    for id in 0..100 {
        registry.connect(explosive(ledger, id, armed(id))).unwrap();
        registry.disconnect(&id);
    }
    drop(guard);
}

#[test]
fn g_a_drop_that_panics_loses_no_other_value() {
    static LEDGER: Ledger = Ledger::new();
    for armed in [|id| id == 50, |id| id == 0, |id| id == 99] as [fn(u64) -> bool; 3] {
        let registry = Explosive::new();
        retire_together(&registry, &LEDGER, armed);
        let flushed = catch_unwind(AssertUnwindSafe(|| registry.flush()));
        println!("the flush with a panic in it: {flushed:?}");
        LEDGER.assert_live(0);
        assert_eq!(registry.flush().left, 0);
        assert_eq!(registry.stats().retired, 0);
        assert_usable(&registry, &LEDGER);
    }
}

/// The same of streams that were replaced, each an allocation of its own.
#[test]
fn g_a_replaced_stream_whose_drop_panics_loses_no_other_value() {
    static LEDGER: Ledger = Ledger::new();
    for armed in [0, 1, 15, 30] {
        let registry = Explosive::new();
        let key = registry.connect(explosive(&LEDGER, 1, false)).unwrap().key;
        let guard = registry.pin();
        for n in 0..30 {
            let bomb = Bomb { armed: n + 1 == armed, _value: Tracked::new(&LEDGER, n) };
            registry.attach_stream(key, bomb).unwrap();
        }
        registry
            .attach_stream(key, Bomb { armed: false, _value: Tracked::new(&LEDGER, 0) })
            .unwrap();
        drop(guard);
        let flushed = catch_unwind(AssertUnwindSafe(|| registry.flush()));
        assert_eq!(flushed.is_err(), armed > 0);
        // Its info and its last stream.
        LEDGER.assert_live(2);
        assert_eq!(registry.flush().left, 0);
    }
    LEDGER.assert_balanced();
}

#[test]
fn g_drops_that_panic_in_one_batch_lose_no_value() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Explosive::new();
    retire_together(&registry, &LEDGER, |id| id % 3 == 0);
    for _ in 0..100 {
        // Whether a flush reports all panics at once, or each in a flush of its own, is open.
        if catch_unwind(AssertUnwindSafe(|| registry.flush())).is_ok() {
            break;
        }
    }
    LEDGER.assert_live(0);
    assert_usable(&registry, &LEDGER);
}

#[test]
fn g_a_drop_that_panics_inside_another_call_leaves_the_registry_usable() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Explosive::new();
    // Without a flush: some write does the dropping, and meets the panic.
    for id in 0..5_000 {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            registry.connect(explosive(&LEDGER, id, true)).map(|connected| connected.key)
        }));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(registry.disconnect(&id))));
        assert!(!registry.contains(&id), "it is disconnected, whoever's drop panicked");
    }
    while catch_unwind(AssertUnwindSafe(|| registry.flush())).is_err() {}
    LEDGER.assert_live(0);
    assert_usable(&registry, &LEDGER);
}

/// An attach would lose its outcome to a panic, so it leaves that to a flush.
#[test]
fn g_a_drop_that_panics_inside_an_attach_is_for_the_next_flush() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Explosive::new();
    let key = registry.connect(explosive(&LEDGER, 1, false)).unwrap().key;
    for n in 0..5_000 {
        let bomb = Bomb { armed: n == 0, _value: Tracked::new(&LEDGER, n) };
        registry.attach_stream(key, bomb).unwrap();
    }
    assert!(registry.stats().retired < 2_500, "attaches dispose of some");
    let flush = || catch_unwind(AssertUnwindSafe(|| registry.flush()));
    assert!(flush().is_err(), "somebody's drop panicked");
    assert_eq!(flush().unwrap().left, 0);
    // Its info and its last stream.
    LEDGER.assert_live(2);
}

#[test]
fn g_a_drop_that_panics_as_the_registry_ends_loses_no_other_value() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Explosive::new();
    retire_together(&registry, &LEDGER, |id| id == 50);
    for id in 0..100 {
        registry.connect(explosive(&LEDGER, id, id == 30)).unwrap();
    }
    let _ = catch_unwind(AssertUnwindSafe(|| drop(registry)));
    LEDGER.assert_balanced();
}

#[test]
fn g_a_drop_that_panics_in_the_last_removed_client_loses_no_other_value() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Explosive::new();
    registry.connect(explosive(&LEDGER, 1, true)).unwrap();
    let removed = registry.disconnect(&1);
    drop(registry);
    let _ = catch_unwind(AssertUnwindSafe(|| drop(removed)));
    LEDGER.assert_balanced();
}

fn assert_usable(registry: &Explosive, ledger: &'static Ledger) {
    for id in 0..200 {
        registry.connect(explosive(ledger, id, false)).unwrap();
        assert!(registry.pin().route(&id).is_some());
        assert!(registry.disconnect(&id).is_some());
    }
    assert!(registry.is_empty());
    assert_eq!(registry.flush().left, 0);
    ledger.assert_live(0);
}

/// A stream whose drop uses the registry that it was in, as a connection does that says goodbye
/// to its peers.
struct CallsBack {
    registry: Weak<Reentrant>,
    id: u64,
    ledger: &'static Ledger,
    calls: &'static AtomicUsize,
    _value: Tracked<u64>,
}

type Reentrant = Registry<u64, u64, (), CallsBack>;

impl Drop for CallsBack {
    fn drop(&mut self) {
        self.calls.fetch_add(1, SeqCst);
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let guard = registry.pin();
        assert!(guard.client(&self.id).is_none(), "its client has ended before it");
        assert!(guard.iter().count() <= 10_000);
        drop(guard);
        registry.for_each_stream(|_, stream| assert_ne!(stream.id, self.id));
        registry.flush();
        if self.id < 1_000 {
            // One generation of successors, connected and ended inside the drop.
            let id = self.id + 1_000;
            let stream = Self {
                registry: Weak::clone(&self.registry),
                id,
                ledger: self.ledger,
                calls: self.calls,
                _value: Tracked::new(self.ledger, id),
            };
            let connected = registry.connect(NewClient::new(id, id, ()).stream(stream)).unwrap();
            assert!(registry.contains(&id));
            assert!(registry.disconnect_key(connected.key).is_some());
        }
        registry.flush();
    }
}

fn calling_back(
    registry: &Arc<Reentrant>,
    id: u64,
    ledger: &'static Ledger,
    calls: &'static AtomicUsize,
) -> CallsBack {
    CallsBack {
        registry: Arc::downgrade(registry),
        id,
        ledger,
        calls,
        _value: Tracked::new(ledger, id),
    }
}

#[test]
fn g_a_drop_may_call_back_into_the_registry() {
    static LEDGER: Ledger = Ledger::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    within_deadline(|| {
        let registry = Arc::new(Reentrant::new());
        for id in 0..500 {
            let stream = calling_back(&registry, id, &LEDGER, &CALLS);
            registry.connect(NewClient::new(id, id, ()).stream(stream)).unwrap();
            registry.disconnect(&id);
        }
        // A drop inside a flush retires a successor; it may be the next flush that drops it.
        while registry.flush().dropped > 0 {}
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(0);
        assert_eq!(CALLS.load(SeqCst), 1_000);
        assert!(registry.is_empty());
    });
}

#[test]
fn g_drops_on_several_threads_may_call_back() {
    static LEDGER: Ledger = Ledger::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    within_deadline(|| {
        let registry = Arc::new(Reentrant::new());
        thread::scope(|scope| {
            for first in [0, 200, 400] {
                let registry = &registry;
                scope.spawn(move || {
                    for id in first..first + 200 {
                        let stream = calling_back(registry, id, &LEDGER, &CALLS);
                        registry.connect(NewClient::new(id, id, ()).stream(stream)).unwrap();
                        registry.disconnect(&id);
                        registry.flush();
                    }
                });
            }
        });
        while registry.flush().dropped > 0 {}
        LEDGER.assert_live(0);
        assert_eq!(CALLS.load(SeqCst), 1_200);
    });
}

#[test]
fn g_a_drop_may_hold_the_last_owner_of_another_registry() {
    static LEDGER: Ledger = Ledger::new();
    type Inner = Registry<u64, u64, (), Tracked<u64>>;
    let inner = Arc::new(Inner::new());
    for id in 0..10 {
        inner.connect(NewClient::new(id, id, ()).stream(Tracked::new(&LEDGER, id))).unwrap();
        if id % 2 == 0 {
            inner.disconnect(&id);
        }
    }
    let outer: Registry<u64, u64, (), Arc<Inner>> = Registry::new();
    outer.connect(NewClient::new(1, 1, ()).stream(inner)).unwrap();
    outer.disconnect(&1);
    assert_eq!(outer.flush().left, 0);
    LEDGER.assert_balanced();
}
