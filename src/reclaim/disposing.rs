//! Whether this thread is disposing already: a value's `Drop` that comes back disposes of nothing.
//!
//! Of the thread itself, not of its number: while its thread-locals are destroyed a thread may have
//! several numbers at once. Without a destructor, so that it is there to the last.

use core::cell::Cell;
use core::ptr;

use crate::sync::thread_local;

/// One disposal on this thread's stack.
struct Frame {
    reclaimer: *const (),
    outer: *const Frame,
}

thread_local! {
    static INNERMOST: Cell<*const Frame> = const { Cell::new(ptr::null()) };
}

/// Runs `dispose`, unless this thread is in the middle of the same for this reclaimer. It does not
/// unwind: the panics of values are caught one by one.
#[cfg(not(loom))]
pub(super) fn once<T, R>(reclaimer: *const T, dispose: impl FnOnce() -> R) -> Option<R> {
    let reclaimer = reclaimer.cast();
    let outer = INNERMOST.get();
    let mut at = outer;
    // SAFETY: the frames are those of calls of this function that this thread has not returned from.
    while let Some(frame) = unsafe { at.as_ref() } {
        if frame.reclaimer == reclaimer {
            return None;
        }
        at = frame.outer;
    }
    let frame = Frame { reclaimer, outer };
    let _leave = Leave(outer);
    INNERMOST.set(&raw const frame);
    Some(dispose())
}

/// Loom's threads are all on one of the system's, and its models drop nothing that comes back.
#[cfg(loom)]
pub(super) fn once<T, R>(_reclaimer: *const T, dispose: impl FnOnce() -> R) -> Option<R> {
    Some(dispose())
}

struct Leave(*const Frame);

impl Drop for Leave {
    fn drop(&mut self) {
        INNERMOST.set(self.0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nested_in_another_but_not_in_itself() {
        let (one, two) = (0_u8, 0_u16);
        let in_itself = || once(&raw const one, || ());
        let in_another = || once(&raw const two, in_itself);
        assert_eq!(once(&raw const one, in_another), Some(Some(None)));
        assert_eq!(in_itself(), Some(()));
    }
}
