//! The pointers of a segment table: `core`'s, or loom's where a model has segments by themselves.

use core::ptr;
use core::sync::atomic::Ordering;

/// An atomic pointer to items.
pub(crate) trait Origin<T> {
    fn null() -> Self;
    fn load(&self, order: Ordering) -> *mut T;
    fn store(&self, pointer: *mut T, order: Ordering);
    /// Puts `pointer` in the place of null.
    fn compare_exchange(
        &self,
        null: *mut T,
        pointer: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T>;
}

macro_rules! origin {
    ($pointer:ty) => {
        impl<T> Origin<T> for $pointer {
            fn null() -> Self {
                Self::new(ptr::null_mut())
            }

            #[inline(always)]
            fn load(&self, order: Ordering) -> *mut T {
                self.load(order)
            }

            fn store(&self, pointer: *mut T, order: Ordering) {
                self.store(pointer, order);
            }

            fn compare_exchange(
                &self,
                null: *mut T,
                pointer: *mut T,
                success: Ordering,
                failure: Ordering,
            ) -> Result<*mut T, *mut T> {
                self.compare_exchange(null, pointer, success, failure)
            }
        }
    };
}

origin!(core::sync::atomic::AtomicPtr<T>);
#[cfg(loom)]
origin!(crate::sync::AtomicPtr<T>);
