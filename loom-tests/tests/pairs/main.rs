//! Every unordered pair of public operations, and triples of those that change something, on the same two clients and
//! their names.
//!
//! The oracle is the registry itself, one call after the other: what they said and who is found in the
//! end must be what some order of their atomic parts gives (A to D; the parts are in `operation`). A walk
//! is judged by H. Every stream is dropped once (G).
#![cfg(loom)]

mod operation;
mod recorded;
mod runner;
mod sequences;
mod world;

use std::array::from_fn;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use loom_tests::{Explored, Limits, Reads, spawn};
use operation::{MUTATORS, Operation, Part, READERS};
use runner::Runner;
use world::{Setting, World};

/// What the first brings along is counted from here, and what the others.
const NUMBERS: [u64; 3] = [10, 20, 30];

/// Every order of the parts of some operations, of each so many: which of them is next.
fn orders(left: &[usize]) -> Vec<Vec<usize>> {
    if left.iter().all(|&left| left == 0) {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for next in (0..left.len()).filter(|&next| left[next] > 0) {
        let mut left = left.to_vec();
        left[next] -= 1;
        all.extend(orders(&left).into_iter().map(|mut order| {
            order.insert(0, next);
            order
        }));
    }
    all
}

fn conclude<const N: usize>(world: World, mut runners: [Runner; N]) -> String {
    let state = world.state();
    for runner in &runners {
        runner.judge_walk(&world);
    }
    let said = runners.each_mut().map(Runner::result);
    drop(runners);
    world.settle();
    format!("{said:?} {state}")
}

fn parts<const N: usize>(all: [Operation; N], setting: Setting) -> [&'static [Part]; N] {
    from_fn(|at| {
        let others = (0..N).filter(|&other| other != at).map(|other| all[other]);
        all[at].parts(&Vec::from_iter(others), setting)
    })
}

fn runners<const N: usize>(all: [Operation; N], setting: Setting) -> (World, [Runner; N]) {
    let mut world = World::new(setting);
    let runners = from_fn(|at| Runner::new(all[at], NUMBERS[at], &mut world));
    world.release_session();
    (world, runners)
}

/// What one order of the parts gives.
fn sequentially<const N: usize>(all: [Operation; N], setting: Setting, order: &[usize]) -> String {
    let (world, mut runners) = runners(all, setting);
    let mut parts = parts(all, setting).map(<[_]>::iter);
    for &next in order {
        runners[next].run_part(*parts[next].next().expect("as many as there are parts"));
    }
    conclude(world, runners)
}

/// The last one on the thread that is there, the others on threads of their own.
fn at_once<const N: usize>(all: [Operation; N], setting: Setting, allowed: &BTreeSet<String>) {
    let (world, runners) = runners(all, setting);
    let mut at = 0;
    let ran = runners.map(|runner| {
        at += 1;
        // Nobody is waited for before the last one is done.
        if at < N { Err(spawn(at as u32, move || runner.run())) } else { Ok(runner.run()) }
    });
    let ran = ran.map(|ran| ran.unwrap_or_else(|thread| thread.join().unwrap()));
    let outcome = conclude(world, ran);
    assert!(allowed.contains(&outcome), "{outcome}\nis none of\n{allowed:#?}");
}

/// The outcomes of those orders that may be, each found out in a model of one thread.
fn allowed<const N: usize>(
    all: [Operation; N],
    setting: Setting,
    may_be: impl Fn(&[usize]) -> bool,
) -> BTreeSet<String> {
    let parts = parts(all, setting).map(<[_]>::len);
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    for order in orders(&parts).into_iter().filter(|order| may_be(order)) {
        let found = Arc::clone(&outcomes);
        let limits = Limits { preemptions: Some(0), executions: None, time: None };
        loom_tests::explore(limits, Reads::Newest, true, move || {
            let outcome = sequentially(all, setting, &order);
            found.lock().unwrap().insert(outcome);
        });
    }
    let outcomes = outcomes.lock().unwrap();
    outcomes.clone()
}

/// Explores them at once, says how many executions that were, and returns the number.
fn explore<const N: usize>(
    all: [Operation; N],
    setting: Setting,
    reads: Reads,
    limits: Limits,
) -> usize {
    let allowed = allowed(all, setting, |_| true);
    let what = if N == 2 { "pair" } else { "triple" };
    let race = move || at_once(all, setting, &allowed);
    explore_race(what, all, setting, reads, limits, race)
}

/// The same of a race that they take part in.
fn explore_race<const N: usize>(
    what: &str,
    all: [Operation; N],
    setting: Setting,
    reads: Reads,
    limits: Limits,
    race: impl Fn() + Send + Sync + 'static,
) -> usize {
    // Of two mutators the race is about who wins; values that go too early are for readers to meet.
    let reclaims = [Operation::Flush, Operation::DropRemoved];
    let keeps_garbage = !all.iter().any(|one| reclaims.contains(one) || READERS.contains(one));
    let Explored { executions, complete, .. } =
        loom_tests::explore(limits, reads, keeps_garbage, race);
    let how = if complete { "complete" } else { "cut" };
    let names = all.map(|operation| format!("{operation:?}")).join(" ");
    println!("{what}: {names} {setting:?} {executions} {how}");
    executions
}

/// All pairs of `first` and `second`, each unordered one once, in the settings that matter for it.
fn pairs(
    first: &'static [Operation],
    second: &'static [Operation],
) -> impl Iterator<Item = ([Operation; 2], Setting)> {
    let pairs = first.iter().enumerate().flat_map(move |(at, &one)| {
        let from = if first.as_ptr() == second.as_ptr() { at } else { 0 };
        second[from..].iter().map(move |&other| [one, other])
    });
    // There is one session.
    let pairs = pairs.filter(|pair| *pair != [Operation::EndSession; 2]);
    pairs.flat_map(|pair| settings(&pair).iter().map(move |&setting| (pair, setting)))
}

/// Those that matter.
fn settings(all: &[Operation]) -> &'static [Setting] {
    let puts_one = |operation: &Operation| {
        operation.is_connect() || matches!(operation, Operation::TakeAlias | Operation::AddAlias)
    };
    // Places are for connects to ask for, and what was removed has none any more.
    if !all.iter().any(puts_one) {
        &Setting::ALL[..1]
    } else if !all.iter().any(|one| one.is_connect()) || all.contains(&Operation::DropRemoved) {
        &Setting::ALL[..3]
    } else {
        &Setting::ALL[..]
    }
}

