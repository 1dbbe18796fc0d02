//! The atomics, cells and thread numbers that the rest of the crate is written in; the only module
//! that knows of loom, of shuttle and of the step hook.
//!
//! | build | atomics | pins and reclamation |
//! |---|---|---|
//! | ordinary | `core`'s own | `reclaim::epoch` |
//! | unit tests, feature `steps` | `core`'s own behind [`steps::step`] | `reclaim::epoch` |
//! | `--cfg shuttle`, by the manifest in `fuzz/shuttled` alone | as with `steps`; each step may go to another task | `reclaim::epoch` |
//! | `--cfg loom` | loom's | `reclaim::quarantine` |

#[cfg(not(any(loom, test, feature = "steps")))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(all(not(loom), any(test, feature = "steps")))]
pub(crate) use crate::steps::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

pub(crate) use core::sync::atomic::Ordering;

#[cfg(loom)]
pub(crate) use loom::thread::yield_now;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread::yield_now;

#[cfg(shuttle)]
pub(crate) mod tasks;

#[cfg(shuttle)]
pub(crate) use tasks::{thread_local, yield_now};

#[cfg(not(shuttle))]
pub(crate) use std::thread_local;

/// How many threads can run at once; the same on every machine where a run has to be repeated, and in a
/// model so many that each thread has a stripe to itself.
pub(crate) fn cores() -> usize {
    if cfg!(loom) {
        4
    } else if cfg!(shuttle) {
        2
    } else {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

#[cfg(not(target_has_atomic = "64"))]
compile_error!("tandem-registry needs 64-bit atomics: its state words are 64 bits on every target");

/// A cell whose accesses loom can see. `with` is a shared access, `with_mut` an exclusive one.
#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

#[cfg(not(loom))]
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// A fence has no place in which loom would see that another comes before or after it: this gives it one. It orders
/// nothing.
#[cfg(not(any(loom, feature = "crossbeam-epoch")))]
#[derive(Debug)]
pub(crate) struct Turn;

#[cfg(not(any(loom, feature = "crossbeam-epoch")))]
impl Turn {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn take(&self) {}
}

#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Turn(AtomicU32);

#[cfg(loom)]
impl Turn {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn take(&self) {
        // Relaxed: that both come here is all.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stands for plain memory around it: written by `new`, before it is published, only read from then on, and freed by
/// `end`. It holds nothing, but loom sees who comes without being ordered after the writing, or before the end.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct Witness;

#[cfg(not(loom))]
impl Witness {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Of memory that was written before all threads, and stays.
    pub(crate) const fn of_a_static() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn read(&self) {}

    #[inline(always)]
    pub(crate) fn end(&self) {}
}

#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Witness(Option<UnsafeCell<()>>);

// SAFETY: there is nothing in it.
#[cfg(loom)]
unsafe impl Sync for Witness {}

#[cfg(loom)]
impl Witness {
    pub(crate) fn new() -> Self {
        let cell = UnsafeCell::new(());
        cell.with_mut(|_| ());
        Self(Some(cell))
    }

    pub(crate) const fn of_a_static() -> Self {
        Self(None)
    }

    pub(crate) fn read(&self) {
        if let Some(cell) = &self.0 {
            cell.with(|_| ());
        }
    }

    pub(crate) fn end(&self) {
        if let Some(cell) = &self.0 {
            cell.with_mut(|_| ());
        }
    }
}

/// A small number that no other living thread has, for as long as this value is held. A number that
/// is given back goes to its next owner with all that the former one did to the places it indexes.
#[cfg(not(loom))]
pub(crate) use numbers::ThreadNumber;

/// Loom's threads are number 0 unless a model says otherwise: the quarantine has no per-thread state to
/// keep apart.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct ThreadNumber(u32);

#[cfg(loom)]
loom::thread_local! {
    static NUMBER: core::cell::Cell<u32> = core::cell::Cell::new(0);
}

#[cfg(loom)]
impl ThreadNumber {
    pub(crate) fn current() -> Self {
        Self(NUMBER.with(core::cell::Cell::get))
    }

    pub(crate) fn be(number: u32) {
        NUMBER.with(|own| own.set(number));
    }

    pub(crate) fn value(&self) -> u32 {
        self.0
    }
}

#[cfg(not(loom))]
mod numbers {
    use core::cell::Cell;
    use core::ptr;
    use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

    use super::thread_local;

    /// One number, on the list for ever; there are as many as there were threads at once.
    #[derive(Debug)]
    struct Node {
        value: u32,
        taken: AtomicBool,
        next: AtomicPtr<Node>,
    }

    static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
    static ISSUED: AtomicU32 = AtomicU32::new(0);

    /// Gives its number back when dropped.
    #[derive(Debug)]
    struct Claim(&'static Node);

    impl Drop for Claim {
        fn drop(&mut self) {
            // Release: pairs with the Acquire in `reuse`, so that the next owner of the number sees
            // all that this one left in the places indexed by it.
            self.0.taken.store(false, Ordering::Release);
        }
    }

    /// Number and claim of this thread. The number is read on every pin, without a check whether
    /// the destructors of this thread have begun: a `Cell` has none. Afterwards it is `NONE`.
    const NONE: u32 = u32::MAX;

    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(NONE) };
        static CLAIM: Held = const { Held(Cell::new(None)) };
    }

    struct Held(Cell<Option<Claim>>);

    impl Drop for Held {
        fn drop(&mut self) {
            NUMBER.set(NONE);
            #[cfg(feature = "crossbeam-epoch")]
            if HELD.get() > 0 {
                core::mem::forget(self.0.take());
            }
        }
    }

    /// See the re-export. While this thread's destructors run it has a claim of its own, and `PASSING`.
    #[derive(Debug)]
    pub(crate) struct ThreadNumber(u32);

    const PASSING: u32 = 1 << 31;

    impl ThreadNumber {
        #[inline(always)]
        pub(crate) fn current() -> Self {
            match NUMBER.get() {
                NONE => claim(),
                value => {
                    #[cfg(feature = "crossbeam-epoch")]
                    HELD.set(HELD.get() + 1);
                    Self(value)
                }
            }
        }

        #[inline(always)]
        pub(crate) fn value(&self) -> u32 {
            self.0 & !PASSING
        }
    }

    impl Drop for ThreadNumber {
        #[inline(always)]
        fn drop(&mut self) {
            if self.0 & PASSING != 0 {
                give_back(self.value());
            } else {
                #[cfg(feature = "crossbeam-epoch")]
                self.leave();
            }
        }
    }

    #[cfg(feature = "crossbeam-epoch")]
    impl ThreadNumber {
        fn leave(&self) {
            HELD.set(HELD.get() - 1);
            if HELD.get() == 0 && NUMBER.get() != self.0 {
                // The last of those that outlived the claim.
                give_back(self.0);
            }
        }
    }

    // `crossbeam-epoch` lets one thread at a time use what a number indexes: a guard that a thread-local
    // holds may outlive the claim, and keeps the number until it goes. The crate's own reclaimer does not
    // mind: each pin has a record of its own.
    #[cfg(feature = "crossbeam-epoch")]
    thread_local! {
        /// How many `ThreadNumber`s are held that are of the claim.
        static HELD: Cell<u32> = const { Cell::new(0) };
    }

    #[cold]
    fn give_back(value: u32) {
        let node = nodes().find(|node| node.value == value);
        drop(node.map(Claim));
    }

    #[cold]
    fn claim() -> ThreadNumber {
        let node = reuse().unwrap_or_else(issue);
        let mut claim = Some(Claim(node));
        let kept = CLAIM.try_with(|held| held.0.set(claim.take())).is_ok();
        if kept {
            NUMBER.set(node.value);
            #[cfg(feature = "crossbeam-epoch")]
            HELD.set(HELD.get() + 1);
            return ThreadNumber(node.value);
        }
        core::mem::forget(claim);
        ThreadNumber(node.value | PASSING)
    }

    fn nodes() -> impl Iterator<Item = &'static Node> {
        // Acquire here and below: pairs with the Release in `issue`, which published the node.
        // SAFETY: nodes are leaked by `issue` and never freed or moved.
        let first = unsafe { NODES.load(Ordering::Acquire).as_ref() };
        // SAFETY: as above.
        core::iter::successors(first, |node| unsafe { node.next.load(Ordering::Acquire).as_ref() })
    }

    fn reuse() -> Option<&'static Node> {
        nodes().find(|node| {
            // Relaxed, on failure too: a stale answer only costs another number. Acquire on success
            // pairs with the Release of the former owner.
            let free = !node.taken.load(Ordering::Relaxed);
            let taken = &node.taken;
            free && taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        })
    }

    fn issue() -> &'static Node {
        let node: &'static Node = Box::leak(Box::new(Node {
            // Relaxed: only uniqueness matters.
            value: ISSUED.fetch_add(1, Ordering::Relaxed),
            taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let mut head = NODES.load(Ordering::Acquire);
        loop {
            // Relaxed: published by the exchange below.
            node.next.store(head, Ordering::Relaxed);
            let pointer = ptr::from_ref(node).cast_mut();
            // Release: publishes the node to `reuse`. Acquire on failure, for the node behind it.
            match NODES.compare_exchange(head, pointer, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return node,
                Err(seen) => head = seen,
            }
        }
    }
}
