//! A thread that is stopped between two of its atomic steps, and goes on when it is told to.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::steps::with_hook;

type Condition = Box<dyn FnMut() -> bool + Send>;

enum Order {
    Run(Box<dyn FnOnce() + Send>, Condition),
    GoOn(Condition),
}

enum Report {
    Stopped,
    Done(thread::Result<()>),
}

/// A thread to run on. Most of a run would be the start and the end of one, so they are kept.
struct Worker {
    orders: Sender<Order>,
    reports: Receiver<Report>,
}

thread_local! {
    /// Those of a test's own thread that have nothing to do.
    static IDLE: RefCell<Vec<Worker>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    fn new() -> Self {
        let (orders, ordered) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        thread::spawn(move || {
            let ordered = Rc::new(ordered);
            while let Ok(Order::Run(work, mut until)) = ordered.recv() {
                let (ordered, stopped) = (Rc::clone(&ordered), report.clone());
                let hook = move || {
                    if until() {
                        let _ = stopped.send(Report::Stopped);
                        until = match ordered.recv() {
                            Ok(Order::GoOn(until)) => until,
                            // Nobody is there any more, after a test that failed: to its end.
                            _ => Box::new(|| false),
                        };
                    }
                };
                let outcome = catch_unwind(AssertUnwindSafe(|| with_hook(hook, work)));
                let _ = report.send(Report::Done(outcome));
            }
        });
        Self { orders, reports }
    }
}

/// See the module. It is told where to stop by a condition, which is asked before each of its steps.
pub(super) struct Paced {
    worker: Worker,
    outcome: Option<thread::Result<()>>,
}

impl Paced {
    /// Runs `work` to where the condition first holds, or to its end.
    pub(super) fn run(
        until: impl FnMut() -> bool + Send + 'static,
        work: impl FnOnce() + Send + 'static,
    ) -> (Self, bool) {
        let worker = IDLE.with_borrow_mut(Vec::pop).unwrap_or_else(Worker::new);
        let mut paced = Self { worker, outcome: None };
        let was_stopped = paced.order(Order::Run(Box::new(work), Box::new(until)));
        (paced, was_stopped)
    }

    /// Goes on to where this condition holds, or to the end. `false`: to the end.
    pub(super) fn go_on(&mut self, until: impl FnMut() -> bool + Send + 'static) -> bool {
        self.outcome.is_none() && self.order(Order::GoOn(Box::new(until)))
    }

    fn order(&mut self, order: Order) -> bool {
        self.worker.orders.send(order).expect("it waits for orders");
        match self.worker.reports.recv().expect("it reports") {
            Report::Stopped => true,
            Report::Done(outcome) => {
                self.outcome = Some(outcome);
                false
            }
        }
    }

    /// Goes on to the end.
    pub(super) fn finish(mut self) {
        self.go_on(|| false);
        let Self { worker, outcome } = self;
        IDLE.with_borrow_mut(|idle| idle.push(worker));
        if let Some(Err(payload)) = outcome {
            resume_unwind(payload);
        }
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
