//! That the search which lets looks go first says of every history what a search of all orders says. In most of the
//! histories some answers are changed, or made less sure, so that nearly half of them are wrong.

use std::sync::Arc;

use super::baton::{FIRST_LEDGER, first_crew};
use super::campaign::histories;
use super::check::{is_linearizable, search};
use super::history::{Answer, Event, History};
use super::record::{Mode, Recorded, record};
use super::replay::{report, said};
use crate::fixtures::rng::Rng;

/// So many at most, and one for so many histories that are checked besides.
const MOST: u64 = 4_000;
const ONE_FOR: u64 = 50;

fn tamper(event: &mut Event, rng: &mut Rng) {
    match rng.below(3) {
        // As where a history is made shorter.
        0 => event.optional = true,
        1 => event.answer = Answer::Unknown,
        _ => {
            event.answer = match event.answer {
                Answer::Done(done) => Answer::Done(!done),
                Answer::Ended(_) => Answer::Ended(None),
                Answer::Found(_) => Answer::Found(None),
                Answer::Names(_) => Answer::Names(None),
                Answer::Routed(_) => Answer::Routed(None),
                other => other,
            }
        }
    }
}

#[test]
fn looks_go_first() {
    let crew = first_crew().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workers = Arc::clone(&crew.workers);
    let seeds = (histories() / ONE_FOR).clamp(100, MOST);
    crew.lead(move || {
        let (mut right, mut wrong, mut points) = (0, 0, [0, 0]);
        for seed in 0..seeds {
            let mode = Mode::Baton { schedule: 0 };
            let recorded = record(seed, mode, &workers, &FIRST_LEDGER);
            let Recorded { mut history, rules, .. } =
                recorded.unwrap_or_else(|panic| panic!("{}", report(seed, mode, &said(&panic))));
            let mut rng = Rng::new(seed);
            for _ in 0..rng.below(10) {
                let History(threads) = &mut history;
                let thread = rng.below(threads.len() as u64) as usize;
                let events = &mut threads[thread];
                if !events.is_empty() {
                    let at = rng.below(events.len() as u64) as usize;
                    tamper(&mut events[at], &mut rng);
                }
            }
            let (is_right, fewer) = is_linearizable(&history, rules);
            let (is_right_in_all, all) = search(&history, rules, |_| false);
            assert_eq!(is_right, is_right_in_all, "seed {seed}, {rules:?}\n{history}");
            *(if is_right { &mut right } else { &mut wrong }) += 1;
            points = [points[0] + fewer, points[1] + all];
        }
        println!(
            "looks first: {right} right, {wrong} wrong, {} points instead of {}",
            points[0], points[1]
        );
        assert!(8 * right > seeds && 8 * wrong > seeds);
    });
}
