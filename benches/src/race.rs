//! Threads that start together, timed from the first start to the last end.
//!
//! Timed one by one, threads that in truth ran one after another look as if they had run in parallel.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Runs `work` on as many threads as there are workers, each on a core of its own as far as there are
/// enough, after every one of them has been through `warm_up`.
pub fn race<W: Send>(
    workers: &mut [W],
    warm_up: impl Fn(&mut W) + Sync,
    work: impl Fn(&mut W) + Sync,
) -> Duration {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let barrier = Barrier::new(workers.len());
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let (barrier, warm_up, work) = (&barrier, &warm_up, &work);
        let mut threads = Vec::new();
        for (number, worker) in workers.iter_mut().enumerate() {
            let core = (!cores.is_empty()).then(|| cores[number % cores.len()]);
            threads.push(scope.spawn(move || {
                // Not every system lets a thread choose its core: then the scheduler does.
                let _ = core.map(core_affinity::set_for_current);
                warm_up(worker);
                barrier.wait();
                let start = Instant::now();
                timed(&mut || work(worker));
                (start, Instant::now())
            }));
        }
        threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect()
    });
    let first = spans.iter().map(|&(start, _)| start).min();
    let last = spans.iter().map(|&(_, end)| end).max();
    first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first)
}

/// What is timed, in a function of its own, by whose name the `instructions` program has it counted.
#[inline(never)]
fn timed(work: &mut dyn FnMut()) {
    work();
}