/// Both in the role of the spawned thread: loom sees more of the one that only reads a word if it is that
/// (see `loom_tests`).
fn in_both_roles(pair: [Operation; 2], setting: Setting, reads: Reads, limits: Limits) {
    let swapped = [pair[1], pair[0]];
    explore(pair, setting, reads, limits);
    if pair != swapped {
        explore(swapped, setting, reads, limits);
    }
}

/// What is explored of mutators in a setting: each pair complete or the same first part of it every time.
fn explored_mutators(setting: Setting) -> BTreeMap<recorded::Place, usize> {
    let ways = [
        (Reads::Newest, Limits { preemptions: Some(1), executions: None, time: None }),
        (Reads::Any, Limits { preemptions: Some(2), executions: Some(1_000), time: None }),
    ];
    let in_it = pairs(&MUTATORS, &MUTATORS).filter(|&(_, one)| one == setting);
    let mut explored = BTreeMap::new();
    for pair in in_it.flat_map(|(pair, _)| BTreeSet::from([pair, [pair[1], pair[0]]])) {
        for (reads, limits) in ways {
            let executions = explore(pair, setting, reads, limits);
            explored.insert(recorded::place(pair, setting, reads), executions);
        }
    }
    explored
}

/// Does `work` for each of `all`.
fn on_all_processors<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(one);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
}

/// Mutators, in every order of steps with 1 preemption, and at 2 with all that a load may return; of each pair, in
/// either role, 90% of what was recorded for it.
fn check_mutators(setting: Setting) {
    let explored = explored_mutators(setting);
    println!("pairs of mutators, {setting:?}: {} executions", explored.values().sum::<usize>());
    let shrunk = recorded::shrunk(setting, &explored);
    assert!(shrunk.is_empty(), "fewer executions than recorded:\n{}", shrunk.join("\n"));
}

macro_rules! mutators {
    ($($name:ident: $setting:ident),*) => {
        mod mutators {
            $(
                #[test]
                #[cfg_attr(any(shipped_reclaimer, crossbeam_loom), ignore = "recorded on the quarantine")]
                fn $name() {
                    super::check_mutators(super::Setting::$setting);
                }
            )*
        }
    };
}

mutators! {
    takeover: Takeover, crowded: Crowded, reject: Reject, full_takeover: FullTakeover,
    full_reject: FullReject
}

