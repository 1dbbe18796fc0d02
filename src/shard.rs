//! Where a shard of a table is on its way from level to level.

use core::iter;
use core::ptr::NonNull;

use crate::grow::Array;
use crate::reclaim::Pin;
use crate::sync::{AtomicPtr, Ordering};

#[derive(Debug)]
pub(crate) struct Shard {
    /// The oldest array that has a line not yet moved.
    current: AtomicPtr<Array>,
}

impl Shard {
    pub(crate) fn new(array: Box<Array>) -> Self {
        Self { current: AtomicPtr::new(Box::into_raw(array)) }
    }

    #[inline(always)]
    pub(crate) fn current<'p>(&'p self, _pin: &'p Pin<'_>) -> &'p Array {
        // SAFETY: never null, and an array is retired after `advance` took it out of `current`: the
        // pin keeps what it finds.
        unsafe { &*self.pointer() }
    }

    #[inline(always)]
    fn pointer(&self) -> *mut Array {
        // Acquire: pairs with the Release in `advance`.
        self.current.load(Ordering::Acquire)
    }

    /// Goes past every leading array that has moved, and retires it.
    pub(crate) fn advance(&self, pin: &Pin<'_>) {
        loop {
            let old = self.pointer();
            // SAFETY: as in `current`.
            let array = unsafe { &*old };
            let new = array.next_pointer();
            if new.is_null() || !array.is_moved() {
                return;
            }
            // Release: hands on what made `new` visible here. Relaxed on failure: read again.
            let advanced =
                self.current.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
            if advanced.is_ok() {
                // SAFETY: `current` never returns to it, every line says that it has moved, and only one
                // exchange can win.
                unsafe { pin.retire(Array::header(NonNull::new_unchecked(old))) };
            }
        }
    }

    /// Makes its arrays the other's, and the other's these, while nobody uses either.
    pub(crate) fn swap(&self, other: &Self) {
        // Relaxed, thrice: nobody else is here.
        let array = self.current.swap(other.current.load(Ordering::Relaxed), Ordering::Relaxed);
        other.current.store(array, Ordering::Relaxed);
    }

    /// Every array that is not retired, while nobody uses the shard.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = *mut Array> {
        // Relaxed: nobody else is here.
        iter::successors(Some(self.current.load(Ordering::Relaxed)), |&array| {
            // SAFETY: not retired, and freed by nobody but the caller, when it has this.
            let next = unsafe { &*array }.next_pointer();
            (!next.is_null()).then_some(next)
        })
    }
}
