//! G, reclamation: what `flush` drops, what a guard keeps, and how much may pile up.

use std::{
    mem,
    sync::{Arc, mpsc},
    thread,
};

use tandem_registry::{NewClient, Registry};

use crate::fixtures::tracked::{Ledger, Tracked, drops_on_this_thread};

/// What no guard keeps may stay for a while, but no more of it than this.
pub const CONSTANT: usize = 1_024;

pub type Counted = Registry<u64, u64, Tracked<u64>, Tracked<u64>>;

pub fn counted(
    ledger: &'static Ledger,
    id: u64,
) -> NewClient<u64, u64, Tracked<u64>, Tracked<u64>> {
    NewClient::new(id, id, Tracked::new(ledger, id)).stream(Tracked::new(ledger, id))
}

/// Connects and disconnects `clients` clients, of two tracked values each.
pub fn retire(registry: &Counted, ledger: &'static Ledger, clients: u64) {
    for id in 0..clients {
        registry.connect(counted(ledger, id)).unwrap();
        assert!(registry.disconnect(&id).is_some());
    }
}

/// Nothing is left: not a value, not an internal block.
#[track_caller]
pub fn assert_flushes_all(registry: &Counted, ledger: &Ledger, live: usize) {
    assert_eq!(registry.flush().left, 0);
    ledger.assert_live(live);
    assert_eq!(registry.stats().retired, 0);
}

#[test]
fn g_flush_drops_what_was_retired() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    for clients in [1, 2, 63, 64, 65, 1_000] {
        retire(&registry, &LEDGER, clients);
        assert_flushes_all(&registry, &LEDGER, 0);
    }
    assert_eq!(registry.flush().dropped, 0, "there is nothing left to drop");
}

#[test]
fn g_flush_says_what_it_dropped() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    registry.connect(counted(&LEDGER, 1)).unwrap();
    assert_eq!(registry.flush().dropped, 0);
    let before = drops_on_this_thread();
    // A guard keeps the two from being dropped by the disconnect itself.
    let guard = registry.pin();
    registry.disconnect(&1);
    drop(guard);
    assert!(registry.stats().retired > 0);
    assert!(registry.flush().dropped > 0);
    assert_eq!(drops_on_this_thread() - before, 2);
}

#[test]
fn g_a_replaced_stream_is_dropped_while_its_client_stays() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let key = registry.connect(counted(&LEDGER, 1)).unwrap().key;
    for n in 0..100 {
        registry.attach_stream(key, Tracked::new(&LEDGER, n)).unwrap();
        assert_flushes_all(&registry, &LEDGER, 2);
    }
    assert_eq!(registry.with_stream(&1, |stream| *stream.get()), Some(99));
}

#[test]
fn g_a_replaced_info_is_dropped_while_its_client_stays() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let key = registry.connect(counted(&LEDGER, 1)).unwrap().key;
    for n in 0..100 {
        registry.update_info(key, Tracked::new(&LEDGER, n)).unwrap();
        assert_flushes_all(&registry, &LEDGER, 2);
    }
    assert_eq!(registry.pin().get(key).map(|found| *found.info().get()), Some(99));
}

#[test]
fn g_a_detached_stream_is_dropped_while_its_client_stays() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let connected = registry.connect(counted(&LEDGER, 1)).unwrap();
    let mut stream_key = connected.stream_key.unwrap();
    for n in 0..100 {
        let detached = registry.detach_stream(stream_key).expect("it is the current one");
        registry.flush();
        LEDGER.assert_live(2);
        assert_eq!(detached.get(), if n == 0 { &1 } else { &n }, "in hand, it is kept");
        drop(detached);
        assert_flushes_all(&registry, &LEDGER, 1);
        let next = Tracked::new(&LEDGER, n + 1);
        stream_key = registry.attach_stream(connected.key, next).unwrap();
    }
}

#[test]
fn g_an_evicted_client_is_dropped_while_the_newcomer_stays() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    for _ in 0..100 {
        let connected = registry.connect(counted(&LEDGER, 1)).unwrap();
        drop(connected.displaced);
        assert_flushes_all(&registry, &LEDGER, 2);
    }
}

