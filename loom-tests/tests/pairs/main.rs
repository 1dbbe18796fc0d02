//! Every unordered pair of public operations, on the same two clients and their names.
//!
//! The oracle is the registry itself, one call after the other: what the two said and who is found in the
//! end must be what some order of their atomic parts gives (A to D; the parts are in `operation`). A walk
//! is judged by H. Every stream is dropped once (G).
#![cfg(loom)]

mod operation;
mod recorded;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use loom_tests::{Explored, Limits, spawn};
use operation::{MUTATORS, Operation, Part, READERS, Runner};
use world::{Setting, World};

/// What the first bring along is counted from here, and what the second.
const NUMBERS: [u64; 2] = [10, 20];

/// Every order of the parts of two operations: which of the two is next.
fn orders(left: usize, right: usize) -> Vec<Vec<usize>> {
    if left == 0 && right == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (next, (left, right)) in
        [(0, (left.checked_sub(1), Some(right))), (1, (Some(left), right.checked_sub(1)))]
    {
        if let (Some(left), Some(right)) = (left, right) {
            all.extend(orders(left, right).into_iter().map(|mut order| {
                order.insert(0, next);
                order
            }));
        }
    }
    all
}

fn conclude(world: World, mut runners: [Runner; 2]) -> String {
    let state = world.state();
    for runner in &runners {
        runner.judge_walk(&world);
    }
    let said = runners.each_mut().map(Runner::result);
    drop(runners);
    world.settle();
    format!("{said:?} {state}")
}

fn parts([one, other]: [Operation; 2], setting: Setting) -> [&'static [Part]; 2] {
    [one.parts(other, setting), other.parts(one, setting)]
}

