//! The search for an order (J. M. Wing, C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17,
//! 1993, with the memory of G. Lowe, "Testing for Linearizability", CCPE 29(4), 2017).

use std::collections::HashSet;

use ahash::RandomState;

use super::history::History;
use super::spec::{Phase, Rules, State};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    /// For each thread: its next call, and how far that is.
    at: Vec<(u8, Phase)>,
    state: State,
}

/// Whether some order explains the history, and how many points the search met.
pub fn is_linearizable(history: &History, rules: Rules) -> (bool, usize) {
    let start = Point { at: vec![(0, Phase::Called); history.0.len()], state: State::default() };
    let mut seen: HashSet<Point, RandomState> = HashSet::default();
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
            for (state, phase) in point.state.steps(thread, event, phase, rules) {
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
