//! What the models share: a small registry, values that count themselves, and a checker that prints how
//! many executions it explored and fails below a floor.
//!
//! Loom remembers one last access per object. A thread that loads a word and then exchanges it hides, by
//! its own load, that another had read the word before, and that order of the two is never tried. So a
//! thread that only reads is the spawned one here: it runs second, and every write before its reads is
//! tried behind them. Two writers run in both orders, where they are not each other's mirror image.
//!
//! The models run under `RUSTFLAGS="--cfg loom"`; without it this crate is empty.
#![cfg(loom)]

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loom::thread::{self, JoinHandle};
use tandem_registry::{Builder, ClientKey, Guard, NewClient, Registry, Removed, reclaimer};

/// The registry of the models: ids and node ids are small numbers.
pub type Small = Registry<u64, u64, u64, Counted, Fixed>;
/// Its builder.
pub type SmallBuilder = Builder<u64, u64, u64, Counted, Fixed>;
/// Its guard.
pub type SmallGuard<'r> = Guard<'r, u64, u64, u64, Counted, Fixed>;
/// What it hands back.
pub type SmallRemoved = Removed<u64, u64, u64, Counted>;

/// A hasher without a seed: a model must be the same in every execution. Names with the same
/// [`Fixed::LAST`] bits can be made to collide.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    mask: u64,
}

impl Fixed {
    const LAST: u64 = 0xf;

    /// Names collide if their last hexadecimal digits are the same.
    #[must_use]
    pub fn colliding() -> Self {
        Self { mask: Self::LAST }
    }
}

impl Default for Fixed {
    fn default() -> Self {
        Self { mask: u64::MAX }
    }
}

/// See [`Fixed`].
#[derive(Debug)]
pub struct FixedHasher {
    mask: u64,
    value: u64,
}

impl BuildHasher for Fixed {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher { mask: self.mask, value: 0 }
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.value = (self.value << 8) | u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.value = value;
    }

    fn finish(&self) -> u64 {
        self.value & self.mask
    }
}

/// A stream that knows whose it is and counts its drops.
#[derive(Debug)]
pub struct Counted {
    /// Of which connection.
    pub of: u64,
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes streams and checks at the end that each was dropped once.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    made: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Ledger {
    /// A stream of connection `of`.
    #[must_use]
    pub fn stream(&self, of: u64) -> Counted {
        self.made.fetch_add(1, Ordering::Relaxed);
        Counted { of, drops: Arc::clone(&self.drops) }
    }

    /// A client with a stream of connection `of`.
    #[must_use]
    pub fn client(&self, id: u64, node: u64, of: u64) -> NewClient<u64, u64, u64, Counted> {
        NewClient::new(id, node, of).stream(self.stream(of))
    }

    /// Connects that client, whom nobody may refuse.
    pub fn connect(&self, registry: &Small, id: u64, node: u64, of: u64) -> ClientKey {
        registry.connect(self.client(id, node, of)).expect("nothing refuses it").key
    }

    /// Every stream was dropped, once.
    pub fn settle(&self) {
        let made = self.made.load(Ordering::Relaxed);
        assert_eq!(self.drops.load(Ordering::Relaxed), made, "drops of {made} streams");
    }
}

/// A builder with one shard, and room so that nothing grows.
pub fn small() -> SmallBuilder {
    Registry::builder().shards(1).capacity(8).hasher(Fixed::default())
}

/// Runs `f` on a thread of that number: the first is 0, and no two have the same.
pub fn spawn<T: 'static>(number: u32, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    thread::spawn(move || {
        reclaimer::be_thread(number);
        f()
    })
}

/// Whose stream the route of a node leads to.
#[must_use]
pub fn routed(guard: &SmallGuard<'_>, node: u64) -> Option<u64> {
    guard.stream(&node).map(|stream| stream.of)
}

/// A model to be checked.
#[derive(Debug)]
pub struct Model {
    name: &'static str,
    preemptions: usize,
    recorded: usize,
    cut: Option<usize>,
    keeps_garbage: bool,
    shipped: Option<usize>,
    crossbeam: Option<(usize, usize)>,
}

/// A model, with the number of executions it was seen to have at `preemptions`: 90% of them must be
/// explored again, or the model has lost its teeth.
#[must_use]
pub fn model(name: &'static str, preemptions: usize, recorded: usize) -> Model {
    Model {
        name,
        preemptions,
        recorded,
        cut: None,
        keeps_garbage: false,
        shipped: None,
        crossbeam: None,
    }
}

impl Model {
    /// For a model too large to be completed: explores so many executions, the same ones every time.
    /// `LOOM_SECONDS` gives it as much time instead, for a campaign.
    #[must_use]
    pub fn cut_at(mut self, executions: usize) -> Self {
        self.cut = Some(executions);
        self
    }