#[test]
fn g_an_alias_is_dropped_while_its_client_stays() {
    static LEDGER: Ledger = Ledger::new();
    let registry: Registry<u64, Tracked<u64>, (), ()> = Registry::new();
    let name = |n| Tracked::new(&LEDGER, n);
    let first = registry.connect(NewClient::new(1, name(1), ())).unwrap().key;
    let second = registry.connect(NewClient::new(2, name(2), ())).unwrap().key;
    for _ in 0..100 {
        registry.add_alias(first, name(9)).unwrap();
        registry.add_alias(first, name(9)).unwrap();
        registry.add_alias(second, name(9)).unwrap();
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(3);
        assert!(registry.remove_alias(second, &9));
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(2);
        // A node id takes the name.
        registry.add_alias(first, name(9)).unwrap();
        registry.connect(NewClient::new(3, name(9), ())).unwrap();
        assert_eq!(registry.flush().left, 0);
        LEDGER.assert_live(3);
        registry.disconnect(&3);
    }
    drop(registry);
    LEDGER.assert_balanced();
}

/// A thread retires things and never does anything again.
#[test]
fn g_what_a_parked_thread_retired_is_dropped_from_here() {
    static LEDGER: Ledger = Ledger::new();
    for clients in [1, 10, 63, 64, 65, 200] {
        let registry = Arc::new(Counted::new());
        let (through, is_through) = mpsc::channel();
        let (wake, asleep) = mpsc::channel::<()>();
        let sleeper = thread::spawn({
            let registry = Arc::clone(&registry);
            move || {
                retire(&registry, &LEDGER, clients);
                drop(registry);
                through.send(()).unwrap();
                let _ = asleep.recv();
            }
        });
        is_through.recv().unwrap();
        assert_flushes_all(&registry, &LEDGER, 0);
        drop(wake);
        sleeper.join().unwrap();
    }
}

#[test]
fn g_what_an_ended_thread_retired_is_dropped_from_here() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    for _ in 0..20 {
        thread::scope(|scope| {
            for first in [0, 1_000, 2_000] {
                let registry = &registry;
                scope.spawn(move || {
                    for id in first..first + 10 {
                        registry.connect(counted(&LEDGER, id)).unwrap();
                        registry.disconnect(&id);
                    }
                });
            }
        });
        assert_flushes_all(&registry, &LEDGER, 0);
    }
}

/// Without any flush: what writers leave behind stays below a constant.
#[test]
fn g_garbage_stays_bounded_without_a_flush() {
    static LEDGER: Ledger = Ledger::new();
    const CLIENTS: u64 = 100_000;
    let registry = Counted::new();
    let mut most = 0;
    for id in 0..CLIENTS {
        registry.connect(counted(&LEDGER, id)).unwrap();
        registry.disconnect(&id);
        most = most.max(LEDGER.live());
    }
    let retired = registry.stats().retired;
    println!("at most {most} values of {} were kept; {retired} retired at the end", 2 * CLIENTS);
    assert!(most < 4_096, "{most} values were kept");
    assert!(retired < 4_096, "{retired} are retired");
}

/// Under guards that come and go on other threads, too.
#[test]
fn g_garbage_stays_bounded_under_short_guards() {
    static LEDGER: Ledger = Ledger::new();
    const CLIENTS: u64 = 60_000;
    let registry = Counted::new();
    let done = crate::fixtures::threads::Done::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.is_set() {
                let guard = registry.pin();
                let _ = guard.stream(&1).map(Tracked::get);
            }
        });
        let _done = done.when_dropped();
        retire(&registry, &LEDGER, CLIENTS);
    });
    let kept = LEDGER.live();
    println!("{kept} values of {} were kept", 2 * CLIENTS);
    // The reader may be stopped by the scheduler with its guard for a while: bounded by what is
    // retired meanwhile. A leak would keep most.
    assert!(kept < CLIENTS as usize, "{kept} values were kept");
    assert_flushes_all(&registry, &LEDGER, 0);
}

#[test]
fn g_flushes_from_several_threads_drop_each_value_once() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    thread::scope(|scope| {
        for first in 0..3_u64 {
            let registry = &registry;
            scope.spawn(move || {
                for n in 0..10_000 {
                    let id = first * 1_000_000 + n;
                    registry.connect(counted(&LEDGER, id)).unwrap();
                    registry.disconnect(&id);
                    if n % 7 == first {
                        registry.flush();
                    }
                }
            });
        }
    });
    assert_flushes_all(&registry, &LEDGER, 0);
}

/// Leaks on purpose: not for a leak detector to run.
#[test]
fn g_a_leaked_removed_client_is_leaked_alone() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    registry.connect(counted(&LEDGER, 1)).unwrap();
    mem::forget(registry.disconnect(&1));
    retire(&registry, &LEDGER, 100);
    registry.flush();
    LEDGER.assert_live(2);
    // Leaked or dropped with the registry, but not twice.
    drop(registry);
    assert!(LEDGER.live() == 0 || LEDGER.live() == 2);
    LEDGER.assert_live(LEDGER.live());
}
