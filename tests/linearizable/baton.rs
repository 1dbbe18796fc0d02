//! Threads that live as long as a test, and the baton that lets one of them run at a time.
//!
//! With the baton, whoever holds it runs, everybody else sleeps, and at each atomic operation of the
//! registry a seeded schedule says whether it is passed on, and to whom. Nothing else in a call depends
//! on time or chance, so the seed replays the history exactly. What it cannot show is what only two
//! processors can do to each other: reads of old values. For that the threads run free, and yield at random.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{self, Thread};

use tandem_registry::steps::thread_number;

use crate::fixtures::rng::Rng;
use crate::fixtures::tracked::Ledger;

type Job = Box<dyn FnOnce() + Send>;

/// What a job has panicked with.
pub type Panic = Box<dyn Any + Send>;

/// Steps after which a history is taken for one that does not end.
const ENDLESS: u64 = 2_000_000;

/// A leader, that records, and workers whose calls it records.
pub struct Crew {
    leader: Member,
    pub workers: Arc<Workers>,
}

pub struct Workers(Vec<Member>);

/// A thread that runs what it is sent.
struct Member {
    jobs: mpsc::Sender<Job>,
    thread: Thread,
}

impl Member {
    fn start() -> Self {
        let (jobs, received) = mpsc::channel::<Job>();
        let thread = thread::spawn(move || received.into_iter().for_each(|job| job()));
        Self { jobs, thread: thread.thread().clone() }
    }

    /// Has it run `f`.
    fn send<R: Send + 'static>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> mpsc::Receiver<Result<R, Panic>> {
        let (result, results) = mpsc::channel();
        let job = move || {
            let _ = result.send(panic::catch_unwind(AssertUnwindSafe(f)));
        };
        self.jobs.send(Box::new(job)).expect("a thread is there for as long as its crew");
        results
    }
}

impl Crew {
    pub fn new(workers: usize) -> Self {
        let members = (0..workers).map(|_| Member::start()).collect();
        let crew = Self { leader: Member::start(), workers: Arc::new(Workers(members)) };
        // In order, so that those of the first crew are the same in every run.
        crew.numbers();
        crew
    }

    /// The numbers of the leader and the workers, which they get at their first call and keep.
    fn numbers(&self) -> Vec<u32> {
        let members = [&self.leader].into_iter().chain(&self.workers.0);
        members.map(|member| member.send(thread_number).recv().unwrap().unwrap()).collect()
    }

    /// Has the leader run `f`.
    pub fn lead<R: Send + 'static>(&self, f: impl FnOnce() -> R + Send + 'static) -> R {
        let result = self.leader.send(f).recv().expect("it sends what came of it");
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }
}

impl Workers {
    /// Has each worker run one of the jobs, and waits for all.
    pub fn run<R: Send + 'static>(
        &self,
        jobs: Vec<impl FnOnce() -> R + Send + 'static>,
    ) -> Result<Vec<R>, Panic> {
        let results = self.0.iter().zip(jobs).map(|(worker, job)| worker.send(job));
        let results: Vec<_> = results.collect();
        let results = results.into_iter().map(|result| result.recv().expect("it sends it"));
        results.collect::<Vec<_>>().into_iter().collect()
    }

    fn threads(&self) -> Vec<Thread> {
        self.0.iter().map(|member| member.thread.clone()).collect()
    }
}

/// The crew whose histories are replayed. Its threads have the first numbers of this process, as they have where one
/// is replayed: every test calls this before anything else does that uses a registry.
pub fn first_crew() -> &'static Mutex<Crew> {
    static FIRST: OnceLock<Mutex<Crew>> = OnceLock::new();
    FIRST.get_or_init(|| {
        let crew = Crew::new(super::record::THREADS);
        let first = Vec::from_iter(0..=super::record::THREADS as u32);
        assert_eq!(crew.numbers(), first, "a registry was used before");
        Mutex::new(crew)
    })
}

/// Of the values of its histories.
pub static FIRST_LEDGER: Ledger = Ledger::new();