    /// For a race that has nothing to do with reclamation: no slot is used again while it runs, and pins
    /// order nothing. What that leaves out is tried by the models that go without this.
    #[must_use]
    pub fn keep_garbage(mut self) -> Self {
        self.keeps_garbage = true;
        self
    }

    /// How many executions it has on the reclaimer that ships, which orders more and has more steps. Under
    /// `cfg(shipped_reclaimer)` the models run on that one; those without this are too large there.
    #[must_use]
    pub fn shipped(mut self, recorded: usize) -> Self {
        self.shipped = Some(recorded);
        self
    }

    /// The same on `crossbeam-epoch`, whose collector has more steps still, so with a bound of preemptions of its own.
    /// Under `cfg(crossbeam_loom)`.
    #[must_use]
    pub fn crossbeam(mut self, preemptions: usize, recorded: usize) -> Self {
        self.crossbeam = Some((preemptions, recorded));
        self
    }

    /// What it has on the reclaimer of this build: the bound, the count, and where it is cut.
    fn here(&self) -> Option<(usize, usize, Option<usize>)> {
        let Self { preemptions, recorded, cut, shipped, crossbeam, .. } = *self;
        if cfg!(crossbeam_loom) {
            crossbeam.map(|(preemptions, recorded)| (preemptions, recorded, None))
        } else if cfg!(shipped_reclaimer) {
            shipped.map(|recorded| (preemptions, recorded, None))
        } else {
            Some((preemptions, recorded, cut))
        }
    }

    /// Explores it. `LOOM_PREEMPTIONS` sets another bound for a campaign, or `none`, and `LOOM_SECONDS` then
    /// is a limit for all models, as any may be too large.
    pub fn check(self, f: impl Fn() + Send + Sync + 'static) {
        let Some((preemptions, recorded, cut)) = self.here() else {
            return;
        };
        let Self { name, keeps_garbage, .. } = self;
        let floor = (recorded * 9).div_ceil(10);
        let given = |name| std::env::var(name).ok();
        let bound = given("LOOM_PREEMPTIONS").map(|text| match text.as_str() {
            "none" => None,
            number => Some(number.parse().expect("LOOM_PREEMPTIONS is a number, or none")),
        });
        let preemptions = bound.unwrap_or(Some(preemptions));
        let seconds =
            given("LOOM_SECONDS").map(|text| text.parse().expect("LOOM_SECONDS is a number"));
        let (executions, time) = match seconds {
            Some(seconds) if cut.is_some() || bound.is_some() => {
                (None, Some(Duration::from_secs(seconds)))
            }
            Some(_) => (None, None),
            None => (cut, None),
        };
        let limits = Limits { preemptions, executions, time };
        let explored = explore(limits, keeps_garbage, f);
        let Explored { executions, took, complete } = explored;
        let bound_of_it = match preemptions {
            Some(preemptions) => format!("at {preemptions} preemptions"),
            None => "without a bound".to_owned(),
        };
        println!(
            "{name}: {executions} executions {bound_of_it} in {took:.1?}{}",
            if complete { "" } else { ", cut" },
        );
        assert!(
            bound.is_some() || executions >= floor,
            "{name}: {executions} executions are under the floor of {floor}",
        );
    }
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often a thread is interrupted at most, if there is a bound.
    pub preemptions: Option<usize>,
    /// How many executions to explore, about: the first ones of an order that is always the same.
    pub executions: Option<usize>,
    /// How long to explore.
    pub time: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Explored {
    /// How many executions were explored.
    pub executions: usize,
    /// How long that took.
    pub took: Duration,
    /// Whether those are all there are.
    pub complete: bool,
}

/// Explores a model without a name and a floor. Of `keeps_garbage` see [`Model::keep_garbage`].
pub fn explore(
    limits: Limits,
    keeps_garbage: bool,
    f: impl Fn() + Send + Sync + 'static,
) -> Explored {
    // How often loom looks whether it is to stop.
    const INTERVAL: usize = 100;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = limits.preemptions;
    builder.max_branches = 20_000;
    builder.checkpoint_interval = INTERVAL;
    builder.max_permutations = limits.executions;
    builder.max_duration = limits.time;
    let start = Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        reclaimer::keep_garbage(keeps_garbage);
        f();
    });
    let executions = count.load(Ordering::Relaxed);
    let took = start.elapsed();
    // It stops before an execution whose number is divided by the interval.
    let may_be_cut = (executions + 1).is_multiple_of(INTERVAL);
    let cut = limits.executions.is_some_and(|limit| executions + 1 >= limit)
        || limits.time.is_some_and(|limit| took >= limit);
    Explored { executions, took, complete: !(may_be_cut && cut) }
}
