//! Two operations, one after the other, against one beside them. What a thread did before is there for what it
//! does next: a name that it has just given away is taken back, a client that it ended is looked up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loom_tests::{Limits, Reads, spawn};
use tandem_registry::Policy;

use crate::operation::{AFTERWARDS, MUTATORS, Operation, READERS};
use crate::world::Setting;
use crate::{allowed, conclude, explore_race, given, is_in, on_all_processors, runners, settings};

/// First, next, and beside them.
type Sequence = [Operation; 3];

/// With the two on the spawned thread, or the one.
fn at_once(all: Sequence, setting: Setting, is_one_spawned: bool, allowed: &BTreeSet<String>) {
    let (world, [first, next, other]) = runners(all, setting);
    let two = move || [first.run(), next.run()];
    let one = move || other.run();
    // Nobody is waited for before the other is done.
    let ([first, next], other) = if is_one_spawned {
        let one = spawn(1, one);
        let two = two();
        (two, one.join().unwrap())
    } else {
        let two = spawn(1, two);
        let one = one();
        (two.join().unwrap(), one)
    };
    let outcome = conclude(world, [first, next, other]);
    assert!(allowed.contains(&outcome), "{outcome}\nis none of\n{allowed:#?}");
}

fn explore(all: Sequence, setting: Setting, is_one_spawned: bool, limits: Limits) -> usize {
    // Of the parts of all three, those of the first come before those of the next.
    let in_turn = |order: &[usize]| order.iter().filter(|&&at| at < 2).is_sorted();
    let allowed = allowed(all, setting, in_turn);
    let reads = Reads::given().unwrap_or(Reads::Newest);
    let what = if is_one_spawned { "against a sequence" } else { "sequence" };
    let race = move || at_once(all, setting, is_one_spawned, &allowed);
    explore_race(what, all, setting, reads, limits, race)
}

/// A campaign: of `SEQUENCES_SECONDS`, if that is set, of so many executions of each at most, at so many
/// preemptions. `SEQUENCES_IN` names the settings, `SEQUENCES_OF` some operations that all three are to be of,
/// if they are set.
#[test]
#[ignore = "a campaign"]
fn sequences() {
    let until = given("SEQUENCES_SECONDS").map(|all| Instant::now() + Duration::from_secs(all));
    let limits = Limits {
        preemptions: Some(given("SEQUENCES_PREEMPTIONS").unwrap_or(2) as usize),
        executions: given("SEQUENCES_EXECUTIONS").map(|executions| executions as usize),
        time: None,
    };
    let (wanted, of) = (std::env::var("SEQUENCES_IN").ok(), std::env::var("SEQUENCES_OF").ok());
    let mut all = all();
    all.retain(|&(sequence, setting)| {
        let name = format!("{setting:?}");
        wanted.as_deref().is_none_or(|wanted| wanted.split(',').any(|one| one == name))
            && sequence.iter().all(|&one| is_in(of.as_deref(), one))
    });
    let in_both_roles = [false, true]
        .iter()
        .flat_map(|&role| all.iter().map(move |&(sequence, setting)| (sequence, setting, role)));
    let (executions, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
    on_all_processors(&Vec::from_iter(in_both_roles), |&(sequence, setting, role)| {
        if until.is_some_and(|until| Instant::now() >= until) {
            left.fetch_add(1, Ordering::Relaxed);
        } else {
            executions.fetch_add(explore(sequence, setting, role, limits), Ordering::Relaxed);
        }
    });
    let (executions, left) = (executions.into_inner(), left.into_inner());
    println!("sequences: {} models, {left} not run, {executions} executions", 2 * all.len());
    assert!(executions > 0);
}

/// Of all operations but those that are judged by what is there in the end; the one beside them changes something.
/// In the settings that matter for them.
fn all() -> Vec<(Sequence, Setting)> {
    let changes = Vec::from_iter(MUTATORS.into_iter().chain(AFTERWARDS));
    let reads = READERS.into_iter().filter(|one| !one.walks() && *one != Operation::Stats);
    let any = Vec::from_iter(changes.iter().copied().chain(reads));
    let mut all = Vec::new();
    for &first in &any {
        for &next in &any {
            for &other in &changes {
                let sequence = [first, next, other];
                let sessions = sequence.iter().filter(|&&one| one == Operation::EndSession);
                if sessions.count() < 2 {
                    let settings = settings(&sequence).iter().copied();
                    let judged = settings.filter(|&setting| has_parts(sequence, setting));
                    all.extend(judged.map(|setting| (sequence, setting)));
                }
            }
        }
    }
    all
}

/// Whether the parts of the one beside them are all that two in a row can tell apart. They are not if it commits
/// and then evicts (D), nor if it is a close that refuses the first before it ends anybody; for these there are the
/// histories.
fn has_parts([first, _, other]: Sequence, setting: Setting) -> bool {
    let is_fresh = matches!(other, Operation::ConnectFresh | Operation::ConnectWithAlias);
    let evicts = setting.policy() == Policy::Takeover && other.is_connect() && !is_fresh;
    let refuses = other == Operation::Close && first.is_connect();
    !evicts && !refuses
}
