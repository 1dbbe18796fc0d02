//! Short histories of real threads on a fresh registry, each made by a seed.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Barrier};
use std::thread;

use tandem_registry::steps::{bytes_of_tables, with_hook};
use tandem_registry::{ClientKey, NewClient, Policy, Registry, StreamKey};

use super::baton::{Baton, Panic, Workers};
use super::calls::{Part, Stash};
use super::history::{Answer, Call, History, Tag, Value};
use super::menu::Menu;
use super::spec::Rules;
use crate::fixtures::hashers::Salted;
use crate::fixtures::rng::Rng;
use crate::fixtures::tracked::{Ledger, Tracked};

pub type Info = Tracked<(Tag, u8)>;
pub type Stream = Tracked<Value>;
pub type Small = Registry<u8, u8, Info, Stream, Salted>;

/// Threads whose calls run at the same time.
pub const THREADS: usize = 3;

/// Calls of each.
const CALLS: usize = 4;

/// About how many steps that is.
const STEPS: u64 = 1_000;

/// Free threads yield at one step in so many.
const YIELDS: u64 = 12;

/// Tags, ids and nodes of clients that nobody touches, and that every iteration has to show.
pub const BYSTANDERS: u8 = 200;

/// How the threads of a history take turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// With the baton, by one of its schedules: this and the seed replay the history.
    Baton {
        schedule: u64,
    },
    Free,
}

pub struct Recorded {
    pub history: History,
    pub rules: Rules,
    /// Steps that were taken with the baton.
    pub steps: u64,
    /// A table grew while the threads ran.
    pub grew: bool,
}

/// What a seed says of the registry.
struct Setting {
    rules: Rules,
    names: u64,
    bystanders: u8,
    /// Clients that came and went before, so that slots are used again.
    gone: u8,
    shrinks: bool,
    /// Two rounds of calls, with a shrinking in between.
    rounds: usize,
    hasher: Salted,
}

impl Setting {
    /// The kind of a history is in the last two bits of its seed.
    fn new(seed: u64, rng: &mut Rng) -> Self {
        let bystanders = [0, 0, 5, 8][rng.below(4) as usize];
        let policy = if seed & 1 == 0 { Policy::Takeover } else { Policy::Reject };
        let limit = rng.one_in(3).then(|| 2 + rng.below(3) as usize);
        Self {
            rules: Rules { policy, limit },
            names: if seed & 2 == 0 { 3 } else { 2 },
            bystanders,
            gone: [0, 0, 2, 8][rng.below(4) as usize],
            shrinks: rng.one_in(4),
            rounds: if rng.one_in(16) { 2 } else { 1 },
            hasher: Salted { salt: rng.next_u64(), bits: [64, 64, 1, 0][rng.below(4) as usize] },
        }
    }

    fn build(&self) -> Small {
        // Few lines, so that the tables grow meanwhile: `campaign` counts in how many histories they do.
        let builder = Registry::builder().shards(1).on_conflict(self.rules.policy);
        let builder = match self.rules.limit {
            Some(limit) => builder.max_clients(limit + usize::from(self.bystanders)),
            None => builder,
        };
        builder.hasher(self.hasher.clone()).build().expect("the settings are right")
    }
}

/// Records the history of a seed. Values are made and dropped on the ledger, which is nobody else's
/// meanwhile. `Err`: a thread panicked in its calls, or this one over what they left.
pub fn record(
    seed: u64,
    mode: Mode,
    workers: &Workers,
    ledger: &'static Ledger,
) -> Result<Recorded, Panic> {
    panic::catch_unwind(AssertUnwindSafe(|| make(seed, mode, workers, ledger)))?
}

fn make(
    seed: u64,
    mode: Mode,
    workers: &Workers,
    ledger: &'static Ledger,
) -> Result<Recorded, Panic> {
    let mut rng = Rng::new(seed);
    let setting = Setting::new(seed, &mut rng);
    // None, unless an earlier history failed.
    let values = ledger.live();
    let mut registry = setting.build();
    set_the_stage(&mut registry, &setting, ledger);
    let mut registry = Arc::new(registry);
    let clock = Arc::new(AtomicU64::new(0));
    let menu = Menu::new(setting.names, setting.bystanders, &mut rng);
    let part = |thread: usize, rng: &mut Rng| {
        Part::new(thread, Rng::new(rng.next_u64()), menu, Arc::clone(&clock), ledger)
    };
    let mut first = part(0, &mut rng);
    for client in 0..2 {
        first.connect(&registry, client, client, true, &[]);
    }
    if menu.the_alias().is_some_and(|alias| alias > 1) {
        // Behind both names, so that one that is given later may come before it.
        first.add_alias(&registry);
    }
    let mut parts: Vec<_> = (1..=THREADS).map(|thread| part(thread, &mut rng)).collect();
    for part in &mut parts {
        part.learn(&first);
    }
    let (mut steps, mut grew) = (0, false);
    for round in 0..setting.rounds {
        if round > 0 {
            let stashes = parts.iter_mut().map(Part::take_stash).collect();
            registry = shrink_meanwhile(registry, stashes, mode, &mut rng, workers)?;
        }
        let calls = CALLS / setting.rounds;
        let jobs = parts.into_iter().map(|mut part| {
            let registry = Arc::clone(&registry);
            move || {
                (0..calls).for_each(|_| part.any_call(&registry));
                part.end_sessions();
                part
            }
        });
        let bytes = bytes_of_tables(&registry);
        let taken;
        (parts, taken) = at_once(mode, &mut rng, workers, jobs.collect())?;
        steps += taken;
        grew |= bytes_of_tables(&registry) > bytes;
    }
    first.look_around(&registry);
    let stashes: Vec<Stash> = parts.iter_mut().map(Part::take_stash).collect();
    drop((stashes, first.take_stash()));
    assert_eq!(registry.flush().left, 0, "nobody holds a guard");
    drop(registry);
    ledger.assert_live(values);
    let parts = [first].into_iter().chain(parts);
    Ok(Recorded { history: history_of(parts.collect()), rules: setting.rules, steps, grew })
}

