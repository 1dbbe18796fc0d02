//! A history once more.
//!
//! With the baton, a seed and a schedule make the same history again. Where the threads ran free, the calls
//! of the seed are made with the baton, by one schedule after the other, until they are wrong there, too: it
//! seldom takes two processors, only the right turns.

use std::env;

use super::baton::{FIRST_LEDGER, Panic, first_crew};
use super::check::is_linearizable;
use super::record::{Mode, Recorded, record};
use super::shrink::minimized;

/// How many schedules are tried, and how often free threads make the calls of a seed again.
const TRIES: u64 = 10_000;

/// What is wrong with the history of a seed, and how to see it again.
pub fn report(seed: u64, mode: Mode, wrong: &str) -> String {
    let schedule = match mode {
        Mode::Baton { schedule } => Some(schedule),
        Mode::Free => schedule_with(seed, Result::is_err),
    };
    let is_free = if mode == Mode::Free { "The threads ran free. " } else { "" };
    let (how, variable) = match schedule {
        Some(schedule) => ("With the baton", format!("HISTORY_SCHEDULE={schedule}")),
        None => ("No schedule of the baton was found; again, free", "HISTORY_MODE=free".to_owned()),
    };
    format!(
        "seed {seed}: {wrong}\n{is_free}{how}:\nHISTORY_SEED={seed} {variable} \
         cargo test --features steps --test linearizable replay -- --nocapture"
    )
}

/// The first schedule with which the calls of a seed come to this.
pub fn schedule_with(seed: u64, is_so: impl Fn(&Result<String, String>) -> bool) -> Option<u64> {
    (0..TRIES).find(|&schedule| is_so(&replayed(seed, Mode::Baton { schedule })))
}

/// What a panic said.
pub fn said(panic: &Panic) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    format!("a panic: {}", text.unwrap_or_else(|| "no text".to_owned()))
}

/// The history that `HISTORY_SEED` asks for, by `HISTORY_SCHEDULE`; or, with `HISTORY_MODE=free`, the first that is
/// wrong.
pub fn asked_for(seed: &str) -> Result<String, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
    let seed = number(seed)?;
    if env::var("HISTORY_MODE").is_ok_and(|mode| mode == "free") {
        let mut again = (0..TRIES).map(|_| replayed(seed, Mode::Free));
        return again
            .find(Result::is_err)
            .unwrap_or(Ok(format!("seed {seed}: right, {TRIES} times")));
    }
    let schedule = env::var("HISTORY_SCHEDULE").map_or(Ok(0), |text| number(&text))?;
    replayed(seed, Mode::Baton { schedule })
}

/// The history of a seed; `Err`: and what is wrong with it.
pub fn replayed(seed: u64, mode: Mode) -> Result<String, String> {
    let crew = first_crew().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workers = std::sync::Arc::clone(&crew.workers);
    crew.lead(move || {
        let recorded = record(seed, mode, &workers, &FIRST_LEDGER);
        let Recorded { history, rules, steps, .. } =
            recorded.map_err(|panic| format!("seed {seed}: {}", said(&panic)))?;
        let text = format!("seed {seed}, {mode:?}, {rules:?}, {steps} steps:\n{history}");
        let (right, states) = is_linearizable(&history, rules);
        if right {
            return Ok(format!("{text}An order explains it, found in {states} states."));
        }
        let shorter = minimized(&history, rules);
        Err(format!("{text}No order explains it, nor this much of it:\n{shorter}"))
    })
}
