//! F, progress: what a lookup does not do. (That no call waits for a stopped thread is in
//! `f_stopped_threads`.)

use std::{
    future::{Future, ready},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use tandem_registry::{NewClient, Registry};

use super::{Plain, client, stream};
use crate::fixtures::{
    hooked::{self, Hooked},
    rng::Rng,
    threads::Done,
    tracked::{Ledger, Tracked, drops_on_this_thread},
};

type Counted = Registry<Tracked<u64>, Tracked<u64>, Tracked<u64>, Tracked<u64>>;

fn counted(
    ledger: &'static Ledger,
    id: u64,
    node: u64,
) -> NewClient<Tracked<u64>, Tracked<u64>, Tracked<u64>, Tracked<u64>> {
    let value = |n| Tracked::new(ledger, n);
    NewClient::new(value(id), value(node), value(0)).stream(value(1))
}

/// Writers retire values as fast as they can; readers, who pin often enough to be asked to help,
/// never run a drop of any of them.
#[test]
fn f_a_lookup_never_drops_a_value() {
    static LEDGER: Ledger = Ledger::new();
    const CLIENTS: u64 = 64;
    let registry = Counted::new();
    let done = Done::new();
    thread::scope(|scope| {
        for reader in 0..2 {
            let (registry, done) = (&registry, &done);
            scope.spawn(move || {
                let mut rng = Rng::new(reader);
                let before = drops_on_this_thread();
                while !done.is_set() {
                    let guard = registry.pin();
                    let key = registry.key(&rng.below(CLIENTS));
                    let node = rng.below(CLIENTS);
                    if let Some(stream) = guard.stream(&node) {
                        assert_eq!(stream.get(), &1);
                    }
                    if let Some(found) = key.and_then(|key| guard.get(key)) {
                        assert_eq!(found.info().get(), &0);
                    }
                    let _ = guard.client_by_node(&node).map(|found| found.key());
                    guard.routes_batch(&[node, node + 1], |_, _| {});
                    let _ = registry.with_stream(&node, |stream| *stream.get());
                    if rng.one_in(64) {
                        assert!(guard.iter().all(|found| found.info().get() == &0));
                        registry.for_each_stream(|_, stream| assert_eq!(stream.get(), &1));
                    }
                }
                assert_eq!(drops_on_this_thread(), before, "a lookup dropped a value");
            });
        }
        let _done = done.when_dropped();
        let mut rng = Rng::new(9);
        for _ in 0..60_000 {
            let (id, node) = (rng.below(CLIENTS), rng.below(CLIENTS));
            let connected = registry.connect(counted(&LEDGER, id, node)).unwrap();
            let stream = Tracked::new(&LEDGER, 1);
            registry.attach_stream(connected.key, stream).unwrap();
            if rng.one_in(2) {
                registry.disconnect(&id);
            }
        }
    });
    drop(registry);
    LEDGER.assert_balanced();
}

/// What piled up behind a guard is not left to whoever looks something up next.
#[test]
fn f_a_lookup_is_not_made_to_clear_a_backlog() {
    static LEDGER: Ledger = Ledger::new();
    let registry = Counted::new();
    let guard = registry.pin();
    for n in 0..5_000 {
        registry.connect(counted(&LEDGER, n, n)).unwrap();
        registry.disconnect(&n);
    }
    drop(guard);
    let before = LEDGER.dropped();
    for n in 0..5_000 {
        assert!(registry.pin().route(&n).is_none());
        assert!(!registry.contains(&n));
    }
    assert_eq!(LEDGER.dropped(), before);
    drop(registry);
    LEDGER.assert_balanced();
}

/// A connect hashes what it is given and nothing else: growth uses what is stored.
#[test]
fn f_growth_runs_no_user_code() {
    static LEDGER: Ledger = Ledger::new();
    let registry: Registry<Hooked, Hooked, (), ()> = Registry::new();
    let mut most = 0;
    for n in 0..50_000 {
        let (before, _) = hooked::calls_on_this_thread();
        let new = NewClient::new(Hooked::new(&LEDGER, n), Hooked::new(&LEDGER, n), ());
        registry.connect(new).unwrap();
        most = most.max(hooked::calls_on_this_thread().0 - before);
    }
    assert!(most <= 4, "one connect ran `Hash` {most} times");
    drop(registry);
    LEDGER.assert_balanced();
}

#[test]
fn f_lookups_by_key_and_iteration_run_no_user_code() {
    static LEDGER: Ledger = Ledger::new();
    let registry: Registry<Hooked, Hooked, (), ()> = Registry::new();
    let mut keys = Vec::new();
    for n in 0..100 {
        let new = NewClient::new(Hooked::new(&LEDGER, n), Hooked::new(&LEDGER, n), ()).stream(());
        keys.push(registry.connect(new).unwrap().key);
    }
    let before = hooked::calls_on_this_thread();
    let guard = registry.pin();
    assert!(keys.iter().all(|&key| guard.get(key).is_some()));
    assert_eq!(guard.iter().count(), 100);
    drop(guard);
    let mut streams = 0;
    registry.for_each_stream(|_, ()| streams += 1);
    assert_eq!(streams, 100);
    registry.flush();
    assert_eq!(hooked::calls_on_this_thread(), before);
}

#[test]
fn f_a_guard_holds_up_no_writer_of_its_own_thread() {
    let registry = Plain::new();
    let guard = registry.pin();
    let key = registry.connect(client(1, 10)).unwrap().key;
    assert_eq!(stream(&guard, 10), Some(2001), "a guard sees what came after it");
    let old = guard.stream(&10).expect("just connected");
    registry.attach_stream(key, 5).unwrap();
    assert_eq!(stream(&guard, 10), Some(5));
    registry.disconnect_key(key);
    assert_eq!(stream(&guard, 10), None);
    for n in 100..5_000 {
        registry.connect(client(n, n)).unwrap();
    }
    assert!(registry.flush().left > 0);
    assert_eq!(*old, 2001, "and keeps what it has reached");
}

/// A goodbye to an evicted client takes a while; what is needed for it may cross an `await` and
/// move from thread to thread.
#[test]
fn f_removed_detached_and_session_may_be_held_across_an_await() {
    fn assert_send<T: Send>(future: T) -> T {
        future
    }
    let registry = Arc::new(Plain::new());
    let key = registry.connect(client(1, 10)).unwrap().key;
    let task = {
        let registry = Arc::clone(&registry);
        assert_send(async move {
            let (session, displaced) = registry.session(client(1, 10)).unwrap();
            let detached = registry.detach_stream(session.stream_key().unwrap());
            ready(()).await;
            let mut goodbyes = Vec::new();
            for removed in displaced {
                ready(()).await;
                goodbyes.push((removed.key(), *removed.stream().unwrap()));
            }
            let detached = *detached.expect("it was its stream");
            (goodbyes, detached)
        })
    };
    let (goodbyes, detached) = thread::spawn(move || {
        let mut task = pin!(task);
        match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("nothing in it is ever pending"),
        }
    })
    .join()
    .unwrap();
    assert_eq!(goodbyes, [(key, 2001)]);
    assert_eq!(detached, 2001);
    assert!(registry.is_empty(), "the session ended with its task");
}

#[test]
fn f_a_cancelled_task_ends_its_session() {
    let registry = Arc::new(Plain::new());
    let task = {
        let registry = Arc::clone(&registry);
        async move {
            let _session = registry.session(client(1, 10)).unwrap();
            std::future::pending::<()>().await;
        }
    };
    let mut task = Box::pin(task);
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(registry.contains(&1));
    drop(task);
    assert!(registry.is_empty());
}
