//! Explores a model, prints how many executions that were, and fails below a floor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tandem_registry::newest::read_newest;
use tandem_registry::reclaimer;

use crate::{recorded, rotate_names};

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
/// explored again, or the model has lost its teeth, and no more than twice as many.
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
    /// `cfg(shipped_reclaimer)` the models run on that one; those without this are too large there, unless the newest
    /// values alone are read.
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

    /// Explores it: with the newest values read, to its end, and its names in several orders; then with all that a load
    /// may return, where that is recorded for the reclaimer of this build.
    ///
    /// For campaigns, `LOOM_PREEMPTIONS` sets another bound, or `none`, and `LOOM_SECONDS` then is a limit for all
    /// models, as any may be too large; `LOOM_READS` is one of the two: `newest` or `any`. `LOOM_COUNTS=ignored` is
    /// for code that was broken on purpose: that it has fewer executions, or more, shows no fault.
    pub fn check(self, f: impl Fn() + Send + Sync + 'static) {
        let f = Arc::new(f);
        let given = Given::new();
        let recorded = recorded::of(self.name);
        if given.reads.map_or(recorded.is_some(), |reads| reads == Reads::Newest) {
            self.explore(Reads::Newest, recorded::PREEMPTIONS, recorded, None, &given, &f);
        }
        if given.reads != Some(Reads::Newest)
            && let Some((preemptions, recorded)) = self.here()
        {
            let cut = self.cut.filter(|_| !cfg!(any(shipped_reclaimer, crossbeam_loom)));
            self.explore(Reads::Any, preemptions, Some(recorded), cut, &given, &f);
        }
    }

    /// The bound on the reclaimer of this build, and the count.
    fn here(&self) -> Option<(usize, usize)> {
        if cfg!(crossbeam_loom) {
            self.crossbeam
        } else if cfg!(shipped_reclaimer) {
            self.shipped.map(|recorded| (self.preemptions, recorded))
        } else {
            Some((self.preemptions, self.recorded))
        }
    }

    fn explore(
        &self,
        reads: Reads,
        preemptions: usize,
        recorded: Option<usize>,
        cut: Option<usize>,
        given: &Given,
        f: &Arc<impl Fn() + Send + Sync + 'static>,
    ) {
        let preemptions = given.preemptions.unwrap_or(Some(preemptions));
        let may_be_cut = cut.is_some() || given.preemptions.is_some();
        let time = given.time.filter(|_| may_be_cut);
        let executions = cut.filter(|_| given.time.is_none());
        let rotations = if reads == Reads::Newest { recorded::ROTATIONS } else { 1 };
        let time = time.map(|time| time / rotations);
        let limits = Limits { preemptions, executions, time };
        let mut explored = Explored { executions: 0, took: Duration::ZERO, complete: true };
        for rotation in 0..rotations {
            let _rotated = Rotated(rotation);
            let f = Arc::clone(f);
            let more = explore(limits, reads, self.keeps_garbage, move || {
                rotate_names(rotation.into());
                f();
            });
            explored.executions += more.executions;
            explored.took += more.took;
            explored.complete &= more.complete;
        }
        let Explored { executions, took, complete } = explored;
        let name = self.name;
        let bound = match preemptions {
            Some(preemptions) => format!("at {preemptions} preemptions"),
            None => "without a bound".to_owned(),
        };
        let how = match reads {
            Reads::Newest => ", newest values read",
            Reads::Any => "",
        };
        let end = if complete { "" } else { ", cut" };
        println!("{name}: {executions} executions {bound}{how} in {took:.1?}{end}");
        let Some(recorded) = recorded.filter(|_| given.counts && given.preemptions.is_none())
        else {
            return;
        };
        let floor = (recorded * 9).div_ceil(10);
        assert!(
            executions >= floor,
            "{name}: {executions} executions{how} are under the floor of {floor}",
        );
        // Far more is right, but the floor of what was recorded is none any more.
        assert!(
            executions <= 2 * recorded || given.time.is_some(),
            "{name}: record anew, {executions} executions{how} are not {recorded}",
        );
    }
}

/// Says of a model that fails how its names were rotated.
struct Rotated(u32);

impl Drop for Rotated {
    fn drop(&mut self) {
        if std::thread::panicking() && self.0 > 0 {
            eprintln!("names rotated by {}", self.0);
        }
    }
}

/// What the environment says.
struct Given {
    preemptions: Option<Option<usize>>,
    time: Option<Duration>,
    reads: Option<Reads>,
    /// Whether there have to be as many executions as were recorded.
    counts: bool,
}

impl Given {
    fn new() -> Self {
        let given = |name| std::env::var(name).ok();
        Self {
            preemptions: given("LOOM_PREEMPTIONS").map(|text| match text.as_str() {
                "none" => None,
                number => Some(number.parse().expect("LOOM_PREEMPTIONS is a number, or none")),
            }),
            time: given("LOOM_SECONDS")
                .map(|text| Duration::from_secs(text.parse().expect("LOOM_SECONDS is a number"))),
            reads: Reads::given(),
            counts: given("LOOM_COUNTS").is_none_or(|text| {
                assert_eq!(text, "ignored", "LOOM_COUNTS is ignored, or not set");
                false
            }),
        }
    }
}

/// Which of the values that a word once had a load returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Each that the memory model allows.
    Any,
    /// The last: every order of steps, as on a sequentially consistent machine. Those are far fewer executions, and
    /// some that loom leaves out otherwise (see `read_newest`).
    Newest,
}

impl Reads {
    /// `LOOM_READS`.
    ///
    /// # Panics
    ///
    /// If it is neither.
    #[must_use]
    pub fn given() -> Option<Self> {
        std::env::var("LOOM_READS").ok().map(|text| match text.as_str() {
            "any" => Self::Any,
            "newest" => Self::Newest,
            _ => panic!("LOOM_READS is any, or newest"),
        })
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
    reads: Reads,
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
        read_newest(reads == Reads::Newest);
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
