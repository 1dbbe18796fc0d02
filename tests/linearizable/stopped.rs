//! Threads that stand still at a step of their own until they are told to go on.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tandem_registry::steps::with_hook;

/// A thread that was stopped before its k-th step, if it has so many.
pub struct Stopped<R> {
    thread: JoinHandle<R>,
    go: mpsc::Sender<()>,
    stopped: mpsc::Receiver<()>,
    pub is_stopped: bool,
}

impl<R: Send + 'static> Stopped<R> {
    pub fn at(k: usize, act: impl FnOnce() -> R + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let mut steps = 0;
            let hook = move || {
                if steps >= k && stop.send(()).is_ok() {
                    let _ = may_go.recv();
                }
                steps += 1;
            };
            with_hook(hook, act)
        });
        let is_stopped = stopped.recv().is_ok();
        Self { thread, go, stopped, is_stopped }
    }

    /// One step further, if it has another.
    pub fn step(&mut self) {
        let _ = self.go.send(());
        self.is_stopped = self.stopped.recv().is_ok();
    }

    pub fn finish(self) -> R {
        self.join().expect("no call panics")
    }

    /// What it returns, or the panic that it ends with.
    pub fn join(self) -> thread::Result<R> {
        // Nobody hears of its steps any more, so it stops at none.
        drop((self.go, self.stopped));
        self.thread.join()
    }
}
