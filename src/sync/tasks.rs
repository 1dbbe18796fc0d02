//! Threads that are tasks of shuttle's, all on one thread of the system: each atomic operation lets the
//! scheduler choose who goes on, and what is of a thread is of a task.

use core::cell::Cell;

pub(crate) use shuttle::thread::yield_now;
use shuttle::thread::{AccessError, LocalKey};

/// Lets any task go on, this one included. Nothing is asked of the scheduler but that.
pub(crate) fn switch() {
    shuttle::thread::sleep(core::time::Duration::ZERO);
}

/// What `std::thread_local` declares, for each task instead.
macro_rules! task_local {
    ($($(#[$attr:meta])* static $name:ident: $type:ty = const { $init:expr };)+) => { $(
        $(#[$attr])*
        static $name: $crate::sync::tasks::TaskLocal<$type> = {
            shuttle::thread_local! { static KEY: $type = const { $init } }
            $crate::sync::tasks::TaskLocal { key: &KEY, init: || $init }
        };
    )+ };
}
pub(crate) use task_local as thread_local;

pub(crate) struct TaskLocal<T: 'static> {
    pub(crate) key: &'static LocalKey<T>,
    pub(crate) init: fn() -> T,
}

impl<T> TaskLocal<T> {
    pub(crate) fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        self.key.try_with(f)
    }
}

/// Of the system's threads, cells without a destructor are there to the last. Those of a task go with the
/// rest, in whatever order: afterwards they are as they were in the beginning, which is what the thread
/// number's destructor leaves behind, and what a disposal that has returned does.
impl<T: Copy> TaskLocal<Cell<T>> {
    pub(crate) fn get(&'static self) -> T {
        self.key.try_with(Cell::get).unwrap_or_else(|_| (self.init)().get())
    }

    pub(crate) fn set(&'static self, value: T) {
        let _ = self.key.try_with(|cell| cell.set(value));
    }
}
