//! G, reclamation: from within the destructors of thread-locals, where a thread has no number of its own
//! any more, and with guards that they hold.

use std::{
    cell::{Cell, RefCell},
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use tandem_registry::{Guard, NewClient, Registry};

/// A value whose `Drop` flushes, called from a thread-local's destructor: it still disposes of nothing, so
/// that the stack does not grow with what is retired.
#[test]
fn g_a_drop_that_flushes_while_thread_locals_end_drops_nothing() {
    static REGISTRY: LazyLock<Registry<u64, u64, (), Flushes>> = LazyLock::new(Registry::new);
    static DEEPEST: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
        static LAST: RefCell<Option<FlushesLast>> = const { RefCell::new(None) };
    }
    struct Flushes;
    impl Drop for Flushes {
        fn drop(&mut self) {
            let depth = DEPTH.get() + 1;
            DEPTH.set(depth);
            DEEPEST.fetch_max(depth, Ordering::SeqCst);
            assert_eq!(REGISTRY.flush().dropped, 0);
            DEPTH.set(depth - 1);
        }
    }
    struct FlushesLast;
    impl Drop for FlushesLast {
        fn drop(&mut self) {
            REGISTRY.flush();
        }
    }
    let guard = REGISTRY.pin();
    for id in 0..2_000 {
        REGISTRY.connect(NewClient::new(id, id, ()).stream(Flushes)).unwrap();
        drop(REGISTRY.disconnect(&id));
    }
    drop(guard);
    let ends = || {
        LAST.with(|last| *last.borrow_mut() = Some(FlushesLast));
        drop(REGISTRY.pin());
    };
    thread::spawn(ends).join().unwrap();
    assert_eq!(DEEPEST.load(Ordering::SeqCst), 1);
    assert_eq!(REGISTRY.flush().left, 0);
}

/// A guard in a thread-local that ends after the crate's own: another thread that starts meanwhile does not
/// meet it.
#[test]
fn g_a_guard_in_a_thread_local_harms_no_other_thread() {
    type Plain = Registry<u64, u64, u64, u64>;
    static REGISTRY: LazyLock<Plain> = LazyLock::new(Registry::new);
    static ENDING: AtomicBool = AtomicBool::new(false);
    static ENDED: AtomicBool = AtomicBool::new(false);
    struct Holder(Option<Guard<'static, u64, u64, u64, u64>>);
    impl Drop for Holder {
        fn drop(&mut self) {
            ENDING.store(true, Ordering::SeqCst);
            thread::yield_now();
            drop(self.0.take());
            ENDED.store(true, Ordering::SeqCst);
        }
    }
    thread_local! {
        static HELD: RefCell<Option<Holder>> = const { RefCell::new(None) };
    }
    for _ in 0..300 {
        ENDING.store(false, Ordering::SeqCst);
        ENDED.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            scope.spawn(|| {
                HELD.with(|held| *held.borrow_mut() = Some(Holder(Some(REGISTRY.pin()))));
            });
            scope.spawn(|| {
                while !ENDING.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                while !ENDED.load(Ordering::SeqCst) {
                    drop(REGISTRY.pin());
                }
            });
        });
        // A scope ends before the thread-locals of its threads do.
        while !ENDED.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        REGISTRY.connect(NewClient::new(1, 1, 1).stream(1)).unwrap();
        drop(REGISTRY.disconnect(&1));
        assert_eq!(REGISTRY.flush().left, 0, "nothing is pinned");
    }
}

/// What a long guard kept is dropped by the writers that follow it, not by the next full batch alone.
#[test]
#[cfg_attr(feature = "crossbeam-epoch", ignore = "its epochs move with the next batches")]
fn g_what_a_long_guard_kept_goes_with_the_next_writers() {
    let registry: Registry<u64, u64, u64, u64> = Registry::new();
    let guard = registry.pin();
    for id in 0..20_000 {
        registry.connect(NewClient::new(id, id, id).stream(id)).unwrap();
        drop(registry.disconnect(&id));
    }
    assert!(registry.stats().retired >= 20_000);
    drop(guard);
    // Each drops a few batches of 64.
    for id in 0..100 {
        registry.connect(NewClient::new(id, id, id).stream(id)).unwrap();
        drop(registry.disconnect(&id));
    }
    let left = registry.stats().retired;
    assert!(left < 1_024, "{left} are left after the guard");
}
