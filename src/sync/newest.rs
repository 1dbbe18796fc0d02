//! Loom's atomics, whose loads can be told to read what was stored last.
//!
//! Loom has a load try every value that the memory model allows, as often as it meets one, and no bound of preemptions
//! bounds that. A model that is too large for it can be explored to its end without: in every order of steps, as on a
//! sequentially consistent machine.
//!
//! Such a load is an exchange that fails. To loom it depends on every other access to its word then, and not on writes
//! alone; so it also tries the orders that a load before a write of the same thread hides from it otherwise.

#![allow(missing_docs)]

use core::cell::Cell;

use loom::sync::atomic as loom;

use super::Ordering;

thread_local! {
    static NEWEST: Cell<bool> = const { Cell::new(false) };
}

/// Has the loads of this thread read the newest value from now on. Loom's threads are all on one of the system's.
pub fn read_newest(newest: bool) {
    NEWEST.set(newest);
}

macro_rules! modelled {
    ($($name:ident($($parameter:ident)?) of $value:ty, unlike $unlike:expr, { $($extra:ident),* })*) => { $(
        #[derive(Debug)]
        pub struct $name $(<$parameter>)? (loom::$name $(<$parameter>)?);

        #[allow(dead_code)]
        impl $(<$parameter>)? $name $(<$parameter>)? {
            #[track_caller]
            pub fn new(value: $value) -> Self {
                Self(loom::$name::new(value))
            }

            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                if !NEWEST.get() {
                    return self.0.load(order);
                }
                // If it is there after all, it is stored again.
                let unlike = $unlike;
                match self.0.compare_exchange(unlike, unlike, order, order) {
                    Ok(value) | Err(value) => value,
                }
            }

            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, order);
            }

            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, order)
            }

            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(current, new, success, failure)
            }
            $(
                #[track_caller]
                pub fn $extra(&self, value: $value, order: Ordering) -> $value {
                    self.0.$extra(value, order)
                }
            )*
        }
    )* };
}

modelled! {
    AtomicU32() of u32, unlike 0x5eed_5eed,
        { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
    AtomicU64() of u64, unlike 0x5eed_5eed_5eed_5eed,
        { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
    AtomicUsize() of usize, unlike 0x5eed_5eed,
        { fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max, fetch_min }
    AtomicPtr(T) of *mut T, unlike core::ptr::dangling_mut(), {}
}