/// Has each worker do one of the jobs. With their results goes how many steps they took, with the baton.
fn at_once<R: Send + 'static>(
    mode: Mode,
    rng: &mut Rng,
    workers: &Workers,
    jobs: Vec<impl FnOnce() -> R + Send + 'static>,
) -> Result<(Vec<R>, u64), Panic> {
    let turns = rng.next_u64();
    let turns = match mode {
        Mode::Baton { schedule } => turns.wrapping_add(schedule),
        Mode::Free => turns,
    };
    let baton = Arc::new(Baton::new(turns, workers, STEPS));
    let barrier = Arc::new(Barrier::new(THREADS));
    let jobs = jobs.into_iter().enumerate().map(|(number, job)| {
        let mut yields = Rng::new(rng.next_u64());
        let (baton, barrier) = (Arc::clone(&baton), Arc::clone(&barrier));
        move || {
            if mode != Mode::Free {
                let _turn = baton.take(number);
                let baton = Arc::clone(&baton);
                return with_hook(move || baton.step(number), job);
            }
            barrier.wait();
            let hook = move || {
                if yields.one_in(YIELDS) {
                    thread::yield_now();
                }
            };
            with_hook(hook, job)
        }
    });
    let jobs: Vec<_> = jobs.collect();
    let results = workers.run(jobs)?;
    Ok((results, baton.steps()))
}

/// Who is there, and who was, before anything is recorded.
fn set_the_stage(registry: &mut Small, setting: &Setting, ledger: &'static Ledger) {
    let client = |name: u8| {
        let info = Tracked::new(ledger, (name, 0));
        NewClient::new(name, name, info).stream(Tracked::new(ledger, u16::from(name)))
    };
    for number in 0..setting.bystanders {
        registry.connect(client(BYSTANDERS + number)).expect("there is room");
    }
    for _ in 0..setting.gone {
        drop(registry.connect(client(100)).expect("there is room"));
        drop(registry.disconnect(&100));
    }
    registry.flush();
    if setting.shrinks {
        registry.shrink_to_fit();
    }
}

/// One thread has the registry for itself and shrinks it, while others drop what they have removed.
fn shrink_meanwhile(
    registry: Arc<Small>,
    stashes: Vec<Stash>,
    mode: Mode,
    rng: &mut Rng,
    workers: &Workers,
) -> Result<Arc<Small>, Panic> {
    type Shrink = Box<dyn FnOnce() -> Option<Small> + Send>;
    let mut registry = Arc::into_inner(registry);
    assert!(registry.is_some(), "sessions and calls are over");
    let jobs = stashes.into_iter().enumerate().map(|(number, stash)| -> Shrink {
        // The first has the registry.
        let mut registry = if number == 0 { registry.take() } else { None };
        Box::new(move || {
            if let Some(registry) = &mut registry {
                registry.shrink_to_fit();
            }
            drop(stash);
            registry
        })
    });
    let jobs: Vec<_> = jobs.collect();
    let registry = at_once(mode, rng, workers, jobs)?.0.into_iter().flatten().next();
    Ok(Arc::new(registry.expect("the first hands it back")))
}

/// Puts the parts together, and sees that no key names two.
fn history_of(mut parts: Vec<Part>) -> History {
    let mut clients: Vec<(ClientKey, Tag)> = Vec::new();
    let mut streams: Vec<(StreamKey, Value)> = Vec::new();
    for part in &parts {
        clients.extend(part.keys.iter().map(|&(tag, key)| (key, tag)));
        streams.extend(&part.stream_keys);
    }
    clients.sort_unstable();
    clients.dedup();
    streams.sort_unstable();
    streams.dedup();
    let twice = |clients: &mut dyn Iterator<Item = Tag>| {
        let mut tags: Vec<_> = clients.collect();
        tags.sort_unstable();
        tags.windows(2).any(|pair| pair[0] == pair[1])
    };
    assert!(!twice(&mut clients.iter().map(|key| key.1)), "a client has two keys: {clients:?}");
    assert!(clients.windows(2).all(|pair| pair[0].0 != pair[1].0), "a key has two clients");
    assert!(streams.windows(2).all(|pair| pair[0].0 != pair[1].0), "a key has two streams");
    for part in &mut parts {
        for &(at, key) in &part.unnamed {
            let found = clients.iter().find(|client| client.0 == key);
            let (_, tag) = found.unwrap_or_else(|| panic!("nobody has the key {key:?}"));
            let event = &mut part.events[at];
            match &mut event.call {
                // By a stream: whose, the key says.
                Call::Visit(visited) => *visited = *tag,
                _ => event.answer = Answer::Names(Some(*tag)),
            }
        }
    }
    let mut history = History(parts.into_iter().map(|part| part.events).collect());
    history.find_holders();
    history
}
