//! The search for an order (J. M. Wing, C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17,
//! 1993, with the memory of G. Lowe, "Testing for Linearizability", CCPE 29(4), 2017).

use std::collections::HashSet;
use std::fmt;

use tandem_registry::Policy;

use super::spec::{Answer, Call, Phase, State};

/// One call: what, when, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub call: Call,
    pub answer: Answer,
    pub called: u64,
    pub returned: u64,
}

/// The calls of each thread, in order.
#[derive(Clone, Debug)]
pub struct History(pub Vec<Vec<Event>>);

impl History {
    /// Whether two calls of two threads ran at the same time.
    pub fn overlaps(&self) -> bool {
        let threads = self.0.iter().enumerate();
        let pairs =
            threads.flat_map(|(at, one)| self.0[at + 1..].iter().map(move |two| (one, two)));
        let mut calls = pairs.flat_map(|(one, two)| {
            one.iter().flat_map(move |first| two.iter().map(move |second| (first, second)))
        });
        calls.any(|(one, two)| one.called < two.returned && two.called < one.returned)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (thread, events) in self.0.iter().enumerate() {
            for Event { call, answer, called, returned } in events {
                writeln!(
                    f,
                    "  thread {thread}, {called:3} to {returned:3}: {call:?} -> {answer:?}"
                )?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    /// For each thread: its next call, and how far that is.
    at: Vec<(u8, Phase)>,
    state: State,
}

/// Whether some order explains the history, and how many points the search met.
pub fn is_linearizable(history: &History, policy: Policy) -> (bool, usize) {
    let start = Point { at: vec![(0, Phase::Called); history.0.len()], state: State::default() };
    let mut seen = HashSet::new();
    let mut left = vec![start];
    while let Some(point) = left.pop() {
        let pending = || {
            let threads = history.0.iter().zip(&point.at).enumerate();
            threads.filter_map(|(thread, (events, &(next, phase)))| {
                events.get(usize::from(next)).map(|event| (thread, event, phase))
            })
        };
        // A call cannot begin after another that has not taken effect returned.
        let Some(deadline) = pending().map(|(_, event, _)| event.returned).min() else {
            return (true, seen.len());
        };
        for (thread, event, phase) in pending().filter(|(_, event, _)| event.called < deadline) {
            for (state, phase) in point.state.steps(event.call, event.answer, phase, policy) {
                let mut next = Point { at: point.at.clone(), state };
                next.at[thread] = match phase {
                    Phase::Returned => (next.at[thread].0 + 1, Phase::Called),
                    phase => (next.at[thread].0, phase),
                };
                if seen.insert(next.clone()) {
                    left.push(next);
                }
            }
        }
    }
    (false, seen.len())
}

/// The history without the calls that a contradiction does not need. Only those that change nothing can
/// be left out: without a connect, what met its client would be wrong for another reason.
pub fn minimized(mut history: History, policy: Policy) -> History {
    let changes_nothing = |event: &Event| {
        matches!(event.call, Call::Route(_) | Call::ById(_) | Call::ByNode(_) | Call::ByKey(_))
            || matches!(event.answer, Answer::Ended(None) | Answer::Done(false))
            || matches!(event.answer, Answer::Refused(_) | Answer::Alias(Err(_)))
    };
    for thread in 0..history.0.len() {
        let mut at = 0;
        while at < history.0[thread].len() {
            let mut shorter = history.clone();
            let event = shorter.0[thread].remove(at);
            if changes_nothing(&event) && !is_linearizable(&shorter, policy).0 {
                history = shorter;
            } else {
                at += 1;
            }
        }
    }
    history
}
