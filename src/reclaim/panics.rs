//! Panics of users' code, kept until what they interrupted is finished (I).

use core::any::Any;
use std::panic::{self, AssertUnwindSafe};

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
            Some(_) => {
                if let Err(again) = attempt(|| drop(payload)) {
                    // A payload whose drop panics once may do so for ever.
                    core::mem::forget(again);
                }
            }
        }
    }

    /// Continues the first panic, unless this thread is unwinding already.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            if std::thread::panicking() {
                core::mem::forget(payload);
            } else {
                panic::resume_unwind(payload);
            }
        }
    }
}
