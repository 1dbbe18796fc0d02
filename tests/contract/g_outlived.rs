//! G, reclamation: the registry ends before what it handed out, or with guards that never ended;
//! and the values may borrow.
//!
//! The tests with `leaked` in their names do leak, on purpose: not for a leak detector to run.

use std::{
    mem,
    sync::{Arc, mpsc},
    thread,
};

use tandem_registry::{NewClient, Registry};

use crate::fixtures::tracked::{Ledger, Tracked};

type Value = Tracked<u64>;
type Counted = Registry<Value, Value, Value, Value>;

fn counted(ledger: &'static Ledger, id: u64) -> NewClient<Value, Value, Value, Value> {
    let value = || Tracked::new(ledger, id);
    NewClient::new(value(), value(), value()).stream(value())
}

#[test]
fn g_a_registry_drops_its_clients_and_its_garbage() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    for id in 0..1_000 {
        let connected =
            registry.connect(counted(&LEDGER, id).alias(Tracked::new(&LEDGER, id + 5_000)));
        let key = connected.unwrap().key;
        if id % 3 == 0 {
            registry.attach_stream(key, Tracked::new(&LEDGER, 0)).unwrap();
            registry.update_info(key, Tracked::new(&LEDGER, 0)).unwrap();
        }
        if id % 2 == 0 {
            registry.disconnect(&id);
        }
    }
    drop(registry);
    LEDGER.assert_balanced();
}

#[test]
fn g_an_untouched_registry_ends_in_peace() {
    drop(Counted::new());
    let registry = Counted::new();
    registry.flush();
    drop(registry.pin());
    drop(registry);
}

#[test]
fn g_what_was_handed_out_stays_readable_after_the_registry() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    for id in 0..4 {
        registry.connect(counted(&LEDGER, id)).unwrap();
    }
    let removed = registry.disconnect(&0).unwrap();
    let connected = registry.connect(counted(&LEDGER, 1)).unwrap();
    let displaced = connected.displaced;
    let detached = registry.detach_stream(connected.stream_key.unwrap()).unwrap();
    let by_close = registry.close();
    assert_eq!(by_close.len(), 3);
    drop(registry);

    assert_eq!((removed.id().get(), removed.node().get()), (&0, &0));
    assert_eq!(removed.info().get(), &0);
    assert_eq!(removed.stream().map(|stream| *stream.get()), Some(0));
    let evicted = displaced.by_id.as_ref().expect("it was taken over");
    assert_eq!(evicted.stream().map(|stream| *stream.get()), Some(1));
    assert_eq!(detached.get(), &1);
    for removed in &by_close {
        assert_eq!(removed.id(), removed.node());
    }

    // From another thread, in any order.
    thread::spawn(move || drop((by_close, detached))).join().unwrap();
    drop(displaced);
    LEDGER.assert_live(4);
    drop(removed);
    LEDGER.assert_balanced();
}

#[test]
fn g_what_was_handed_out_may_end_after_the_registry_that_had_guards() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Arc::new(Counted::new());
    registry.connect(counted(&LEDGER, 1)).unwrap();
    let removed = registry.disconnect(&1).unwrap();
    let reader = Arc::clone(&registry);
    let (pinned, is_pinned) = mpsc::channel();
    let (unpin, may_unpin) = mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        let guard = reader.pin();
        pinned.send(()).unwrap();
        let _ = may_unpin.recv();
        drop(guard);
        // The last owner: the registry ends on this thread.
        drop(reader);
    });
    is_pinned.recv().unwrap();
    registry.flush();
    drop(registry);
    drop(unpin);
    holder.join().unwrap();
    assert_eq!(removed.info().get(), &1);
    drop(removed);
    LEDGER.assert_balanced();
}

#[test]
fn g_a_registry_may_end_after_the_threads_that_used_it() {
    static LEDGER: Ledger = Ledger::new();
    for _ in 0..20 {
        let registry = Arc::new(Counted::new());
        let users: Vec<_> = (0..4)
            .map(|user| {
                let registry = Arc::clone(&registry);
                thread::spawn(move || {
                    for n in 0..20 {
                        registry.connect(counted(&LEDGER, user * 100 + n % 5)).unwrap();
                        let guard = registry.pin();
                        guard.stream(&(user * 100)).map(Tracked::get);
                        registry.disconnect(&(user * 100 + n % 3));
                    }
                })
            })
            .collect();
        for user in users {
            user.join().unwrap();
        }
        drop(registry);
        LEDGER.assert_balanced();
    }
}

#[test]
fn g_a_registry_may_end_before_the_threads_that_used_it() {
    static LEDGER: Ledger = Ledger::new();
    let (to_user, registries) = mpsc::channel::<Arc<Counted>>();
    let (used, is_used) = mpsc::channel();
    let user = thread::spawn(move || {
        // One after the other, so that what the thread remembers of an ended one must not be
        // mistaken for the next one's, which may even lie at the same address.
        for registry in registries {
            registry.connect(counted(&LEDGER, 1)).unwrap();
            registry.pin().stream(&1).map(Tracked::get);
            registry.disconnect(&1);
            registry.connect(counted(&LEDGER, 2)).unwrap();
            drop(registry);
            used.send(()).unwrap();
        }
    });
    for _ in 0..200 {
        let registry = Arc::new(Counted::new());
        to_user.send(Arc::clone(&registry)).unwrap();
        is_used.recv().unwrap();
        assert_eq!(registry.len(), 1);
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(4);
        drop(registry);
        LEDGER.assert_balanced();
    }
    drop(to_user);
    user.join().unwrap();
}

