//! The atomics, cells and thread numbers that the rest of the crate is written in; the only module
//! that knows of loom, of shuttle and of the step hook.
//!
//! | build | atomics | pins and reclamation |
//! |---|---|---|
//! | ordinary | `core`'s own | `reclaim::epoch` |
//! | unit tests, feature `steps` | `core`'s own behind [`steps::step`] | `reclaim::epoch` |
//! | `--cfg shuttle`, by the manifest in `fuzz/shuttled` alone | as with `steps`; each step may go to another task | `reclaim::epoch` |
//! | `--cfg loom` | loom's | `reclaim::quarantine`; see `reclaim` for others |

#[cfg(not(any(loom, test, feature = "steps")))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(all(not(loom), any(test, feature = "steps")))]
pub(crate) use crate::steps::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, fence};

#[cfg(loom)]
pub mod newest;

#[cfg(loom)]
pub(crate) use {
    loom::sync::atomic::fence,
    newest::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
};

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
        // Asked of the system once: it reads several files for the answer.
        static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
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

#[cfg(not(loom))]
mod numbers;
pub mod pool;

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
