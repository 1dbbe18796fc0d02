//! Many histories, half of them with the baton.

use std::env;
use std::sync::TryLockError;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::baton::{Crew, FIRST_LEDGER, Workers, first_crew};
use super::check::is_linearizable;
use super::record::{Mode, Recorded, THREADS, record};
use super::replay::{report, said};
use super::shrink::minimized;
use crate::fixtures::tracked::Ledger;

/// In all four kinds together, unless `HISTORIES` says otherwise.
const HISTORIES: u64 = 200_000;

/// How many one takes the first crew for, before another has its turn.
const SHARE: u64 = 500;

/// In how many of a hundred histories, of each kind and mode, a table has to grow: 12 to 20 were seen to.
const GROWN: u64 = 8;

/// Of fewer histories than that, chance would decide.
const FEW: u64 = 100;

/// What came of the histories of one mode.
#[derive(Clone, Copy, Default)]
struct Tally {
    histories: u64,
    overlapping: u64,
    /// Pairs of calls that overlapped.
    pairs: u64,
    steps: u64,
    /// Those in which a table grew while the threads ran.
    grown: u64,
    /// States of the longest search.
    longest: usize,
    recording: Duration,
    checking: Duration,
}

impl Tally {
    /// Records and checks the histories of these numbers. `Err`: what is wrong with one.
    fn check(
        &mut self,
        kind: u64,
        numbers: std::ops::Range<u64>,
        mode: Mode,
        workers: &Workers,
        ledger: &'static Ledger,
    ) -> Result<(), String> {
        for number in numbers {
            let seed = 4 * number + kind;
            let start = Instant::now();
            let recorded = record(seed, mode, workers, ledger);
            let Recorded { history, rules, steps, grew } = match recorded {
                Ok(recorded) => recorded,
                Err(panic) => return Err(report(seed, mode, &said(&panic))),
            };
            let recorded = start.elapsed();
            let pairs = history.overlaps();
            self.histories += 1;
            self.overlapping += u64::from(pairs > 0);
            self.pairs += pairs;
            self.steps += steps;
            self.grown += u64::from(grew);
            let (right, states) = is_linearizable(&history, rules);
            self.longest = self.longest.max(states);
            self.recording += recorded;
            self.checking += start.elapsed() - recorded;
            if !right {
                let shorter = minimized(&history, rules);
                let wrong = format!(
                    "no order explains\n{history}\nof which these are enough ({rules:?}):\n{shorter}"
                );
                return Err(report(seed, mode, &wrong));
            }
        }
        Ok(())
    }

    fn line(&self, name: &str, mode: &str) -> String {
        let each = |sum: u64| sum as f64 / self.histories.max(1) as f64;
        format!(
            "{name}, {mode}: {} histories, {}% of them overlapping in {:.1} pairs of calls, {:.0} steps, \
             {:.1}% with tables that grew, at most {} states; recording {:.1?}, checking {:.1?}",
            self.histories,
            100 * self.overlapping / self.histories.max(1),
            each(self.pairs),
            each(self.steps),
            100.0 * each(self.grown),
            self.longest,
            self.recording,
            self.checking,
        )
    }
}

/// How many are wanted in all.
pub fn histories() -> u64 {
    env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// Checks this kind's share of the histories.
pub fn check_all(name: &str, kind: u64) {
    static LEDGERS: [Ledger; 4] = [const { Ledger::new() }; 4];
    let ledger = &LEDGERS[kind as usize];
    // First, so that its threads have the first numbers.
    let first = first_crew();
    let wanted = histories() / 4;
    let crew = Crew::new(THREADS);
    let bar = ProgressBar::new(wanted).with_prefix(name.to_owned());
    let style = "{prefix}: {pos} of {len}, {per_sec}, {eta} left, {msg} overlapping";
    bar.set_style(ProgressStyle::with_template(style).expect("a template"));
    let start = Instant::now();
    let (mut with_baton, mut free) = (Tally::default(), Tally::default());
    let half = match env::var("HISTORY_MODE").as_deref() {
        Ok("baton") => wanted,
        Ok("free") => 0,
        _ => wanted / 2,
    };
    while with_baton.histories + free.histories < wanted {
        let taken = match first.try_lock() {
            _ if with_baton.histories == half => None,
            Ok(taken) => Some(taken),
            Err(TryLockError::WouldBlock) if free.histories < wanted - half => None,
            Err(_) => Some(first.lock().unwrap_or_else(|poisoned| poisoned.into_inner())),
        };
        let mode = if taken.is_some() { Mode::Baton { schedule: 0 } } else { Mode::Free };
        let (mut tally, goal) =
            if taken.is_some() { (with_baton, half) } else { (free, wanted - half) };
        let numbers = tally.histories..goal.min(tally.histories + SHARE);
        let its = taken.as_deref().unwrap_or(&crew);
        let workers = std::sync::Arc::clone(&its.workers);
        let ledger = if taken.is_some() { &FIRST_LEDGER } else { ledger };
        let checked = its.lead(move || {
            let result = tally.check(kind, numbers, mode, &workers, ledger);
            result.map(|()| tally)
        });
        drop(taken);
        match checked {
            Ok(tally) if mode != Mode::Free => with_baton = tally,
            Ok(tally) => free = tally,
            Err(wrong) => panic!("{name}, {wrong}"),
        }
        let done = with_baton.histories + free.histories;
        bar.set_position(done);
        bar.set_message(format!("{}%", 100 * (with_baton.overlapping + free.overlapping) / done));
    }
    bar.finish_and_clear();
    println!("{}", with_baton.line(name, "with the baton"));
    println!("{}", free.line(name, "free"));
    println!("{name}: {wanted} histories in {:.1?}", start.elapsed());
    for tally in [with_baton, free] {
        assert!(
            2 * tally.overlapping >= tally.histories,
            "less than half of the histories overlap"
        );
        assert!(
            tally.histories < FEW || 100 * tally.grown >= GROWN * tally.histories,
            "in less than {GROWN}% of the histories tables grew"
        );
    }
}