/// What one order of the parts gives.
fn sequentially(pair: [Operation; 2], setting: Setting, order: &[usize]) -> String {
    let mut world = World::new(setting);
    let mut at = 0;
    let mut runners = pair.map(|operation| {
        at += 1;
        Runner::new(operation, NUMBERS[at - 1], &mut world)
    });
    world.release_session();
    let mut parts: [std::slice::Iter<'_, Part>; 2] = parts(pair, setting).map(<[_]>::iter);
    for &next in order {
        runners[next].run_part(*parts[next].next().expect("as many as there are parts"));
    }
    conclude(world, runners)
}

fn at_once(pair: [Operation; 2], setting: Setting, allowed: &BTreeSet<String>) {
    let mut world = World::new(setting);
    let first = Runner::new(pair[0], NUMBERS[0], &mut world);
    let second = Runner::new(pair[1], NUMBERS[1], &mut world);
    world.release_session();
    let other = spawn(1, move || first.run());
    let second = second.run();
    let outcome = conclude(world, [other.join().unwrap(), second]);
    assert!(allowed.contains(&outcome), "{outcome}\nis none of\n{allowed:#?}");
}

/// The outcomes of all orders, each found out in a model of one thread.
fn allowed(pair: [Operation; 2], setting: Setting) -> BTreeSet<String> {
    let [one, other] = parts(pair, setting);
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    for order in orders(one.len(), other.len()) {
        let found = Arc::clone(&outcomes);
        let limits = Limits { preemptions: Some(0), executions: None, time: None };
        loom_tests::explore(limits, true, move || {
            let outcome = sequentially(pair, setting, &order);
            found.lock().unwrap().insert(outcome);
        });
    }
    let outcomes = outcomes.lock().unwrap();
    outcomes.clone()
}

/// Explores a pair, says how many executions that were, and returns the number.
fn explore(pair: [Operation; 2], setting: Setting, limits: Limits) -> usize {
    let allowed = allowed(pair, setting);
    // Of two mutators the race is about who wins; values that go too early are for readers to meet.
    let reclaims = [Operation::Flush, Operation::DropRemoved];
    let keeps_garbage =
        !pair.iter().any(|one| reclaims.contains(one)) && !READERS.contains(&pair[0]);
    let race = move || at_once(pair, setting, &allowed);
    let Explored { executions, complete, .. } = loom_tests::explore(limits, keeps_garbage, race);
    let how = if complete { "complete" } else { "cut" };
    println!("pair: {:?} {:?} {setting:?} {executions} {how}", pair[0], pair[1]);
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
    pairs.flat_map(|pair| {
        let puts_one = |operation: Operation| {
            operation.is_connect()
                || matches!(operation, Operation::TakeAlias | Operation::AddAlias)
        };
        // Places are for connects to ask for, and what was removed has none any more.
        let settings = if !pair.into_iter().any(puts_one) {
            &Setting::ALL[..1]
        } else if !pair.into_iter().any(Operation::is_connect)
            || pair.contains(&Operation::DropRemoved)
        {
            &Setting::ALL[..3]
        } else {
            &Setting::ALL[..]
        };
        settings.iter().map(move |&setting| (pair, setting))
    })
}

/// Both in the role of the spawned thread: loom sees more of the one that only reads a word if it is that
/// (see `loom_tests`).
fn in_both_roles(pair: [Operation; 2], setting: Setting, limits: Limits) {
    let swapped = [pair[1], pair[0]];
    explore(pair, setting, limits);
    if pair != swapped {
        explore(swapped, setting, limits);
    }
}

/// What `mutators` explores: each pair complete or the same first part of it every time.
fn explored_mutators() -> BTreeMap<recorded::Place, usize> {
    let limits = Limits { preemptions: Some(2), executions: Some(1_000), time: None };
    let both = pairs(&MUTATORS, &MUTATORS)
        .flat_map(|(pair, setting)| [pair, [pair[1], pair[0]]].map(|pair| (pair, setting)));
    let mut all = BTreeMap::new();
    all.extend(both.map(|(pair, setting)| (recorded::place(pair, setting), (pair, setting))));
    let explored = Mutex::new(BTreeMap::new());
    on_all_processors(&Vec::from_iter(all), |&(place, (pair, setting))| {
        let executions = explore(pair, setting, limits);
        explored.lock().unwrap().insert(place, executions);
    });
    explored.into_inner().unwrap()
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

/// Mutators at 2 preemptions; of each pair, in either role, 90% of what was recorded for it.
#[test]
#[cfg_attr(any(shipped_reclaimer, crossbeam_loom), ignore = "recorded on the quarantine")]
fn mutators() {
    let explored = explored_mutators();
    println!("pairs of mutators: {} executions", explored.values().sum::<usize>());
    let shrunk = recorded::shrunk(&explored);
    assert!(shrunk.is_empty(), "fewer executions than recorded:\n{}", shrunk.join("\n"));
}

/// Writes `recorded.rs` anew, see there.
#[test]
#[ignore = "changes a file"]
fn record() {
    recorded::renew(&explored_mutators());
}

/// All pairs, deeper: `cargo xtask pairs`.
#[test]
#[ignore = "a campaign"]
fn campaign() {
    let given = |name| {
        std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number of seconds"))
    };
    let preemptions = given("PAIRS_PREEMPTIONS").unwrap_or(3) as usize;
    let for_each = Duration::from_secs(given("PAIRS_SECONDS_PER_PAIR").unwrap_or(10));
    let until = given("PAIRS_SECONDS").map(|all| Instant::now() + Duration::from_secs(all));
    let reading = pairs(&READERS, &READERS).chain(pairs(&READERS, &MUTATORS));
    let reading = reading.map(|(pair, setting)| (pair, setting, false));
    let changing = pairs(&MUTATORS, &MUTATORS).map(|(pair, setting)| (pair, setting, true));
    let all: Vec<_> = reading.chain(changing).collect();
    on_all_processors(&all, |&(pair, setting, in_both)| {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            println!("pair: {:?} {:?} {setting:?} 0 left", pair[0], pair[1]);
            return;
        }
        let time = Some(for_each.min(left.unwrap_or(for_each)));
        let limits = Limits { preemptions: Some(preemptions), executions: None, time };
        if in_both {
            in_both_roles(pair, setting, limits);
        } else {
            explore(pair, setting, limits);
        }
    });
}