/// Who holds the baton.
pub struct Baton {
    holder: AtomicUsize,
    schedule: Mutex<Schedule>,
    threads: Vec<Thread>,
}

struct Schedule {
    rng: Rng,
    way: Way,
    /// Those that have not finished, by number.
    running: Vec<usize>,
    steps: u64,
}

/// When the baton is passed on.
enum Way {
    /// At one step in so many, to anyone.
    AtRandom(u64),
    /// The first of this order runs, and goes to its end at these steps
    /// (S. Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
    /// ASPLOS 2010). A bug that takes few switches is found by few.
    ByRank { order: Vec<usize>, changes: Vec<u64> },
}

impl Baton {
    /// The schedule of this seed, for workers that take about so many steps together.
    pub fn new(seed: u64, workers: &Workers, steps: u64) -> Self {
        let threads = workers.0.len();
        let mut rng = Rng::new(seed);
        let way = if rng.one_in(2) {
            Way::AtRandom([2, 6, 20, 60][rng.below(4) as usize])
        } else {
            let mut order: Vec<_> = (0..threads).collect();
            for last in (1..threads).rev() {
                order.swap(last, rng.below(last as u64 + 1) as usize);
            }
            let changes = 1 + rng.below(5);
            let mut changes: Vec<_> = (0..changes).map(|_| rng.below(steps)).collect();
            changes.sort_unstable_by(|one, two| two.cmp(one));
            Way::ByRank { order, changes }
        };
        let mut schedule = Schedule { rng, way, running: (0..threads).collect(), steps: 0 };
        Self {
            holder: AtomicUsize::new(schedule.choose()),
            schedule: Mutex::new(schedule),
            threads: workers.threads(),
        }
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.schedule.lock().expect("no panic in a schedule").steps
    }

    /// Waits for the baton, and passes it on at the end of what it returns.
    pub fn take(self: &Arc<Self>, number: usize) -> Turn {
        self.wait(number);
        Turn { baton: Arc::clone(self), number }
    }

    fn wait(&self, number: usize) {
        // Acquire: pairs with the Release in `pass_to`.
        while self.holder.load(Ordering::Acquire) != number {
            thread::park();
        }
    }

    fn pass_to(&self, next: usize) {
        // Release: the next one sees all that this one has done.
        self.holder.store(next, Ordering::Release);
        self.threads[next].unpark();
    }

    /// Called by the holder before each of its steps.
    pub fn step(&self, number: usize) {
        let (next, steps) = self.schedule.lock().expect("no panic in a schedule").step(number);
        assert!(steps < ENDLESS || thread::panicking(), "these calls do not end");
        if next != number {
            self.pass_to(next);
            self.wait(number);
        }
    }
}

/// Holds the baton, or waits for it, until it is dropped.
pub struct Turn {
    baton: Arc<Baton>,
    number: usize,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut schedule = self.baton.schedule.lock().expect("no panic in a schedule");
        schedule.running.retain(|&running| running != self.number);
        let next = (!schedule.running.is_empty()).then(|| schedule.choose());
        drop(schedule);
        next.inspect(|&next| self.baton.pass_to(next));
    }
}

impl Schedule {
    fn choose(&mut self) -> usize {
        match &self.way {
            Way::AtRandom(_) => self.running[self.rng.below(self.running.len() as u64) as usize],
            Way::ByRank { order, .. } => {
                let mut order = order.iter();
                *order.find(|next| self.running.contains(next)).expect("somebody runs")
            }
        }
    }

    fn step(&mut self, number: usize) -> (usize, u64) {
        self.steps += 1;
        let next = match &mut self.way {
            Way::AtRandom(n) if self.rng.one_in(*n) => self.choose(),
            Way::ByRank { order, changes } if changes.last().is_some_and(|&at| at < self.steps) => {
                changes.pop();
                order.retain(|&other| other != number);
                order.push(number);
                self.choose()
            }
            _ => number,
        };
        (next, self.steps)
    }
}
