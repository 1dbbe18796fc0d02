//! A failing history made shorter: every step asks for less than the one before, so that what is left is
//! wrong by itself, and makes the whole wrong.
//!
//! Reads, and calls that changed nothing, are left out. A call that changes something cannot be: without a connect, what met its client would be
//! wrong for another reason. It stays as one that may have had whatever outcome, or none, if the rest is
//! wrong even so.

use super::check::is_linearizable;
use super::history::{Answer, Call, Event, History};
use super::spec::Rules;

pub fn minimized(history: &History, rules: Rules) -> History {
    let fails = |history: &History| !is_linearizable(history, rules).0;
    let events = history.0.iter().flatten();
    let mut ends: Vec<u64> = events.map(|event| event.returned).collect();
    ends.sort_unstable();
    let mut cuts = ends.into_iter().map(|end| cut(history, end));
    let mut history = cuts.find(fails).unwrap_or_else(|| history.clone());
    loop {
        let mut is_shorter = false;
        for thread in 0..history.0.len() {
            // The last first: what an iteration owes is asked for at its end.
            for at in (0..history.0[thread].len()).rev() {
                let mut less = history.clone();
                match weaker(&history.0[thread][at]) {
                    Some(Some(event)) => less.0[thread][at] = event,
                    Some(None) => drop(less.0[thread].remove(at)),
                    None => continue,
                }
                if fails(&less) {
                    history = less;
                    is_shorter = true;
                }
            }
        }
        if !is_shorter {
            return history;
        }
    }
}

/// What was called before `end`: of what had not returned by then nothing is known.
fn cut(history: &History, end: u64) -> History {
    let threads = history.0.iter().map(|events| {
        let begun = events.iter().filter(|event| event.called <= end);
        let begun = begun.filter_map(|event| {
            if event.returned <= end {
                return Some(event.clone());
            }
            let pending = weaker(event)??;
            Some(Event { returned: u64::MAX, ..pending })
        });
        begun.collect()
    });
    History(threads.collect())
}

/// The same event with less said. `Some(None)`: it can be left out.
fn weaker(event: &Event) -> Option<Option<Event>> {
    let unknown = Event { answer: Answer::Unknown, ..event.clone() };
    match (event.call, event.answer) {
        (_, Answer::Ended(None) | Answer::Done(false) | Answer::Refused(_)) => Some(None),
        (_, Answer::Alias(Err(_))) => Some(None),
        // A visit pays what is owed, whenever it was.
        (Call::Visit(_), Answer::Unknown) => None,
        (Call::Visit(_), _) => Some(Some(unknown)),
        (Call::Walk { .. }, _) => None,
        (
            Call::Connect { .. }
            | Call::Disconnect { .. }
            | Call::DisconnectKey(_)
            | Call::Close
            | Call::Sweep(_)
            | Call::Attach(..)
            | Call::Detach(..)
            | Call::Update(..)
            | Call::AddAlias(..)
            | Call::RemoveAlias(..),
            _,
        ) => (!event.optional).then_some(Some(Event { optional: true, ..unknown })),
        (
            Call::Shut
            | Call::Route(_)
            | Call::ById(_)
            | Call::ByNode(_)
            | Call::ByKey(_)
            | Call::KeyById(_)
            | Call::KeyByNode(_)
            | Call::Lives(_)
            | Call::Contains(_)
            | Call::IsClosed
            | Call::Flush
            | Call::WalkEnds,
            _,
        ) => Some(None),
    }
}
