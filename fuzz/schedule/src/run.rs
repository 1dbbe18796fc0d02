//! One execution after the other, as the input says.

use std::{
    panic::resume_unwind,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use shuttle::{Config, FailurePersistence, MaxSteps, Runner, thread};
use tandem_registry::{Policy, Registry};

use crate::{
    calls::{Notes, Part, Tested},
    fixtures::{hashers::FewBits, tracked::Ledger},
    input::{Age, Chooser, Input, Name, Newcomer, Setup},
    scheduler::scheduler,
    verdict::{judge, met_last},
};

/// Beyond it, a call waits for another thread. Measured: at most a tenth.
const MOST_STEPS: usize = 50_000;

/// Tasks at once, the first one included.
const MOST_TASKS: usize = 5;

/// Executions share the numbers that the registry gives to threads: a run is repeatable only by itself.
static ALONE: Mutex<()> = Mutex::new(());

thread_local! {
    // Leaked because a value may outlive all else if the registry is wrong.
    static LEDGER: &'static Ledger = Box::leak(Box::default());
}

/// Runs the input. Panics if something was seen that the contract does not allow. Returns a digest of who
/// went on at each step: the same each time, and on each machine.
pub fn schedule(bytes: &[u8]) -> u64 {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    static NUMBERS: Once = Once::new();
    NUMBERS.call_once(issue_numbers);
    let input = Input::read(bytes);
    let (chooser, schedule) = (input.chooser, input.schedule.clone());
    execute(chooser, schedule, move || run(&input))
}

fn execute(chooser: Chooser, schedule: Vec<u8>, f: impl Fn() + Send + Sync + 'static) -> u64 {
    let mut config = Config::new();
    // The input is what a failure is repeated from.
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config.stack_size = 1 << 18;
    let digest = Arc::new(AtomicU64::new(0));
    Runner::new(scheduler(chooser, schedule, &digest), config).run(f);
    digest.load(Relaxed)
}

/// Has all thread numbers issued that any execution needs, so that each finds the same ones.
fn issue_numbers() {
    execute(Chooser::Bytes { then_one_in: None, seed: 0 }, Vec::new(), || {
        let registry: Arc<Registry<u64, u64, u64, u64>> = Arc::default();
        let claimed = Arc::new(shuttle::sync::Barrier::new(MOST_TASKS));
        let claim = move || {
            drop(registry.pin());
            claimed.wait();
        };
        let others: Vec<_> = (1..MOST_TASKS).map(|_| thread::spawn(claim.clone())).collect();
        claim();
        others.into_iter().for_each(|other| other.join().expect("it does not panic"));
    });
}

fn registry(setup: Setup) -> Arc<Tested> {
    let policy = if setup.reject { Policy::Reject } else { Policy::Takeover };
    let builder = Registry::builder().hasher(FewBits(setup.bits)).on_conflict(policy);
    let builder = builder.capacity(setup.capacity).shards(setup.shards);
    let builder = match setup.max_clients {
        Some(most) => builder.max_clients(most),
        None => builder,
    };
    Arc::new(builder.build().expect("a setup within the limits"))
}

fn run(input: &Input) {
    let ledger = LEDGER.with(|ledger| *ledger);
    let (setup, registry) = (input.setup, registry(input.setup));
    let clock = Arc::new(AtomicU64::new(0));
    let part = |nth| Part::new(&registry, ledger, &clock, nth);

    let mut first = part(0);
    for _ in 0..setup.crowd {
        first.connect(
            Newcomer { id: Name::Fresh, node: Name::Fresh, stream: false, alias: None },
            false,
        );
    }
    first.run(&mut input.first.iter(), usize::MAX, None);
    let threads: Vec<_> = (1..)
        .zip(&input.threads)
        .map(|(nth, ops)| {
            let (mut part, ops) = (part(nth), ops.clone());
            // So that they use what was there before.
            part.notes.keys = first.notes.keys.clone();
            part.notes.streams = first.notes.streams.clone();
            thread::spawn(move || {
                part.run(&mut ops.iter(), usize::MAX, None);
                part.into_notes()
            })
        })
        .collect();
    let mut notes: Vec<Notes> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
        .collect();

    let live = first.look_at_all(setup.names);
    notes.insert(0, first.into_notes());
    judge(&mut notes, setup);
    finish(registry, notes, setup, ledger, live);
}

impl Part {
    fn into_notes(self) -> Notes {
        self.notes
    }

    /// With all threads gone, what the tables say is the end of the history.
    /// Returns how many clients there are.
    fn look_at_all(&mut self, names: u8) -> usize {
        for name in 0..names {
            self.by_id(name, None);
            self.by_node(name, None);
            self.route(name, 0, None);
        }
        for age in 0..self.notes.keys.len() {
            self.by_key(age as Age, None);
        }
        self.walk_streams();
        self.walk(None);
        met_last(&self.notes.events)
    }
}

/// Ends everything; each value that was made has been dropped once.
fn finish(registry: Arc<Tested>, notes: Vec<Notes>, setup: Setup, ledger: &Ledger, live: usize) {
    assert_eq!((registry.len(), registry.stats().clients), (live, live), "places were lost");
    let (mut removed, mut detached) = (Vec::new(), Vec::new());
    for mut notes in notes {
        removed.append(&mut notes.removed);
        detached.append(&mut notes.detached);
        notes.sessions.into_iter().for_each(|(_, session)| _ = session.into_key());
    }
    if !setup.outlived {
        removed.clear();
        detached.clear();
        assert_eq!(registry.flush().left, 0, "something was left without a guard");
        assert_eq!(registry.stats().retired, 0);
        ledger.assert_live(values(&registry, setup));
    }
    let mut registry = Arc::into_inner(registry).expect("threads and sessions are gone");
    registry.shrink_to_fit();
    assert_eq!(registry.pin().iter().count(), live, "shrinking lost a client");
    drop(registry);
    drop((removed, detached));
    ledger.assert_balanced();
}

/// How many values the registry owns: those of each client, and its aliases.
fn values(registry: &Tested, setup: Setup) -> usize {
    let guard = registry.pin();
    let of_clients = guard.iter().map(|client| 3 + usize::from(client.stream().is_some()));
    let aliases = (0..u64::from(setup.names)).filter(|name| {
        guard.client_by_node(name).is_some_and(|client| client.node().get() != name)
    });
    of_clients.sum::<usize>() + aliases.count()
}
