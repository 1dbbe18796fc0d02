//! Panics of users' code, kept until what they interrupted is finished (I).

use core::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::{self, NonNull};

// Not modelled by loom and without steps: set by a panic of a user's `Drop` alone.
use core::sync::atomic::{AtomicPtr, Ordering};

/// A caught panic, to be resumed with [`Panics::resume`] or `resume_unwind`.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Runs user code, and catches its panic.
///
/// The registry's own state is in atomics and consistent at each call of user code, so nothing that
/// an unwind leaves behind is observed half-done.
#[inline]
pub(crate) fn attempt<R>(f: impl FnOnce() -> R) -> Result<R, Payload> {
    panic::catch_unwind(AssertUnwindSafe(f))
}

/// Drops the payload of a panic that is not continued.
fn discard(payload: Payload) {
    if let Err(again) = attempt(|| drop(payload)) {
        // A payload whose drop panics once may do so for ever.
        core::mem::forget(again);
    }
}

/// The first panic of a series of calls that are all made.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Panics(Option<Payload>);

impl Panics {
    pub(crate) fn run(&mut self, f: impl FnOnce()) {
        if let Err(payload) = attempt(f) {
            self.keep(payload);
        }
    }

    /// Whether there was one.
    pub(crate) fn any(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps the first; a later one goes, unless dropping its payload panics in turn.
    pub(crate) fn keep(&mut self, payload: Payload) {
        match &self.0 {
            None => self.0 = Some(payload),
            Some(_) => discard(payload),
        }
    }

    /// Keeps the first of another series, likewise.
    pub(crate) fn join(&mut self, later: Self) {
        if let Some(payload) = later.0 {
            self.keep(payload);
        }
    }

    /// Continues the first panic, unless this thread is unwinding already.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            if std::thread::panicking() {
                discard(payload);
            } else {
                panic::resume_unwind(payload);
            }
        }
    }
}

/// A panic that was met by a call with something to lose, kept for the next call without.
#[derive(Debug)]
pub(crate) struct Late(AtomicPtr<Payload>);

impl Late {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Keeps it; an earlier one that nobody has met yet goes.
    pub(crate) fn keep(&self, panics: Panics) {
        if let Some(payload) = panics.0 {
            // AcqRel: hands the payload on, and takes over the one before.
            let earlier = self.0.swap(Box::into_raw(Box::new(payload)), Ordering::AcqRel);
            if let Some(earlier) = Self::own(earlier) {
                discard(*earlier);
            }
        }
    }

    /// Takes it out, to be continued.
    pub(crate) fn take(&self) -> Panics {
        // Relaxed: empty but for the rarest cases. Acquire: pairs with the Release in `keep`.
        if self.0.load(Ordering::Relaxed).is_null() {
            return Panics::default();
        }
        let payload = Self::own(self.0.swap(ptr::null_mut(), Ordering::Acquire));
        Panics(payload.map(|payload| *payload))
    }

    fn own(payload: *mut Payload) -> Option<Box<Payload>> {
        // SAFETY: from `Box::into_raw` in `keep`, taken out of the word by the caller's exchange.
        NonNull::new(payload).map(|payload| unsafe { Box::from_raw(payload.as_ptr()) })
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(payload) = self.take().0 {
            discard(payload);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Dropped, it panics with another of its kind.
    struct Hydra;

    impl Drop for Hydra {
        fn drop(&mut self) {
            // Past the hook: nothing is to be printed.
            panic::resume_unwind(Box::new(Self));
        }
    }

    #[test]
    fn a_payload_whose_drop_panics_stops_nothing() {
        let mut panics = Panics::default();
        panics.keep(Box::new("the first"));
        panics.keep(Box::new(Hydra));
        let first = attempt(|| panics.resume()).unwrap_err();
        assert_eq!(*first.downcast::<&str>().unwrap(), "the first");
    }

    #[test]
    fn such_a_payload_that_nobody_has_met() {
        let late = Late::new();
        for _ in 0..2 {
            let mut panics = Panics::default();
            panics.keep(Box::new(Hydra));
            late.keep(panics);
        }
        drop(late);
    }
}
