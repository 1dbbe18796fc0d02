//! Who goes on, as the input says.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};

use crate::{fixtures::rng::Rng, input::Chooser};

/// Executions of an input that leaves it to priorities: the first runs the threads one after the other,
/// and only shows how many steps there are.
const PCT_RUNS: usize = 9;
const RANDOM_RUNS: usize = 4;

/// `digest` becomes that of all choices.
pub fn scheduler(
    chooser: Chooser,
    schedule: Vec<u8>,
    digest: &Arc<AtomicU64>,
) -> impl Scheduler + use<> {
    let chosen_by: Box<dyn Scheduler + Send> = match chooser {
        Chooser::Bytes { then_one_in, seed } => Box::new(ByBytes {
            bytes: schedule.into_iter(),
            stretch: 0,
            then_one_in,
            rng: Rng::new(seed),
            begun: false,
        }),
        Chooser::Pct { depth, seed } => {
            Box::new(PctScheduler::new_from_seed(seed, depth, PCT_RUNS))
        }
        Chooser::Random { seed } => Box::new(RandomScheduler::new_from_seed(seed, RANDOM_RUNS)),
    };
    Digested { chosen_by, digest: Arc::clone(digest) }
}

struct Digested {
    chosen_by: Box<dyn Scheduler + Send>,
    digest: Arc<AtomicU64>,
}

impl Scheduler for Digested {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.chosen_by.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let chosen = self.chosen_by.next_task(runnable, current, is_yielding)?;
        let seen = (usize::from(chosen) * 8 + runnable.len()) as u64;
        let digest = self.digest.load(Relaxed);
        self.digest.store((digest ^ seen).wrapping_mul(0x9E37_79B9_7F4A_7C15), Relaxed);
        Some(chosen)
    }

    fn next_u64(&mut self) -> u64 {
        self.chosen_by.next_u64()
    }
}

/// One execution. Each byte is a stretch of steps that the running thread makes, and to whom it goes then:
/// few bytes make a long schedule, and one byte more changes little before it.
struct ByBytes {
    bytes: std::vec::IntoIter<u8>,
    /// Steps until the next byte's thread goes on.
    stretch: usize,
    then_one_in: Option<u64>,
    rng: Rng,
    begun: bool,
}

impl ByBytes {
    /// Whether the running thread is to be left, and for which of the others.
    fn leave(&mut self) -> Option<usize> {
        if self.stretch > 0 {
            self.stretch -= 1;
            return None;
        }
        if let Some(byte) = self.bytes.next() {
            // Up to 31 steps exactly, longer ones by and by.
            let n = usize::from(byte >> 2);
            self.stretch = if n < 32 { n } else { 32 + (n - 32) * (n - 32) / 2 };
            return Some(usize::from(byte & 3));
        }
        let one_in = self.then_one_in?;
        self.rng.one_in(one_in).then(|| self.rng.below(4) as usize)
    }
}

impl Scheduler for ByBytes {
    fn new_execution(&mut self) -> Option<Schedule> {
        (!std::mem::replace(&mut self.begun, true)).then(|| Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if let [only] = runnable {
            return Some(only.id());
        }
        // The others, those that come after the running one first.
        let place = runnable.iter().position(|task| Some(task.id()) >= current).unwrap_or(0);
        let is_current = |task: &&&Task| Some(task.id()) == current;
        let in_turn = || (0..runnable.len()).map(|n| &runnable[(place + n) % runnable.len()]);
        let others: Vec<_> = in_turn().filter(|task| !is_current(task)).collect();
        let goes_on = in_turn().find(is_current).filter(|_| !is_yielding);
        let Some(goes_on) = goes_on else {
            return Some(others[0].id());
        };
        let next = self.leave().map_or(goes_on, |nth| others[nth % others.len()]);
        Some(next.id())
    }

    fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }
}
