//! Atomics that call a hook of the current thread before each operation.
//!
//! The stall test stops a thread at its k-th step with it, the history tests yield at random ones.
//! Compiled into this crate's unit tests and under the feature `steps` only.

#![allow(missing_docs)]

use core::cell::RefCell;
use core::sync::atomic::{self as plain, Ordering};

type Hook = Box<dyn FnMut()>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Calls `hook` before every atomic operation that `f` makes on this thread.
pub fn with_hook<R>(hook: impl FnMut() + 'static, f: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            HOOK.with(|slot| slot.take());
        }
    }
    HOOK.with(|slot| *slot.borrow_mut() = Some(Box::new(hook)));
    let _reset = Reset;
    f()
}

/// Bytes of the two tables: what else [`Stats::bytes`](crate::Stats::bytes) has would hide whether these grew.
#[cfg(feature = "steps")]
pub fn bytes_of_tables<Id, Node, Info, Stream, S>(
    registry: &crate::Registry<Id, Node, Info, Stream, S>,
) -> usize {
    let tandem = registry.tandem();
    let pin = tandem.pin();
    tandem.ids.bytes(&pin) + tandem.nodes.bytes(&pin)
}

/// What a thread has of its own in a registry is found by this number, and some of it is shared by several numbers:
/// which one a thread has may change how many steps a call takes.
#[cfg(feature = "steps")]
pub fn thread_number() -> u32 {
    crate::sync::ThreadNumber::current().value()
}

#[inline]
pub(crate) fn step() {
    #[cfg(shuttle)]
    crate::sync::tasks::switch();
    // A hook that is running already (its own atomics) or a thread being torn down has no steps.
    let _ = HOOK.try_with(|slot| {
        if let Ok(mut hook) = slot.try_borrow_mut()
            && let Some(hook) = hook.as_mut()
        {
            hook();
        }
    });
}

#[inline]
pub(crate) fn fence(order: Ordering) {
    step();
    plain::fence(order);
}

macro_rules! stepped {
    ($($name:ident($inner:ty, $value:ty) { $($extra:ident),* })*) => { $(
        #[derive(Debug)]
        #[repr(transparent)]
        pub(crate) struct $name($inner);

        #[allow(dead_code)]
        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(<$inner>::new(value))
            }
            #[inline]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                step();
                self.0.load(order)
            }
            #[inline]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                step();
                self.0.store(value, order)
            }
            #[inline]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                step();
                self.0.swap(value, order)
            }
            #[inline]
            pub(crate) fn compare_exchange(
                &self, current: $value, new: $value, success: Ordering, failure: Ordering,
            ) -> Result<$value, $value> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }
            $(
                #[inline]
                pub(crate) fn $extra(&self, value: $value, order: Ordering) -> $value {
                    step();
                    self.0.$extra(value, order)
                }
            )*
        }
    )* };
}

stepped! {
    AtomicU32(plain::AtomicU32, u32) { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
    AtomicU64(plain::AtomicU64, u64) { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
    AtomicUsize(plain::AtomicUsize, usize) { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
}

#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct AtomicPtr<T>(plain::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(value: *mut T) -> Self {
        Self(plain::AtomicPtr::new(value))
    }
    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        step();
        self.0.load(order)
    }
    #[inline]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        step();
        self.0.store(value, order);
    }
    #[inline]
    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        step();
        self.0.swap(value, order)
    }
    #[inline]
    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        step();
        self.0.compare_exchange(current, new, success, failure)
    }
}
