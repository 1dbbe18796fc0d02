//! A thread that is stopped between two of its atomic steps, and goes on when it is told to.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::steps::with_hook;

type Condition = Box<dyn FnMut() -> bool + Send>;

/// See the module. It is told where to stop by a condition, which is asked before each of its steps.
pub(super) struct Paced {
    stops: Receiver<()>,
    go: Sender<Condition>,
    thread: JoinHandle<()>,
}

impl Paced {
    /// Runs `work` to where the condition first holds, or to its end.
    pub(super) fn run(
        until: impl FnMut() -> bool + Send + 'static,
        work: impl FnOnce() + Send + 'static,
    ) -> (Self, bool) {
        let (stopped, stops) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<Condition>();
        let thread = thread::spawn(move || {
            // Nobody is there to tell it after a test that failed: it runs to its end.
            let told = move || may_go.recv().unwrap_or_else(|_| Box::new(|| false));
            let mut until = told();
            let hook = move || {
                if until() {
                    let _ = stopped.send(());
                    until = told();
                }
            };
            with_hook(hook, work);
        });
        let mut paced = Self { stops, go, thread };
        let was_stopped = paced.go_on(until);
        (paced, was_stopped)
    }

    /// Goes on to where this condition holds, or to the end. `false`: to the end.
    pub(super) fn go_on(&mut self, until: impl FnMut() -> bool + Send + 'static) -> bool {
        // An end of the channel, this or the next, without a message: the work is done.
        self.go.send(Box::new(until)).is_ok() && self.stops.recv().is_ok()
    }

    /// Goes on to the end.
    pub(super) fn finish(mut self) {
        self.go_on(|| false);
        self.thread.join().unwrap();
    }
}

/// Holds after `k` steps.
pub(super) fn after(k: usize) -> impl FnMut() -> bool {
    let mut steps = 0;
    move || {
        steps += 1;
        steps > k
    }
}