/// Writes `recorded.rs` anew, see there.
#[test]
#[ignore = "changes a file"]
fn record() {
    let explored = Mutex::new(BTreeMap::new());
    on_all_processors(&Setting::ALL, |&setting| {
        let those = explored_mutators(setting);
        explored.lock().unwrap().extend(those);
    });
    recorded::renew(&explored.into_inner().unwrap());
}

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Whether a list names it, if there is one.
fn is_in(only: Option<&str>, operation: Operation) -> bool {
    let name = format!("{operation:?}");
    only.is_none_or(|only| only.split(',').any(|one| one == name))
}

/// All pairs, deeper: `cargo xtask pairs`.
#[test]
#[ignore = "a campaign"]
fn campaign() {
    let preemptions = given("PAIRS_PREEMPTIONS").unwrap_or(3) as usize;
    let for_each = Duration::from_secs(given("PAIRS_SECONDS_PER_PAIR").unwrap_or(10));
    let reads = Reads::given().unwrap_or(Reads::Newest);
    let until = given("PAIRS_SECONDS").map(|all| Instant::now() + Duration::from_secs(all));
    let reading = pairs(&READERS, &READERS).chain(pairs(&READERS, &MUTATORS));
    let reading = reading.map(|(pair, setting)| (pair, setting, false));
    let changing = pairs(&MUTATORS, &MUTATORS).map(|(pair, setting)| (pair, setting, true));
    let only = std::env::var("PAIRS_ONLY").ok();
    let is_wanted = |operation: &Operation| is_in(only.as_deref(), *operation);
    let all = reading.chain(changing).filter(|(pair, ..)| pair.iter().all(is_wanted));
    let all = Vec::from_iter(all);
    on_all_processors(&all, |&(pair, setting, in_both)| {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            println!("pair: {:?} {:?} {setting:?} 0 left", pair[0], pair[1]);
            return;
        }
        let time = Some(for_each.min(left.unwrap_or(for_each)));
        let limits = Limits { preemptions: Some(preemptions), executions: None, time };
        if in_both {
            in_both_roles(pair, setting, reads, limits);
        } else {
            explore(pair, setting, reads, limits);
        }
    });
}

/// Three mutators at once, each of them last in turn: a campaign of `TRIPLES_SECONDS`, if that is set, of so many
/// executions of each at most, at so many preemptions; `TRIPLES_WITH`, if it is set, names one of each.
#[test]
#[ignore = "a campaign"]
fn triples() {
    let until = given("TRIPLES_SECONDS").map(|all| Instant::now() + Duration::from_secs(all));
    let reads = Reads::given().unwrap_or(Reads::Newest);
    let limits = Limits {
        preemptions: Some(given("TRIPLES_PREEMPTIONS").unwrap_or(1) as usize),
        executions: given("TRIPLES_EXECUTIONS").map(|executions| executions as usize),
        time: None,
    };
    let only = std::env::var("TRIPLES_WITH").ok();
    let mut triples = triples_of_mutators();
    triples.retain(|(triple, _)| triple.iter().any(|&one| is_in(only.as_deref(), one)));
    let in_turn = (0..3).flat_map(|turn| {
        triples.iter().map(move |&(mut triple, setting)| {
            triple.rotate_left(turn);
            (triple, setting)
        })
    });
    let (executions, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_all_processors(&Vec::from_iter(in_turn), |&(triple, setting)| {
        if until.is_some_and(|until| Instant::now() >= until) {
            left.fetch_add(1, Ordering::Relaxed);
        } else {
            executions.fetch_add(explore(triple, setting, reads, limits), Ordering::Relaxed);
        }
    });
    let (models, executions, left) =
        (3 * triples.len(), executions.into_inner(), left.into_inner());
    println!("triples of mutators: {models} models, {left} not run, {executions} executions");
    assert!(executions > 0);
}

/// Each unordered one once, in the settings that matter for it.
fn triples_of_mutators() -> Vec<([Operation; 3], Setting)> {
    let mut triples = Vec::new();
    for (at, &one) in MUTATORS.iter().enumerate() {
        for (behind, &two) in MUTATORS[at..].iter().enumerate() {
            for &three in &MUTATORS[at + behind..] {
                let triple = [one, two, three];
                let sessions = triple.iter().filter(|&&one| one == Operation::EndSession);
                if sessions.count() < 2 {
                    let settings = settings(&triple).iter();
                    triples.extend(settings.map(|&setting| (triple, setting)));
                }
            }
        }
    }
    triples
}