#[test]
fn g_one_thread_may_use_many_registries() {
    static LEDGER: Ledger = Ledger::new();
    let registries: Vec<Counted> = (0..300).map(|_| Counted::new()).collect();
    for registry in &registries {
        registry.connect(counted(&LEDGER, 1)).unwrap();
    }
    let guards: Vec<_> = registries.iter().map(Registry::pin).collect();
    for (registry, guard) in registries.iter().zip(&guards) {
        let reached = guard.stream(&1).expect("it is connected");
        registry.disconnect(&1);
        assert!(registry.flush().left > 0);
        assert_eq!(reached.get(), &1);
    }
    drop(guards);
    for registry in &registries {
        assert_eq!(registry.flush().left, 0);
    }
    LEDGER.assert_balanced();
}

#[test]
fn g_a_leaked_guard_leaks_nothing_beyond_its_registry() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    registry.connect(counted(&LEDGER, 1)).unwrap();
    mem::forget(registry.pin());
    registry.disconnect(&1);
    registry.connect(counted(&LEDGER, 2)).unwrap();
    assert!(registry.flush().left > 0, "it counts as held, for ever");
    LEDGER.assert_live(8);
    drop(registry);
    LEDGER.assert_balanced();
}

#[test]
fn g_a_guard_leaked_by_an_ended_thread_leaks_nothing_beyond_its_registry() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Arc::new(Counted::new());
    for id in 0..3 {
        let registry = Arc::clone(&registry);
        thread::spawn(move || {
            registry.connect(counted(&LEDGER, id)).unwrap();
            mem::forget(registry.pin());
            registry.disconnect(&id);
        })
        .join()
        .unwrap();
    }
    let removed = registry.connect(counted(&LEDGER, 9)).map(|_| registry.disconnect(&9)).unwrap();
    registry.flush();
    drop(registry);
    assert_eq!(removed.as_ref().map(|removed| *removed.info().get()), Some(9));
    LEDGER.assert_live(4);
    drop(removed);
    LEDGER.assert_balanced();
}

#[test]
fn g_a_session_keeps_its_registry() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Arc::new(Counted::new());
    let session = registry.session(counted(&LEDGER, 1)).unwrap().0;
    drop(registry);
    assert!(session.is_live());
    assert_eq!(session.registry().len(), 1);
    LEDGER.assert_live(4);
    thread::spawn(move || drop(session)).join().unwrap();
    LEDGER.assert_balanced();
}

/// Values that borrow from a local: neither a collector nor a thread's memory may keep them
/// beyond the registry.
#[test]
fn g_values_may_borrow() {
    static LEDGER: Ledger = Ledger::new();
    let names: Vec<String> = (0..50).map(|n| format!("client {n}")).collect();
    let value = Tracked::new(&LEDGER, 1);
    let registry: Registry<&str, &str, &[String], &Tracked<u64>> = Registry::new();
    for name in &names {
        let new = NewClient::new(name.as_str(), name.as_str(), &names[..]).stream(&value);
        registry.connect(new).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = registry.pin();
            let found = guard.client("client 7").expect("it is connected");
            assert_eq!(found.info().len(), 50);
            assert_eq!(guard.stream("client 7").map(|stream| *stream.get()), Some(1));
            registry.disconnect("client 8");
        });
    });
    let removed = registry.disconnect("client 9").unwrap();
    assert_eq!(*removed.id(), "client 9");
    assert!(registry.pin().stream("client 9").is_none());
    drop(registry);
    assert_eq!(removed.info().len(), 50);
    drop(removed);
    drop(value);
    LEDGER.assert_balanced();
}

/// A value whose drop reads what it borrows: it must have run before the borrowed is gone.
#[test]
fn g_values_that_borrow_are_dropped_before_what_they_borrow() {
    struct Reads<'a>(&'a Tracked<u64>, &'a std::cell::Cell<usize>);
    impl Drop for Reads<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() + *self.0.get() as usize);
        }
    }
    static LEDGER: Ledger = Ledger::new();
    let drops = std::cell::Cell::new(0);
    let value = Tracked::new(&LEDGER, 1);
    {
        // Not `Sync`: for one thread, all of it works without.
        let registry: Registry<u64, u64, (), Reads<'_>> = Registry::new();
        for id in 0..100 {
            let new = NewClient::new(id, id, ()).stream(Reads(&value, &drops));
            registry.connect(new).unwrap();
            if id % 2 == 0 {
                registry.disconnect(&id);
            }
        }
    }
    assert_eq!(drops.get(), 100);
}
